"""Claims that are shown together, against what R says of the same p-values."""

import pytest

from noa_mlops.gate.holm import shown

P = (0.838541367553, 0.642193923795, 0.680845947633, 0.967833824309, 0.71626938238)
P += (0.177096952723, 5.23656777208e-05, 0.0202732688798, 0.00028140506198, 0.0149877310796)
HOLM = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 5.23656777208e-04, 0.1419128821586, 0.0025326455578, 0.1199018486368)
"""P-values and their adjustment by R's multtest (mt.rawp2adjp), as statsmodels tests its own against."""

FIVE = (0.01, 0.02, 0.03, 0.04, 0.05)
HOLM_OF_FIVE = (0.05, 0.08, 0.09, 0.09, 0.09)
"""p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm") in R."""


def claims(values):
    return [lambda level, p=p: p <= level for p in values]


@pytest.mark.parametrize(("values", "adjusted"), [(P, HOLM), (FIVE, HOLM_OF_FIVE)])
def test_shows_exactly_the_claims_whose_adjusted_p_value_in_r_is_within_the_error(values, adjusted):
    for error in sorted({0.001, 0.049, 0.05, 0.0899, 0.1, 0.2, *(one * (1 + 1e-9) for one in adjusted if one < 1)}):
        wanted = {place for place, one in enumerate(adjusted) if one <= error}
        assert shown(claims(values), error).keys() == wanted


def test_tells_the_level_that_each_was_shown_at():
    assert shown(claims((0.001, 0.9, 0.02)), 0.05) == {0: 0.05 / 3, 2: 0.05 / 2}


def test_one_claim_has_the_whole_error_and_none_shows_nothing():
    assert shown(claims((0.05,)), 0.05) == {0: 0.05}
    assert shown([], 0.05) == {}

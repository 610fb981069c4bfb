"""States share what did not change, and are told apart by nothing but what they hold."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from noa_mlops.ledger.state import Lifecycles, LifecycleState, Versions, VersionState

BEYOND = 70
"""More than one step of sharing holds, of lifecycles as of versions."""


def version(number, last_seq=0):
    return VersionState(number, "submitted", "sklearn-classifier", "agent", "a" * 64, None, (last_seq,))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, BEYOND), max_size=3 * BEYOND))
def test_lifecycles_hold_what_was_put_last_in_the_order_they_came(numbers):
    lifecycles, plain, earlier = Lifecycles(), {}, []
    for seq, number in enumerate(numbers):
        earlier.append((lifecycles, dict(plain)))
        lifecycles = lifecycles.put(f"l{number}", LifecycleState(deciding=seq))
        plain[f"l{number}"] = LifecycleState(deciding=seq)
    for state, held in [*earlier, (lifecycles, plain)]:
        assert (list(state.items()), len(state)) == (list(held.items()), len(held))
    assert lifecycles.find("never") is None
    assert "never" not in lifecycles


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 2 * BEYOND), max_size=3 * BEYOND))
def test_versions_hold_what_was_put_last(wanted):
    versions, plain, earlier = Versions(), {}, []
    for seq, number in enumerate(wanted):
        earlier.append((versions, dict(plain)))
        new = version(min(number, len(versions) + 1), seq)
        versions = versions.put(new)
        plain[new.version] = new
    for state, held in [*earlier, (versions, plain)]:
        assert (dict(state), len(state)) == (held, len(held))
    assert [versions.find(number) for number in (0, len(versions) + 1)] == [None, None]


def test_a_thousand_lifecycles_are_told_apart_after_each_of_them_changed():
    lifecycles = Lifecycles()
    for seq in range(3000):
        lifecycles = lifecycles.put(f"l{seq % 1000}", LifecycleState(deciding=seq))
    assert [state.deciding for state in lifecycles.values()] == list(range(2000, 3000))
    assert lifecycles == {f"l{number}": LifecycleState(deciding=2000 + number) for number in range(1000)}

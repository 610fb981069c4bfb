"""The manual's page of metrics is the table's."""

from pathlib import Path

from noa_mlops.evaluation.reference import page
from noa_mlops.records.metrics import METRICS

WRITTEN = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_is_the_page_that_the_table_writes():
    assert WRITTEN.read_text(encoding="utf-8") == page(), (
        "run python -m noa_mlops.evaluation.reference > docs/metrics.md"
    )


def test_names_every_metric():
    lines = page().splitlines()
    for name in METRICS:
        assert sum(line.startswith(f"| `{name}` |") for line in lines) == 1

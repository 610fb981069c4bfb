from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from noa_mlops.datasets import Dataset, DatasetReader


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Dataset]:
    """Write content below a new project folder and read it: ``read("a.csv", "x,y\\n1,2\\n")``."""

    def write_and_read(name: str, content: str | bytes, **others: str | bytes) -> Dataset:
        for path, data in {name: content, **others}.items():
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data.encode() if isinstance(data, str) else data)
        return DatasetReader(tmp_path).read(name)

    return write_and_read

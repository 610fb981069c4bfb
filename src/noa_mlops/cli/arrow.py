"""Reading data without loading pandas, which this command line never needs."""

from __future__ import annotations

import sys


def load_arrow() -> None:
    """Load pyarrow, and have it look for pandas while there is none to be found.

    It looks once, when it is first given a value, and imports what it finds, which takes longer than all else that a command
    loads. Nothing here hands it a data frame. Code of others in this process can import pandas as ever.
    """
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.scalar(None)
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas:
    """A finder, asked before all others, that says that pandas is not installed."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Nothing is found here."""
        del path, target
        if name == "pandas":
            raise ModuleNotFoundError("pandas is not looked for", name=name)

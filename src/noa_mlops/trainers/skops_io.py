"""What we use of skops, imported in half the time.

It walks through all of scikit-learn when it is imported, whose adapters import other array libraries where they are there.
"""

from noa_mlops.trainers.lean import without

with without("cupy", "dask", "torch"):
    from skops.io import dumps, get_untrusted_types, loads

__all__ = ["dumps", "get_untrusted_types", "loads"]

from __future__ import annotations

import subprocess
import sys

import pytest


def said_by(code):
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_a_package_is_not_found_meanwhile_and_found_again_afterwards():
    code = """
import sys, tabnanny
from noa_mlops.trainers.lean import without
with without("wave", "tabnanny"):
    import tabnanny
    try:
        import wave
    except ModuleNotFoundError as error:
        print(error.name, "wave" in sys.modules)
import wave
print(wave.__name__, len([f for f in sys.meta_path if "lean" in type(f).__module__]))
"""
    assert said_by(code) == ["wave", "False", "wave", "0"]


@pytest.mark.parametrize(
    ("preloaded", "not_needed"),
    [("preload", {"torch", "dask", "cupy"}), ("preload_lightgbm", {"sklearn", "pandas", "torch", "dask"})],
)
def test_agents_import_nothing_that_is_large_and_not_needed(preloaded, not_needed):
    loaded = said_by(f"import sys, noa_mlops.trainers.{preloaded}; print(*sys.modules)")
    assert "numpy" in loaded
    assert not not_needed & set(loaded)

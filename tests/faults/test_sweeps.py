"""Samples of the sweeps that ``make soak`` does whole: no fault and no power cut loses what was promised."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: apt-get install strace")
def test_nothing_that_was_promised_is_lost_to_faults_and_power_cuts():
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"}
    line = [sys.executable, "-m", "faults.sweeps", "3"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    survived, tried = map(int, re.search(r"survived (\d+) of (\d+)\n$", done.stdout).groups())
    assert survived == tried == 4 * (3 + 1)

"""The version of this package, readable without loading anything else."""

from __future__ import annotations

VERSION = "0.1.0"

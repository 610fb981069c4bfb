"""noa: train in isolation, measure without showing the labels, gate, and keep signed evidence."""

from __future__ import annotations

from noa_mlops.version import __version__

__all__ = ["__version__"]

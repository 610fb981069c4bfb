"""File names inside plans: relative to the project folder, plain, and never an address on the network."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

MAX_PATH = 1024
"""Longest file name, in bytes of UTF-8."""

PATH_SCHEMA = {"minLength": 1, "maxLength": MAX_PATH, "pattern": r"^[^\\\x00-\x1f]+$"}
"""What JSON Schema can say of the rule."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/|//")
_FORBIDDEN = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def path_problem(text: str) -> str | None:
    """Why ``text`` cannot name a file, or None when it can. Whether the file exists is not asked.

    An absolute path is a file name too: the policy's ``data_roots`` decide where it may lead.
    """
    if not text or not text.strip():
        return "must not be empty"
    if _FORBIDDEN.search(text):
        return "must not contain control characters"
    if len(text.encode()) > MAX_PATH or any(len(part.encode()) > 255 for part in text.split("/")):
        return f"must be at most {MAX_PATH} bytes, each part at most 255"
    if "\\" in text:
        return "must not contain a backslash; parts are separated by '/'"
    if _ADDRESS.match(text):
        return "must be a file, not an address"
    if ".." in text.split("/"):
        return "must not contain '..'"
    if text.endswith("/") or not PurePosixPath(text).name:
        return "must name a file, not a folder"
    return None


def relative_path_problem(text: str) -> str | None:
    """Why ``text`` cannot name a file inside the project folder, or None when it can."""
    problem = path_problem(text)
    if problem is None and text.startswith("/"):
        return "must be relative to the project folder"
    return problem

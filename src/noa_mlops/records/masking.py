"""Secrets in text that somebody else wrote, made unreadable before the text is recorded or shown.

A trainer's last words go into the ledger, for ever, and a mistaken plan is quoted where many look. What such text likes to
carry is known by its form: the user information of an address (RFC 3986 3.2.1), and a value that its name gives away. A
secret of any other form passes.
"""

from __future__ import annotations

import re

MASK = "***"

_USER_INFORMATION = re.compile(r"(?P<scheme>\w:/{1,2})[^/\s@?#\"'<>]*(?=@)")  # a path has lost one of both strokes
_NAMED = re.compile(
    r"(?P<name>(?:password|passwd|pwd|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key)\w{0,16}"
    r"(?:\s?=\s?|[\"']\s?:\s?)[\"']?)[^\s&\"',;]+",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """``text`` without the secrets that their form gives away; any other text comes back as it is."""
    return _NAMED.sub(rf"\g<name>{MASK}", _USER_INFORMATION.sub(rf"\g<scheme>{MASK}", text))

"""How a delimited file is written: its encoding from all of its bytes, its delimiter from its first rows."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from typing import BinaryIO

from noa_mlops.datasets.delimited_faults import delimiter_of, undecodable
from noa_mlops.records.dataset import TextFormat

HEAD = 1 << 20
"""Bytes at the start of a file in which the delimiter is looked for."""

ROWS = 500
"""Rows of the head that are compared."""

DELIMITERS = (",", ";", "\t", "|")
"""What may stand between cells, the likeliest first."""


def encoding_of(path: str, stream: BinaryIO) -> str:
    """UTF-8 when every byte is, UTF-16 by its mark, else cp1252 (or latin-1, which takes every byte)."""
    stream.seek(0)
    if stream.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return "utf-16"
    for encoding in ("utf-8", "cp1252"):
        if undecodable(path, stream, TextFormat(encoding=encoding)) is None:
            return encoding
    return "latin-1"


def delimiter_in(path: str, stream: BinaryIO, encoding: str) -> str:
    """The mark that divides the most of the first rows into as many cells as the header has, more than one."""
    usual = delimiter_of(path, TextFormat())
    stream.seek(0)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(stream.read(HEAD))
    if len(text) >= HEAD // 4:
        text = text[: text.rfind("\n") + 1] or text
    candidates = (usual, *(mark for mark in DELIMITERS if mark != usual))
    scores = {mark: _agreement(text.removeprefix("\ufeff"), mark) for mark in candidates}
    best = max(candidates, key=scores.__getitem__)
    return best if scores[best] > (0, 0) else usual


def _agreement(text: str, mark: str) -> tuple[float, int]:
    """The share of rows that are as wide as the header, and that width; nothing for one column."""
    widths: Counter[int] = Counter()
    header = 0
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=mark):
            if record:
                header = header or len(record)
                widths[len(record)] += 1
            if widths.total() > ROWS:
                break
    except csv.Error:
        return 0, 0
    return (round(widths[header] / widths.total(), 1), header) if header > 1 else (0, 0)

"""The type of a column of text, from all of its cells; and what to say where they do not agree."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets import numerals, times
from noa_mlops.datasets.bad_cell import BadCell
from noa_mlops.datasets.inference.moments import LIKE_TIMES, moments, moments_of_digits
from noa_mlops.datasets.inference.remarks import Guess
from noa_mlops.datasets.messages import listed, quoted
from noa_mlops.records.dataset import TextFormat, TimeFormat

MARKERS = frozenset(
    [
        "?",
        "-",
        "--",
        "---",
        ".",
        "..",
        "*",
        "n/a",
        "na",
        "n.a.",
        "nan",
        "none",
        "nil",
        "null",
        "#n/a",
        "#na",
        "#null!",
        "unknown",
        "missing",
        "unbekannt",
        "k.a.",
        "k.a",
        "entf.",
        "s/d",
    ]
)
"""Cells, in lower case, that people write where there is no value."""

MOST = 0.8
"""Share of the cells of a column from which the others are exceptions."""

SPELLED = 100
"""Different words up to which it is looked whether some are one word written in several ways."""

FEW_WORDS = 5
"""Different words that may stand between numbers in place of a value."""

HALF = 0.5
"""Share of numbers from which a column of text is worth a look."""

_SIGNED = (
    r"^(?:[$\x{20ac}\x{a3}\x{a5}] ?[+-]?[0-9][0-9.,' ]*|[+-]?[0-9][0-9.,' ]* ?(?:[%$\x{20ac}\x{a3}\x{a5}]|EUR|USD))$"
)


def guess(column: pa.ChunkedArray, distinct: pa.Array, style: TextFormat) -> Guess:
    """The type of ``column``, whose present cells are ``distinct``, trimmed.

    Numbers and times are recognised around exceptions that mean *no value*; other exceptions leave it text.
    """
    if not len(distinct):
        return Guess("float", "no cell has a value", doubtful=True)
    if pc.all(pc.is_in(pc.utf8_lower(distinct), pa.array(["true", "false"]))).as_py():
        return Guess("bool")
    for words, pattern in (("number", numerals.pattern(style).pattern), ("time", times.PATTERN.pattern)):
        good = pc.match_substring_regex(distinct, pattern)
        if found := _around(column, distinct, good, words, style):
            return found
    return _other_times(distinct) or _half_numbers(column, distinct, style) or _text(column, distinct)


def _around(column: pa.ChunkedArray, distinct: pa.Array, good: pa.Array, words: str, style: TextFormat) -> Guess | None:
    """A type that the ``good`` cells have, when they are all or most of the column."""
    hits = pc.sum(good).as_py() or 0
    if not hits or hits < MOST * len(distinct) - 5:
        return None
    odd = distinct.filter(pc.invert(good))
    values = distinct.filter(good)
    if not len(odd):
        return _of(values, words, style)
    if len(odd) <= 5 and all(cell.lower() in MARKERS for cell in odd.to_pylist()):
        found = _of(values, words, style)
        return Guess(found.kind, found.why, found.doubtful, tuple(odd.to_pylist()), found.plain)
    cells = pc.sum(pc.is_in(_trimmed(column), odd)).as_py()
    present = len(column) - column.null_count
    if present - cells < MOST * present:
        return None
    row = pc.index(pc.is_in(_trimmed(column), odd), True).as_py()
    first = f"{quoted(column[row].as_py())} in row {row + 1}"
    why = f"all but {cells} of {present} cells are {words}s; the first other one is {first}"
    advice = f"Correct them, or add them to missing and make this {_name(words)}"
    return Guess("text", f"{why}. {advice}", doubtful=True, plain=False)


def _name(words: str) -> str:
    return "float" if words == "number" else "time"


def _of(values: pa.Array, words: str, style: TextFormat) -> Guess:
    """The type of cells that all look like numbers, or all like ISO 8601 times."""
    cells = pa.chunked_array([values])
    try:
        found = numerals.numbers(cells, style) if words == "number" else times.read(cells)
    except BadCell as bad:
        return Guess("text", f"{quoted(bad.value)} {bad.wrong}", doubtful=True, plain=False)
    if words == "time":
        return Guess("time" if found is not None else "text")
    if found is None:
        zeros = pc.any(pc.match_substring_regex(values, "^-?0[0-9]")).as_py()
        return Guess("text", "leading zeros: these digits name things" if zeros else "numbers beyond 64 bits")
    if pa.types.is_integer(found.type) and len(values) > 1 and (form := moments_of_digits(values.to_pylist())):
        return Guess("int", f'these look like dates: {{time: "{form}"}} would make them times', doubtful=True)
    return Guess("int" if pa.types.is_integer(found.type) else "float")


def _other_times(distinct: pa.Array) -> Guess | None:
    like = pc.match_substring_regex(distinct, LIKE_TIMES)
    hits = pc.sum(like).as_py() or 0
    odd = distinct.filter(pc.invert(like)).to_pylist() if hits >= MOST * len(distinct) else None
    if odd is None or (odd and not (len(odd) <= 5 and all(cell.lower() in MARKERS for cell in odd))):
        return None
    found = moments(distinct.filter(like).to_pylist())
    if found is None:
        return None
    if found.exception is not None:
        written, cell = found.exception
        why = f"times written {written} but for {quoted(cell)}. Correct it to use them as times"
        return Guess("text", why, doubtful=True, plain=False)
    if found.written is None:
        forms = "; ".join(f"{cell!r} is {written}" for written, cell in found.mixed)
        why = f"times in several formats: {forms}. Write them in one to use them as times"
        return Guess("text", why, doubtful=True, plain=False)
    doubt = None if found.also is None else f"or {found.also}: no cell tells which"
    return Guess(TimeFormat(found.written), doubt, found.also is not None, tuple(odd), plain=False)


def _half_numbers(column: pa.ChunkedArray, distinct: pa.Array, style: TextFormat) -> Guess | None:
    """Text, with a doubt, when more cells than not are numbers and the others are the same few words."""
    odd = distinct.filter(pc.invert(pc.match_substring_regex(distinct, numerals.pattern(style).pattern)))
    present = len(column) - column.null_count
    numbers = present - pc.sum(pc.is_in(_trimmed(column), odd)).as_py()
    if len(odd) > FEW_WORDS or numbers < HALF * present:
        return None
    words = listed(odd.to_pylist())
    why = f"{numbers} of {present} cells are numbers, the others {words}. Add those to missing to make this float"
    return Guess("text", why, doubtful=True)


def _text(column: pa.ChunkedArray, distinct: pa.Array) -> Guess:
    signed = pc.sum(pc.match_substring_regex(distinct, _SIGNED)).as_py() or 0
    if signed >= MOST * len(distinct):
        why = f"numbers with a sign, such as {quoted(distinct[0].as_py())}: without it they could be used as numbers"
        return Guess("text", why, doubtful=True)
    if len(distinct) <= SPELLED and (alike := _alike(column.unique().drop_null().to_pylist())):
        return Guess(
            "text",
            f"{alike} differ only in capitals or blanks: if they mean one thing, write it one way",
            doubtful=True,
        )
    return Guess("text")


def _alike(cells: Sequence[str]) -> str | None:
    """The first few cells that are one word written in several ways."""
    written: dict[str, list[str]] = {}
    for cell in sorted(cells):
        written.setdefault(cell.strip().casefold(), []).append(cell)
    return next((listed(ways, limit=3) for ways in written.values() if len(ways) > 1), None)


def _trimmed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.ascii_trim_whitespace(column)

"""A dataset definition as a file for people: what was found, with the reason beside every choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from noa_mlops.datasets.inference.remarks import About, Remark
from noa_mlops.records.dataset import ColumnType, DatasetDefinition, TextFormat, TimeFormat
from noa_mlops.records.yaml_text import one_line, remarked, scalar, sequence

LONGEST_KEY = 250
"""Characters of a name that stands before its type on one line; YAML has a limit of 1024, escapes included."""


def definition_text(definition: DatasetDefinition, rows: int, remarks: Sequence[Remark]) -> str:
    """The YAML of ``definition``; reading it gives the definition back."""
    return "\n".join(_lines(definition, rows, remarks)) + "\n"


def _lines(definition: DatasetDefinition, rows: int, remarks: Sequence[Remark]) -> Iterator[str]:
    yield f"# What was found in {one_line(definition.files[0])}, {rows} rows. Correct what is wrong: the plan goes by it."
    yield f"files: {sequence(definition.files)}"
    if (doubt := _reason(remarks, "header")) is not None:
        yield f"# {one_line(doubt)}"
    yield from _format(definition.format, remarks)
    if definition.target is not None:
        yield remarked(f"target: {scalar(definition.target)}", _reason(remarks, "target", definition.target))
    if definition.key is not None:
        yield remarked(f"key: {scalar(definition.key)}", _reason(remarks, "key", definition.key))
    yield from (
        f"# key: {scalar(str(remark.column))}  # {one_line(remark.text)}"
        for remark in remarks
        if remark.about == "key" and remark.column != definition.key
    )
    if definition.time is not None:
        yield remarked(f"time: {scalar(definition.time)}", _reason(remarks, "time", definition.time))
    yield from (
        f"# time: {scalar(str(remark.column))}  # {one_line(remark.text)}"
        for remark in remarks
        if remark.about == "time" and remark.column != definition.time
    )
    if definition.group is not None:
        yield remarked(f"group: {scalar(definition.group)}", _reason(remarks, "group", definition.group))
    if definition.ignore:
        yield "ignore:  # no agent sees these; take out of the list what is known before the prediction is needed"
        yield from (
            remarked(f"- {scalar(name)}", _reason(remarks, "ignore", name), indent=2) for name in definition.ignore
        )
    yield from _types(definition.types, remarks)


def _format(style: TextFormat, remarks: Sequence[Remark]) -> Iterator[str]:
    plain = TextFormat()
    if style == plain:
        return
    yield "format:"
    reasons = {"decimal": _reason(remarks, "numbers"), "encoding": _reason(remarks, "encoding")}
    for name in ("delimiter", "decimal", "thousands", "encoding"):
        value, why = getattr(style, name), reasons.get(name)
        if value != getattr(plain, name) or why is not None:
            yield remarked(f"{name}: {scalar(value)}", why, indent=2)
    if style.missing is not None:
        yield remarked(f"missing: {sequence(style.missing)}", _reason(remarks, "missing"), indent=2)


def _types(types: Mapping[str, ColumnType | TimeFormat], remarks: Sequence[Remark]) -> Iterator[str]:
    if not types:
        return
    yield "types:"
    for name, kind in types.items():
        written = f"{{time: {scalar(kind.time)}}}" if isinstance(kind, TimeFormat) else kind
        if len(name) > LONGEST_KEY:
            yield f"  ? {scalar(name)}\n  : {written}"
        else:
            yield remarked(f"{scalar(name)}: {written}", _reason(remarks, "type", name), indent=2)


def _reason(remarks: Sequence[Remark], about: About, column: str | None = None) -> str | None:
    found = (remark.text for remark in remarks if remark.about == about and remark.column == column)
    return next(found, None)

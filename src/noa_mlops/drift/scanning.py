"""The scan: which columns of the current data drifted from the reference, and is that more than chance and large enough?

A column drifts when an effect reaches its margin *and* its q, adjusted for all questions of the scan, is below the
declared rate. Neither is enough alone: with many rows chance alone explains nothing, and with few it makes large
effects. The data fail when a column that gates drifted, or when columns came, went or changed their type; never by the
share of columns. Where nothing drifted but a change of three margins would go unseen, the scan is inconclusive. A plan
may say that drift only warns, or that too few data block.
"""

from __future__ import annotations

from dataclasses import replace

from noa_mlops.drift.columns import Compared, compare, same_kind, sees
from noa_mlops.drift.joint import Joint, as_column
from noa_mlops.drift.report import ColumnDrift, DriftReport, SchemaChange, Test
from noa_mlops.drift.tails import false_discovery
from noa_mlops.records.drift import DriftSettings
from noa_mlops.records.summary import ColumnSummary, DatasetSummary
from noa_mlops.records.verdict import Outcome

ENOUGH_BLOCKS = 30
"""Blocks of the reference below which the dependence of its rows is not known."""

_DEFAULT = DriftSettings()


def scan(
    reference: DatasetSummary,
    current: DatasetSummary,
    settings: DriftSettings = _DEFAULT,
    joint: Joint | str | None = None,
) -> DriftReport:
    """Hold the ``current`` data against the ``reference``. The order of columns has no meaning.

    ``joint`` is what `tell_apart` found in the rows of both, or why it was not asked; None where nobody wanted to know.
    """
    schema, common = _schema(reference, current)
    compared = [(first, second, _compare(first, second, settings, reference.target)) for first, second in common]
    if (answers := _answers(reference, current, settings)) is not None:
        compared.append(answers)
    together = [joint] if isinstance(joint, Joint) else []
    single = [asked.p for _, _, found in compared for asked in found.measurements]
    chances = false_discovery([*single, *(found.p for found in together)])
    level = settings.fdr / max(1, len(chances))
    blocks_lack = reference.blocks is not None and reference.blocks.count < ENOUGH_BLOCKS
    columns, taken = [], 0
    for first, second, found in compared:
        until = taken + len(found.measurements)
        tests = _tests(found, chances[taken:until], settings)
        too_few = blocks_lack or not sees(found, settings.margins_of(first.name), level)
        column = _column((first, second), found, tests, settings, target=reference.target, too_few=too_few)
        columns.append(replace(column, is_prediction=first is reference.predictions))
        taken = until
    blocks = settings.on_drift == "block"
    columns += [replace(as_column(found, chances[-1], settings.fdr), gates=blocks) for found in together]
    ordered = tuple(sorted(columns, key=lambda column: (not column.drifted, -column.margins, column.name)))
    return DriftReport(
        outcome=_outcome(ordered, schema, settings),
        columns=ordered,
        schema=schema,
        rows=(reference.rows, current.rows),
        reference=reference.digest,
        current=current.digest,
        settings=settings,
        notes=(*_notes(reference, current, ordered, settings), *_not_together(joint)),
    )


def _schema(
    reference: DatasetSummary, current: DatasetSummary
) -> tuple[tuple[SchemaChange, ...], list[tuple[ColumnSummary, ColumnSummary]]]:
    """What changed of the columns, and those that can be compared, by name.

    A target that is not there yet is no change: labels come later.
    """
    before = {column.name: column for column in reference.columns}
    after = {column.name: column for column in current.columns if column.name not in reference.aside}
    changes, common = [], []
    for name in sorted(before.keys() | after.keys()):
        first, second = before.get(name), after.get(name)
        if first is None or second is None:
            if first is None or name != reference.target:
                changes.append(SchemaChange(name, *(None if side is None else side.type for side in (first, second))))
        elif same_kind(first, second):
            common.append((first, second))
        else:
            changes.append(SchemaChange(name, first.type, second.type))
    return tuple(changes), common


def _compare(reference: ColumnSummary, current: ColumnSummary, settings: DriftSettings, target: str | None) -> Compared:
    """Every question asked of a column; of the target not whether values are missing, for labels come later."""
    found = compare(reference, current, settings.margins_of(reference.name))
    if reference.name != target:
        return found
    return replace(found, measurements=tuple(asked for asked in found.measurements if asked.subject != "missing"))


def _answers(
    reference: DatasetSummary, current: DatasetSummary, settings: DriftSettings
) -> tuple[ColumnSummary, ColumnSummary, Compared] | None:
    """What the champion said when it was promoted beside what it says now, as a column like others; None where it was not asked."""
    before, now = reference.predictions, current.predictions
    if before is None or now is None or not same_kind(before, now):
        return None
    return before, now, compare(before, now, settings.margins_of(before.name))


def _tests(found: Compared, chances: list[float], settings: DriftSettings) -> tuple[Test, ...]:
    return tuple(
        Test(
            asked.subject,
            asked.effect,
            asked.margin,
            asked.p,
            q,
            asked.direction,
            drifted=q < settings.fdr and asked.effect >= asked.margin,
        )
        for asked, q in zip(found.measurements, chances, strict=True)
    )


def _column(
    pair: tuple[ColumnSummary, ColumnSummary],
    found: Compared,
    tests: tuple[Test, ...],
    settings: DriftSettings,
    *,
    target: str | None,
    too_few: bool,
) -> ColumnDrift:
    reference, current = pair
    fresh = found.novelty
    return ColumnDrift(
        name=reference.name,
        kind=found.kind,
        is_label=reference.name == target,
        # Time goes on: that it did is no drift, however far.
        gates=reference.name not in settings.ungated and reference.type != "time" and settings.on_drift == "block",
        tests=tests,
        insufficient=too_few and not any(test.drifted for test in tests),
        rows=(reference.rows, current.rows),
        missing=(reference.missing, current.missing),
        dependence=max(reference.dependence, current.dependence),
        medians=found.medians,
        spread=found.spread,
        new_categories=() if fresh is None else fresh.names,
        new_share=0.0 if fresh is None else fresh.new,
        gone_share=0.0 if fresh is None else fresh.gone,
        psi=found.psi,
        js=found.js,
        labels=found.labels,
        picture=found.picture,
    )


def _outcome(columns: tuple[ColumnDrift, ...], schema: tuple[SchemaChange, ...], settings: DriftSettings) -> Outcome:
    if settings.on_drift == "block" and (schema or any(column.drifted for column in columns if column.gates)):
        return "fail"
    watched = _watched(columns, settings)
    # What the champion says is beside the point here: on how few rows it was measured once, no larger window mends.
    if not watched or any(column.insufficient for column in watched if not (column.is_label or column.is_prediction)):
        return "fail" if settings.on_insufficient == "block" else "inconclusive"
    return "pass"


def _watched(columns: tuple[ColumnDrift, ...], settings: DriftSettings) -> list[ColumnDrift]:
    """The columns that gate, or would if drift did more than warn."""
    if settings.on_drift == "block":
        return [column for column in columns if column.gates]
    return [column for column in columns if column.name not in settings.ungated and column.kind != "time"]


def _not_together(joint: Joint | str | None) -> tuple[str, ...]:
    return (f"all columns together were not looked at: {joint}",) if isinstance(joint, str) else ()


def _notes(
    reference: DatasetSummary, current: DatasetSummary, columns: tuple[ColumnDrift, ...], settings: DriftSettings
) -> tuple[str, ...]:
    notes = []
    if reference.blocks is None:
        notes.append("rows are assumed independent: no time or group column was declared")
    elif reference.blocks.count < ENOUGH_BLOCKS:
        notes.append(
            f"{reference.blocks.column!r} makes {reference.blocks.count} blocks of the reference, "
            f"and {ENOUGH_BLOCKS} are needed to know how much its rows depend on each other"
        )
    else:
        notes.append(f"rows that are near by {reference.blocks.column!r} count as dependent")
    watched = _watched(columns, settings)
    few = sum(column.insufficient for column in watched if not (column.is_label or column.is_prediction))
    if settings.on_drift == "warn":
        notes.append("the plan says that drift of the data only warns")
    if few:
        notes.append(f"{current.rows} rows are too few to see a change of three margins in {few} columns")
    if any(column.insufficient for column in watched if column.is_prediction):
        notes.append("rows are too few to see a change of three margins in what the champion says")
    if reference.target is not None and current.column(reference.target) is None:
        notes.append(f"the labels ({reference.target!r}) are not there yet")
    return tuple(notes)

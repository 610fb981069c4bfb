"""What a CI job was told, in the two forms that CI systems draw: JUnit XML and SARIF 2.1.0 (OASIS, 2020)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree as ET

from noa_mlops.version import VERSION

if TYPE_CHECKING:
    from noa_mlops.audit.plan_places import Place, PlanText
    from noa_mlops.drift import DriftReport

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, section 2.2."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a job was to check; ``problem`` is None when it holds.

    ``rule`` is what was checked for, in kebab case; ``file``, ``line`` and ``column`` are where to look, in a file that is
    relative to the project; a ``level`` of warning stops nothing.
    """

    name: str
    rule: str
    problem: str | None
    file: str
    line: int = 1
    column: int = 1
    level: Literal["error", "warning"] = "error"

    def at(self, place: Place | None) -> Check:
        """The same check about another place; about its own when there is none."""
        return self if place is None else replace(self, file=place.file, line=place.line, column=place.column)


def drift_checks(
    name: str, path: str, report: DriftReport, worse: Iterable[tuple[str, str]] = (), plan: PlanText | None = None
) -> list[Check]:
    """The checks of a scan of ``path`` for a champion: its schema, every column that gates, every metric that got ``worse``.

    They are about the lines of the ``plan`` that declare what was asked, where it is known, else about the data.
    """

    def at(*field: str) -> Place | None:
        return None if plan is None else plan.place(*field)

    data = at("dataset_path")
    found = [Check(f"{name} schema", "schema-change", str(change), path).at(data) for change in report.schema]
    found = found or [Check(f"{name} schema", "schema-change", None, path).at(data)]
    for column in report.columns:
        moved = [test for test in column.tests if test.drifted and column.gates]
        said = "; ".join(
            f"{column.name}: {test.subject} moved {test.effect:.3g}, allowed {test.margin:g} (q {test.q:.2g})"
            for test in moved
        )
        found.append(Check(f"{name} {column.name}", "data-drift", f"{said} in {path}" if said else None, path).at(data))
    for metric, why in worse:
        asked = at("evaluation", "metric_thresholds", metric)
        found.append(Check(f"{name} {metric}", "metric-drift", f"{metric} on {path}: {why}", path).at(asked))
    return found


def junit(suite: str, checks: Sequence[Check], moment: str) -> bytes:
    """A test suite with a case for each check; ``moment`` is RFC 3339 in UTC.

    It has what the strictest of the published forms asks for, that of Apache Ant, and nothing that Jenkins does not know.
    These know no warnings: a check that only warns is skipped, with what it says.
    """
    broken = [check.level for check in checks if check.problem is not None]
    failures, skipped = broken.count("error"), broken.count("warning")
    counts = {"tests": str(len(checks)), "failures": str(failures), "errors": "0", "time": "0"}
    root = ET.Element("testsuites")
    inside = ET.SubElement(
        root,
        "testsuite",
        {
            "name": _text(suite),
            **counts,
            "skipped": str(skipped),
            "timestamp": moment[:19],
            "hostname": "localhost",
            "id": "0",
            "package": "noa",
        },
    )
    ET.SubElement(ET.SubElement(inside, "properties"), "property", {"name": "noa-mlops", "value": VERSION})
    for check in checks:
        case = ET.SubElement(
            inside, "testcase", {"name": _text(check.name), "classname": f"noa.{check.rule}", "time": "0"}
        )
        if check.problem is not None:
            fails = check.level == "error"
            about = {"message": _text(check.problem), **({"type": check.rule} if fails else {})}
            said = ET.SubElement(case, "failure" if fails else "skipped", about)
            said.text = _text(f"{check.file}:{check.line}  {check.problem}")
    ET.SubElement(inside, "system-out")
    ET.SubElement(inside, "system-err")
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def sarif(checks: Sequence[Check]) -> bytes:
    """A run of noa whose results are the checks that do not hold."""
    broken = [check for check in checks if check.problem is not None]
    rules = sorted({check.rule for check in checks})
    run = {
        "tool": {
            "driver": {
                "name": "noa",
                "semanticVersion": VERSION,
                "rules": [{"id": rule, "shortDescription": {"text": RULES[rule]}} for rule in rules],
            }
        },
        "results": [_result(check, rules.index(check.rule)) for check in broken],
    }
    document = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


RULES = {
    "schema-change": "The data have the columns and types that the champion was made on",
    "data-drift": "No column moved away from the data that the champion was made on",
    "metric-drift": "The champion measures as it did when it was promoted",
    "data": "The data that are scheduled to be scanned can be read",
    "rollout": "The rollout is ready",
    "evidence": "The registry log is whole and verified",
    "plan": "The plan can be used",
    "threshold": "The model meets what its plan asks for",
}
"""What each rule asks, as a sentence that holds when the check does."""


def _result(check: Check, place: int) -> dict[str, Any]:
    where = {
        "artifactLocation": {"uri": _uri(check.file)},
        "region": {"startLine": check.line, "startColumn": check.column},
    }
    return {
        "ruleId": check.rule,
        "ruleIndex": place,
        "level": check.level,
        "message": {"text": _plain(check.problem or "")},
        "locations": [{"physicalLocation": where, "logicalLocations": [{"fullyQualifiedName": check.name}]}],
        "partialFingerprints": {"check/v1": f"{check.rule}:{check.name}"},
    }


def _plain(text: str) -> str:
    """Text that is neither a placeholder nor a link, SARIF sections 3.11.5 and 3.11.6."""
    return text.replace("{", "{{").replace("}", "}}").replace("](", "] (")


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(Path(path).as_posix())


def _text(text: str) -> str:
    return _NOT_XML.sub(lambda found: repr(found.group())[1:-1], text)

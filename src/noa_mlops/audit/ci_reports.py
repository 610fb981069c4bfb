"""What a CI job was told, in the two forms that CI systems draw: JUnit XML and SARIF 2.1.0 (OASIS, 2020)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from noa_mlops.version import VERSION

if TYPE_CHECKING:
    from noa_mlops.drift import DriftReport

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, section 2.2."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a job was to check; ``problem`` is None when it holds.

    ``rule`` is what was checked for, in kebab case; ``file`` and ``line`` are where to look, relative to the project.
    """

    name: str
    rule: str
    problem: str | None
    file: str
    line: int = 1


def drift_checks(name: str, path: str, report: DriftReport, worse: Iterable[tuple[str, str]] = ()) -> list[Check]:
    """The checks of a scan of ``path`` for a champion: its schema, every column that gates, every metric that got ``worse``."""
    found = [Check(f"{name} schema", "schema-change", str(change), path) for change in report.schema]
    found = found or [Check(f"{name} schema", "schema-change", None, path)]
    for column in report.columns:
        moved = [test for test in column.tests if test.drifted and column.gates]
        said = "; ".join(
            f"{column.name}: {test.subject} moved {test.effect:.3g}, allowed {test.margin:g} (q {test.q:.2g})"
            for test in moved
        )
        found.append(Check(f"{name} {column.name}", "data-drift", said or None, path))
    found += [Check(f"{name} {metric}", "metric-drift", f"{metric}: {why}", path) for metric, why in worse]
    return found


def junit(suite: str, checks: Sequence[Check], moment: str) -> bytes:
    """A test suite with a case for each check; ``moment`` is RFC 3339 in UTC."""
    failures = sum(check.problem is not None for check in checks)
    counts = {"tests": str(len(checks)), "failures": str(failures), "errors": "0", "time": "0"}
    root = ET.Element("testsuites", {"name": "noa", **counts})
    inside = ET.SubElement(
        root,
        "testsuite",
        {"name": _text(suite), **counts, "skipped": "0", "timestamp": moment[:19]},
    )
    for check in checks:
        case = ET.SubElement(
            inside, "testcase", {"name": _text(check.name), "classname": f"noa.{check.rule}", "time": "0"}
        )
        if check.problem is not None:
            said = ET.SubElement(case, "failure", {"message": _text(check.problem), "type": check.rule})
            said.text = _text(f"{check.file}:{check.line}  {check.problem}")
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
}
"""What each rule asks, as a sentence that holds when the check does."""


def _result(check: Check, place: int) -> dict[str, Any]:
    where = {"artifactLocation": {"uri": _uri(check.file)}, "region": {"startLine": check.line}}
    return {
        "ruleId": check.rule,
        "ruleIndex": place,
        "level": "error",
        "message": {"text": check.problem},
        "locations": [{"physicalLocation": where, "logicalLocations": [{"fullyQualifiedName": check.name}]}],
        "partialFingerprints": {"check/v1": f"{check.rule}:{check.name}"},
    }


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(Path(path).as_posix())


def _text(text: str) -> str:
    return _NOT_XML.sub(lambda found: repr(found.group())[1:-1], text)

"""What the tests of the ledger write: small drafts of each type, and whole ledgers made of them."""

from __future__ import annotations

import os
import subprocess
import sys

from noa_mlops.ledger import Draft

PLAN = "a" * 64
BYTES = "b" * 64


def submitted(lifecycle="rain", version=None, **changes):
    """Compose Submitted for the next version, or for the one given."""

    def compose(state):
        number = version or state.lifecycle(lifecycle).next_version
        predicate = {
            "plan": {"digest": {"sha256": PLAN}},
            "profile": "sklearn-classifier",
            "agent_id": f"{lifecycle}-{number}",
            "attempt": 1,
            "datasets": {},
        }
        return Draft(
            "Submitted",
            "noa:lifecycle/v1",
            predicate | changes,
            [{"name": "plan", "digest": {"sha256": PLAN}}],
            lifecycle,
            number,
        )

    return compose


def step(kind, predicate_type, version=1, *, lifecycle="rain", checksum=BYTES, predicate=None, status=None):
    """Compose an entry about a version."""
    subject = [{"name": f"{lifecycle}@{version}", "digest": {"sha256": checksum}}]
    draft = Draft(kind, predicate_type, predicate or {}, subject, lifecycle, version, status)
    return lambda state: draft


def trained(version=1, **changes):
    """Compose TrainingCompleted."""
    return step("TrainingCompleted", "https://slsa.dev/provenance/v1", version, **changes)


def training_failed(version=1, **changes):
    """Compose TrainingFailed."""
    return step("TrainingFailed", "https://slsa.dev/provenance/v1", version, status="failed", **changes)


def evaluated(version=1, **changes):
    """Compose EvaluationLogged."""
    return step("EvaluationLogged", "noa:lifecycle/v1", version, **changes)


def evaluation_failed(version=1, **changes):
    """Compose EvaluationFailed."""
    return step("EvaluationFailed", "noa:lifecycle/v1", version, status="failed", **changes)


def decided(
    version=1, *, verdict="pass", status="ready", reasons=(), replaces=None, approvals=None, proven=None, **changes
):
    """Compose PromotionReady; ``approvals`` and what was ``proven`` are left out unless they are given."""
    decision = {"verdict": verdict, "status": status, "reasons": list(reasons), "replaces": replaces}
    more = {"approvals": approvals, "proven": proven}
    decision |= {name: value for name, value in more.items() if value is not None}
    predicate = changes.pop("predicate", {}) | {"noa:decision": decision}
    kind = "https://slsa.dev/verification_summary/v1"
    return step("PromotionReady", kind, version, predicate=predicate, status=status, **changes)


def promote(ledger, version=1, lifecycle="rain"):
    """Take one version all the way: four entries."""
    champion = ledger.state.lifecycle(lifecycle).champion
    ledger.append(submitted(lifecycle))
    ledger.append(trained(version, lifecycle=lifecycle))
    ledger.append(evaluated(version, lifecycle=lifecycle))
    return ledger.append(decided(version, lifecycle=lifecycle, replaces=champion))


def python(code, *arguments, prefix=(), **options):
    """Start a real process that runs ``code`` with this folder importable."""
    here = os.path.dirname(__file__)
    environment = os.environ | {"PYTHONPATH": here}
    command = [*prefix, sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True, **options
    )


OPEN = """
import sys, pathlib
from noa_mlops.ledger import Ledger, KeyStore
from noa_mlops.records.layout import Layout
import writing
root = pathlib.Path(sys.argv[1])
layout, keystore = Layout.of(root / "project"), KeyStore(root / "keys")
"""
"""How such a process finds the ledger of a test: its first argument is the test's folder."""


def scanned(version=1, *, verdict="pass", current="1" * 64, signs=(), certain=False, confirms=None, **changes):
    """Compose DriftScanned; with ``status`` blocked it holds the decision that says so."""
    predicate = {
        "reference": "0" * 64,
        "current": current,
        "report": "2" * 64,
        "verdict": verdict,
        "certain": certain,
        "signs": [list(sign) for sign in signs],
        "confirms": confirms,
    }
    if changes.get("status") == "blocked":
        predicate["noa:decision"] = {"verdict": verdict, "status": "blocked", "reasons": ["drift"]}
    predicate |= changes.pop("predicate", {})
    return step("DriftScanned", "noa:lifecycle/v1", version, predicate=predicate, **changes)

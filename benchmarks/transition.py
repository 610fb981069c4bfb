"""One step of a lifecycle, recorded: signed, admitted, appended and durable, against the bare write it cannot do without."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks.measure import Candidate, Line, medians, scratch
from noa_mlops.ledger import Draft, KeyStore, Ledger, LedgerState
from noa_mlops.records.layout import Layout

DIGEST = {"sha256": "0" * 64}


def lines(rounds: int = 400) -> Iterator[Line]:
    """One append to the ledger against one append and fdatasync of as many bytes, in the same folder."""
    with scratch() as project, Ledger.create(Layout.of(project), "bench", KeyStore()) as ledger:
        size = len(ledger.append(step).line) + 1
        floor = os.open(project / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        bare = partial(append_durably, floor, b"x" * size)
        candidates: dict[str, Candidate] = {"bare": bare, "ledger": partial(ledger.append, step)}
        times = medians(candidates, rounds=rounds, warm_up=20)
        candidates["signing"] = partial(ledger.keys.signing_key("verifier").sign, b"x" * size)
        busy = medians(candidates, rounds=rounds, clock=time.process_time)
        os.close(floor)
    note = f"{(busy['ledger'] - busy['bare']) * 1000:.0f} us of computing, {busy['signing'] * 1000:.0f} of them signing"
    floor_name = f"append + fdatasync of {size} B"
    yield Line("one durable ledger transition", floor_name, times["bare"], times["ledger"], 1.3, note)


def append_durably(descriptor: int, data: bytes) -> None:
    """The floor: one write and one sync."""
    os.write(descriptor, data)
    os.fdatasync(descriptor)


def step(state: LedgerState) -> Draft:
    """The next entry of a lifecycle whose trainings all fail: Submitted, TrainingFailed, Submitted ..."""
    lifecycle = state.lifecycle("churn")
    newest = lifecycle.versions.get(lifecycle.next_version - 1)
    if newest is None or newest.status == "failed":
        return entry("Submitted", "noa:lifecycle/v1", lifecycle.next_version, submission(lifecycle.next_version))
    return entry("TrainingFailed", "https://slsa.dev/provenance/v1", newest.version, {"runDetails": {}})


def entry(kind: str, predicate_type: str, version: int, predicate: dict[str, Any]) -> Draft:
    """A draft about one version of the lifecycle."""
    subject = [{"name": "plan", "digest": DIGEST}]
    return Draft(kind, predicate_type, predicate, subject, lifecycle_id="churn", version=version)


def submission(version: int) -> dict[str, Any]:
    """What a submission says, of usual size."""
    return {
        "plan": {"uri": "noa:objects", "digest": DIGEST},
        "profile": "sklearn-classifier",
        "agent_id": f"churn-{version}",
        "attempt": 1,
        "datasets": {
            part: {"path": f"data/{part}.parquet", "fingerprint": "0" * 64, "rows": 18159, "identity": "0" * 64}
            for part in ("train", "evaluation")
        },
    }

"""Which run is this: one that was cut off and goes on, or a new version?

A run goes on when plan, data and code are those it was submitted with and nobody owns it. A run that was cut off
after its decision, before anybody was told, is told now instead of being done twice. What is not continued is named.
"""

from __future__ import annotations

from collections.abc import Sequence

from noa_mlops.ledger import Ledger, VersionState
from noa_mlops.lifecycle.controller import AgentLifecycleController
from noa_mlops.lifecycle.history import history_of
from noa_mlops.lifecycle.intake import Submission
from noa_mlops.lifecycle.runs import Run
from noa_mlops.records.events import Recorded, Submitted
from noa_mlops.records.layout import address

UNFINISHED = frozenset({"submitted", "trained", "evaluated"})
"""States of a version that is still on its way."""


def claim_run(
    ledger: Ledger, controller: AgentLifecycleController, submission: Submission
) -> tuple[Run | None, Sequence[str]]:
    """The newest run of this submission that can go on, owned; None when there is none.

    Also says, a sentence each, which newer runs of the lifecycle are unfinished and why they are not continued.
    """
    ledger.refresh()
    name, notes = submission.plan.lifecycle_id, list[str]()
    versions = ledger.state.lifecycle(name).versions
    newer_are_unfinished = True
    for number in range(len(versions), 0, -1):
        unfinished = versions[number].status in UNFINISHED
        newest = number == len(versions)
        if unfinished or (newest and _cut_off_untold(controller, submission, versions[number])):
            run, reason = _claim(ledger, controller, submission, number)
            if run is not None:
                return run, notes
            if reason and unfinished and newer_are_unfinished:
                notes.append(f"{address(name, number)} is unfinished and was not continued: {reason}")
        newer_are_unfinished = newer_are_unfinished and unfinished
    return None, notes


def _cut_off_untold(controller: AgentLifecycleController, submission: Submission, version: VersionState) -> bool:
    """Whether a decided version may be one that nobody was told of."""
    decided = version.status != "failed" and version.plan_digest == submission.plan_digest
    return decided and controller.left_untold(version.agent_id)


def _claim(
    ledger: Ledger, controller: AgentLifecycleController, submission: Submission, number: int
) -> tuple[Run | None, str]:
    """Own one run; or why not, empty when its owner ended it just now."""
    history = history_of(ledger, submission.plan.lifecycle_id, number)
    if reason := _difference(history[0], submission):
        return None, reason
    run = controller.claim(submission, history)
    if run is None:
        return None, "another process is running it"
    # Its last owner may have gone on with it between our reading and our owning it.
    ledger.refresh()
    run.history = history_of(ledger, submission.plan.lifecycle_id, number)
    version = ledger.state.lifecycle(submission.plan.lifecycle_id).versions[number]
    if version.status in UNFINISHED or _cut_off_untold(controller, submission, version):
        return run, ""
    run.release()
    return None, ""


def _difference(submitted: Recorded, submission: Submission) -> str:
    """What is not as it was when a run was submitted, in words; empty when nothing is."""
    if not isinstance(submitted, Submitted):
        return "its first entry is not its submission"
    if submitted.plan_digest != submission.plan_digest:
        return "its plan is another one"
    return changed_inputs(submitted, submission)


def changed_inputs(submitted: Submitted, submission: Submission) -> str:
    """Which of the data and the code of a run are not those it was submitted with, in words; empty when all are."""
    for part in sorted({*submitted.datasets, *submission.datasets}):
        if submitted.datasets.get(part) != submission.datasets.get(part):
            return f"its {'training' if part == 'train' else part} data changed"
    return "" if list(submitted.code) == list(submission.code_digests) else "its code changed"

"""The agents of a project at work: their workspaces, what they may not see, how they ended."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from noa_mlops.agents import AgentFactory, Job, Outcome, RuntimeManager, Workspace, ending
from noa_mlops.errors import LedgerConflict, StepFailed
from noa_mlops.ledger import KeyStore
from noa_mlops.lifecycle.accounting import facts_of
from noa_mlops.lifecycle.runs import Interrupted, OnProgress, Run
from noa_mlops.records.layout import Layout


class Workers:
    """Claims workspaces of one project and runs agents in them. Safe to use from several threads."""

    def __init__(
        self, factory: AgentFactory, runtime: RuntimeManager, layout: Layout, data_roots: Sequence[Path] = ()
    ) -> None:
        self._factory = factory
        self._runtime = runtime
        self._layout = layout
        self._data_roots = tuple(data_roots)

    def workspace(self, agent: str) -> Workspace:
        """A workspace for another agent of a run. Raises `LedgerConflict`."""
        workspace = Workspace.claim(self._layout, agent)
        if workspace is None:
            raise LedgerConflict(f"the workspace of {agent} is in use by another process")
        return workspace

    def remove(self, agent: str) -> None:
        """Remove the workspace of an agent that nobody needs any more; one that a process has taken stays."""
        if (workspace := Workspace.claim(self._layout, agent)) is not None:
            with workspace:
                workspace.remove()

    def run(
        self,
        job: Job,
        workspace: Workspace,
        run: Run,
        cancel: threading.Event,
        tell: OnProgress | None = None,
        *,
        profile: str | None = None,
    ) -> Outcome:
        """Run an agent to its end, of the run's profile unless another one is named. Raises `Interrupted` when it was cancelled."""
        agent = self._factory.provision(workspace.agent_id, profile or run.submission.profile.name, self._layout)
        agent.advance("running")
        outcome: Outcome | None = None
        try:
            outcome = self._runtime.run(job, on_progress=tell, cancel=cancel)
        finally:
            agent.advance("ready" if outcome is not None and outcome.completed else "failed")
        if outcome.cause == "cancelled":
            raise Interrupted(f"{run.address} was interrupted")
        return outcome

    @property
    def hidden(self) -> tuple[Path, ...]:
        """What no sealed agent may see, wherever it lies: the project, the data, the keys."""
        return (self._layout.project, self._layout.artifacts, self._layout.evidence, *self._data_roots, KeyStore().root)


def raise_unless_completed(outcome: Outcome, kind: type[StepFailed], workspace: Workspace, who: str) -> None:
    """Raise ``kind``, with what the agent printed, unless the agent ``who`` ended well."""
    if outcome.completed:
        return
    log = workspace.tail()
    raise kind(f"the {who} {ending(outcome, log)}", cause=outcome.cause, facts=facts_of(outcome), log=log)


@contextlib.contextmanager
def with_facts(kind: type[StepFailed], facts: Mapping[str, Any], workspace: Workspace) -> Iterator[None]:
    """Give a failure that was found after the process ended what the runtime saw of that process."""
    try:
        yield
    except StepFailed as error:
        raise kind(str(error), cause=error.cause, facts=facts, log=workspace.tail(), hint=error.hint) from error

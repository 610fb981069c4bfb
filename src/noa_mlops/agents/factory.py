"""Provisioning: which kinds of agents there are, and in which state each provisioned agent is."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from noa_mlops.agents.profiles import AgentProfile, builtin
from noa_mlops.errors import NotFound
from noa_mlops.records.layout import Layout
from noa_mlops.records.names import name_problem

ENTRY_POINTS = "noa_mlops.profiles"
"""Third parties offer profiles under this group; the entry point has the profile's name and leads to an `AgentProfile`."""

State = Literal["created", "running", "ready", "failed", "terminated"]

_NEXT: Mapping[State, tuple[State, ...]] = {
    "created": ("running", "terminated"),
    "running": ("ready", "failed", "terminated"),
    "ready": ("running", "terminated"),
    "failed": ("running", "terminated"),
    "terminated": (),
}


class Agent:
    """One provisioned agent. ``ready``: its last job ended well; ``failed``: it did not; ``terminated``: for good."""

    def __init__(self, agent_id: str, profile: AgentProfile, workspace: Path) -> None:
        self.agent_id = agent_id
        self.profile = profile
        self.workspace = workspace
        self._state: State = "created"
        self._changing = threading.Lock()

    @property
    def state(self) -> State:
        """Where the agent stands."""
        return self._state

    def advance(self, state: State) -> None:
        """Move to ``state``. Raises `ValueError` when that cannot follow the present one."""
        with self._changing:
            if state not in _NEXT[self._state]:
                raise ValueError(f"agent {self.agent_id} cannot go from {self._state} to {state}")
            self._state = state


class AgentFactory:
    """Provisions agents from profiles: the built-in ones and those of installed packages, or a given table."""

    def __init__(self, profiles: Mapping[str, AgentProfile] | None = None) -> None:
        self._given = None if profiles is None else MappingProxyType(dict(profiles))
        self._agents: dict[str, Agent] = {}

    def profiles(self) -> Mapping[str, AgentProfile]:
        """Every profile by name. Raises `NotFound` for an installed one that cannot be used."""
        if self._given is not None:
            return self._given
        known = builtin()
        return MappingProxyType({**{name: _load(point) for name, point in _installed().items()}, **known})

    def profile(self, name: str) -> AgentProfile:
        """The profile called ``name``. Raises `NotFound`, with the nearest name."""
        known: Mapping[str, AgentProfile] = builtin() if self._given is None else self._given
        if name in known:
            return known[name]
        installed = _installed() if self._given is None else {}
        if name in installed:
            return _load(installed[name])
        names = sorted({*known, *installed})
        near = difflib.get_close_matches(name, names, n=1)
        meant = f", did you mean {near[0]!r}?" if near else ""
        raise NotFound(f"there is no agent profile {name!r}{meant}", hint=f"There are: {', '.join(names)}.")

    def provision(self, agent_id: str, profile: str, layout: Layout) -> Agent:
        """A new agent in state ``created``; its workspace is made when it is claimed. Raises `NotFound`."""
        agent = Agent(agent_id, self.profile(profile), layout.workspace(agent_id))
        self._agents[agent_id] = agent
        return agent

    def agents(self) -> Mapping[str, Agent]:
        """The agents provisioned here, by id; the newest of an id."""
        return MappingProxyType(dict(self._agents))


def _installed() -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=ENTRY_POINTS)}


def _load(point: metadata.EntryPoint) -> AgentProfile:
    origin = f"the agent profile {point.name!r} ({point.value})"
    try:
        profile = point.load()
    except Exception as error:  # the border to the code of others: whatever it raises is named
        raise NotFound(
            f"{origin} cannot be loaded: {error}", hint="Repair or remove the package it is from."
        ) from error
    if not isinstance(profile, AgentProfile) or profile.name != point.name or name_problem(point.name):
        raise NotFound(f"{origin} is not an AgentProfile of that name", hint="Repair or remove the package it is from.")
    return profile

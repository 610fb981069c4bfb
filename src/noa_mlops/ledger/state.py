"""What the ledger says, folded: versions, champions, rollouts, and the policy in force.

States are values. Each entry makes a new one that shares nearly everything with the one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

from noa_mlops.evidence import Frontier
from noa_mlops.records.approvals import ApprovalRule
from noa_mlops.records.policy import Policy
from noa_mlops.records.proven import NOTHING_PROVEN, Proven

NO_HEAD: Final = "0" * 64
"""What genesis names as its predecessor."""

VersionStatus: TypeAlias = Literal[
    "submitted", "trained", "evaluated", "failed", "rejected", "inconclusive", "held", "champion", "former"
]
Rollout: TypeAlias = Literal["ready", "blocked"]


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a measurement beside the ``champion`` showed of it: its metrics dropped on the data with this fingerprint.

    ``certain`` when that is beyond doubt. It is to be recorded as a scan before the version is decided on.
    """

    champion: int
    data: str
    certain: bool


@dataclass(frozen=True, slots=True)
class VersionState:
    """One version; ``checksum`` is None until it is trained, ``seqs`` are the indexes of its entries in order.

    They end with its decision; what is measured later is not among them. ``named`` is the index of the entry that says
    it is in the store and names its manifest, None while none does.
    ``proven`` are the gains that hold once it is the champion, as its decision says. ``data`` is the fingerprint of what it
    was decided on, None when it was not measured; ``passed`` whether that decision says that it passes. ``dropped`` is what
    its measurement showed of the champion beside it, until a scan says so.
    """

    version: int
    status: VersionStatus
    profile: str
    agent_id: str
    plan_digest: str
    checksum: str | None
    seqs: tuple[int, ...]
    named: int | None = None
    proven: Proven = field(default_factory=lambda: NOTHING_PROVEN)
    data: str | None = None
    passed: bool = False
    dropped: Dropped | None = None

    def after(self, seq: int, status: VersionStatus, checksum: str | None) -> VersionState:
        """With one entry more, at index ``seq``."""
        seqs = (*self.seqs, seq)
        return VersionState(
            self.version,
            status,
            self.profile,
            self.agent_id,
            self.plan_digest,
            checksum,
            seqs,
            self.named,
            self.proven,
            self.data,
            self.passed,
        )

    @property
    def on_its_way(self) -> bool:
        """Whether more is to come: it neither failed nor was decided on."""
        return self.status in ("submitted", "trained", "evaluated")

    @property
    def first_seq(self) -> int:
        """Index of its Submitted entry."""
        return self.seqs[0]

    @property
    def last_seq(self) -> int:
        """Index of its newest entry."""
        return self.seqs[-1]


class Versions(Mapping[int, VersionState]):
    """Versions 1 to n of a lifecycle; `put` copies the newest few, or the chunk of an old one, never all of them."""

    __slots__ = ("_chunks", "_count", "_newest")

    _WIDTH: Final = 32

    def __init__(
        self, chunks: tuple[tuple[VersionState, ...], ...] = (), newest: tuple[VersionState, ...] = ()
    ) -> None:
        self._chunks = chunks
        self._newest = newest
        self._count = len(chunks) * self._WIDTH + len(newest)

    def __getitem__(self, version: int) -> VersionState:
        state = self.find(version)
        if state is None:
            raise KeyError(version)
        return state

    def find(self, version: int) -> VersionState | None:
        """The state of a version, None when there is none."""
        if not 1 <= version <= self._count:
            return None
        place, within = divmod(version - 1, self._WIDTH)
        return (self._chunks[place] if place < len(self._chunks) else self._newest)[within]

    def __iter__(self) -> Iterator[int]:
        return iter(range(1, self._count + 1))

    def __len__(self) -> int:
        return self._count

    def put(self, state: VersionState) -> Versions:
        """With ``state`` in the place of its version, which exists or is the next one."""
        place, within = divmod(state.version - 1, self._WIDTH)
        chunks = self._chunks
        if place < len(chunks):
            return Versions((*chunks[:place], _put(chunks[place], within, state), *chunks[place + 1 :]), self._newest)
        newest = _put(self._newest, within, state)
        return Versions((*chunks, newest)) if len(newest) == self._WIDTH else Versions(chunks, newest)


def _put(chunk: tuple[VersionState, ...], place: int, state: VersionState) -> tuple[VersionState, ...]:
    return (*chunk[:place], state, *chunk[place + 1 :])


Sign: TypeAlias = tuple[str, str, str]
"""What drifted: the column, the question asked of it, the direction."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The newest window that failed: its entry, the champion it was scanned for, its summary's digest, what it showed."""

    seq: int
    champion: int
    current: str
    signs: frozenset[Sign]


@dataclass(frozen=True, slots=True)
class Incident:
    """A blocked rollout: the scan that blocked it, the digest of its report, and whose data it is about.

    ``investigated`` is the entry that says that somebody has looked, None while none does.
    """

    seq: int
    report: str
    champion: int
    investigated: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a held version waits for: approvals as ``asked``, beside the ``champion`` that it was judged against.

    ``approved`` are the keys that have enabled it; ``by_drift`` whether nothing but the drift holds it.
    """

    champion: int | None
    asked: ApprovalRule = field(default_factory=ApprovalRule)
    approved: frozenset[str] = frozenset()
    by_drift: bool = False

    def to_document(self) -> dict[str, Any]:
        """JSON form: how many keys must enable it, which have, and which would not count."""
        required, excluded = self.asked.required, sorted(self.asked.excluded)
        return {"required": required, "approved": sorted(self.approved), "excluded": excluded}


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement of a version after its decision: its entry, the fingerprint of its data, and what it came to."""

    seq: int
    data: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Override:
    """The champion is in force by an operator's word until it ``expires``; ``before`` is the rollout without that word."""

    seq: int
    version: int
    expires: str
    before: Rollout


@dataclass(frozen=True, slots=True)
class Deployment:
    """What runs in a target, as its newest deployment says: the entry, its version, and its leaf hash in hex."""

    seq: int
    version: int
    leaf: str


@dataclass(frozen=True, slots=True)
class LifecycleState:
    """One lifecycle; ``deciding`` is the index of its newest deciding entry, None before the first.

    ``answerable`` is the leaf hash of that entry in hex, which an act on the lifecycle answers; ``crowned`` the index of
    the entry that made the champion the champion; ``looks`` counts the evaluations since then; ``incident`` is the open
    one, None when there is none; ``suspicion`` the newest window that failed, None when the newest one passed;
    ``unseen`` are the newest windows in a row that were too few data, three at most;
    ``waiting`` are the versions that people may enable; ``measured`` the newest measurement of each version that was
    measured again beside this champion; ``override`` says by whose word the champion is in force, None when by a
    decision. Under an override ``rollout`` is what it will be when that ends. ``deployed`` says what runs where, by target.
    """

    champion: int | None = None
    rollout: Rollout = "ready"
    deciding: int | None = None
    versions: Versions = field(default_factory=Versions)
    answerable: str | None = None
    crowned: int | None = None
    looks: int = 0
    incident: Incident | None = None
    suspicion: Suspicion | None = None
    unseen: tuple[int, ...] = ()
    waiting: Mapping[int, Waiting] = field(default_factory=dict)
    measured: Mapping[int, Measured] = field(default_factory=dict)
    override: Override | None = None
    deployed: Mapping[str, Deployment] = field(default_factory=dict)

    def rollout_at(self, moment: str) -> Rollout:
        """Whether the champion may be rolled out at a time, RFC 3339 as entries write it: also while an override holds."""
        return "ready" if self.override is not None and moment < self.override.expires else self.rollout

    @property
    def admits(self) -> Rollout:
        """Whether a version that passes may be promoted: an override stands in nobody's way, an incident does."""
        return self.rollout if self.override is None or self.incident is not None else self.override.before

    def crowned_by(self, seq: int, version: VersionState) -> LifecycleState:
        """With ``version`` the champion by the entry at ``seq``; all that was said beside the one before has lapsed."""
        changed = self
        if self.champion is not None and self.champion != version.version:
            changed = self.with_version(replace(self.versions[self.champion], status="former"))
        changed = changed.with_version(replace(version, status="champion"))
        unseen = self.unseen if self.champion == version.version else ()
        return replace(
            changed,
            champion=version.version,
            crowned=seq,
            looks=0,
            unseen=unseen,
            waiting={},
            measured={},
            override=None,
        )

    def awaited(self, version: int) -> Waiting | None:
        """What a version waits for; None when it does not wait, or was judged against another champion than this."""
        waits = self.waiting.get(version)
        return waits if waits is not None and waits.champion == self.champion else None

    @property
    def next_version(self) -> int:
        """The number that the next submitted run takes."""
        return len(self.versions) + 1

    @property
    def proven(self) -> Proven:
        """The proven gains that hold now: those of the champion, none while an incident is open."""
        champion = self.versions.find(self.champion or 0)
        return NOTHING_PROVEN if champion is None or self.incident is not None else champion.proven

    @property
    def begins_anew(self) -> bool:
        """Whether the next champion proves by itself what holds after it: it is the first, or comes after drift."""
        return self.champion is None or self.incident is not None

    def with_version(self, state: VersionState) -> LifecycleState:
        """With ``state`` in the place of its version."""
        return replace(self, versions=self.versions.put(state))


class Lifecycles(Mapping[str, LifecycleState]):
    """Lifecycles by name, in the order they came; `put` copies those that changed last, and now and then all of them."""

    __slots__ = ("_changed", "_settled")

    _MOST: Final = 32
    """Most that have changed and are not settled: a balance between many small copies and few of everything."""

    def __init__(
        self, settled: Mapping[str, LifecycleState] | None = None, changed: Mapping[str, LifecycleState] | None = None
    ) -> None:
        self._settled = settled or {}
        self._changed = changed or {}

    def __getitem__(self, name: str) -> LifecycleState:
        state = self.find(name)
        if state is None:
            raise KeyError(name)
        return state

    def find(self, name: str) -> LifecycleState | None:
        """The state of a lifecycle, None when it has no entry yet."""
        return self._changed.get(name) or self._settled.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._settled, **self._changed})

    def __len__(self) -> int:
        return len({**self._settled, **self._changed})

    def put(self, name: str, state: LifecycleState) -> Lifecycles:
        """With ``state`` in the place of a lifecycle."""
        changed = {**self._changed, name: state}
        if len(changed) <= self._MOST:
            return Lifecycles(self._settled, changed)
        return Lifecycles({**self._settled, **changed})


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A policy and the first index that it judges.

    ``leaf`` is the leaf hash, in hex, of the entry that holds it; ``signers`` are the keys that signed the act which
    decided it, none for genesis.
    """

    since: int
    policy: Policy
    leaf: str
    signers: frozenset[str] = frozenset()

    @property
    def entry(self) -> int:
        """Index of the entry that holds it. Genesis judges itself, a later policy only what comes after it."""
        return max(0, self.since - 1)


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The fold over the first ``size`` entries.

    ``head`` is the SHA-256, in hex, of the last line; ``decided`` the index of the newest deciding entry. Origin,
    policy and its digest are None before genesis only; ``policies`` are all that were ever in force, the last one now;
    ``redacted`` are the objects that were taken out.
    """

    size: int = 0
    head: str = NO_HEAD
    frontier: Frontier = field(default_factory=Frontier)
    origin: str | None = None
    policy: Policy | None = None
    policy_digest: str | None = None
    lifecycles: Lifecycles = field(default_factory=Lifecycles)
    decided: int | None = None
    policies: tuple[PolicyInForce, ...] = ()
    redacted: frozenset[str] = frozenset()

    def policy_at(self, seq: int) -> Policy | None:
        """The policy that judges the entry at an index; None before genesis only."""
        place = self.place_at(seq)
        return place.policy if place is not None else None

    def place_at(self, seq: int) -> PolicyInForce | None:
        """Like `policy_at`, with where the policy stands; at a size it is the policy in force after so many entries."""
        return next((place for place in reversed(self.policies) if place.since <= seq), None)

    def lifecycle(self, lifecycle_id: str) -> LifecycleState:
        """The state of a lifecycle; one that has no entry yet is empty."""
        return self.lifecycles.find(lifecycle_id) or _NEW

    def version(self, lifecycle_id: str, version: int) -> VersionState | None:
        """The state of a version, None when there is none."""
        return self.lifecycle(lifecycle_id).versions.find(version)


_NEW = LifecycleState()

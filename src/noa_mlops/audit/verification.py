"""``noa verify``: the ledger, its checkpoints, its objects, the promoted bytes, the registry."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from noa_mlops.audit.anchors import Anchors
from noa_mlops.audit.checks import check_heads, check_objects, check_registry, check_version, read_notes
from noa_mlops.audit.findings import Verification
from noa_mlops.audit.folding import Fold
from noa_mlops.audit.replay import Replay
from noa_mlops.errors import NotFound
from noa_mlops.evidence import claimed_size
from noa_mlops.records.layout import Layout


def verify(
    layout: Layout, *, origin: str | None = None, against: bytes | None = None, decisions: bool = False
) -> Verification:
    """Check the whole project folder and change nothing in it.

    Anchors are the ``origin`` line that the project's owner gave you, a signed checkpoint kept elsewhere (``against``),
    and the pin of this machine, which is raised when all holds. With ``decisions`` every past decision is computed again
    from what was recorded before it, and each difference is a finding. Raises `NotFound` when there is no ledger at all,
    `LedgerConflict` when it may not be read.
    """
    if not (layout.ledger.exists() or layout.log_checkpoints.exists()):
        raise NotFound(f"there is no ledger at {layout.ledger}", hint="Name the project folder with -C DIR.")
    anchors = Anchors.of(layout, origin, against)
    notes, findings = read_notes(layout)
    fold = Fold(layout, wanted={size for note in notes if (size := claimed_size(note)) is not None} | anchors.sizes)
    replay = fold.replay = Replay(layout) if decisions else None
    findings += fold.run()
    sealed = check_heads(layout, fold, notes, findings)
    findings += anchors.findings(layout, fold, sealed)
    findings += check_objects(layout, fold)
    findings += (found for stored in fold.stored for found in check_version(layout, stored))
    findings += check_registry(layout, fold, sealed)
    if not findings:
        anchors.remember(layout, fold, sealed)
    return Verification(
        origin=fold.state.origin,
        entries=fold.state.size,
        sealed=sealed,
        checkpoints=len(notes),
        objects=len(fold.objects),
        versions=len(fold.stored),
        findings=tuple(findings),
        notes=(
            *anchors.notes(),
            *_distrusted(fold),
            *(replay.notes(fold.state.redacted) if replay is not None else ()),
        ),
        decisions=replay.recomputed if replay is not None else None,
    )


def _distrusted(fold: Fold) -> Iterator[str]:
    """What a revocation says about entries that had been admitted before it."""
    for before, place in pairwise(fold.state.policies):
        for keyid, last in place.policy.revoked.items():
            if keyid not in before.policy.revoked and last < place.since - 2:
                yield (
                    f"The key {keyid[:16]} was revoked by entry {place.since - 1}: nothing that it signed after entry "
                    f"{last} is trusted, though it stands in the ledger."
                )

"""Find the version that is asked for, and check all of it before anybody gets it."""

from __future__ import annotations

from pathlib import Path

from noa_mlops.agents import RuntimeManager
from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.delivery.model import Model
from noa_mlops.delivery.source import Source
from noa_mlops.delivery.trust import check_crown, check_signature, trusted_decision
from noa_mlops.errors import ArtifactTampered, LedgerTampered, NotFound
from noa_mlops.evidence import ModelSignatureInvalid
from noa_mlops.ledger import KeyStore, Ledger, LedgerReader, VersionState
from noa_mlops.ledger.deploy_law import PROMOTED
from noa_mlops.records.layout import Layout, address
from noa_mlops.records.manifest import ArtifactRecord


def load(name: str, project: str | Path = ".", origin: str | None = None) -> Model:
    """The champion of the lifecycle ``name``, or with ``name@N`` that version if it ever was one, checked to the last byte.

    ``project`` is the project's folder. ``origin`` is the anchor: the origin that the project's owner gave you; without
    it the keys are those that the folder, or the pin of an earlier use, names. What the newest checkpoint does not
    vouch for is not seen.

    Keys are those of the policy that was in force at the decision, less those that a later policy revoked for it. Raises
    `NotFound` for what was never promoted, `LedgerTampered` for evidence that does not verify, is not trusted any more
    or has another origin, `ArtifactTampered` naming the file for bytes that are not the promoted ones.
    """
    return load_from(Ledger.read_only(Layout.of(Path(project).absolute())), name, origin)


def load_from(ledger: LedgerReader, name: str, origin: str | None = None) -> Model:
    """Like `load`, by what ``ledger`` has read."""
    layout = ledger.layout
    if origin is not None and ledger.origin != origin:
        raise LedgerTampered(
            f"the ledger in {layout.evidence} has the origin {ledger.origin}, not {origin}",
            hint="Name the project whose owner gave you that origin.",
        )
    version = _promoted(ledger, name)
    lifecycle_id, numbered, _ = name.partition("@")
    if not numbered:
        check_crown(ledger, lifecycle_id)
    record = _checked(layout, ledger, lifecycle_id, version)
    return Model(
        path=layout.version(lifecycle_id, version.profile, version.version),
        lifecycle_id=lifecycle_id,
        version=version.version,
        manifest=record.manifest,
        checksum=record.manifest.checksum,
        source=Source(
            layout=layout,
            record=record,
            plan=ledger.get_object(record.manifest.plan_digest),
            hidden=_hidden(layout, ledger),
            runtime=RuntimeManager(),
        ),
    )


def _promoted(ledger: LedgerReader, name: str) -> VersionState:
    """The version that ``name`` or ``name@N`` means. Raises `NotFound` unless it was promoted."""
    lifecycle_id, at, number = name.partition("@")
    lifecycle = ledger.state.lifecycles.get(lifecycle_id)
    if lifecycle is None:
        raise NotFound(f"there is no lifecycle {lifecycle_id!r:.80} here")
    if not at and lifecycle.champion is None:
        raise NotFound(f"{lifecycle_id} has no champion: nothing was promoted yet")
    wanted = lifecycle.champion if not at else int(number) if number.isascii() and number.isdigit() else None
    version = lifecycle.versions.get(wanted) if wanted is not None else None
    if version is None:
        raise NotFound(f"there is no {name!r:.80}; the newest is {address(lifecycle_id, len(lifecycle.versions))}")
    if version.status not in PROMOTED:
        raise NotFound(f"{address(lifecycle_id, version.version)} was never promoted: it is {version.status}")
    return version


def _checked(layout: Layout, ledger: LedgerReader, lifecycle_id: str, version: VersionState) -> ArtifactRecord:
    """The stored version, every byte of it held against the entry that promoted it. Raises `ArtifactTampered`."""
    store, folder = FilesystemArtifactStore(layout), layout.version(lifecycle_id, version.profile, version.version)
    decision = trusted_decision(ledger, lifecycle_id, version)
    subjects = {str(subject.get("name")): subject["digest"]["sha256"] for subject in decision.subject}
    try:
        record = store.record(lifecycle_id, version.profile, version.version)
    except NotFound as error:
        raise ArtifactTampered(str(error)) from error
    for name, reason in record.differences(subjects, decision.checksum):
        raise ArtifactTampered(f"{folder / name} {reason}")
    try:
        check_signature(ledger.state, decision, record)
    except ModelSignatureInvalid as error:
        raise ArtifactTampered(f"{folder / 'model.sig'} {error}") from error
    for path, reason in store.findings(record):
        raise ArtifactTampered(f"{path} {reason}")
    return record


def _hidden(layout: Layout, ledger: LedgerReader) -> tuple[Path, ...]:
    """What no sealed predictor may see: the project, the data, the keys."""
    policy = ledger.state.policy
    roots = [layout.project / root for root in policy.data_roots] if policy is not None else []
    return (layout.project, *roots, KeyStore().root)

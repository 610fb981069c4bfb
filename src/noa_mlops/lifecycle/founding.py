"""A new project: folders, settings, policy, keys outside it, and the genesis entry. Nothing is overwritten."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from noa_mlops.errors import NotAuthorised
from noa_mlops.files import make_directories, write_durably
from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.lifecycle.policy_change import edited_policy
from noa_mlops.records.layout import Layout
from noa_mlops.records.names import as_name
from noa_mlops.records.policy import policy_text
from noa_mlops.records.settings import Settings, settings_text

IGNORED = "/storage/artifacts/workspaces/\n/storage/db/evidence/ledger.lock\n/storage/operate.lock\n"
"""What a project's ``.gitignore`` begins with: what is not evidence."""

BINARY = (
    "storage/db/evidence/** -text -diff\n"
    "storage/artifacts/** -text -diff\n"
    "registry/ml_artifacts.log -text -diff\n"
    "registry/checkpoint -text -diff\n"
)
"""A project's ``.gitattributes``: git must not touch a byte of evidence."""


@dataclass(frozen=True, slots=True)
class Founded:
    """A project that is ready: its ledger, and the files that had to be made."""

    ledger: Ledger
    created: tuple[Path, ...]


def found_project(layout: Layout, keystore: KeyStore | None = None) -> Founded:
    """Open the project, making whatever of it is missing; safe when two processes do it at once."""
    new = not layout.ledger.exists()
    for folder in (layout.plans, layout.artifacts, layout.capabilities.parent):
        make_directories(folder)
    name = as_name(layout.project.name)
    ledger = Ledger.create(layout, name, keystore or KeyStore())
    policy = ledger.state.policy
    texts = {
        layout.settings: settings_text(Settings(name)),
        layout.policy: policy_text(policy) if policy is not None else "",
        layout.project / ".gitignore": IGNORED,
        layout.project / ".gitattributes": BINARY,
    }
    created = [path for path, text in texts.items() if write_if_absent(path, text)]
    return Founded(ledger, (*([layout.ledger] if new else []), *created))


def check_policy(layout: Layout, ledger: Ledger) -> None:
    """Raise `NotAuthorised` when ``policy.yaml`` says something else than the policy that was signed."""
    signed = ledger.state.policy
    if signed is None or not layout.policy.exists():
        return
    before, after = signed.to_document(), edited_policy(layout).to_document()
    changed = [member for member in {**before, **after} if before.get(member) != after.get(member)]
    if changed:
        raise NotAuthorised(
            f"{layout.policy} differs from the policy in force, which is signed, in: {', '.join(changed)}",
            hint="'noa policy diff' says how; 'noa policy sign' puts it in force, or undo the edit.",
        )


def write_if_absent(path: Path, text: str) -> bool:
    """Write a file that is not there yet; whether it was written. What is there stays, whatever it is."""
    if path.exists() or path.is_symlink():
        return False
    write_durably(path, text.encode())
    return True

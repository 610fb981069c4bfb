"""Private keys: one folder per ledger, outside every project.

Keys are checked when they are loaded, not only when they are used: kind, form, mode, owner, and that each is
the one that the policy names.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from noa_mlops.errors import NotAuthorised
from noa_mlops.evidence import (
    ECDSA_P256,
    ED25519,
    KeyInvalid,
    Scheme,
    SigningKey,
    is_locked,
    load_public,
    load_signing,
)
from noa_mlops.files import make_directories, sync_directory, write_durably
from noa_mlops.ledger.signers import Signers
from noa_mlops.records.policy import KeyRecord, Policy, founding_policy

SCHEMES: Mapping[str, Scheme] = {"verifier": ED25519, "operator": ED25519, "root": ED25519, "model": ECDSA_P256}
"""The keys that a new project gets, one per role."""

_MAX_KEY = 1 << 14


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The private keys of one ledger, in ``folder``; each is read and checked when it is asked for."""

    folder: Path
    policy: Policy

    def signing_key(self, role: str) -> SigningKey:
        """The key for a role. Raises `NotAuthorised` naming the file and what to do."""
        path = self.folder / f"{role}.pem"
        _check_folder(self.folder)
        for keyid in self.policy.roles[role].keys if role in self.policy.roles else ():
            key = self.key(self.policy.keys[keyid], {})
            if key is not None:
                return key
        key = _load(path, Signers.of(self.folder), None)
        if role not in self.policy.roles or key.public.keyid not in self.policy.roles[role].keys:
            raise NotAuthorised(
                f"{path} holds a key that the policy does not give the role {role!r}",
                hint=f"Put the {role} key of this project in its place.",
            )
        return key

    def key(self, record: KeyRecord, founding: Mapping[str, KeyRecord]) -> SigningKey | None:
        """The private half of a key when it is here: with a program, in a file named by its key id, or by its role.

        ``founding`` gives the keys that the project was begun with, whose files are named by their roles. Raises
        `NotAuthorised` when it is here and cannot be used.
        """
        _check_folder(self.folder)
        signers = Signers.of(self.folder)
        external = signers.external(load_public(record.public))
        if external is not None:
            return external
        for place in self._places(record, founding):
            if os.path.lexists(place):
                key = _load(place, signers, record.keyid)
                if key.public.keyid != record.keyid:
                    raise NotAuthorised(f"{place} holds another key than its name says", hint="Restore the file.")
                return key
        return None

    def holds(self, record: KeyRecord, founding: Mapping[str, KeyRecord]) -> bool:
        """Whether the private half of a key is here, like `key`, but the key itself is not looked at."""
        if Signers.of(self.folder).external(load_public(record.public)) is not None:
            return True
        return any(os.path.lexists(place) for place in self._places(record, founding))

    def _places(self, record: KeyRecord, founding: Mapping[str, KeyRecord]) -> list[Path]:
        """The files that may hold a key: named by its key id, or by the role that it was founded with."""
        named = [self.folder / f"{role}.pem" for role, known in founding.items() if known.keyid == record.keyid]
        return [self.path(record.keyid), *named]

    def path(self, keyid: str) -> Path:
        """Where a key lies that was made after the project was begun."""
        return self.folder / f"{keyid[:16]}.pem"

    def add(self, key: SigningKey, passphrase: bytes | None = None) -> Path:
        """Keep a new key durably, locked by a passphrase when one is given. Raises `NotAuthorised`."""
        _check_folder(self.folder)
        path = self.path(key.public.keyid)
        try:
            write_durably(path, key.private_pem(passphrase), mode=0o600)
        except OSError as error:
            raise NotAuthorised(f"{path} could not be written ({error.strerror})") from error
        return path


class KeyStore:
    """All key folders of a person, by default where the environment says (``NOA_KEYS``)."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = _default_root(os.environ) if root is None else root

    def create(self, name: str) -> KeyRing:
        """Make the keys of a new project and its first policy, durably.

        The verifier's key id names the folder, so one that a crash left half made is never taken for another.
        """
        keys = {role: SigningKey.generate(scheme) for role, scheme in SCHEMES.items()}
        records = {role: KeyRecord(key.public.keyid, key.public.scheme, key.public.pem) for role, key in keys.items()}
        policy = founding_policy(name, **records)
        folder = self.folder(policy)
        try:
            make_directories(self.root)
            folder.mkdir(mode=0o700)
            for role, key in keys.items():
                write_durably(folder / f"{role}.pem", key.private_pem(), mode=0o600)
            sync_directory(self.root)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise NotAuthorised(
                f"the keys of this project could not be written to {self.root} ({error.strerror})",
                hint="Make that folder writable for the user who runs this, or set NOA_KEYS to another one.",
            ) from error
        return KeyRing(folder, policy)

    def find(self, policy: Policy, founding: Policy | None = None) -> KeyRing:
        """The keys of the ledger whose policy this is, and whose first one was ``founding``.

        Raises `NotAuthorised` when they are not here.
        """
        folder = self.folder(founding or policy)
        if not os.path.lexists(folder):
            raise NotAuthorised(
                f"the private keys of this project, {folder.name}, are not in {self.root}",
                hint=self._where(folder.name),
                commands=(
                    f"mkdir -p {shlex.quote(str(self.root))}",
                    f"cp -a .../{shlex.quote(folder.name)} {shlex.quote(str(folder))}",
                ),
            )
        return KeyRing(folder, policy)

    def _where(self, name: str) -> str:
        if self.root.name == name and self.root.is_dir():
            return f"NOA_KEYS must name the folder around that one: {self.root.parent}"
        return f"Set NOA_KEYS to the folder that holds {name}; reading and verifying need no keys."

    def folder(self, policy: Policy) -> Path:
        """Where the keys lie of the ledger whose first policy this is: its name and verifier name the folder."""
        return self.root / f"{policy.name}-{policy.roles['verifier'].keys[0][:16]}"


def _default_root(environment: Mapping[str, str]) -> Path:
    chosen = environment.get("NOA_KEYS")
    if chosen:
        return Path(chosen)
    config = environment.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "noa" / "keys"


def _check_folder(folder: Path) -> None:
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode):
        raise NotAuthorised(f"{folder} is not a folder", hint="Put the folder itself there, not a link to it.")
    _check_private(folder, status, "700")


def _load(path: Path, signers: Signers, keyid: str | None) -> SigningKey:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotAuthorised(
            f"{path} cannot be read as a key ({error.strerror})",
            hint="It must be a regular file, not a link, readable by its owner.",
        ) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotAuthorised(f"{path} is not a regular file", hint="Put the key file itself there.")
        _check_private(path, status, "600")
        pem = os.read(descriptor, _MAX_KEY)
    finally:
        os.close(descriptor)
    passphrase = signers.passphrase(keyid or path.stem, path) if is_locked(pem) else None
    try:
        return load_signing(pem, passphrase)
    except KeyInvalid as error:
        raise NotAuthorised(f"{path} {error}", hint="Restore the file from your backup of the keys.") from error


def _check_private(path: Path, status: os.stat_result, mode: str) -> None:
    if status.st_uid != os.geteuid():
        raise NotAuthorised(
            f"{path} belongs to user {status.st_uid}, not to {os.geteuid()}, who runs this",
            hint=f"Run as its owner, or: chown {os.geteuid()} {shlex.quote(str(path))}",
            commands=(f"chown {os.geteuid()} {shlex.quote(str(path))}",),
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        closing = f"chmod {mode} {shlex.quote(str(path))}"
        raise NotAuthorised(
            f"{path} is open to others (mode {stat.S_IMODE(status.st_mode):04o})", hint=closing, commands=(closing,)
        )

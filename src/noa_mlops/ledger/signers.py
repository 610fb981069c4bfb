"""Keys that do not lie open in a file: locked by a passphrase, or held by a program that signs for us.

``signers.json`` in a key folder says for a key id how to get at it: ``{"passphrase": [argv]}`` for a program that prints
the passphrase, ``{"sign": [argv]}`` for one that reads the bytes to sign and prints the signature. Programs are started
from these lists, never by a shell. A passphrase is asked on the terminal otherwise; it is never an argument.
"""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noa_mlops.errors import LifecycleError, NotAuthorised
from noa_mlops.evidence import PublicKey, SigningKey
from noa_mlops.files import open_beneath, read_capped, write_durably
from noa_mlops.records.documents import DocumentInvalid, compact, is_digest, parse_object

SIGNERS = "signers.json"

TIMEOUT = 120.0
"""Seconds that a program may take, for somebody may have to touch a device."""

_MAX_CONFIG = 1 << 16
_MAX_OUTPUT = 1 << 12


@dataclass(frozen=True, slots=True)
class Signers:
    """How to get at the keys of one folder, by key id."""

    folder: Path
    programs: Mapping[str, Mapping[str, Sequence[str]]]

    @classmethod
    def of(cls, folder: Path) -> Signers:
        """What the folder's ``signers.json`` says; nothing when there is none. Raises `NotAuthorised`."""
        path = folder / SIGNERS
        try:
            with open_beneath(folder, SIGNERS) as stream:
                data = read_capped(stream, _MAX_CONFIG)
                if os.fstat(stream.fileno()).st_mode & 0o022:
                    raise NotAuthorised(f"{path} may be changed by others", hint=f"chmod 600 {path}")
        except FileNotFoundError:
            return cls(folder, {})
        except (OSError, LifecycleError) as error:
            raise NotAuthorised(f"{path} cannot be used ({error})", hint="Correct or remove it.") from error
        try:
            return cls(folder, _checked(parse_object(data or b"", limit=_MAX_CONFIG)))
        except DocumentInvalid as error:
            raise NotAuthorised(f"{path} {error}", hint="Correct or remove it.") from error

    def external(self, public: PublicKey) -> SigningKey | None:
        """The key as a program holds it, None when no program does."""
        argv = self.programs.get(public.keyid, {}).get("sign")
        return None if argv is None else SigningKey.external(public, lambda message: _signed(argv, public, message))

    def adding(self, keyid: str, what: str, argv: Sequence[str]) -> Signers:
        """With a program for one key more, written durably. Raises `NotAuthorised`."""
        programs = {**self.programs, keyid: {what: list(argv)}}
        try:
            write_durably(self.folder / SIGNERS, compact(_checked(programs)) + b"\n", mode=0o600)
        except OSError as error:
            raise NotAuthorised(f"{self.folder / SIGNERS} could not be written ({error.strerror})") from error
        return Signers(self.folder, programs)

    def passphrase(self, keyid: str, path: Path) -> bytes:
        """The passphrase of a locked key file. Raises `NotAuthorised` when there is nobody to ask."""
        argv = self.programs.get(keyid, {}).get("passphrase")
        if argv is not None:
            return _run(argv, b"").rstrip(b"\r\n")
        try:
            with Path("/dev/tty").open("r+b", buffering=0):
                return getpass.getpass(f"Passphrase of {path}: ").encode()
        except (OSError, EOFError) as error:
            raise NotAuthorised(
                f"{path} is locked by a passphrase, and there is no terminal to ask on",
                hint=f"Run this on a terminal, or name a program that prints it in {self.folder / SIGNERS}.",
            ) from error


def _signed(argv: Sequence[str], public: PublicKey, message: bytes) -> bytes:
    signature = _run(argv, message)
    if not public.verifies(signature, message):
        raise NotAuthorised(
            f"{argv[0]!r} gave something that is no signature of the key {public.keyid[:16]}",
            hint="It must print the bare signature: 64 bytes for Ed25519, DER for ECDSA P-256.",
        )
    return signature


def _checked(document: Mapping[str, Any]) -> Mapping[str, Mapping[str, Sequence[str]]]:
    for keyid, programs in document.items():
        known = isinstance(programs, dict) and len(programs) == 1 and set(programs) <= {"sign", "passphrase"}
        if not is_digest(keyid) or not known or not all(map(_is_argv, programs.values())):
            raise DocumentInvalid(
                f'must give for a key id {{"sign": [...]}} or {{"passphrase": [...]}}, not {keyid:.16}'
            )
    return document


def _is_argv(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(word, str) and word for word in value)


def _run(argv: Sequence[str], given: bytes) -> bytes:
    """What a program prints. Raises `NotAuthorised` when it fails; its output is never shown."""
    try:
        done = subprocess.run(list(argv), input=given, stdout=subprocess.PIPE, check=True, timeout=TIMEOUT)
    except (OSError, subprocess.SubprocessError) as error:
        reason = f"exit status {error.returncode}" if isinstance(error, subprocess.CalledProcessError) else str(error)
        raise NotAuthorised(
            f"{argv[0]!r}, which signs for this key, failed ({reason})", hint="Run it by hand."
        ) from None
    if len(done.stdout) > _MAX_OUTPUT:
        raise NotAuthorised(f"{argv[0]!r} printed more than a signature or a passphrase", hint="Run it by hand.")
    return done.stdout

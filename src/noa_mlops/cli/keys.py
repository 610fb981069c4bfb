"""``noa keys``: which keys there are, what they may do, their public halves as files; new, rotated, revoked ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from noa_mlops.cli import options, output
from noa_mlops.records.policy import Policy


@click.group(invoke_without_command=True, epilog="Example: noa keys export --to public")
@options.common
@click.pass_context
def keys(context: click.Context, folder: Path, *, as_json: bool) -> int:
    """List the project's keys, export their public halves, make, rotate or revoke them."""
    if context.invoked_subcommand is None:
        _list(folder, as_json=as_json)
    shared = {"folder": folder, "as_json": as_json}
    context.default_map = dict.fromkeys(("list", "export", "new", "request", "admit", "rotate", "revoke"), shared)
    return 0


@keys.command("list", epilog="Example: noa keys list --json")
@options.common
def list_keys(folder: Path, *, as_json: bool) -> int:
    """List keys: id, scheme, roles, whether the private half is on this machine."""
    _list(folder, as_json=as_json)
    return 0


def _list(folder: Path, *, as_json: bool) -> None:
    documents = _documents(folder)
    if as_json:
        output.emit(documents)
        return
    rows = [
        (
            item["keyid"][:16],
            item["scheme"],
            ", ".join(item["roles"]),
            "here" if item["private_key_here"] else "elsewhere",
        )
        for item in documents
    ]
    output.table(rows, ("key id", "scheme", "roles", "private key"))


@keys.command("export", epilog="Example: noa keys export --to public")
@click.option("--to", "target", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where to write.")
@options.dry_run
@options.common
def export_keys(target: Path, folder: Path, *, dry_run: bool, as_json: bool) -> int:
    """Write each public key as a PEM file named by its role; existing files are kept."""
    written = []
    for item in _documents(folder):
        path = target / f"{'-'.join(item['roles'])}-{item['keyid'][:16]}.pem"
        written.append(str(path))
        if not dry_run:
            target.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(item["public"], encoding="ascii")
    if as_json:
        output.emit({"files": written})
    else:
        for name in written:
            output.say(output.foreign(name))
    return 0


def _documents(folder: Path) -> list[dict[str, Any]]:
    from noa_mlops.ledger import KeyRing, KeyStore, Ledger

    state = Ledger.read_only(options.project(folder)).state
    policy = state.policy
    if policy is None:
        return []
    ring = KeyRing(KeyStore().folder(state.policies[0].policy), policy)
    founding = {name: state.policies[0].policy.roles[name].keys[0] for name in state.policies[0].policy.roles}
    return [
        {
            "keyid": key.keyid,
            "scheme": key.scheme,
            "roles": _roles(policy, key.keyid),
            "may": sorted({act for role in policy.roles.values() if key.keyid in role.keys for act in role.may}),
            "private_key_here": ring.path(key.keyid).exists()
            or any(keyid == key.keyid and (ring.folder / f"{role}.pem").exists() for role, keyid in founding.items()),
            "public": key.public,
        }
        for key in policy.keys.values()
    ]


def _roles(policy: Policy, keyid: str) -> list[str]:
    return [name for name, role in policy.roles.items() if keyid in role.keys]


_locked = click.option("--passphrase", is_flag=True, help="Lock the key by a passphrase, asked on the terminal.")


@keys.command("new", epilog="Example: noa keys new operator --passphrase")
@click.argument("role")
@_locked
@click.option("--public", type=click.Path(path_type=Path), metavar="FILE", help="Public half of a key held elsewhere.")
@click.option("--sign-with", "program", multiple=True, metavar="WORD", help="Program that signs, a word each time.")
@options.dry_run
@options.common
def new(
    role: str,
    public: Path | None,
    program: tuple[str, ...],
    folder: Path,
    *,
    passphrase: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Make a key and give it ROLE in policy.yaml; it counts once that is signed.

    A key that a device or another program holds is named by --public FILE and --sign-with PROGRAM --sign-with ARGUMENT:
    the program gets the bytes on its standard input and prints the bare signature.
    """
    from noa_mlops.lifecycle.key_change import add_external, add_key

    layout = options.project(folder)
    if (public is None) != (not program) or (public is not None and passphrase):
        raise click.UsageError("--public and --sign-with go together, and without --passphrase")
    if public is not None:
        keyid = add_external(layout, role, options.read(public), program, dry_run=dry_run)
    else:
        keyid = add_key(layout, role, _passphrase() if passphrase and not dry_run else None, dry_run=dry_run)
    if as_json:
        output.emit({"keyid": keyid, "role": role, "dry_run": dry_run})
    else:
        output.say(f"would make a key for {role!r}" if dry_run else f"key {keyid} stands in policy.yaml as {role!r}")
        output.field("Next", "noa policy diff, then: noa policy sign")
    return 0


@keys.command("request", epilog="Example: noa keys request operator --to request.json")
@click.argument("role")
@click.option("--to", "file", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Where to write.")
@_locked
@options.dry_run
@options.common
def request(role: str, file: Path, folder: Path, *, passphrase: bool, dry_run: bool, as_json: bool) -> int:
    """Make a key on this machine and ask for ROLE: FILE goes to whoever holds root's key, the key stays here."""
    from noa_mlops.lifecycle.key_change import request_key

    layout = options.project(folder)
    keyid = request_key(layout, role, file, _passphrase() if passphrase and not dry_run else None, dry_run=dry_run)
    if as_json:
        output.emit({"keyid": keyid, "role": role, "file": str(file), "dry_run": dry_run})
    else:
        output.say(f"would ask for {role!r}" if dry_run else f"key {keyid} asks for {role!r}")
        output.field("Next", f"where root's key is: noa keys admit {output.foreign(str(file))}")
    return 0


@keys.command("admit", epilog="Example: noa keys admit request.json")
@click.argument("file", type=click.Path(path_type=Path))
@options.dry_run
@options.common
def admit(file: Path, folder: Path, *, dry_run: bool, as_json: bool) -> int:
    """Sign the request in FILE with root's key and put it in force; --dry-run says what it asks for."""
    from noa_mlops.lifecycle.key_change import admit_request

    changes, entry = admit_request(options.project(folder), options.read(file), dry_run=dry_run)
    if as_json:
        output.emit({"changes": list(changes), "entry": entry, "dry_run": dry_run})
        return 0
    for change in changes:
        output.say(output.foreign(change))
    output.say("nothing was changed" if entry is None else f"in force from entry {entry + 1} on")
    return 0


@keys.command("rotate", epilog="Example: noa keys rotate verifier")
@click.argument("role")
@_locked
@options.dry_run
@options.common
def rotate(role: str, folder: Path, *, passphrase: bool, dry_run: bool, as_json: bool) -> int:
    """Put a new key in the place of those that hold ROLE; what the old ones signed still verifies."""
    from noa_mlops.lifecycle.key_change import rotate_key

    layout = options.project(folder)
    entry = rotate_key(layout, role, _passphrase() if passphrase and not dry_run else None, dry_run=dry_run)
    _tell(entry, f"{role!r} has a new key", as_json=as_json)
    return 0


@keys.command("revoke", epilog="Example: noa keys revoke 3f2a... --last 417")
@click.argument("keyid")
@click.option("--last", type=click.IntRange(min=0), help="The last entry still trusted; by default the newest.")
@options.dry_run
@options.common
def revoke(keyid: str, last: int | None, folder: Path, *, dry_run: bool, as_json: bool) -> int:
    """Trust a key no more, from the entry after LAST on; a role that would be left empty gets a new key."""
    from noa_mlops.lifecycle.key_change import revoke_key

    entry = revoke_key(options.project(folder), keyid, last, dry_run=dry_run)
    _tell(entry, f"key {keyid[:16]} is revoked", as_json=as_json)
    return 0


def _tell(entry: int | None, done: str, *, as_json: bool) -> None:
    if as_json:
        output.emit({"entry": entry, "dry_run": entry is None})
    else:
        output.say("nothing was changed" if entry is None else f"{done}, from entry {entry + 1} on")


def _passphrase() -> bytes:
    text: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return text.encode()

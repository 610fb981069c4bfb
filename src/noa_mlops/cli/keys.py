"""``noa keys``: which keys there are, what they may do, and their public halves as files."""

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
    """List the project's keys, or export their public halves."""
    if context.invoked_subcommand is None:
        _list(folder, as_json=as_json)
    shared = {"folder": folder, "as_json": as_json}
    context.default_map = {"list": shared, "export": shared}
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
    from noa_mlops.ledger import KeyStore, Ledger

    policy = Ledger.read_only(options.project(folder)).state.policy
    if policy is None:
        return []
    home = KeyStore().folder(policy)
    return [
        {
            "keyid": key.keyid,
            "scheme": key.scheme,
            "roles": _roles(policy, key.keyid),
            "may": sorted({act for role in policy.roles.values() if key.keyid in role.keys for act in role.may}),
            "private_key_here": any((home / f"{role}.pem").exists() for role in _roles(policy, key.keyid)),
            "public": key.public,
        }
        for key in policy.keys.values()
    ]


def _roles(policy: Policy, keyid: str) -> list[str]:
    return [name for name, role in policy.roles.items() if keyid in role.keys]

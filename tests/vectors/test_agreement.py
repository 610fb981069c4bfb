"""Documents changed at random, signed anew by the rightful keys: both verifiers accept them, or both refuse."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from dataclasses import replace

import pytest

from noa_mlops.records.documents import canonical, compact, sha256
from vectors.logs import Log, change, genesis, governed, manifest, submitted, training_failed, usual
from vectors.test_vectors import alone, ours

VALUES = [
    *(None, True, False, 0, 1, -1, 2, 1.5, 2**53, "", "x", "rain", "champion", "ready", "blocked", "failed"),
    *("pass", "fail", "inconclusive", "0" * 64, "python", "../x", "a.", "é", "\0", "\n"),
    *([], {}, ["no_gate"], ["x", 1], {"sha256": "0" * 64}, {"digest": {"sha256": "0" * 64}}),
]
"""What is put in the place of something else."""

NAMES = ["x", "v", "status", "name", "policy", "may", "quorum", "lifecycle_id"]


def places(value, path=()):
    """The way to each value inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(data, rng):
    """A document with one thing replaced, removed, added or moved."""
    document = json.loads(data)
    *way, last = rng.choice(list(places(document)))
    parent = document
    for key in way:
        parent = parent[key]
    match rng.choice(["replace", "replace", "remove", "add", "move"]):
        case "remove":
            del parent[last]
        case "add" if isinstance(parent, dict):
            parent[rng.choice(NAMES)] = rng.choice(VALUES)
        case "move" if isinstance(parent, dict):
            parent[last] = parent.pop(last)
        case _:
            parent[last] = rng.choice(VALUES)
    return document


def changed_manifest(rng):
    document = changed(manifest().to_bytes(), rng)
    with suppress(LookupError, TypeError):
        document["checksum"] = sha256(canonical(sorted(document["files"], key=lambda file: file["path"])))
    return usual(document=canonical(document) + b"\n")


def changed_entry(number, rng):
    def change(entries):
        entries[number].payload = lambda payload: compact(changed(payload, rng))

    return usual(change)


def changed_change(rng):
    """A policy, or the decision about it, with one thing changed; all who must have signed it."""
    document, members = governed(verifier=["verifier-2"], revoked={"operator": 0}, operator=["operator-2"]), {}
    signers = ["root", "verifier-2", "operator-2"]
    match rng.choice(["policy", "policy", "policy", "act", "signers"]):
        case "policy":
            document = changed(compact(document), rng)
        case "act":
            name, value = rng.choice(["origin", "act", "scope", "answers", "reason", "expires"]), rng.choice(VALUES)
            members = {name: {"policy": value} if name == "scope" else value}
        case _:
            signers = rng.sample([*signers, "stranger", "model"], rng.randrange(6))
    last = [replace(entry, key="verifier-2") for entry in (submitted(), training_failed("rain"))]
    log = Log([genesis(), change(document, *signers, act=members), *last], signer="verifier-2")
    return log, log.proof()


@pytest.mark.parametrize("seed", range(5))
def test_both_verifiers_accept_or_both_refuse_a_change_of_policy(seed):
    rng = random.Random(seed)
    accepted = 0
    for _ in range(60):
        log, proof = changed_change(rng)
        data = proof.to_bytes()
        findings = ours(data, log.origin), alone(data, log.origin)[0]
        assert bool(findings[0]) == bool(findings[1]), findings
        accepted += not findings[0]
    assert 0 < accepted < 50


@pytest.mark.parametrize("seed", range(5))
def test_both_verifiers_accept_or_both_refuse(seed):
    rng = random.Random(seed)
    accepted = 0
    for number in range(120):
        log, proof = changed_manifest(rng) if number % 4 == 0 else changed_entry(rng.choice([0, 1, 3, 4, 5]), rng)
        data = proof.to_bytes()
        findings = ours(data, log.origin), alone(data, log.origin)[0]
        assert bool(findings[0]) == bool(findings[1]), findings
        accepted += not findings[0]
    assert 0 < accepted < 100

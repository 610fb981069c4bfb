"""Check a portable proof of noa-mlops, without noa-mlops.

    python verify_noa_proof.py FILE.noa-proof --origin ORIGIN [--model DIR]

Needs Python 3.11 and the package `cryptography`, opens the files it is given and nothing else, and shares no code with
the package that writes proofs. It prints one line for each thing that does not hold. Exit status: 0 everything holds and
the origin is the one given; 4 something does not hold, or no origin was given, so that the signer is unknown; 2 a file
cannot be read. docs/evidence.md describes the form byte by byte. What is checked, in this order:

1. form      The file is written in its one form.
2. policies  The first ledger line holds a policy, and is signed by a key that this policy lets sign it. The policy's
             name and the line's SHA-256 are the origin. Each later policy was decided under the one before it: by its
             quorum, by every key that is new, in answer to its line. Every key used below comes from these policies.
3. tree      The checkpoint is signed by a key that may by the last policy, names its entry as that of the last one, and
             each line leads to its root (RFC 6962). So no policy was left out.
4. entries   Each line is signed by a key that might at its place, and that no policy has revoked since for entries
             before it. It stands in its place, and is the next step of this one version, up to its end. From training
             on they name the same bytes.
5. manifest  It is the one that the decision names, and it lists the files that were trained.
6. model     With --model: each listed file is there, byte for byte, and nothing else is.
"""

# ruff: noqa: T201 - a program of its own, which speaks for itself.

import argparse
import base64
import hashlib
import json
import math
import os
import re
import stat
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

LIFECYCLE, PROVENANCE = "noa:lifecycle/v1", "https://slsa.dev/provenance/v1"
SUMMARY, IN_TOTO = "https://slsa.dev/verification_summary/v1", b"application/vnd.in-toto+json"
ACT = b"application/vnd.noa.act.v1+json"
# Entry type: its predicate type, the states of its version that it may follow, the statuses it may have, the state after.
RULES: dict[str, tuple[str, set[str | None], set[str | None], str]] = {
    "Submitted": (LIFECYCLE, {None}, {None}, "submitted"),
    "TrainingCompleted": (PROVENANCE, {"submitted"}, {None}, "trained"),
    "TrainingFailed": (PROVENANCE, {"submitted"}, {None, "failed"}, "failed"),
    "EvaluationLogged": (LIFECYCLE, {"trained", "evaluated"}, {None}, "evaluated"),
    "EvaluationFailed": (LIFECYCLE, {"trained", "evaluated"}, {None, "failed"}, "failed"),
    "PromotionReady": (SUMMARY, {"trained", "evaluated"}, {"ready", "blocked"}, "decided"),
}
REASONS = {"threshold", "champion", "hygiene", "inconclusive", "drift", "approval", "no_gate"}
HEADER = ["v", "type", "seq", "prev", "ts", "lifecycle_id", "version", "status"]
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z"
TAIL = rb',"signatures":\[\{"keyid":"([0-9a-f]{64})","sig":"([A-Za-z0-9+/]{85}[AQgw]==)"\}\]\}'
MANIFEST: dict[str, Any] = {
    **dict.fromkeys(("schema", "checksum", "lifecycle_id", "profile", "artifact", "created_at", "plan_digest"), str),
    **dict.fromkeys(("dataset", "agents", "environment", "predict"), dict),
    **dict.fromkeys(("version", "seed"), int),
    **dict.fromkeys(("files", "code"), list),
    "evaluation": dict | None,
    "code_bearing": bool,
}


class Wrong(Exception):
    """Something that does not hold; the message says what."""


def demand(holds: object, otherwise: str) -> None:
    """Go on only when the claim holds."""
    if not holds:
        raise Wrong(otherwise)


# --- Texts that can be read in one way only ------------------------------------------------------------------------
def read_json(data: bytes) -> Any:
    """A JSON text without duplicate keys, infinities, lone surrogates, overlong numbers or more than 64 levels."""
    try:
        text, depth = data.decode(), 0
        for character in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
            depth += (character in "[{") - (character in "]}")
            demand(depth <= 64, "is nested more than 64 levels deep")
        hooks: Any = {"parse_int": _number, "parse_float": _number, "parse_constant": _number}
        value = json.loads(text, object_pairs_hook=_object, **hooks)
        write_json(value)
    except (ValueError, RecursionError) as error:
        raise Wrong(f"is not JSON in UTF-8: {error}") from error
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    demand(len(dict(pairs)) == len(pairs), "has a key twice")
    return dict(pairs)


def _number(text: str) -> float:
    demand(len(text) <= 40 and math.isfinite(float(text)), "has a number that is out of range")
    return int(text) if re.fullmatch("-?[0-9]+", text) else float(text)


def write_json(value: object, *, sort: bool = False) -> bytes:
    """JSON without white space, in UTF-8."""
    return json.dumps(value, sort_keys=sort, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def decode64(text: str) -> bytes:
    """Base64 in its one form."""
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Wrong("has text that is not base64") from error
    demand(base64.b64encode(value).decode() == text, "has base64 that is not canonical")
    return value


def sha256(data: bytes) -> str:
    """SHA-256 in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def is_digest(value: object) -> bool:
    """Whether this is a SHA-256 in lower-case hex."""
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def is_name(value: object) -> bool:
    """Whether this can be the name of a project, role, lifecycle or profile."""
    fits = isinstance(value, str) and re.fullmatch("[a-z0-9][a-z0-9._-]{0,63}", value) and value[-1] != "."
    return bool(fits) and value not in ("workspaces", "champion", "latest", "tmp", "manifest.json")


def is_count(value: object, least: int) -> bool:
    """Whether this is a whole number, not a truth value, from ``least`` to what every reader of JSON can hold."""
    return type(value) is int and least <= value < 1 << 53


def is_texts(value: object) -> bool:
    """Whether this is a list of texts, each once."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value) and len(set(value)) == len(value)


# --- 1. The form of the file ---------------------------------------------------------------------------------------
def take_apart(data: bytes) -> tuple[str, bytes | None, list[tuple[int, bytes, list[bytes]]], list[str]]:
    """The version's name, its manifest or None, its lines with index and path, the five lines of the checkpoint."""
    demand(len(data) <= 32 << 20, f"is larger than {32 << 20} bytes")
    demand(data.startswith(b"noa:proof/v1\n"), "does not begin with noa:proof/v1")
    demand(data.endswith(b"\n"), "is not written in its one form")
    head, *blocks = data[:-1].split(b"\n\n")
    demand(3 <= len(blocks) <= 1026, "does not hold 1 to 1024 ledger lines and a checkpoint")
    checkpoint, about, lines = (*blocks[-2].split(b"\n"), blocks[-1]), head.split(b"\n"), []
    demand(len(checkpoint) == 5 and b"\n" not in blocks[-1], "does not end in a checkpoint with one signature")
    name: Any = re.fullmatch(rb"([a-z0-9._-]{1,64})@[1-9][0-9]{0,14}", about[1] if len(about) == 3 else b"")
    demand(name and is_name(name[1].decode()), "does not name a version and its manifest, a line each")
    for line, *rest in (block.split(b"\n") for block in blocks[:-2]):
        place: Any = re.fullmatch(rb"index (0|[1-9][0-9]{0,18})", rest[0] if rest else b"")
        demand(place, "does not name the place of its entry")
        demand(line and len(rest) <= 64, "is not written in its one form, or has a path of more than 63 hashes")
        path = [decode64(text.decode(errors="replace")) for text in rest[1:]]
        demand(all(len(value) == 32 for value in path), "has a hash that is no SHA-256")
        lines.append((int(place[1]), line, path))
    indexes = [index for index, _, _ in lines]
    demand(indexes == sorted(set(indexes)), "does not hold its ledger lines in their order, each once")
    end = [line.decode(errors="replace") for line in checkpoint]
    return name[0].decode(), None if about[2] == b"-" else about[2] + b"\n", lines, end


# --- 2. The policies, and the keys that they name ------------------------------------------------------------------
def read_genesis(index: int, line: bytes) -> dict[str, Any]:
    """The policy in the first line, which must be signed by a key that it lets do so."""
    entry, keyid, policy = open_line(line)
    header, predicate = entry["noa_entry"], entry["predicate"]
    demand((index, header["seq"], header["prev"]) == (0, 0, "0" * 64), "is genesis, but not said to be the first line")
    demand(header["type"] == "Genesis" and len(header) == 5, "is not a genesis entry, as the first line must be")
    known = entry["predicateType"] == "noa:trust/v1" and predicate.get("format") == 1
    demand(known, "has a format that is not known to this version")
    verifier = policy["roles"].get("verifier", {"keys": [], "may": []})
    allowed = keyid in verifier["keys"] and "Genesis" in verifier["may"] and not policy["revoked"]
    demand(allowed, "is signed by a key that its own policy does not let sign it")
    check_subject(entry)
    return policy


def check_subject(entry: dict[str, Any]) -> str:
    """The digest of the policy in an entry, which its first subject must be."""
    digest = sha256(write_json(entry["predicate"]["policy"], sort=True))
    demand(entry["subject"][0]["digest"]["sha256"] == digest, "has a subject that is not its policy")
    return digest


def read_policy(policy: Any) -> dict[str, Any]:
    """The policy, with each key loaded and held against its id."""
    unusable = "holds a policy that cannot be used"
    members = ["data_roots", "keys", "lifecycles", "name", "revoked", "roles", "version"]
    demand(isinstance(policy, dict) and sorted({"revoked": 0, **policy}) == members, unusable)
    demand(policy.get("revoked") != {}, "holds a policy that is not in its one form")
    keys, roles, revoked = policy["keys"], policy["roles"], policy.get("revoked", {})
    demand(is_count(policy["version"], 1) and policy["version"] == 1 and is_name(policy["name"]), unusable)
    floors = policy["lifecycles"]  # what plans must reach at least: it says nothing of who may sign what
    named = isinstance(floors, dict) and all(is_name(name) and isinstance(floors[name], dict) for name in floors)
    demand(is_texts(policy["data_roots"]) and named, unusable)
    demand(isinstance(keys, dict) and isinstance(roles, dict) and isinstance(revoked, dict), unusable)
    for keyid, until in revoked.items():
        named = is_digest(keyid) and isinstance(until, dict) and sorted(until) == ["last"]
        demand(named and is_count(until["last"], 0), unusable)
    for name, role in roles.items():
        demand(is_name(name) and isinstance(role, dict) and sorted(role) == ["keys", "may", "quorum"], unusable)
        demand(is_texts(role["keys"]) and role["keys"] and set(role["keys"]) <= set(keys), unusable)
        demand(is_texts(role["may"]) and is_count(role["quorum"], 1) and role["quorum"] <= len(role["keys"]), unusable)
    for keyid, key in keys.items():
        demand(is_digest(keyid) and isinstance(key, dict) and sorted(key) == ["public", "scheme"], unusable)
        demand(isinstance(key["public"], str) and isinstance(key["scheme"], str), unusable)
    loaded = {keyid: load_key(keyid, **key) for keyid, key in keys.items()}
    return {**policy, "revoked": {keyid: until["last"] for keyid, until in revoked.items()}, "loaded": loaded}


def load_key(keyid: str, scheme: str, public: str) -> Ed25519PublicKey | EllipticCurvePublicKey:
    """The key. Its id is the one that securesystemslib gives it. A P-256 key signs models and acts, never lines."""
    wrong, kind, name, value = f"holds a policy whose key {keyid[:16]} ", "ecdsa", "ecdsa-sha2-nistp256", public
    try:
        key = load_pem_public_key(public.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Wrong(f"{wrong}is not a public key in PEM") from error
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    demand(pem == public, f"{wrong}is not written as PEM usually is")
    if isinstance(key, Ed25519PublicKey):
        kind, name, value = "ed25519", "ed25519", key.public_bytes_raw().hex()
    elif not (isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)):
        raise Wrong(f"{wrong}is neither an Ed25519 nor a P-256 key")
    text = f'{{"keytype":"{kind}","keyval":{{"public":"{value}"}},"scheme":"{name}"}}'
    demand((sha256(text.encode()), name) == (keyid, scheme), f"{wrong}is another one")
    return key


def may(policy: dict[str, Any], keyid: str, what: str) -> bool:
    """Whether a role lets the key sign this."""
    return any(keyid in role["keys"] and what in role["may"] for role in policy["roles"].values())


def grants(policy: dict[str, Any], keyids: set[str], what: str) -> bool:
    """Whether these keys together are the quorum of one role that may do this."""
    roles = [role for role in policy["roles"].values() if what in role["may"]]
    return any(len(keyids & set(role["keys"])) >= role["quorum"] for role in roles)


def read_change(places: list[dict[str, Any]], line: bytes, entry: dict[str, Any], keyid: str) -> dict[str, Any]:
    """The policy in a PolicyChanged, from which entry on it judges, and who decided it under the last of ``places``."""
    header, predicate, before = entry["noa_entry"], entry["predicate"], places[-1]["policy"]
    demand(len(header) == 5, "is about a version, which a PolicyChanged cannot be")
    formed = entry["predicateType"] == "noa:trust/v1" and set(predicate) == {"policy", "act"}
    demand(formed, "does not have the form of a PolicyChanged")
    after = read_policy(predicate["policy"])
    digest = check_subject(entry)
    act, message, signatures = read_act(predicate["act"])
    check_succession(before, after, header["seq"])
    demand(act["origin"] == places[0]["origin"], "carries an act for another log")
    decides = (act["act"], act["scope"]) == ("policy", {"policy": {"sha256": digest}})
    demand(decides, "carries an act that decides something else")
    demand(act["answers"] == places[-1]["leaf"], "carries an act that answers another entry than the one in force")
    demand(act["expires"] is None or act["expires"] >= header["ts"], "carries an act that lapsed")
    known = before["loaded"] | after["loaded"]
    signed = [key in known and is_signature(known[key], value, message) for key, value in signatures.items()]
    demand(signed and all(signed), "carries an act with a signature that is wrong or of an unknown key")
    quorum = grants(before, set(signatures), "policy")
    demand(quorum, "carries an act without the quorum that may change the policy")
    proven = after["keys"].keys() - before["keys"].keys() <= signatures.keys()
    demand(proven, "names the new key of somebody who did not sign the act")
    allowed = any(may(policy, keyid, header["type"]) for policy in (before, after))
    demand(allowed, f"is signed by a key that may not sign {header['type']}")
    return {
        "entry": header["seq"],
        "since": header["seq"] + 1,
        "policy": after,
        "leaf": leaf(line).hex(),
        "by": signatures,
    }


def read_act(envelope: Any) -> tuple[dict[str, Any], bytes, dict[str, bytes]]:
    """What a decision says, the bytes that its keys signed, and the signatures by key id."""
    formed = isinstance(envelope, dict) and list(envelope) == ["payload", "payloadType", "signatures"]
    demand(formed, "carries an act that is no envelope")
    demand(envelope["payloadType"] == ACT.decode(), "carries an act that has a payload type that is not known")
    demand(isinstance(envelope["payload"], str), "carries an act that is no text")
    payload = decode64(envelope["payload"])
    demand(len(payload) <= 1 << 14, "carries an act that is larger than 16384 bytes")
    act, rows = read_json(payload), envelope["signatures"]
    members = ["origin", "act", "scope", "reason", "expires", "answers"]
    demand(isinstance(act, dict) and list(act) == members, "carries an act that lacks a member or has more")
    demand(write_json(act) == payload, "carries an act that is not written in its one form")
    kinds = (str, str, dict, str | None, str | None, str)
    typed = all(isinstance(act[name], kind) for name, kind in zip(members, kinds, strict=True))
    demand(typed and is_digest(act["answers"]), "carries an act that does not say what it decides and answers")
    demand(isinstance(rows, list) and len(rows) <= 32, "carries an act that has no list of signatures, or too many")
    for row in rows:
        formed = isinstance(row, dict) and list(row) == ["keyid", "sig"] and is_digest(row["keyid"])
        demand(formed and isinstance(row["sig"], str), "carries an act that has a signature of another form")
    signatures = {row["keyid"]: decode64(row["sig"]) for row in rows}
    once = [row["keyid"] for row in rows] == sorted(signatures)
    demand(once, "carries an act that has signatures out of order, or two of one key")
    return act, b"DSSEv1 %d %b %d %b" % (len(ACT), ACT, len(payload), payload), signatures


def check_succession(before: dict[str, Any], after: dict[str, Any], seq: int) -> None:
    """Refuse what no policy may be that follows another one, whoever decides it."""
    revoked, known = after["revoked"], before["revoked"]
    demand(after["name"] == before["name"], "changes the name of the project")
    demand(known.items() <= revoked.items(), "takes a revocation back")
    fresh = revoked.keys() - known.keys()
    past = fresh <= before["keys"].keys() and all(revoked[keyid] < seq for keyid in fresh)
    demand(past, "revokes a key that was not known, or trusts entries that are yet to come")
    demand(not after["keys"].keys() & revoked.keys(), "names a key that is revoked")
    runtime = [keyid for keyid, key in after["loaded"].items() if isinstance(key, Ed25519PublicKey)]
    goes_on = any(may(after, keyid, "checkpoint") and may(after, keyid, "PolicyChanged") for keyid in runtime)
    changes = any(may(after, keyid, "policy") for keyid in after["keys"])
    demand(goes_on and changes, "leaves nobody who can sign the log, or nobody who can change the policy")


def check_trust(places: list[dict[str, Any]], seq: int, keyid: str) -> None:
    """Refuse an entry that the last of the policies does not trust any more: its signer's, or its own policy's."""
    newest = places[-1]["policy"]["revoked"]
    demand(seq <= newest.get(keyid, seq), f"is signed by the revoked key {keyid[:16]}, which is not trusted up to here")
    judge = max(number for number, place in enumerate(places) if place["since"] <= seq)
    place = places[judge]
    later = {key for key, last in newest.items() if key not in place["policy"]["revoked"] and last < place["entry"]}
    decided = judge == 0 or grants(places[judge - 1]["policy"], set(place["by"]) - later, "policy")
    demand(decided, f"is judged by the policy of entry {place['entry']}, which was decided by a key that is revoked")


# --- 3. The tree ---------------------------------------------------------------------------------------------------
def open_checkpoint(lines: list[str], origin: str, policy: dict[str, Any], entry: int) -> tuple[int, bytes]:
    """Size and root that a key of the policy, that of ``entry``, signed for this log (C2SP signed note, tlog-checkpoint)."""
    name, size, root, last, signature = lines
    start, unsigned = f"\u2014 {origin} ", f"has no signature of {origin} by a known key"
    demand(signature.startswith(start), unsigned)
    hinted = decode64(signature[len(start) :])
    for keyid, key in policy["loaded"].items():
        if not isinstance(key, Ed25519PublicKey) or not may(policy, keyid, "checkpoint"):
            continue
        if hashlib.sha256(origin.encode() + b"\n\x01" + key.public_bytes_raw()).digest()[:4] == hinted[:4]:
            signed = is_signature(key, hinted[4:], f"{name}\n{size}\n{root}\n{last}\n".encode())
            demand(signed, f"has a wrong signature of {origin}")
            demand(name == origin, f"is no checkpoint of {origin}")
            demand(re.fullmatch("0|[1-9][0-9]{0,18}", size), "has a size that is no number")
            demand(len(decode64(root)) == 32, "has a root that is no SHA-256")
            shown = f"the last one that is shown is that of entry {entry}"
            demand(last == f"policy {entry}", f"names the {last} of the log; {shown}")
            return int(size), decode64(root)
    raise Wrong(unsigned)


def leaf(line: bytes) -> bytes:
    """The leaf of a line in the tree."""
    return hashlib.sha256(b"\x00" + line).digest()


def leads(line: bytes, index: int, path: list[bytes], head: tuple[int, bytes]) -> bool:
    """Whether the path leads from the line to the root (RFC 9162 section 2.1.3.2)."""
    value, place, last = leaf(line), index, head[0] - 1
    if place > last:
        return False
    for other in path:
        if last == 0:
            return False
        if place % 2 == 1 or place == last:
            value = hashlib.sha256(b"\x01" + other + value).digest()
            while place % 2 == 0 and place != 0:
                place, last = place >> 1, last >> 1
        else:
            value = hashlib.sha256(b"\x01" + value + other).digest()
        place, last = place >> 1, last >> 1
    return last == 0 and value == head[1]


# --- 4. The entries ------------------------------------------------------------------------------------------------
def open_line(line: bytes, policy: dict[str, Any] | None = None) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """The entry in a line, who signed it, and the policy whose key that is; genesis brings its own, a change may."""
    demand(len(line) <= 65_535, "is longer than 65535 bytes")
    found: Any = re.fullmatch(TAIL, line[-190:])
    demand(found, "does not end in one signature")
    payload, keyid = line[:-190] + b"}", found[1].decode()
    entry = read_entry(payload)
    changes = entry["noa_entry"]["type"] == "PolicyChanged"
    if policy is None or (changes and keyid not in policy["keys"]):
        policy = read_policy(entry["predicate"].get("policy"))
    key, message = policy["loaded"].get(keyid), b"DSSEv1 %d %b %d %b" % (len(IN_TOTO), IN_TOTO, len(payload), payload)
    demand(isinstance(key, Ed25519PublicKey), f"is signed by an unknown key, {keyid[:16]}")
    demand(is_signature(key, decode64(found[2].decode()), message), "has a wrong signature")
    return entry, keyid, policy


def is_signature(key: Any, signature: bytes, message: bytes) -> bool:
    """Whether the key made the signature."""
    try:
        key.verify(signature, message, *([] if isinstance(key, Ed25519PublicKey) else [ECDSA(SHA256())]))
    except InvalidSignature:
        return False
    return True


def read_entry(payload: bytes) -> dict[str, Any]:
    """The statement in a payload: its members and those of its header in their order, each of its kind."""
    entry: Any = read_json(payload)
    demand(isinstance(entry, dict) and write_json(entry) == payload, "is not written in its one form")
    typed = list(entry) == ["_type", "noa_entry", "predicateType", "predicate", "subject"]
    typed = typed and entry["_type"] == "https://in-toto.io/Statement/v1"
    demand(typed, "does not have the members of a statement, in their order")
    header, subjects = entry["noa_entry"], entry["subject"]
    demand(isinstance(header, dict) and "v" in header, "has no header")
    demand(type(header["v"]) is int and header["v"] == 1, f"has the form {header['v']!r:.20}, which is not known")
    complete = list(header) == [name for name in HEADER if name in header or name in HEADER[:5]]
    demand(complete, "has a header with missing, unknown or misplaced members")
    demand(isinstance(header["type"], str), "has a type that is no text")
    demand(is_count(header["seq"], 0), "has a number that is no index")
    demand(is_digest(header["prev"]), "names no predecessor")
    demand(isinstance(header["ts"], str) and re.fullmatch(TIME, header["ts"]), "has a time that is not RFC 3339 in UTC")
    demand(is_name(header.get("lifecycle_id", "none")), "has a lifecycle that is no name")
    demand(is_count(header.get("version", 1), 1), "has a version that is no number from 1")
    demand(isinstance(header.get("status", ""), str), "has a status that is no text")
    demand(isinstance(entry["predicateType"], str) and isinstance(entry["predicate"], dict), "has no predicate")
    demand(isinstance(subjects, list) and subjects, "has a subject without a SHA-256 digest, or none")
    for digests in (subject.get("digest") if isinstance(subject, dict) else None for subject in subjects):
        digested = isinstance(digests, dict) and is_digest(digests.get("sha256"))
        demand(digested, "has a subject without a SHA-256 digest, or none")
    return dict(entry)


def next_state(state: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """What is known of the version after its next entry."""
    header, predicate = entry["noa_entry"], entry["predicate"]
    kind, checksum = header["type"], entry["subject"][0]["digest"]["sha256"]
    demand(kind in RULES, f"has the type {kind!r:.40}, which is not known to this version")
    predicate_type, follows, statuses, after = RULES[kind]
    typed = entry["predicateType"] == predicate_type and header.get("status") in statuses
    demand(typed, f"has a predicate type or a status that {kind} cannot have")
    demand(state["status"] in follows, f"cannot follow: version {header['version']} is {state['status'] or 'new'}")
    demand(state["checksum"] in (None, checksum), "is about other bytes than those that were trained")
    if kind == "Submitted":
        plan = predicate.get("plan")
        digest = plan.get("digest") if isinstance(plan, dict) else None
        demand(isinstance(digest, dict) and is_digest(digest.get("sha256")), "names no plan by its digest")
        agent = is_name(predicate.get("profile")) and isinstance(predicate.get("agent_id"), str)
        demand(agent, "names no profile or no agent")
        return {**state, "status": after, "plan": plan["digest"]["sha256"], "profile": predicate["profile"]}
    if kind == "PromotionReady":
        named = {str(subject.get("name")): subject["digest"]["sha256"] for subject in entry["subject"][1:]}
        return {**state, "status": decided(state, header, predicate), "named": named}
    return {**state, "status": after, "checksum": checksum if kind == "TrainingCompleted" else state["checksum"]}


def decided(state: dict[str, Any], header: dict[str, Any], predicate: dict[str, Any]) -> str:
    """What the version is after its decision."""
    found = predicate.get("noa:decision")
    decision = found if isinstance(found, dict) else {}
    verdict, reasons, replaces = (decision.get(name) for name in ("verdict", "reasons", "replaces"))
    stated = verdict in ("pass", "fail", "inconclusive") and decision.get("status") == header["status"]
    demand(stated, "holds no decision, or another than its status says")
    known = isinstance(reasons, list) and all(isinstance(reason, str) and reason in REASONS for reason in reasons)
    demand(known, "gives reasons that are not known to this version")
    champion = replaces is None or (type(replaces) is int and replaces >= 1 and replaces != header["version"])
    demand("replaces" in decision and champion, "names as the champion that it replaces what can be none")
    ungated = "no_gate" in (reasons or ())
    demand(state["status"] == "evaluated" or ungated, "decides without a measurement although there is a gate")
    honest = predicate.get("verificationResult") != "PASSED" or verdict == "pass"
    demand(honest, "says PASSED although the verdict does not pass")
    if header["status"] == "blocked":
        demand(reasons, "blocks without a reason")
        undecided = "inconclusive" if verdict == "inconclusive" and not ungated else "held"
        return "rejected" if verdict == "fail" else undecided
    passes = verdict == "pass" or (verdict == "inconclusive" and ungated)
    demand(passes, "promotes although the verdict does not pass")
    return "champion"


# --- 5. The manifest -----------------------------------------------------------------------------------------------
def read_manifest(data: bytes, name: str, state: dict[str, Any]) -> dict[str, Any]:
    """The manifest, in its one form, about this version and the files that were trained."""
    manifest: Any = read_json(data[:-1])
    demand(isinstance(manifest, dict) and manifest.keys() == MANIFEST.keys(), "has missing or unknown members")
    demand(write_json(manifest, sort=True) + b"\n" == data, "is not written in its one form")
    for member, kind in MANIFEST.items():
        fits = isinstance(manifest[member], kind) and (kind is bool or not isinstance(manifest[member], bool))
        demand(fits, f"has a {member} that is no such value")
    demand(manifest["schema"] == "noa:manifest/v1", "is not a manifest of the form noa:manifest/v1")
    for files in (manifest["files"], manifest["code"]):
        for file in files:
            demand(
                isinstance(file, dict) and sorted(file) == ["path", "sha256", "size"], "has an entry that is no file"
            )
            path, parts = file["path"], str(file["path"]).split("/")
            inside = (
                isinstance(path, str) and "\0" not in path and len(parts) <= 64 and not {"", ".", ".."} & set(parts)
            )
            demand(inside, "names a path that is not inside the model")
            whole = type(file["size"]) is int and file["size"] >= 0
            demand(whole and is_digest(file["sha256"]), "has a size or a SHA-256 that is none")
        demand(len({file["path"] for file in files}) == len(files), "names a file twice")
    listed = sorted(manifest["files"], key=lambda file: str(file["path"]))
    demand(sha256(write_json(listed, sort=True)) == manifest["checksum"], "contradicts itself")
    demand(f"{manifest['lifecycle_id']}@{manifest['version']}" == name, "is that of another version")
    submitted = (manifest["profile"], manifest["plan_digest"]) == (state["profile"], state["plan"])
    demand(submitted, "names another profile or plan than was submitted")
    demand(manifest["checksum"] == state["checksum"], "lists other files than were signed")
    return dict(manifest)


# --- 6. The model --------------------------------------------------------------------------------------------------
def folder_findings(folder: str, manifest: dict[str, Any], named: dict[str, str]) -> Iterator[str]:
    """What is not as it was signed; files that only the decision names may be absent, but not be others."""
    listed = {f"model/{file['path']}": file["sha256"] for file in manifest["files"]}
    listed |= {f"code/{file['path']}": file["sha256"] for file in manifest["code"]}
    expected = {name: digest for name, digest in named.items() if "/" not in name} | listed
    parents = {path[: slash.start()] for path in listed for slash in re.finditer("/", path)}
    found = set()
    for root, folders, files in os.walk(folder):
        for full in (os.path.join(root, name) for name in sorted(folders + files)):
            path, mode = os.path.relpath(full, folder), os.lstat(full).st_mode
            if stat.S_ISDIR(mode) and path in parents:
                continue
            found.add(path)
            if path not in expected:
                yield f"{full}: is not in the manifest"
            elif not stat.S_ISREG(mode) or sha256_of_file(full) != expected[path]:
                yield f"{full}: is not the file that was signed"
    yield from (f"{os.path.join(folder, path)}: is missing" for path in sorted(listed.keys() - found))


def sha256_of_file(path: str) -> str:
    """SHA-256 of a file's bytes; a link is not followed."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# --- All of it -----------------------------------------------------------------------------------------------------
def verify(data: bytes, origin: str | None, model: str | None, said: dict[str, Any]) -> Iterator[str]:
    """Everything that does not hold; what the proof says is put into ``said``."""
    place = "the file"
    try:
        name, manifest, lines, checkpoint = take_apart(data)
        place = f"entry {lines[0][0]}"
        policy, first = read_genesis(*lines[0][:2]), lines[0][1]
        found = f"{policy['name']}/{sha256(first)}"
        places: list[dict[str, Any]] = [{"entry": 0, "since": 0, "policy": policy, "by": {}}]
        places[0].update(leaf=leaf(first).hex(), origin=found)
        said.update(name=name, origin=found)
        if origin not in (None, found):
            yield f"entry 0: its origin is {found}, not {origin}"
        entries = []
        for (before, previous, _), (index, line, _) in pairwise(lines):
            place = f"entry {index}"
            judge = places[-1]["policy"]
            entry, keyid, _ = open_line(line, judge)
            header = entry["noa_entry"]
            demand(header["seq"] == index, f"has the number {header['seq']} in the place of {index}")
            follows = before + 1 != index or header["prev"] == sha256(previous)
            demand(follows, "does not follow the line before it")
            if header["type"] == "PolicyChanged":
                places.append(read_change(places, line, entry, keyid))
            else:
                entries.append((entry, keyid, judge))
        place = "the checkpoint"
        head = said["head"] = open_checkpoint(checkpoint, found, places[-1]["policy"], places[-1]["entry"])
        for index, line, path in lines:
            place = f"entry {index}"
            demand(leads(line, index, path, head), "is not in the tree that the checkpoint vouches for")
        for entry, keyid, judge in entries:
            header = entry["noa_entry"]
            place = f"entry {header['seq']}"
            demand(may(judge, keyid, header["type"]), f"is signed by a key that may not sign {header['type']}")
            demand(f"{header.get('lifecycle_id')}@{header.get('version')}" == name, f"is not about {name}")
            said.update(next_state(said, entry))
            check_trust(places, header["seq"], keyid)
        place = "the file"
        ended = said["status"] not in (None, "submitted", "trained", "evaluated")
        demand(ended, "does not hold all entries of its version: the last one decides nothing")
        expected = said["named"].get("manifest.json")
        demand(manifest is not None or expected is None, "lacks the manifest that the decision names")
        demand(manifest is None or expected is not None, "holds a manifest that no entry names")
        demand(manifest is not None or model is None, "does not say of which files the model consists")
        place = "its manifest"
        if manifest is not None:
            demand(sha256(manifest) == expected, "is not the one that was signed")
            listed = read_manifest(manifest, name, said)
            yield from () if model is None else folder_findings(model, listed, said["named"])
    except Wrong as error:
        yield f"{place}: {error}"


def main() -> int:
    """Check the file named on the command line; the exit status."""
    parser = argparse.ArgumentParser(description="Check a portable proof of noa-mlops.")
    parser.add_argument("file", help="the proof, FILE.noa-proof")
    parser.add_argument("--origin", help="the origin that the project's owner gave you")
    parser.add_argument("--model", metavar="DIR", help="the folder of the version: it holds 'model', perhaps 'code'")
    given = parser.parse_args()
    said: dict[str, Any] = {"status": None, "checksum": None, "named": {}}
    try:
        if given.model is not None:
            os.listdir(given.model)
        with open(given.file, "rb") as stream:
            findings = list(verify(stream.read((32 << 20) + 1), given.origin, given.model, said))
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    for finding in findings:
        print(ascii(finding)[1:-1])
    if findings:
        print(f"{len(findings)} finding{'s' if len(findings) > 1 else ''}: rely on nothing in it")
        return 4
    print("verified" if given.origin else "self-consistent, signer unknown", end="")
    print(f": {said['name']} was {said['status']} after its last entry")
    print(f"origin {said['origin']}, {said['head'][0]} entries when its head was signed")
    print(f"model sha256 {said['checksum']}, files {'checked' if given.model else 'not looked at'}")
    return 0 if given.origin else 4


if __name__ == "__main__":
    sys.exit(main())

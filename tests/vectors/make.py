"""Write the vectors: ``python tests/vectors/make.py`` gives the same files on every machine.

Each vector is a proof file. The good ones hold; of each bad one the index says why it must be refused. Most bad ones are
signed by the rightful keys and stand in a rightful tree, so that nothing but the named reason can refuse them.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from noa_mlops.audit import ProvenLine
from noa_mlops.evidence import Inclusion, LogCheckpoint, root_of
from noa_mlops.records.documents import sha256
from vectors.changes import bad_changes, good_changes
from vectors.logs import (
    KEYS,
    Log,
    decided,
    evaluated,
    evaluation_failed,
    genesis,
    manifest,
    manifest_bytes,
    policy,
    submitted,
    trained,
    training_failed,
    usual,
)

HERE = Path(__file__).parent
LOG, PROOF = usual()
DATA = PROOF.to_bytes()
HASH = re.compile(rb"(?<=\n)[A-Za-z0-9+/]{43}=(?=\n)")


def good():
    """Name, proof file, origin, and what the version came to."""
    yield "promoted", DATA, LOG.origin, "champion"
    entries = [genesis(), submitted("wind"), training_failed()]
    small = {**policy(), "roles": {"verifier": policy()["roles"]["verifier"]}}
    small["keys"] = {KEYS["verifier"].public.keyid: policy()["keys"][KEYS["verifier"].public.keyid]}
    small["roles"]["verifier"]["may"] = ["Genesis", "Submitted", "TrainingFailed", "checkpoint"]
    for name, log, version, status in (
        ("training-failed", Log(entries), ("wind", 1), "failed"),
        ("smallest", Log([genesis(small), *entries[1:]]), ("wind", 1), "failed"),
        ("evaluation-failed", Log([genesis(), submitted(), trained(), evaluation_failed()]), ("rain", 1), "failed"),
        (
            "evaluation-failed-after-measuring",
            Log([genesis(), submitted(), trained(), evaluated(), evaluation_failed()]),
            ("rain", 1),
            "failed",
        ),
        ("rejected", steps(decided(status="blocked", verdict="fail", reasons=["threshold"])), ("rain", 1), "rejected"),
        (
            "inconclusive",
            steps(decided(status="blocked", verdict="inconclusive", reasons=["inconclusive"])),
            ("rain", 1),
            "inconclusive",
        ),
        ("held", steps(decided(status="blocked", verdict="pass", reasons=["drift"])), ("rain", 1), "held"),
        ("promoted-over-another", steps(decided(replaces=7)), ("rain", 1), "champion"),
        (
            "promoted-without-a-gate",
            Log([genesis(), submitted(), trained(), decided(verdict="inconclusive", reasons=["no_gate"])]),
            ("rain", 1),
            "champion",
        ),
    ):
        yield name, log.proof(version).to_bytes(), log.origin, status
    crowd = [submitted("wind", number) for number in range(1, 300)]
    log = Log([genesis(), *crowd[:150], submitted(), *crowd[150:], trained(), evaluated(), decided(), submitted("sun")])
    yield "in-a-larger-log", log.proof().to_bytes(), log.origin, "champion"
    for name, log in good_changes():
        yield name, log.proof().to_bytes(), log.origin, "champion"


def steps(last, *more):
    return Log([genesis(), submitted(), trained(), evaluated(), last, *more])


def bad():
    """Name, reason, what a verifier says of it (a regular expression), proof file, origin."""
    for group in (
        bad_bytes,
        bad_forms,
        bad_trees,
        bad_checkpoints,
        bad_signatures,
        bad_lines,
        bad_steps,
        bad_policies,
        bad_manifests,
        bad_changes,
    ):
        for name, reason, finding, data, *origin in group():
            yield (
                f"{group.__name__.removeprefix('bad_')}-{name}",
                reason,
                finding,
                data,
                origin[0] if origin else LOG.origin,
            )


def bad_bytes():
    yield "nothing", "the file is empty", "does not begin", b""
    yield "other-form", "a form that is not known", "does not begin", DATA.replace(b"proof/v1", b"proof/v2", 1)
    yield "mark", "a byte order mark", "does not begin", b"\xef\xbb\xbf" + DATA
    yield "blank-first", "an empty line comes first", "does not begin", b"\n" + DATA
    yield "no-end", "the last newline is missing", "one form", DATA[:-1]
    yield "two-ends", "a newline too many at the end", "one form|one signature", DATA + b"\n"
    yield "carriage-returns", "lines end as on another system", "does not begin", DATA.replace(b"\n", b"\r\n")
    yield "cut", "the file ends in the middle", "does not hold|does not end|place|one form", DATA[: len(DATA) // 2]
    yield "more", "something follows the checkpoint", "one form|one signature|checkpoint", DATA + b"more\n"
    yield "twice", "the whole file twice", "one signature|place|checkpoint", DATA + DATA
    yield (
        "blank-between",
        "an empty line too many between two entries",
        "one form|place",
        DATA.replace(b"\n\n", b"\n\n\n", 1),
    )


def bad_forms():
    head, rest = DATA.split(b"\n\n", 1)
    first, name, document = head.split(b"\n")

    def headed(*lines):
        return b"\n".join(lines) + b"\n\n" + rest

    yield "no-name", "the version is not named", "does not name", headed(first, document)
    yield "name-in-capitals", "a name that is none", "does not name", headed(first, b"Rain@1", document)
    yield "name-without-version", "no version is named", "does not name", headed(first, b"rain", document)
    yield "version-zero", "a version below 1", "does not name", headed(first, b"rain@0", document)
    yield "version-with-zero", "a number in another form", "does not name", headed(first, b"rain@01", document)
    yield "reserved-name", "a name that is reserved", "does not name", headed(first, b"latest@1", document)
    yield (
        "name-of-another",
        "the proof is said to be another version's",
        "is not about rain@2",
        headed(first, b"rain@2", document),
    )
    yield (
        "more-in-the-head",
        "a line that the form does not have",
        "does not name",
        headed(first, name, document, b"more"),
    )
    yield "no-lines", "no ledger line at all", "does not hold", head + b"\n\n" + PROOF.checkpoint
    lines = replace(PROOF, lines=tuple(ProvenLine(b"{}", Inclusion(number, ())) for number in range(1025)))
    yield "too-many-lines", "more ledger lines than a proof can have", "does not hold", lines.to_bytes()
    yield "order", "ledger lines in another order", "in their order", reordered([0, 2, 1, 3, 4])
    yield "line-twice", "a ledger line twice", "in their order", reordered([0, 1, 2, 2, 3, 4])
    yield "index-with-zero", "an index in another form", "place of its entry", DATA.replace(b"index 3", b"index 03")
    yield "index-negative", "an index below zero", "place of its entry", DATA.replace(b"index 3", b"index -3")
    yield "index-missing", "no index", "place of its entry", DATA.replace(b"index 3\n", b"")
    yield "index-spaced", "a space too many", "place of its entry", DATA.replace(b"index 3", b"index  3")
    yield (
        "index-too-long",
        "an index that no log has",
        "place of its entry",
        DATA.replace(b"index 5", b"index %d" % 10**20),
    )
    found = HASH.search(DATA)
    at, end = found.span()
    yield "hash-short", "a hash of 31 bytes", "no SHA-256", DATA[:at] + b"A" * 42 + b"==" + DATA[end:]
    yield (
        "hash-loose",
        "base64 whose last bits are not zero",
        "not canonical",
        DATA[:at] + b"A" * 42 + b"B=" + DATA[end:],
    )
    yield "hash-spaced", "base64 with a space", "not base64", DATA[:at] + b" " + DATA[at:]
    yield (
        "hash-foreign",
        "a letter that is not ASCII in base64",
        "not base64",
        DATA[:at] + "ä".encode() + DATA[at + 2 :],
    )
    yield "path-too-long", "64 hashes", "63 hashes", DATA[:at] + (b"A" * 43 + b"=\n") * 61 + DATA[at:]


def reordered(places):
    return replace(PROOF, lines=tuple(PROOF.lines[place] for place in places)).to_bytes()


def bad_trees():
    outside = "is not in the tree"

    def with_path(change, number=3):
        lines = list(PROOF.lines)
        inclusion = lines[number].inclusion
        lines[number] = ProvenLine(lines[number].line, change(inclusion))
        return replace(PROOF, lines=tuple(lines)).to_bytes()

    def path(change):
        return with_path(lambda inclusion: Inclusion(inclusion.index, change(inclusion.path)))

    yield "hash-missing", "the path is too short", outside, path(lambda hashes: hashes[:-1])
    yield "hash-added", "the path is too long", outside, path(lambda hashes: (*hashes, hashes[-1]))
    yield "hash-order", "the path in another order", outside, path(lambda hashes: hashes[::-1])
    yield (
        "hash-other",
        "one bit of the path",
        outside,
        path(lambda hashes: (bytes([hashes[0][0] ^ 1]) + hashes[0][1:], *hashes[1:])),
    )
    yield "no-path", "no path at all", outside, path(lambda hashes: ())
    yield "path-of-another", "the path of another line", outside, path(lambda hashes: PROOF.lines[2].inclusion.path)
    yield (
        "index-beyond",
        "an index beyond the tree",
        "not in the tree|in the place of 99",
        with_path(lambda inclusion: Inclusion(99, inclusion.path), 4),
    )
    yield (
        "index-other",
        "the index of a line that is not shown",
        "not in the tree|in the place of 2",
        with_path(lambda inclusion: Inclusion(2, inclusion.path), 2),
    )
    other, _ = usual(lambda entries: entries.insert(2, submitted("sun")))
    yield (
        "tree-of-another",
        "the checkpoint of another state of the log",
        outside,
        replace(PROOF, checkpoint=other.proof().checkpoint).to_bytes(),
    )


def bad_checkpoints():
    text = PROOF.checkpoint.split(b"\n\n")[0].decode() + "\n"
    origin, size, root, policy, _ = text.split("\n")

    def noted(text, log=LOG, name=None):
        return replace(PROOF, checkpoint=log.note(text, name)).to_bytes()

    def by(signer):
        return noted(text, replace(LOG, signer=signer))

    yield "stranger", "signed by a key that the policy does not name", "no signature", by("stranger")
    yield "operator", "signed by a key that may not sign checkpoints", "no signature", by("operator")
    yield "other-name", "signed under another name", "no signature", noted(text, name="vectors/other")
    yield (
        "other-log",
        "the checkpoint of another log",
        "no checkpoint of",
        noted(f"vectors/{'0' * 64}\n{size}\n{root}\n{policy}\n"),
    )
    tail = f"{root}\n{policy}\n"
    yield "size-with-zero", "a size in another form", "size that is no number", noted(f"{origin}\n0{size}\n{tail}")
    yield "size-negative", "a size below zero", "size that is no number", noted(f"{origin}\n-{size}\n{tail}")
    short = f"{origin}\n{size}\n{'A' * 42}==\n{policy}\n"
    yield "root-short", "a root of 31 bytes", "root that is no SHA-256", noted(short)
    yield (
        "root-loose",
        "a root whose last bits are not zero",
        "not canonical",
        noted(f"{origin}\n{size}\n{'A' * 42}B=\n{policy}\n"),
    )
    yield "extension", "a line that the form does not have", "one signature|no checkpoint", noted(f"{text}more\n")
    smaller = LogCheckpoint(origin, 2, root_of([b"\0" * 32] * 2), 0).text()
    yield "smaller", "a tree that is too small for the lines", "not in the tree", noted(smaller)
    yield (
        "size-changed",
        "another size than was signed",
        "wrong signature",
        DATA.replace(b"\n%d\n" % int(size), b"\n9\n"),
    )
    yield "two-signatures", "a second signature", "one signature", DATA + "— witness.example AAAAAAAAAAA=\n".encode()
    yield (
        "unsigned",
        "no signature",
        "one form|one signature|no signature|cannot be read|does not",
        DATA[: DATA.rindex("—".encode())],
    )
    yield "plain-dash", "another dash before the name", "cannot be read|no signature", DATA.replace("—".encode(), b"-")
    place = len(DATA) - 8
    flipped = DATA[:place] + (b"A" if DATA[place : place + 1] != b"A" else b"B") + DATA[place + 1 :]
    yield "signature-changed", "another signature", "wrong signature|not canonical", flipped
    yield "signature-short", "a signature without its last bytes", "wrong signature|not base64", DATA[:-5] + b"\n"


def changed(number, **changes):
    """The usual proof with members of one entry changed before it is signed."""

    def change(entries):
        entries[number] = replace(entries[number], **changes)

    log, proof = usual(change)
    return proof.to_bytes(), log.origin


def payload(number, old, new):
    def change(data):
        assert old in data
        return data.replace(old, new, 1)

    return changed(number, payload=change)


def line(number, change):
    return changed(number, line=change)


def bad_signatures():
    other = PROOF.lines[2].line

    def keyid(name):
        return lambda data: re.sub(rb'"keyid":"[0-9a-f]{64}"', b'"keyid":"%b"' % KEYS[name].public.keyid.encode(), data)

    yield "stranger", "signed by a key that the policy does not name", "unknown key", *changed(4, key="stranger")
    yield "operator", "signed by a key that may not sign lines", "may not sign", *changed(4, key="operator")
    yield "model-key", "said to be signed by the key for models", "unknown key", *line(4, keyid("model"))
    yield "keyid-of-operator", "said to be signed by another key", "wrong signature", *line(4, keyid("operator"))
    yield "keyid-unknown", "a key that nobody knows", "unknown key", *line(4, keyid("stranger"))
    yield (
        "of-another",
        "the signature of another entry",
        "wrong signature",
        *line(4, lambda data: data[:-93] + other[-93:]),
    )
    yield (
        "stripped",
        "no signature",
        "one signature",
        *line(4, lambda data: data[: data.rindex(b',"signatures"')] + b"}"),
    )
    yield (
        "empty",
        "an empty list of signatures",
        "one signature",
        *line(4, lambda data: data[: data.rindex(b"[{")] + b"[]}"),
    )
    yield (
        "two",
        "two signatures",
        "one signature",
        *line(4, lambda data: data[:-2] + b"," + data[data.rindex(b'{"keyid"') : -2] + b"]}"),
    )
    yield "spaced", "a space after the signature", "one signature", *line(4, lambda data: data + b" ")
    yield (
        "named-algorithm",
        "the line names an algorithm",
        "one signature",
        *line(4, lambda data: data.replace(b'"sig":', b'"alg":"none","sig":')),
    )
    yield (
        "loose-base64",
        "base64 whose last bits are not zero",
        "one signature",
        *line(4, lambda data: data[:-7] + bytes([data[-7] + 1]) + data[-6:]),
    )
    yield (
        "text-changed",
        "one word changed after signing",
        "wrong signature",
        *line(4, lambda data: data.replace(b'"rows":100', b'"rows":101')),
    )
    everything = replace(
        LOG,
        entries=[genesis(policy("thief"), key="thief"), *(replace(entry, key="thief") for entry in LOG.entries[1:])],
        signer="thief",
    )
    yield (
        "all-new-keys",
        "everything signed anew with other keys",
        "its origin is",
        everything.proof(document=PROOF.manifest).to_bytes(),
        LOG.origin,
    )


def bad_lines():
    yield "spaces", "JSON with spaces", "one form", *payload(4, b'"rows":100', b'"rows": 100')
    yield "escapes", "a letter written as an escape", "one form", *payload(1, "ï".encode(), b"\\u00ef")
    yield "number", "a number in another form", "one form", *payload(4, b'"rows":100', b'"rows":1e2')
    yield "key-twice", "a key twice", "twice", *payload(4, b'"rows":100', b'"rows":100,"rows":100')
    yield (
        "not-a-number",
        "a value that is not a number",
        "not a number|out of range",
        *payload(4, b'"rows":100', b'"rows":NaN'),
    )
    yield "infinite", "a number without bounds", "out of range", *payload(4, b'"rows":100', b'"rows":1e999')
    yield "long-number", "a number of 41 digits", "out of range", *payload(4, b'"rows":100', b'"rows":%d' % 10**40)
    yield "half-character", "half of a surrogate pair", "surrogate", *payload(4, b'"rows":100', b'"rows":"\\ud800"')
    yield "not-utf8", "bytes that are no text", "UTF-8", *payload(4, b'"rows":100', b'"rows":"\xff"')
    yield "deep", "65 levels", "64 levels", *payload(4, b'"rows":100', b'"rows":' + b"[" * 64 + b"]" * 64)
    yield "not-json", "no JSON", "not JSON", *payload(4, b'"rows":100', b'"rows":')
    yield (
        "long",
        "a line over the limit",
        "longer than 65535",
        *payload(4, b'"rows":100', b'"rows":"%b"' % (b"x" * 65_000)),
    )
    yield (
        "kind",
        "a statement of another kind",
        "members of a statement",
        *changed(4, statement_type="https://in-toto.io/Statement/v0.1"),
    )
    yield (
        "member-added",
        "a member that is not known",
        "members of a statement",
        *payload(4, b'"predicateType"', b'"more":1,"predicateType"'),
    )
    yield "header-version", "a newer form of the header", "not known", *changed(4, header={"v": 2})
    yield "header-version-true", "true in the place of 1", "not known", *changed(4, header={"v": True})
    yield (
        "header-added",
        "a critical member that is not known",
        "unknown or misplaced",
        *changed(4, header={"critical": "x"}),
    )
    yield (
        "header-order",
        "members of the header in another order",
        "unknown or misplaced",
        *payload(4, b'{"v":1,"type":"EvaluationLogged",', b'{"type":"EvaluationLogged","v":1,'),
    )
    yield "header-lacks", "a header without its time", "unknown or misplaced", *changed(4, header={"ts": None})
    yield (
        "number-of-another",
        "a number that is not its place",
        "has the number 7 in the place of 4",
        *changed(4, header={"seq": 7}),
    )
    yield "number-negative", "a number below zero", "no index", *changed(4, header={"seq": -4})
    yield "predecessor", "another line before it", "does not follow", *changed(4, header={"prev": "1" * 64})
    yield "no-predecessor", "no digest of the line before it", "no predecessor", *changed(4, header={"prev": "none"})
    yield "local-time", "a time that is not in UTC", "RFC 3339", *changed(4, header={"ts": "2026-11-01T12:00:00+01:00"})
    yield (
        "wide-digits",
        "digits of another script in a time",
        "RFC 3339",
        *changed(4, header={"ts": "\uff12026-11-01T12:00:00Z"}),
    )
    yield "lifecycle-path", "a lifecycle that is a path", "no name", *changed(4, header={"lifecycle_id": "../rain"})
    yield "version-true", "true in the place of a version", "no number", *changed(4, header={"version": True})
    yield "version-of-another", "an entry of another version", "is not about rain@1", *moved()
    yield "no-subject", "no subject", "subject without", *changed(4, subject=[])
    yield (
        "subject-without-digest",
        "a subject without SHA-256",
        "subject without",
        *changed(4, subject=[{"digest": {"md5": "0"}}]),
    )
    yield (
        "digest-in-capitals",
        "a digest in another form",
        "subject without",
        *changed(4, subject=[{"digest": {"sha256": "A" * 64}}]),
    )
    yield "no-predicate", "a predicate that is no object", "no predicate", *changed(4, predicate=[])


def moved():
    entries = [genesis(), submitted(), trained(), replace(evaluated(), version=2), decided()]
    log = Log(entries)
    return log.proof(keep=[0, 1, 2, 3, 4]).to_bytes(), log.origin


def chain(*entries, keep=None):
    log = Log([genesis(), *entries])
    return log.proof(keep=keep).to_bytes(), log.origin


def decision(**changes):
    entry = decided()
    entry.predicate["noa:decision"] |= changes
    entry.predicate["verificationResult"] = "PASSED" if changes.get("verdict", "pass") == "pass" else "FAILED"
    return entry


def bad_steps():
    start = (submitted(), trained(), evaluated())
    yield (
        "not-submitted",
        "the first entry of the version is left out",
        "cannot follow",
        *chain(*start, decided(), keep=[0, 2, 3, 4]),
    )
    yield "not-trained", "the training is left out", "cannot follow", *chain(*start, decided(), keep=[0, 1, 3, 4])
    yield (
        "measured-untrained",
        "measured without training",
        "cannot follow",
        *chain(submitted(), evaluated(), decided()),
    )
    yield (
        "not-measured",
        "decided without a measurement although there is a gate",
        "without a measurement",
        *chain(submitted(), trained(), decided()),
    )
    yield (
        "measurement-left-out",
        "the measurement is left out",
        "without a measurement",
        *chain(*start, decided(), keep=[0, 1, 2, 4]),
    )
    yield "not-decided", "the decision is left out", "does not hold all", *chain(*start, decided(), keep=[0, 1, 2, 3])
    yield "only-genesis", "no entry of the version", "does not hold all", *chain(*start, decided(), keep=[0])
    yield "decided-twice", "a second decision", "cannot follow", *chain(*start, decided(), decided())
    yield "submitted-twice", "submitted again", "cannot follow", *chain(submitted(), submitted(), trained())
    yield (
        "after-failure",
        "trained after it had failed",
        "cannot follow",
        *chain(submitted(), training_failed("rain"), trained()),
    )
    swapped = replace(evaluated(), subject=[{"digest": {"sha256": "c" * 64}}])
    yield (
        "other-bytes-measured",
        "other bytes measured than were trained",
        "other bytes",
        *chain(submitted(), trained(), swapped, decided()),
    )
    promoted = replace(decided(), subject=[{"digest": {"sha256": "c" * 64}}])
    yield "other-bytes-promoted", "other bytes promoted than were trained", "other bytes", *chain(*start, promoted)
    yield (
        "failed-promoted",
        "promoted although the verdict fails",
        "promotes although",
        *chain(*start, decision(verdict="fail")),
    )
    yield (
        "inconclusive-promoted",
        "promoted although the verdict is open",
        "promotes although",
        *chain(*start, decision(verdict="inconclusive")),
    )
    lie = decided(status="blocked", verdict="fail", reasons=["threshold"])
    lie.predicate["verificationResult"] = "PASSED"
    yield "said-passed", "PASSED in words that others read, fail in ours", "PASSED", *chain(*start, lie)
    yield (
        "unknown-reason",
        "a reason that is not known",
        "reasons that are not known",
        *chain(*start, decision(reasons=["a whim"])),
    )
    yield "unknown-verdict", "a verdict that is not known", "no decision", *chain(*start, decision(verdict="maybe"))
    yield (
        "two-statuses",
        "the decision says blocked, the header ready",
        "no decision",
        *chain(*start, decision(status="blocked")),
    )
    yield "no-decision", "a decision that says nothing", "no decision", *chain(*start, replace(decided(), predicate={}))
    yield "no-reason", "blocked without a reason", "without a reason", *chain(*start, decided(status="blocked"))
    yield "replaces-itself", "replaces itself", "can be none", *chain(*start, decision(replaces=1))
    yield "replaces-true", "true in the place of a version", "can be none", *chain(*start, decision(replaces=True))
    unsaid = decided()
    del unsaid.predicate["noa:decision"]["replaces"]
    yield "replaces-unsaid", "does not say what it replaces", "can be none", *chain(*start, unsaid)
    yield (
        "no-plan",
        "no digest of the plan",
        "names no plan",
        *chain(submitted(predicate={"plan": {}}), *start[1:], decided()),
    )
    yield (
        "profile-path",
        "a profile that is a path",
        "no profile",
        *chain(submitted(predicate={"profile": "../x"}), *start[1:], decided()),
    )
    yield "no-agent", "no agent", "no agent", *chain(submitted(predicate={"agent_id": 7}), *start[1:], decided())
    yield (
        "unknown-type",
        "a type that has no rule",
        "not known",
        *chain(*start, replace(decided(), type="DriftScanned")),
    )
    yield (
        "unlisted-type",
        "a type that the policy does not list",
        "may not sign",
        *chain(*start, replace(decided(), type="Blessed")),
    )
    yield (
        "other-predicate",
        "a predicate of another type",
        "cannot have",
        *chain(*start, replace(decided(), predicate_type="noa:lifecycle/v1")),
    )
    yield (
        "other-status",
        "a status that the type cannot have",
        "cannot have",
        *chain(*start, replace(decided(), status="fine")),
    )
    yield (
        "second-genesis",
        "genesis again",
        "may not|not known|is not about",
        *chain(submitted(), replace(genesis(), lifecycle_id="rain", version=1)),
    )


def founded(entry):
    log = Log([entry, submitted(), trained(), evaluated(), decided()])
    return log.proof().to_bytes(), log.origin


def bad_policies():
    document = policy()
    keyid, operator = KEYS["verifier"].public.keyid, KEYS["operator"].public.keyid

    def ruled(finding="cannot be used|unknown key", **changes):
        return finding, *founded(genesis(document | changes))

    def keyed(keyid, **changes):
        return {"keys": {**document["keys"], keyid: document["keys"][keyid] | changes}}

    def verifier(**changes):
        return {"roles": {**document["roles"], "verifier": document["roles"]["verifier"] | changes}}

    yield (
        "by-operator",
        "genesis signed by a key that it does not let",
        "does not let",
        *founded(genesis(key="operator")),
    )
    yield (
        "by-stranger",
        "genesis signed by a key that it does not name",
        "unknown key",
        *founded(genesis(key="stranger")),
    )
    yield (
        "format",
        "a format that is not known",
        "not known",
        *founded(replace(genesis(), predicate=genesis().predicate | {"format": 2})),
    )
    yield (
        "subject",
        "a subject that is not the policy",
        "subject that is not",
        *founded(replace(genesis(), subject=[{"digest": {"sha256": "0" * 64}}])),
    )
    yield (
        "left-out",
        "the genesis line is left out",
        "not a genesis|number|cannot be used|unknown key|first line",
        replace(PROOF, lines=PROOF.lines[1:]).to_bytes(),
    )
    yield "elsewhere", "genesis in another place", "first line|number", *late()
    yield (
        "about-a-version",
        "genesis about a version",
        "not a genesis",
        *founded(replace(genesis(), lifecycle_id="rain")),
    )
    yield "none", "no policy", "cannot be used|unknown key", *founded(replace(genesis(), predicate={"format": 1}))
    yield "newer", "a policy of another form", *ruled(version=2)
    yield "member-added", "a member that is not known", *ruled(more=1)
    yield "name", "a project's name that is none", *ruled(name="../x")
    yield "unknown-holder", "a role held by a key that is not there", *ruled(**verifier(keys=[keyid, "0" * 64]))
    yield "no-holder", "a role that nobody holds", *ruled(**verifier(keys=[]))
    yield "holder-twice", "a key that holds a role twice", *ruled(**verifier(keys=[keyid, keyid], quorum=2))
    yield "quorum", "a quorum that cannot be met", *ruled(**verifier(quorum=2))
    yield (
        "key-swapped",
        "another key under a known id",
        *ruled("is another one", **keyed(operator, public=KEYS["stranger"].public.pem)),
    )
    yield "key-broken", "a key that is none", *ruled("not a public key", **keyed(operator, public="none"))
    yield (
        "key-loose",
        "a key in another form",
        *ruled("as PEM usually is", **keyed(operator, public=KEYS["operator"].public.pem + "\n")),
    )
    yield (
        "key-scheme",
        "another scheme than the key's",
        *ruled("another one", **keyed(operator, scheme="ecdsa-sha2-nistp256")),
    )
    yield (
        "unknown-scheme",
        "a scheme that is not known",
        *ruled("cannot be used|unknown key|another one", **keyed(operator, scheme="none")),
    )
    few = verifier(may=["Genesis", "Submitted", "TrainingCompleted", "EvaluationLogged", "checkpoint"])
    yield "may-not-decide", "the policy does not let the key decide", *ruled("may not sign PromotionReady", **few)
    mute = verifier(may=[what for what in document["roles"]["verifier"]["may"] if what != "checkpoint"])
    yield "may-not-seal", "the policy does not let the key sign checkpoints", *ruled("no signature", **mute)


def late():
    log = Log([submitted("wind"), genesis(), submitted(), trained(), evaluated(), decided()])
    return log.proof(keep=[1, 2, 3, 4, 5]).to_bytes(), log.origin


def stored(document):
    log, proof = usual(document=document)
    return proof.to_bytes(), log.origin


def bad_manifests():
    document = manifest().to_bytes()

    def listed(finding, *rows, **changes):
        return finding, *stored(manifest_bytes({"files": [*json.loads(document)["files"], *rows]} | changes))

    yield "left-out", "the manifest is left out", "lacks the manifest", replace(PROOF, manifest=None).to_bytes()
    failed = Log([genesis(), submitted("wind"), training_failed()])
    yield (
        "unnamed",
        "a manifest that no entry names",
        "no entry names",
        failed.proof(("wind", 1), document).to_bytes(),
        failed.origin,
    )
    other = document.replace(b'"rows":100', b'"rows":101')
    yield "changed", "one number changed", "not the one that was signed", replace(PROOF, manifest=other).to_bytes()
    spaced = document.replace(b'"rows":100', b'"rows": 100')
    yield "spaced-unsigned", "a space more", "not the one that was signed", replace(PROOF, manifest=spaced).to_bytes()
    yield "spaced", "signed in another form", "contradicts|one form", *stored(spaced)
    yield "version", "the manifest of another version", "another version", *stored(manifest("rain", 2).to_bytes())
    yield (
        "plan",
        "the manifest of another plan",
        "another profile or plan",
        *stored(manifest_bytes({"plan_digest": "0" * 64})),
    )
    yield "profile", "another profile", "another profile or plan", *stored(manifest_bytes({"profile": "command"}))
    yield (
        "other-files",
        "lists a file that was not trained",
        *listed("lists other files", {"path": "x", "size": 0, "sha256": sha256(b"")}),
    )
    yield (
        "checksum",
        "its checksum is not that of its files",
        "contradicts",
        *stored(manifest_bytes({"checksum": "0" * 64})),
    )
    yield "file-twice", "a file twice", *listed("names a file twice", json.loads(document)["files"][0])
    for name, path in (
        ("up", "../x"),
        ("absolute", "/etc/passwd"),
        ("dot", "./x"),
        ("empty", ""),
        ("double", "a//b"),
        ("null", "a\0b"),
    ):
        yield (
            f"path-{name}",
            "a path that leaves the model, or another form of one",
            *listed("not inside", {"path": path, "size": 0, "sha256": sha256(b"")}),
        )
    yield "size", "a size below zero", *listed("size or a SHA-256", {"path": "x", "size": -1, "sha256": sha256(b"")})
    yield "digest", "a digest that is none", *listed("size or a SHA-256", {"path": "x", "size": 0, "sha256": "none"})
    yield "member-added", "a member that is not known", "missing or unknown", *stored(manifest_bytes({"more": 1}))
    yield "member-missing", "a member is missing", "missing or unknown", *stored(manifest_bytes({}, drop=["seed"]))
    yield (
        "schema",
        "a form that is not known",
        "form noa:manifest/v1",
        *stored(manifest_bytes({"schema": "noa:manifest/v2"})),
    )
    yield "kind", "text in the place of a number", "has a seed", *stored(manifest_bytes({"seed": "0"}))
    yield "truth", "true in the place of a number", "has a seed", *stored(manifest_bytes({"seed": True}))


def write(folder):
    """All vectors and their index below ``folder``."""
    index = {"good": {}, "bad": {}}
    for kind in index:
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for name, data, origin, status in good():
        (folder / "good" / f"{name}.noa-proof").write_bytes(data)
        index["good"][name] = {"origin": origin, "status": status}
    for name, reason, finding, data, origin in bad():
        (folder / "bad" / f"{name}.noa-proof").write_bytes(data)
        assert name not in index["bad"], name
        index["bad"][name] = {"reason": reason, "finding": finding, "origin": origin}
    (folder / "index.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write(HERE)

"""Vectors of logs whose policy changed: rotated keys, a quorum, revocations, and what must not pass for them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

from noa_mlops.audit import ProvenLine
from noa_mlops.evidence import leaf_hash
from noa_mlops.records.documents import canonical, compact, sha256
from vectors.logs import KEYS, Log, change, decided, evaluated, genesis, governed, policy, submitted, trained

ROTATED = governed(verifier=["verifier-2"])
TWO_OF_THREE = governed(2, root=["root", "root-2", "root-3"])
BOTH_SIGN = governed(verifier=["verifier", "verifier-2"])
COLLEAGUE = governed(operator=["operator", "operator-2"])
RUNTIME = KEYS["verifier"].public.keyid


def run(key="verifier"):
    """The entries of ``rain@1``, signed by ``key``."""
    return [replace(entry, key=key) for entry in (submitted(), trained(), evaluated(), decided())]


def moved(document=ROTATED, *signers, **changes):
    """A change of policy, by default to a new key of the runtime, signed by root and that key."""
    return change(document, *(signers or ("root", "verifier-2")), **changes)


def log_of(*entries, first=None, **options):
    return Log([first or genesis(), *entries], **options)


def good_changes():
    """Name, log, and the status of ``rain@1`` in it, which is the champion in each."""
    old, new = run(), run("verifier-2")
    yield "rotated-before", log_of(moved(), *new, signer="verifier-2")
    yield "rotated-after", log_of(*old, moved(), signer="verifier-2")
    yield "rotated-in-between", log_of(*old[:2], moved(), *new[2:], signer="verifier-2")
    yield (
        "rotated-in-a-larger-log",
        log_of(submitted("wind"), *old[:2], submitted("sun"), moved(), *new[2:], signer="verifier-2"),
    )
    by_new = moved(key="verifier-2")
    yield "rotated-by-the-new-key", log_of(*old, by_new, signer="verifier-2")
    two = change(TWO_OF_THREE, "root", "root-2", "root-3")
    after = governed(2, root=["root", "root-2", "root-3"], verifier=["verifier-2"])
    yield "quorum", log_of(two, *old, change(after, "root-2", "root-3", "verifier-2"), signer="verifier-2")
    yield "new-model-key", log_of(change(governed(model=["model-2"]), "root", "model-2"), *old)
    hired = change(COLLEAGUE, "root", "operator-2")
    yield "revoked-operator", log_of(hired, *old, change(governed(revoked={"operator-2": 1}), "root"))
    gone = {"verifier": 4}
    revoked = moved(governed(verifier=["verifier-2"], revoked=gone))
    yield "revoked-after-the-decision", log_of(*old, submitted("wind"), revoked, signer="verifier-2")
    alone = change(governed(root=["root-2"], revoked={"root": 0}), "root", "root-2")
    yield "root-revokes-itself", log_of(alone, *old)
    wind = replace(submitted("wind"), key="verifier-2")
    again = governed(verifier=["operator-2"], revoked={"verifier-2": 6})
    twice = change(again, "root", "operator-2", key="verifier-2")
    yield "rotated-twice", log_of(*old, moved(), wind, twice, signer="operator-2")
    roots = [change(governed(data_roots=[f"/data/{number}"]), "root") for number in range(70)]
    yield "many-policies", log_of(*roots, *old)
    expires = moved(act={"expires": "2026-11-01T12:00:00.000Z", "reason": "0" * 64})
    yield "lapses-later", log_of(expires, *new, signer="verifier-2")


def bad_changes():
    """Name, reason, what a verifier says of it (a regular expression), proof file, origin."""
    for group in (left_out, acts, envelopes, successions, forms, keys, revocations):
        for name, reason, finding, log, *spoilt in group():
            proof = spoilt[0] if spoilt else log.proof()
            yield name, reason, finding, proof.to_bytes(), log.origin


def left_out():
    """What lacks a policy, or speaks of another one than the last."""
    last = "the last one that is shown"
    hidden = log_of(
        change(BOTH_SIGN, "root", "verifier-2"),
        *run(),
        rest := moved(governed(verifier=["verifier-2"], revoked={"verifier": 2}), "root"),
        signer="verifier-2",
    )
    places = [0, 1, 2, 3, 4, 5]
    yield (
        "left-out-revocation",
        "the change that revokes the signer is left out",
        last,
        hidden,
        hidden.proof(keep=places),
    )
    log = log_of(*run(), change(COLLEAGUE, "root", "operator-2"))
    yield "left-out-last", "the last change is left out", last, log, log.proof(keep=places[:5])
    early = log_of(change(COLLEAGUE, "root", "operator-2"), *run())
    yield "left-out-early", "a change before the version is left out", last, early, early.proof(keep=[0, 2, 3, 4, 5])
    two = log_of(change(COLLEAGUE, "root", "operator-2"), change(policy(), "root"), *run())
    between = two.proof(keep=[0, 2, 3, 4, 5, 6])
    yield "left-out-between", "a change in between is left out", "answers another entry", two, between
    unnamed = log.note("\n".join(log.proof().checkpoint.decode().split("\n")[:3]) + "\n")
    yield "unnamed", "the checkpoint names no policy", "one signature", log, replace(log.proof(), checkpoint=unnamed)
    text = log.proof().checkpoint.decode().partition("\n\n")[0]
    for name, reason, other in (
        ("first-named", "the checkpoint names the first policy as the last", "policy 0"),
        ("other-named", "the checkpoint names an entry that is no policy", "policy 3"),
        ("none-named", "the checkpoint names an entry that is not there", "policy 99"),
        ("loosely-named", "an index in another form", "policy 05"),
        ("wrongly-named", "an extension that is not known", "policies 5"),
        ("negatively-named", "an index below zero", "policy -5"),
    ):
        note = log.note(text.replace("policy 5", other) + "\n")
        yield name, reason, f"{last}|no checkpoint of", log, replace(log.proof(), checkpoint=note)
    named = log.proof().checkpoint.replace(b"policy 5", b"policy 0")
    yield (
        "named-anew",
        "another policy named than was signed",
        "wrong signature",
        log,
        replace(log.proof(keep=places[:5]), checkpoint=named),
    )
    rotated = log_of(*run(), moved(), signer="verifier")
    yield "sealed-by-the-old-key", "the checkpoint is signed by the rotated key", "no signature", rotated
    shown = rotated.proof(keep=places[:5])
    yield "rotation-left-out", "the same, and the rotation is left out", last, rotated, shown
    assert rest.act is not None
    beyond = log_of(*run(), change(COLLEAGUE, "root", "operator-2"))
    first = log_of(*run()).proof().checkpoint
    yield (
        "beyond-the-tree",
        "a change that came after the checkpoint",
        last,
        beyond,
        replace(beyond.proof(), checkpoint=first),
    )


def decided_by(*signers, finding, document=ROTATED, **changes):
    return finding, log_of(change(document, *signers, **changes), *run("verifier-2"), signer="verifier-2")


def acts():
    """Decisions that are not root's, not for this log, this policy or this moment."""
    quorum, answer = "without the quorum", "answers another entry"
    yield "by-operator", "decided by an operator", *decided_by("operator", "verifier-2", finding=quorum)
    yield "by-runtime", "decided by the runtime", *decided_by("verifier", "verifier-2", finding=quorum)
    yield "by-the-new-key", "decided by the new key alone", *decided_by("verifier-2", finding=quorum)
    yield "by-nobody", "signed by nobody", *decided_by(finding="wrong or of an unknown key")
    stranger = decided_by("root", "verifier-2", "stranger", finding="wrong or of an unknown key")
    yield "with-a-stranger", "a stranger signs along", *stranger
    yield "unproven", "the new key did not sign", *decided_by("root", finding="did not sign the act")
    unproven = log_of(change(governed(model=["model-2"]), "root"), *run())
    yield "unproven-model-key", "the new key for models did not sign", "did not sign the act", unproven
    for name, reason, finding, members in (
        ("other-log", "for another log", "for another log", {"origin": f"vectors/{'0' * 64}"}),
        ("other-act", "another act", "decides something else", {"act": "rollback"}),
        ("other-policy", "another policy", "decides something else", {"scope": {"policy": {"sha256": "0" * 64}}}),
        (
            "wider",
            "more than the policy",
            "decides something else",
            {"scope": {"policy": {"sha256": sha256(canonical(ROTATED))}, "more": 1}},
        ),
        ("answers-nothing", "in answer to no entry", answer, {"answers": "0" * 64}),
        ("lapsed", "too late", "lapsed", {"expires": "2026-11-01T11:59:59.999Z"}),
    ):
        yield (
            name,
            f"an act {reason}" if name == "other-log" else reason,
            *decided_by("root", "verifier-2", finding=finding, act=members),
        )
    first = genesis()
    leaf = Log([first]).proof(("rain", 1)).lines[0].line
    replayed = {"answers": leaf_hash(leaf).hex()}
    again = log_of(change(COLLEAGUE, "root", "operator-2"), change(policy(), "root", act=replayed), *run())
    yield "replayed", "answers the policy before the one in force", answer, again
    two = change(TWO_OF_THREE, "root", "root-2", "root-3")
    one = log_of(two, change(COLLEAGUE, "root", "operator-2"), *run())
    yield "one-of-two", "one signature where the policy before asks for two", quorum, one
    lowered = log_of(two, change(governed(1, root=["root", "root-2", "root-3"]), "root"), *run())
    yield "lowered-by-one", "one lowers the quorum to one", quorum, lowered


def reformed(finding, harm, *signers):
    made = change(ROTATED, *(signers or ("root", "verifier-2")), envelope=harm)
    return finding, log_of(made, *run("verifier-2"), signer="verifier-2")


def repacked(**members):
    """The payload written with members changed; nobody signs that anew."""

    def harm(envelope):
        fields = json.loads(base64.b64decode(envelope["payload"])) | members
        return envelope | {"payload": base64.b64encode(compact(fields)).decode()}

    return harm


def envelopes():
    """Acts in another form, or with other signatures."""
    wrong = "wrong or of an unknown key"

    def rows(change_rows):
        return lambda envelope: envelope | {"signatures": change_rows(envelope["signatures"])}

    def payload(change_payload):
        return lambda e: e | {"payload": base64.b64encode(change_payload(base64.b64decode(e["payload"]))).decode()}

    yield "no-envelope", "no envelope", *reformed("no envelope", lambda _: "none")
    yield "envelope-more", "a member that is not known", *reformed("no envelope", lambda e: e | {"more": 1})
    yield "envelope-order", "members in another order", *reformed("no envelope", lambda e: dict(reversed(e.items())))
    line = {"payloadType": "application/vnd.in-toto+json"}
    yield "payload-type", "a payload of another type", *reformed("payload type", lambda e: e | line)
    yield (
        "payload-spaced",
        "a payload with a space",
        *reformed("one form", payload(lambda p: p.replace(b":", b": ", 1))),
    )
    yield "payload-more", "a member that the act does not have", *reformed("an act", repacked(more=1))
    yield "payload-changed", "another scope than was signed", *reformed("decides something else", repacked(scope={}))
    yield "payload-reason", "another reason than was signed", *reformed(wrong, repacked(reason="f" * 64))
    yield "payload-kind", "a number in the place of a text", *reformed("an act", repacked(reason=7))
    yield "payload-answers", "no digest as the answer", *reformed("an act", repacked(answers="none"))
    yield (
        "payload-loose",
        "base64 with a line break",
        *reformed("base64", lambda e: e | {"payload": e["payload"] + "\n"}),
    )
    large = repacked(reason="x" * 17_000)
    yield "payload-large", "a payload over the limit", *reformed("larger than 16384", large)
    yield "signatures-order", "signatures in another order", *reformed("out of order", rows(lambda rows: rows[::-1]))
    yield "signature-twice", "a signature twice", *reformed("out of order", rows(lambda rows: rows[:1] * 2))
    yield "signatures-none", "no signature", *reformed(wrong, rows(lambda _: []))
    yield "signatures-many", "33 signatures", *reformed("too many", rows(lambda rows: rows[:1] * 33))
    named = rows(lambda rows: [row | {"alg": "none"} for row in rows])
    yield "signature-algorithm", "a signature that names an algorithm", *reformed("another form", named)
    swapped = rows(lambda rows: [a | {"sig": b["sig"]} for a, b in zip(rows, rows[::-1], strict=True)])
    yield "signatures-swapped", "signatures under each other's names", *reformed(wrong, swapped)
    zero = base64.b64encode(bytes(64)).decode()
    yield (
        "signature-zero",
        "a signature of zeros",
        *reformed(wrong, rows(lambda rows: [rows[0], rows[1] | {"sig": zero}])),
    )
    short = rows(lambda rows: [rows[0] | {"sig": "AAAA"}, rows[1]])
    yield "signature-short", "a signature of three bytes", *reformed(wrong, short)


def followed(document, *signers, before=()):
    return log_of(*before, change(document, "root", *signers), *run())


def successions():
    """Policies that cannot follow the one before, whoever decides it."""
    gone = governed(revoked={"operator-2": 1})
    hired, fired = change(COLLEAGUE, "root", "operator-2"), change(gone, "root")
    yield "renamed", "another name of the project", "changes the name", followed(policy() | {"name": "others"})
    back = "takes a revocation back"
    yield "unrevoked", "a revocation is taken back", back, followed(policy(), before=(hired, fired))
    moved_on = governed(revoked={"operator-2": 2})
    yield "revoked-later", "a revocation is moved", back, followed(moved_on, before=(hired, fired))
    again = COLLEAGUE | {"revoked": gone["revoked"]}
    yield (
        "back-again",
        "a revoked key comes back",
        "a key that is revoked",
        followed(again, "operator-2", before=(hired, fired)),
    )
    kept = COLLEAGUE | {"revoked": gone["revoked"]}
    yield "revoked-and-kept", "a key is revoked and kept", "a key that is revoked", followed(kept, before=(hired,))
    unknown = governed(revoked={"stranger": 0})
    yield "revoked-unknown", "revokes a key that was never there", "was not known", followed(unknown)
    future = governed(revoked={"operator-2": 2})
    yield "revoked-ahead", "trusts the entry that revokes", "yet to come", followed(future, before=(hired,))
    mute = governed()
    mute["roles"]["verifier"]["may"].remove("checkpoint")
    yield "nobody-seals", "nobody may sign checkpoints", "leaves nobody", followed(mute)
    stuck = governed()
    stuck["roles"]["verifier"]["may"].remove("PolicyChanged")
    yield "nobody-records", "nobody may record a change", "leaves nobody", followed(stuck)
    rootless = governed()
    rootless["roles"]["root"]["may"] = []
    yield "nobody-changes", "nobody may change the policy", "leaves nobody", followed(rootless)
    unsealed = governed(verifier=["model"])
    yield "no-key-for-lines", "only a key for models may sign lines", "leaves nobody", followed(unsealed)


def forms():
    """Lines that are no PolicyChanged, or hold no policy in its one form."""
    formed, unusable = "form of a PolicyChanged", "cannot be used"

    def spoilt(**changes):
        return log_of(replace(moved(), **changes), *run("verifier-2"), signer="verifier-2")

    held = {"policy": ROTATED}
    yield "member-added", "a member that is not known", formed, spoilt(predicate=held | {"more": 1})
    yield "no-act", "no act", formed, spoilt(act=None)
    yield "other-predicate", "a predicate of another type", formed, spoilt(predicate_type="noa:act/v1")
    yield "about-a-version", "a change about a version", "about a version", spoilt(lifecycle_id="rain", version=1)
    yield "with-a-status", "a change with a status", "about a version", spoilt(status="ready")
    other = [{"name": "policy", "digest": {"sha256": "0" * 64}}]
    yield "subject", "a subject that is not the policy", "subject that is not", spoilt(subject=other)
    yield "no-policy", "no policy", unusable, spoilt(predicate={"policy": {}}, key="verifier")
    empty = followed(policy() | {"revoked": {}})
    yield "revoked-empty", "an empty list of revocations", "one form", empty
    for name, reason, revoked in (
        ("revoked-name", "a revoked key without an id", {"operator": {"last": 0}}),
        ("revoked-negative", "a revocation below zero", {RUNTIME: {"last": -1}}),
        ("revoked-true", "true in the place of an index", {RUNTIME: {"last": True}}),
        ("revoked-bare", "an index without its name", {RUNTIME: 0}),
        ("revoked-list", "a list of revoked keys", [RUNTIME]),
    ):
        yield name, reason, unusable, followed(policy() | {"revoked": revoked})
    first = genesis(governed(revoked={"stranger": 0}))
    yield "revoked-from-the-start", "genesis revokes a key", "does not let", log_of(*run(), first=first)


def keys():
    """Lines signed by a key that could not sign them at their place."""
    stranger = "unknown key"
    old, new = run(), run("verifier-2")
    yield (
        "by-the-rotated-key",
        "decided by the key that was rotated",
        stranger,
        log_of(moved(), *new[:3], old[3], signer="verifier-2"),
    )
    yield (
        "too-early",
        "signed by a key before it was named",
        stranger,
        log_of(*old[:3], new[3], moved(), signer="verifier-2"),
    )
    yield (
        "change-by-a-stranger",
        "the change itself is signed by a stranger",
        stranger,
        log_of(moved(key="stranger"), *new, signer="verifier-2"),
    )
    by_operator = moved(key="operator")
    yield (
        "change-by-an-operator",
        "the change itself is signed by an operator",
        "may not sign PolicyChanged",
        log_of(by_operator, *new, signer="verifier-2"),
    )
    shifted = moved(header={"seq": 7})
    yield (
        "change-elsewhere",
        "a change with the number of another place",
        "in the place of",
        log_of(shifted, *new, signer="verifier-2"),
    )
    torn = moved(header={"prev": "1" * 64})
    yield (
        "change-torn-off",
        "a change that follows another line",
        "does not follow",
        log_of(torn, *new, signer="verifier-2"),
    )
    log = log_of(moved(), *new, signer="verifier-2")
    proof = log.proof()
    cut = ProvenLine(proof.lines[1].line, replace(proof.lines[1].inclusion, path=()))
    yield (
        "change-outside",
        "a change without its way to the root",
        "not in the tree",
        log,
        replace(proof, lines=(proof.lines[0], cut, *proof.lines[2:])),
    )


def revocations():
    """Entries that a later policy does not trust any more."""
    gone = "revoked key"
    for name, reason, last in (
        ("revoked-decision", "the decision came after the last trusted entry", 3),
        ("revoked-measurement", "the measurement came after the last trusted entry", 2),
        ("revoked-all", "the key is trusted for genesis only", 0),
    ):
        revoked = moved(governed(verifier=["verifier-2"], revoked={"verifier": last}))
        yield name, reason, gone, log_of(*run(), revoked, signer="verifier-2")
    hired = change(BOTH_SIGN, "root", "verifier-2")
    fired = moved(governed(verifier=["verifier-2"], revoked={"verifier": 3}))
    mixed = [*run()[:3], replace(decided(), key="verifier-2")]
    yield (
        "revoked-one-of-two",
        "one of two keys is revoked, after it had measured",
        gone,
        log_of(hired, *mixed, fired, signer="verifier-2"),
    )
    stolen = change(governed(root=["root", "root-2"]), "root", "root-2")
    thief = change(governed(root=["root", "root-2"], verifier=["thief"]), "root", "thief")
    back = governed(root=["root-2"], verifier=["verifier-2"], revoked={"root": 1, "thief": 6})
    owner = replace(change(back, "root-2", "verifier-2"), key="thief")
    yield (
        "revoked-root",
        "judged by a policy that a stolen key of root decided",
        "decided by a key that is revoked",
        log_of(stolen, thief, *run("thief"), owner, signer="verifier-2"),
    )

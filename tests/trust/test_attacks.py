"""Signatures cannot be stripped, replaced, moved to another line, log or role, nor judged by what the line itself says."""

from __future__ import annotations

import json

import pytest

from ledger.writing import promote, submitted
from noa_mlops.audit import verify
from noa_mlops.errors import LedgerTampered
from noa_mlops.evidence import SigningKey, sign_statement, split_line
from noa_mlops.ledger import KnownLogs, Ledger, LedgerState, Refusal, admit


@pytest.fixture
def lines(ledger, layout):
    """Five lines; the last one decides."""
    promote(ledger)
    return layout.ledger.read_bytes().splitlines()


def before_last(lines):
    """The state that the last line follows."""
    state = LedgerState()
    for line in lines[:-1]:
        state = admit(state, line)
    return state


def tail_of(line):
    return line[line.rindex(b',"signatures":') :]


def edited(tail, change):
    """The signature member with its text changed."""
    members = json.loads(b"{" + tail[1:])
    change(members)
    return b"," + json.dumps(members, separators=(",", ":")).encode()[1:]


HARM = {
    "no signature member": lambda line, other: split_line(line).payload,
    "no signature": lambda line, other: line[: -len(tail_of(line))] + b',"signatures":[]}',
    "an empty signature": lambda line, other: (
        line[: -len(tail_of(line))] + edited(tail_of(line), lambda m: m["signatures"][0].update(sig=""))
    ),
    "no sig": lambda line, other: (
        line[: -len(tail_of(line))] + edited(tail_of(line), lambda m: m["signatures"][0].pop("sig"))
    ),
    "alg none": lambda line, other: (
        line[: -len(tail_of(line))] + edited(tail_of(line), lambda m: m["signatures"][0].update(alg="none"))
    ),
    "another key id": lambda line, other: (
        line[: -len(tail_of(line))] + edited(tail_of(line), lambda m: m["signatures"][0].update(keyid="0" * 64))
    ),
    "a key in the line": lambda line, other: (
        line[: -len(tail_of(line))]
        + edited(tail_of(line), lambda m: m["signatures"][0].update(public="-----BEGIN PUBLIC KEY-----"))
    ),
    "two signatures": lambda line, other: (
        line[: -len(tail_of(line))] + edited(tail_of(line), lambda m: m["signatures"].append(m["signatures"][0]))
    ),
    "the signature of another entry": lambda line, other: line[: -len(tail_of(line))] + tail_of(other),
    "another entry in its place": lambda line, other: other,
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM.keys())
def test_a_signature_stripped_or_replaced_is_refused(lines, harm, ledger, layout):
    forged = harm(lines[-1], lines[-2])
    assert isinstance(admit(before_last(lines), forged), Refusal)
    ledger.close()
    layout.ledger.write_bytes(b"\n".join([*lines[:-1], forged]) + b"\n")
    found = [finding.entry for finding in verify(layout).findings if finding.file == str(layout.ledger)]
    assert len(lines) - 1 in found
    with pytest.raises(LedgerTampered):
        Ledger.read_only(layout, KnownLogs(layout.project / "nowhere" / "known_logs"))


@pytest.mark.parametrize("role", ["operator", "root"])
def test_a_key_of_another_role_signs_no_line(lines, ledger, role):
    """Its signature is good, and the policy knows it: it may not say this."""
    statement = json.loads(split_line(lines[-1]).payload)
    result = admit(before_last(lines), sign_statement(statement, ledger.keys.signing_key(role)))
    assert result == Refusal("is signed by a key that may not sign PromotionReady", authentic=True)


def test_a_self_made_key_signs_no_line(lines):
    statement = json.loads(split_line(lines[-1]).payload)
    result = admit(before_last(lines), sign_statement(statement, SigningKey.generate()))
    assert isinstance(result, Refusal)
    assert "unknown key" in result.reason


def test_a_line_holds_for_one_place_in_one_log(lines, ledger):
    for line in lines:
        result = admit(ledger.state, line)
        assert isinstance(result, Refusal)
    state = admit(LedgerState(), lines[0])
    assert isinstance(admit(state, lines[2]), Refusal)


@pytest.mark.parametrize(
    ("member", "value"), [("v", 2), ("v", "1"), ("type", "SubmittedV2"), ("critical", True), ("seq", 99)]
)
def test_an_unknown_form_or_field_is_refused_and_not_skipped(lines, ledger, member, value):
    statement = json.loads(split_line(ledger.append(submitted()).line).payload)
    statement["noa_entry"] |= {"seq": ledger.state.size, "prev": ledger.state.head, "version": 3}
    state = ledger.state
    key = ledger.keys.signing_key("verifier")
    assert isinstance(admit(state, sign_statement(statement, key)), LedgerState)
    statement["noa_entry"][member] = value
    assert isinstance(admit(state, sign_statement(statement, key)), Refusal)

"""Who may change the policy, what a change may not do, and by which policy each line is judged."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from ledger.writing import decided, evaluated, promote, submitted, trained
from noa_mlops.errors import LedgerConflict, LedgerTampered, NotAuthorised
from noa_mlops.evidence import Act, LogCheckpoint, SignedAct, read_act, sign_checkpoint, sign_statement, split_line
from noa_mlops.ledger import Draft, KeyStore, KnownLogs, Ledger, LedgerState, Refusal, admit
from trust.deciding import act_for, changing, new_key, with_key, without_key


@pytest.fixture
def root(ledger):
    return ledger.keys.signing_key("root")


@pytest.fixture
def policy(ledger):
    """The policy in force."""
    return ledger.state.policy


def refused(ledger, compose, match):
    """The writer refuses, and nothing is written."""
    size = ledger.state.size
    with pytest.raises(LedgerConflict, match=match):
        ledger.append(compose)
    assert ledger.state.size == size


def folded(layout):
    """The state of the whole law over every line, signatures included."""
    state = LedgerState()
    for line in layout.ledger.read_bytes().splitlines():
        state = admit(state, line)
        assert isinstance(state, LedgerState), state
    return state


def rotate(ledger, root):
    """A new runtime key in the place of the old one, at hand."""
    old, fresh = ledger.keys.signing_key("verifier"), new_key()
    ledger.keys.add(fresh)
    ledger.append(changing(with_key(ledger.state.policy, "verifier", fresh, instead=True), root, fresh))
    return old, fresh


def test_a_change_signed_by_root_and_the_new_key_is_in_force_from_the_next_entry(ledger, layout, policy, root, pins):
    colleague = new_key()
    after = with_key(policy, "operator", colleague)
    entry = ledger.append(changing(after, root, colleague))
    assert ledger.state.policy == after
    assert ledger.state.policy_at(entry.seq) == policy
    assert ledger.state.policy_at(entry.seq + 1) == after
    assert ledger.sealed_size == ledger.state.size
    assert Ledger.read_only(layout, pins).state == ledger.state == folded(layout)


@pytest.mark.parametrize("role", ["verifier", "operator", "model"])
def test_no_other_key_can_change_the_policy(ledger, policy, role):
    """A thief of the runtime's, an operator's or the model's key included."""
    colleague, thief = new_key(), ledger.keys.signing_key(role)
    after = with_key(policy, "operator", colleague)
    refused(ledger, changing(after, thief, colleague), "without the quorum")


def test_nobody_can_name_a_key_without_holding_it(ledger, policy, root):
    refused(ledger, changing(with_key(policy, "operator", new_key()), root), "which did not sign the act")


def test_a_stranger_cannot_sign_along(ledger, policy, root):
    colleague = new_key()
    after = with_key(policy, "operator", colleague)
    refused(ledger, changing(after, root, colleague, new_key()), "wrong or of an unknown key")


def test_the_quorum_is_that_of_the_policy_before(ledger, policy, root):
    second, third = new_key(), new_key()
    two = with_key(policy, "root", second)
    two = replace(two, roles={**two.roles, "root": replace(two.roles["root"], quorum=2)})
    ledger.append(changing(two, root, second))
    after = with_key(two, "operator", third)
    refused(ledger, changing(after, root, third), "without the quorum")
    refused(ledger, changing(policy, second), "without the quorum")
    assert ledger.append(changing(after, root, second, third)).seq == 2


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"origin": "demo/" + "0" * 64}, "for another log"),
        ({"act": "rollback"}, "decides something else"),
        ({"scope": {"policy": {"sha256": "0" * 64}}}, "decides something else"),
        ({"answers": "0" * 64}, "answers another entry"),
        ({"expires": "2020-01-01T00:00:00.000Z"}, "lapsed"),
    ],
)
def test_an_act_holds_for_one_log_one_decision_and_one_moment(ledger, policy, root, changes, match):
    colleague = new_key()
    refused(ledger, changing(with_key(policy, "operator", colleague), root, colleague, **changes), match)


def test_an_old_act_appended_again_is_refused(ledger, policy, root):
    colleague = new_key()
    first = with_key(policy, "operator", colleague)
    envelope = act_for(ledger.state, first, root, colleague).envelope()
    ledger.append(changing(first, envelope=envelope))
    refused(ledger, changing(first, envelope=envelope), "answers another entry")
    ledger.append(changing(policy, root))
    refused(ledger, changing(first, envelope=envelope), "answers another entry")


def test_an_act_of_another_log_with_the_same_keys_is_refused(ledger, policy, root, tmp_path, keystore):
    """The same keys sign two logs, as after a project was begun anew."""
    colleague = new_key()
    after = with_key(policy, "operator", colleague)
    elsewhere = act_for(ledger.state, after, root, colleague, origin="demo/" + "1" * 64)
    refused(ledger, changing(after, envelope=elsewhere.envelope()), "for another log")


@pytest.mark.parametrize(
    "harm",
    [
        lambda e: {**e, "signatures": []},
        lambda e: {**e, "signatures": e["signatures"][:1]},
        lambda e: {**e, "signatures": e["signatures"][::-1]},
        lambda e: {**e, "signatures": [e["signatures"][0]] * 2},
        lambda e: {
            **e,
            "signatures": [
                {**s, "keyid": t["keyid"]} for s, t in zip(e["signatures"], e["signatures"][::-1], strict=True)
            ],
        },
        lambda e: {**e, "signatures": [{**s, "alg": "none"} for s in e["signatures"]]},
        lambda e: {**e, "signatures": [{"keyid": s["keyid"]} for s in e["signatures"]]},
        lambda e: {**e, "payloadType": "application/vnd.in-toto+json"},
        lambda e: {**e, "payload": e["payload"] + "\n"},
        lambda e: {**e, "payload": base64.b64encode(base64.b64decode(e["payload"]) + b" ").decode()},
        lambda e: {**e, "more": 1},
        lambda e: dict(reversed(e.items())),
        lambda e: None,
        lambda e: {},
    ],
)
def test_an_act_has_one_form(ledger, policy, root, harm):
    colleague = new_key()
    after = with_key(policy, "operator", colleague)
    envelope = harm(act_for(ledger.state, after, root, colleague).envelope())
    compose = changing(after, envelope=envelope or {"none": True})
    refused(ledger, compose, "carries an act|names the new key")


def test_every_flipped_bit_of_an_act_is_refused(ledger, policy, root):
    colleague = new_key()
    after = with_key(policy, "operator", colleague)
    signed = act_for(ledger.state, after, root, colleague)
    keys = {key.public.keyid: key.public for key in (root, colleague)}
    for place in range(len(signed.act.payload())):
        payload = bytearray(signed.act.payload())
        payload[place] ^= 1
        envelope = {**signed.envelope(), "payload": base64.b64encode(payload).decode()}
        try:
            assert not read_act(envelope).verifies(keys)
        except ValueError:
            continue
    for number in range(2):
        for place in range(64):
            signatures = [(keyid, bytearray(signature)) for keyid, signature in signed.signatures]
            signatures[number][1][place] ^= 1
            flipped = SignedAct(signed.act, tuple((keyid, bytes(value)) for keyid, value in signatures))
            assert not flipped.verifies(keys)


def test_a_line_cannot_pass_for_an_act_nor_an_act_for_a_line(ledger, policy, root):
    """The payload types differ, so the same key and the same bytes give two signatures."""
    act = Act(ledger.origin, "policy", {}, ledger.state.policies[-1].leaf)
    signed = SignedAct(act).signed_by(root)
    line = sign_statement(json.loads(act.payload()), root)
    taken = SignedAct(act, ((root.public.keyid, split_line(line).signature),))
    assert signed.verifies({root.public.keyid: root.public})
    assert not taken.verifies({root.public.keyid: root.public})


def test_a_rotated_key_signs_nothing_new_and_what_it_signed_still_verifies(ledger, layout, keystore, root, pins):
    promote(ledger)
    old, fresh = rotate(ledger, root)
    entry = ledger.append(submitted())
    assert entry.keyid == fresh.public.keyid
    assert ledger.entry(1).keyid == old.public.keyid
    assert [entry.keyid for entry, _ in ledger.entries()][5:] == [old.public.keyid, fresh.public.keyid]
    ledger.close()
    assert Ledger.read_only(layout, pins).state == folded(layout)
    with Ledger.open(layout, keystore, pins=pins) as again:
        assert again.append(trained(2)).keyid == fresh.public.keyid
    state = folded(layout)
    statement = json.loads(split_line(entry.line).payload)
    statement["noa_entry"] |= {"seq": state.size, "prev": state.head, "version": 3}
    assert admit(state, sign_statement(statement, old)) == Refusal(
        f"is signed by an unknown key, {old.public.keyid[:16]}"
    )


def test_a_head_signed_by_the_rotated_key_vouches_for_nothing(ledger, layout, root, pins):
    old, _ = rotate(ledger, root)
    ledger.append(submitted())
    ledger.close()
    state = folded(layout)
    head = LogCheckpoint(state.origin, state.size, state.frontier.root())
    with layout.log_checkpoints.open("ab") as log:
        log.write(sign_checkpoint(head, old) + b"\n")
    with pytest.raises(LedgerTampered, match="by a known key"):
        Ledger.read_only(layout, pins)


def test_a_second_writer_takes_up_the_new_key(ledger, layout, keystore, root, pins):
    with Ledger.open(layout, keystore, pins=pins) as other:
        _, fresh = rotate(ledger, root)
        assert other.append(submitted()).keyid == fresh.public.keyid
        assert ledger.append(submitted("wind")).keyid == fresh.public.keyid


def test_a_reader_follows_a_change_that_came_after_it_began(ledger, layout, root, pins):
    reader = Ledger.read_only(layout, pins)
    rotate(ledger, root)
    promote(ledger)
    reader.refresh()
    assert reader.state == ledger.state
    assert reader.sealed_size == 6


def test_what_was_folded_for_a_false_head_is_forgotten(ledger, layout, root, pins):
    reader = Ledger.read_only(layout, pins)
    before = reader.state
    ledger.append(submitted())
    notes = layout.log_checkpoints.read_bytes()
    head = LogCheckpoint(ledger.origin, 2, ledger.state.frontier.root())
    layout.log_checkpoints.write_bytes(notes + sign_checkpoint(head, new_key()) + b"\n")
    with pytest.raises(LedgerTampered):
        reader.refresh()
    assert reader.state == before
    layout.log_checkpoints.write_bytes(notes)
    reader.refresh()
    assert [entry.seq for entry, _ in reader.entries()] == [0]


def test_a_revoked_key_never_comes_back(ledger, policy, root):
    colleague = new_key()
    ledger.append(changing(with_key(policy, "operator", colleague), root, colleague))
    revoked = without_key(ledger.state.policy, colleague.public.keyid, 1)
    ledger.append(changing(revoked, root))
    refused(ledger, changing(with_key(revoked, "operator", colleague), root, colleague), "names a key that is revoked")
    refused(ledger, changing(policy, root), "takes a revocation back")
    later = replace(revoked, revoked={colleague.public.keyid: 2})
    refused(ledger, changing(later, root), "takes a revocation back")


@pytest.mark.parametrize("last", [2, 99])
def test_a_revocation_trusts_no_entry_that_is_yet_to_come(ledger, policy, root, last):
    colleague = new_key()
    ledger.append(changing(with_key(policy, "operator", colleague), root, colleague))
    after = without_key(ledger.state.policy, colleague.public.keyid, last)
    refused(ledger, changing(after, root), "yet to come")


def test_a_policy_that_nobody_could_go_on_with_is_refused(ledger, policy, root):
    bare = {name: role for name, role in policy.roles.items() if name != "root"}
    refused(ledger, changing(replace(policy, roles=bare), root), "nobody who can sign the log")
    mute = {**policy.roles, "verifier": replace(policy.roles["verifier"], may=("Submitted",))}
    refused(ledger, changing(replace(policy, roles=mute), root), "nobody who can sign the log")
    refused(ledger, changing(replace(policy, name="other"), root), "changes the name")


def test_the_subject_is_the_policy(ledger, policy, root):
    colleague = new_key()
    after = with_key(policy, "operator", colleague)

    def compose(state):
        draft = changing(after, root, colleague)(state)
        return replace(draft, subject=[{"name": "policy", "digest": {"sha256": "0" * 64}}])

    refused(ledger, compose, "a subject that is not its policy")


@pytest.mark.parametrize(
    "harm",
    [
        lambda draft: replace(draft, predicate_type="noa:act/v1"),
        lambda draft: replace(draft, lifecycle_id="rain", version=1),
        lambda draft: replace(draft, status="ready"),
        lambda draft: replace(draft, predicate={**draft.predicate, "more": 1}),
        lambda draft: replace(draft, predicate={"act": draft.predicate["act"]}),
        lambda draft: replace(draft, predicate={"policy": {}, "act": draft.predicate["act"]}),
        lambda draft: replace(draft, predicate={"policy": draft.predicate["policy"]}),
    ],
)
def test_a_change_has_one_form(ledger, policy, root, harm):
    colleague = new_key()
    compose = changing(with_key(policy, "operator", colleague), root, colleague)
    refused(ledger, lambda state: harm(compose(state)), "PolicyChanged|about a version|cannot be used")


def test_the_runtime_alone_cannot_write_an_act(ledger, layout, policy):
    """A thief with the runtime's key writes a line by hand: the law refuses it in the file as well."""
    thief = ledger.keys.signing_key("verifier")
    after = with_key(policy, "root", thief)
    draft: Draft = changing(after, thief)(ledger.state)
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "noa_entry": {
            "v": 1,
            "type": draft.type,
            "seq": ledger.state.size,
            "prev": ledger.state.head,
            "ts": "2026-11-22T12:00:00.000Z",
        },
        "predicateType": draft.predicate_type,
        "predicate": draft.predicate,
        "subject": draft.subject,
    }
    result = admit(ledger.state, sign_statement(statement, thief))
    assert isinstance(result, Refusal)
    assert "without the quorum" in result.reason


def test_a_promotion_after_a_rotation_is_judged_by_the_new_policy_and_one_before_by_the_old(
    ledger, layout, root, tmp_path
):
    promote(ledger)
    rotate(ledger, root)
    ledger.append(submitted())
    ledger.append(trained(2))
    ledger.append(evaluated(2))
    ledger.append(decided(2, replaces=1))
    ledger.close()
    state = folded(layout)
    assert state.lifecycle("rain").champion == 2
    reader = Ledger.read_only(layout, KnownLogs(tmp_path / "other" / "known_logs"))
    assert [entry.type for entry in reader.history("rain", 1)][-1] == "PromotionReady"
    assert reader.state == state


def test_another_keystore_cannot_open_the_log_after_a_rotation(ledger, layout, root, tmp_path, pins):
    rotate(ledger, root)
    ledger.close()
    with pytest.raises(NotAuthorised):
        Ledger.open(layout, KeyStore(tmp_path / "empty"), pins=pins)


def test_a_champion_that_rests_on_entries_of_a_stolen_key_is_blocked(ledger, layout, root):
    promote(ledger, lifecycle="rain")
    last = ledger.state.size - 1
    promote(ledger, lifecycle="wind")
    stolen, fresh = ledger.keys.signing_key("verifier"), new_key()
    ledger.keys.add(fresh)
    after = with_key(ledger.state.policy, "verifier", fresh, instead=True)
    ledger.append(changing(replace(after, revoked={stolen.public.keyid: last}), root, fresh))
    assert ledger.state.lifecycle("rain").rollout == "ready"
    assert ledger.state.lifecycle("wind").rollout == "blocked"
    ledger.close()
    assert folded(layout) == ledger.state


def test_a_change_that_a_crash_left_unsealed_is_sealed_by_the_new_key(ledger, layout, keystore, root, tmp_path):
    promote(ledger)
    before = layout.log_checkpoints.read_bytes()
    rotate(ledger, root)
    ledger.close()
    layout.log_checkpoints.write_bytes(before)
    pins = KnownLogs(tmp_path / "other" / "known_logs")
    assert Ledger.read_only(layout, pins).state.size == 5
    with Ledger.open(layout, keystore, pins=pins) as again:
        assert (again.sealed_size, again.state) == (6, folded(layout))
    assert Ledger.read_only(layout, pins).state == folded(layout)

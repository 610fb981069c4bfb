"""What is exported, read back by tools that nobody here wrote, and by strangers without a project."""

from __future__ import annotations

import base64
import copy
import json
import os

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pymerkle import InmemoryTree
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from ledger.writing import decided, evaluated, promote, submitted, trained, training_failed
from noa_mlops.audit import PortableProof, attestations, export_tiles, proof_of, put_file, verify_proof
from noa_mlops.cli.app import main
from noa_mlops.errors import LedgerConflict, LedgerTampered, NotFound
from noa_mlops.evidence import check_proof, leaf_hash, load_public, root_of, write_proof
from noa_mlops.files import UnsafePath
from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.records.layout import Layout


@pytest.fixture
def layout(tmp_path):
    return Layout.of(tmp_path / "project")


@pytest.fixture
def ledger(layout, tmp_path):
    with Ledger.create(layout, "demo", KeyStore(tmp_path / "keys")) as ledger:
        yield ledger


@pytest.fixture
def promoted(ledger):
    """A ledger whose ``rain@1`` was promoted, among the entries of another."""
    ledger.append(submitted("wind"))
    promote(ledger)
    ledger.append(training_failed(lifecycle="wind"))
    ledger.seal()
    return ledger


def lines(layout):
    return layout.ledger.read_bytes().splitlines()


def verifier_key(ledger):
    record = ledger.state.policy.keys_for("checkpoint")[0]
    return SSlibKey.from_crypto(load_pem_public_key(record.public.encode())), load_public(record.public)


def test_securesystemslib_accepts_every_attestation_and_none_after_one_changed_byte(promoted, layout):
    key, _ = verifier_key(promoted)
    envelopes = [json.loads(text) for text in attestations(layout, "rain", 1)]
    assert len(envelopes) == 4
    for document in envelopes:
        Envelope.from_dict(copy.deepcopy(document)).verify([key], 1)
        payload = bytearray(base64.b64decode(document["payload"]))
        payload[len(payload) // 2] ^= 1
        with pytest.raises(VerificationError):
            Envelope.from_dict(document | {"payload": base64.b64encode(payload).decode()}).verify([key], 1)


def test_attestations_are_the_versions_statements_in_their_order(promoted, layout):
    payloads = [json.loads(base64.b64decode(json.loads(text)["payload"])) for text in attestations(layout, "rain", 1)]
    types = [payload["noa_entry"]["type"] for payload in payloads]
    assert types == ["Submitted", "TrainingCompleted", "EvaluationLogged", "PromotionReady"]
    assert {payload["noa_entry"]["lifecycle_id"] for payload in payloads} == {"rain"}
    assert all("signatures" not in payload for payload in payloads)


def test_attestations_of_a_version_that_is_not_there_are_refused(promoted, layout):
    with pytest.raises(NotFound, match="rain@2"):
        list(attestations(layout, "rain", 2))


def test_pymerkle_finds_the_same_root_and_the_same_paths_in_a_proof(promoted, layout):
    tree = InmemoryTree()
    for line in lines(layout):
        tree.append_entry(line)
    proof = proof_of(layout, "rain", 1)
    assert base64.b64encode(tree.get_root(len(lines(layout)))) in proof.checkpoint
    for proven in proof.lines:
        theirs = tree.prove_inclusion(proven.inclusion.index + 1, len(lines(layout)))
        assert proven.inclusion.path == tuple(theirs.path[1:])


def test_each_line_of_a_proof_gives_a_proof_file_of_its_own(promoted, layout):
    _, key = verifier_key(promoted)
    proof = proof_of(layout, "rain", 1)
    for proven in proof.lines:
        single = write_proof(proven.inclusion, proof.checkpoint)
        assert check_proof(single, proven.line, promoted.origin, [key]).size == 7


@pytest.mark.parametrize(("name", "status", "count"), [("rain", "champion", 5), ("wind", "failed", 3)])
def test_a_proof_holds_anywhere(promoted, layout, name, status, count):
    data = proof_of(layout, name, 1).to_bytes()
    result = verify_proof(data, file="proof", origin=promoted.origin)
    assert (result.findings, result.status, result.entries) == ((), status, count)


def test_a_proof_stays_the_proof_of_its_version_when_the_ledger_grows(promoted, layout):
    before = proof_of(layout, "rain", 1)
    promote(promoted, 2)
    after = proof_of(layout, "rain", 1)
    assert [proven.line for proven in before.lines] == [proven.line for proven in after.lines]
    assert before.checkpoint != after.checkpoint
    for proof in (before, after):
        assert verify_proof(proof.to_bytes(), file="proof", origin=promoted.origin).holds


def test_no_proof_is_made_of_a_version_that_is_on_its_way(promoted, layout):
    promoted.append(submitted("sun"))
    promoted.seal()
    with pytest.raises(LedgerConflict, match="sun@1 is on its way"):
        proof_of(layout, "sun", 1)


def test_no_proof_is_made_of_what_would_not_verify(promoted, layout):
    data = layout.ledger.read_bytes()
    layout.ledger.write_bytes(data.replace(b'"agent_id":"wind-1"', b'"agent_id":"wind-2"'))
    with pytest.raises(LedgerTampered):
        proof_of(layout, "rain", 1)


def test_what_is_beyond_the_checkpoint_is_not_exported(promoted, layout, tmp_path):
    promoted.append(submitted("sun"))
    assert export_tiles(layout, tmp_path / "tiles").entries == 7


def tiles(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_tiles_are_the_checkpoint_the_hashes_and_the_entries(promoted, layout, tmp_path):
    done = export_tiles(layout, tmp_path / "tiles")
    files = tiles(tmp_path / "tiles")
    assert (done.entries, done.written, done.present) == (7, 3, 0)
    assert files["tile/0/000.p/7"] == b"".join(map(leaf_hash, lines(layout)))
    assert files["tile/entries/000.p/7"] == b"".join(len(line).to_bytes(2, "big") + line for line in lines(layout))
    assert files["checkpoint"] == Ledger.read_only(layout).checkpoint
    assert len(files) == 3


def test_exporting_tiles_again_writes_what_is_new_and_changes_nothing_else(promoted, layout, tmp_path):
    export_tiles(layout, tmp_path / "tiles")
    assert export_tiles(layout, tmp_path / "tiles").written == 0
    before = tiles(tmp_path / "tiles")
    promote(promoted, 2)
    export_tiles(layout, tmp_path / "tiles")
    after = tiles(tmp_path / "tiles")
    assert {path for path in before if before[path] != after.get(path)} == {"checkpoint"}
    assert after["checkpoint"].split(b"\n")[1] == b"11"


def test_tiles_of_more_than_one_width_lead_to_the_root_of_the_checkpoint(ledger, layout, tmp_path):
    for _ in range(299):
        ledger.append(submitted())
    ledger.seal()
    export_tiles(layout, tmp_path / "tiles")
    files = tiles(tmp_path / "tiles")
    leaves = files["tile/0/000"] + files["tile/0/001.p/44"]
    hashes = [leaves[at : at + 32] for at in range(0, len(leaves), 32)]
    assert base64.b64encode(root_of(hashes)) == files["checkpoint"].split(b"\n")[2]
    assert files["tile/1/000.p/1"] == root_of(hashes[:256])
    assert set(files) == {
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/44",
    }


def test_a_tile_with_other_content_is_not_overwritten(promoted, layout, tmp_path):
    export_tiles(layout, tmp_path / "tiles")
    tile = tmp_path / "tiles" / "tile" / "0" / "000.p" / "7"
    tile.write_bytes(b"other")
    with pytest.raises(LedgerConflict, match="other content"):
        export_tiles(layout, tmp_path / "tiles")
    assert tile.read_bytes() == b"other"


def test_the_tiles_of_another_log_are_left_alone(promoted, layout, tmp_path):
    other = Layout.of(tmp_path / "other")
    with Ledger.create(other, "demo", KeyStore(tmp_path / "keys")):
        export_tiles(other, tmp_path / "tiles")
    before = tiles(tmp_path / "tiles")
    with pytest.raises(LedgerConflict, match="checkpoint"):
        export_tiles(layout, tmp_path / "tiles")
    assert tiles(tmp_path / "tiles") == before


def test_a_project_that_was_rolled_back_does_not_replace_newer_tiles(promoted, layout, tmp_path, another_machine):
    old = {path: path.read_bytes() for path in (layout.ledger, layout.log_checkpoints)}
    promote(promoted, 2)
    export_tiles(layout, tmp_path / "tiles")
    before = tiles(tmp_path / "tiles")
    for path, data in old.items():
        path.write_bytes(data)
    another_machine()
    with pytest.raises(LedgerConflict, match="only 7 are sealed"):
        export_tiles(layout, tmp_path / "tiles")
    assert tiles(tmp_path / "tiles") == before


def test_a_link_inside_the_folder_of_tiles_is_not_followed(promoted, layout, tmp_path):
    tmp_path.joinpath("elsewhere").mkdir()
    tmp_path.joinpath("tiles").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "tiles" / "tile")
    with pytest.raises(UnsafePath):
        export_tiles(layout, tmp_path / "tiles")
    assert list(tmp_path.joinpath("elsewhere").iterdir()) == []


def test_putting_a_file_twice_is_putting_it_once(tmp_path):
    assert put_file(tmp_path, "a/b", b"content")
    assert not put_file(tmp_path, "a/b", b"content")
    for other in (b"", b"conten", b"content more"):
        with pytest.raises(LedgerConflict):
            put_file(tmp_path, "a/b", other)


def test_the_command_writes_a_proof_once_and_verifies_it(promoted, layout, tmp_path, capsys):
    file, project = str(tmp_path / "rain-1.noa-proof"), str(layout.project)
    export = ["export", "rain@1", "--proof", file, "-C", project, "--json"]
    assert main(export) == 0
    assert json.loads(capsys.readouterr().out)["written"] == 1
    assert main(export) == 0
    assert json.loads(capsys.readouterr().out)["present"] == 1
    assert main(["export", "wind@1", "--proof", file, "-C", project]) == 5
    assert "nothing is overwritten" in capsys.readouterr().err
    assert main(["verify", file, "--origin", promoted.origin]) == 0
    assert "rain@1 was champion" in capsys.readouterr().out
    assert main(["verify", file]) == 4
    assert "self-consistent, signer unknown" in capsys.readouterr().out
    assert main(["verify", file, "--origin", promoted.origin, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "champion"


def test_the_command_prints_one_envelope_a_line(promoted, layout, capsys):
    assert main(["export", "rain@1", "--attestations", "-C", str(layout.project)]) == 0
    assert capsys.readouterr().out.splitlines() == list(attestations(layout, "rain", 1))


def test_the_command_hands_out_tiles_and_the_verifier(promoted, layout, tmp_path, capsys):
    assert main(["export", "--tiles", str(tmp_path / "tiles"), "-C", str(layout.project)]) == 0
    assert main(["export", "--verifier", str(tmp_path / "check.py")]) == 0
    assert "7 entries" in capsys.readouterr().out
    assert "shares no code" in tmp_path.joinpath("check.py").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["rain@1"],
        ["--attestations"],
        ["rain", "--attestations"],
        ["rain@1", "--tiles", "x"],
        ["rain@1", "--attestations", "--proof", "x"],
        ["../x@1", "--attestations"],
    ],
)
def test_the_command_refuses_what_it_cannot_mean(promoted, layout, capsys, arguments):
    assert main(["export", *arguments, "-C", str(layout.project)]) == 2
    assert capsys.readouterr().err


def test_a_proof_is_the_same_file_each_time(promoted, layout):
    first, second = (proof_of(layout, "rain", 1).to_bytes() for _ in range(2))
    assert first == second
    assert PortableProof.from_bytes(first).to_bytes() == first


def test_a_version_that_was_replaced_is_still_proven_as_what_it_was(promoted, layout):
    promote(promoted, 2)
    assert verify_proof(proof_of(layout, "rain", 1).to_bytes(), file="p", origin=promoted.origin).status == "champion"


def test_a_blocked_version_is_proven_as_blocked(ledger, layout):
    for compose in (submitted(), trained(), evaluated()):
        ledger.append(compose)
    ledger.append(decided(verdict="fail", status="blocked", reasons=["threshold"]))
    assert verify_proof(proof_of(layout, "rain", 1).to_bytes(), file="p", origin=ledger.origin).status == "rejected"

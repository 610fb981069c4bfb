"""The smallest parts of verifying: one batch, one record, one file."""

from __future__ import annotations

import dataclasses
import io

import pytest

from noa_mlops.audit import proof_of, verify, verify_proof
from noa_mlops.audit.anchors import Anchors
from noa_mlops.audit.findings import Diagnosis, Finding, Verification
from noa_mlops.audit.folding import Fold, Stored
from noa_mlops.audit.model_folder import folder_findings
from noa_mlops.audit.proof import FORM, MAX_LINES, MAX_PROOF, PortableProof, ProvenLine
from noa_mlops.audit.proof_verification import ProofVerification
from noa_mlops.audit.replay import Replay
from noa_mlops.audit.signature_worker import ANSWER, HEAD, serve
from noa_mlops.evidence import ProofInvalid, SigningKey, sign_statement
from noa_mlops.records.documents import sha256
from noa_mlops.records.manifest import Manifest

KEY, OTHER = SigningKey.generate(), SigningKey.generate()


def signed(*keys):
    return [sign_statement({"number": number}, key) for number, key in enumerate(keys)]


def batch(key, lines):
    pem, data = key.public.pem.encode(), b"".join(line + b"\n" for line in lines)
    return HEAD.pack(len(pem), len(data)) + pem + data


def answers(data):
    out = io.BytesIO()
    serve(io.BytesIO(data), out)
    return [count for (count,) in ANSWER.iter_unpack(out.getvalue())]


@pytest.mark.parametrize(
    ("keys", "count"),
    [((), 0), ((KEY,), 1), ((KEY, KEY, KEY), 3), ((KEY, KEY, OTHER, KEY), 2), ((OTHER, KEY), 0)],
)
def test_a_worker_counts_the_lines_that_the_key_signed_before_the_first_that_it_did_not(keys, count):
    assert answers(batch(KEY, signed(*keys))) == [count]


def test_a_worker_answers_every_batch_and_ends_with_its_input():
    first, second = batch(KEY, signed(KEY, KEY)), batch(OTHER, signed(OTHER))
    assert answers(first + second) == [2, 1]
    assert answers(first + second[:5]) == [2]
    assert answers(b"") == []


def test_the_form_of_a_batch_is_two_lengths_and_that_of_an_answer_one_number():
    assert HEAD.pack(1, 2) == b"\x01\x00\x00\x00\x02\x00\x00\x00"
    assert ANSWER.pack(258) == b"\x02\x01\x00\x00"


@pytest.mark.parametrize(
    "record", [Finding, Verification, Diagnosis, Anchors, Stored, PortableProof, ProvenLine, ProofVerification]
)
def test_what_was_found_cannot_be_changed_afterwards(record):
    assert record.__dataclass_params__.frozen
    assert "__slots__" in vars(record)


@pytest.mark.parametrize("record", [Fold, Replay])
def test_what_is_kept_while_reading_has_its_fields_and_no_others(record):
    assert dataclasses.is_dataclass(record)
    assert "__slots__" in vars(record)


@pytest.mark.parametrize(("lines", "many"), [(0, True), (1, False), (MAX_LINES, False), (MAX_LINES + 1, True)])
def test_a_proof_holds_one_line_to_a_thousand_and_twenty_four(lines, many):
    """Nothing else of these is right, so each is refused: for its number of lines, or for what comes after that."""
    data = b"\n\n".join([f"{FORM}\nrain@1\n-".encode(), *[b"line"] * lines, b"text", b"signature"])
    with pytest.raises(ProofInvalid) as caught:
        PortableProof.from_bytes(data)
    assert ("does not hold 1 to 1024 ledger lines" in str(caught.value)) is many


def test_a_signature_that_was_changed_is_one_finding(audited):
    audited.flip(audited.stored / "model.sig", -2)
    assert len(audited.findings()) == 1


def test_a_checkpoint_that_does_not_hold_is_named_by_its_number(audited):
    notes = audited.layout.log_checkpoints.read_bytes()
    audited.flip(audited.layout.log_checkpoints, -6)
    count = notes.count(b"\n\n\n") or len([part for part in notes.split(b"\n\n") if part.startswith(b"\xe2\x80\x94")])
    assert any(finding.reason.startswith(f"checkpoint {count} ") for finding in audited.findings())


def test_a_proof_over_the_cap_is_not_looked_into():
    with pytest.raises(ProofInvalid, match=f"is larger than {MAX_PROOF} bytes"):
        PortableProof.from_bytes(bytes(MAX_PROOF + 1))
    with pytest.raises(ProofInvalid, match="does not begin with"):
        PortableProof.from_bytes(bytes(MAX_PROOF))


def test_a_folder_that_was_handed_out_is_held_against_its_manifest_and_the_files_beside_it(audited):
    name = audited.layout.version("little", "command", 1)
    manifest = Manifest.from_bytes((name / "manifest.json").read_bytes())
    beside = {"manifest.json": sha256((name / "manifest.json").read_bytes()), "model/none": "0" * 64}
    others = {f"{path.name}": sha256(path.read_bytes()) for path in name.iterdir() if path.is_file()}
    assert list(folder_findings(name, manifest, beside | others)) == []
    assert dict(folder_findings(name, manifest, beside | others | {"model.sig": "0" * 64})) == {
        "model.sig": "is not the file that was signed"
    }
    (name / "model" / "more").write_bytes(b"")
    assert dict(folder_findings(name, manifest, beside | others)) == {"model/more": "is not in the manifest"}


def test_a_proof_counts_the_files_of_the_model_and_of_its_code(audited):
    proof = proof_of(audited.layout, "little", 1)
    result = verify_proof(proof.to_bytes(), file="p", origin=f"{verify(audited.layout).origin}", model=audited.stored)
    manifest = Manifest.from_bytes((audited.stored / "manifest.json").read_bytes())
    assert result.findings == ()
    assert result.files == len(manifest.files) + len(manifest.code) > len(manifest.files)

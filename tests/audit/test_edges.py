"""The smallest parts of verifying: one batch, one record, one file."""

from __future__ import annotations

import dataclasses
import io

import pytest

from noa_mlops.audit.anchors import Anchors
from noa_mlops.audit.findings import Diagnosis, Finding, Verification
from noa_mlops.audit.folding import Fold, Stored
from noa_mlops.audit.proof import PortableProof, ProvenLine
from noa_mlops.audit.proof_verification import ProofVerification
from noa_mlops.audit.replay import Replay
from noa_mlops.audit.signature_worker import ANSWER, HEAD, serve
from noa_mlops.evidence import SigningKey, sign_statement

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

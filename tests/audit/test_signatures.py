"""Signatures checked by other processes: the same answers in the same order, public keys only, and nothing holds without them."""

from __future__ import annotations

import os
import shutil
import signal
from itertools import islice
from pathlib import Path

import pytest

from noa_mlops.audit import verify
from noa_mlops.audit.signatures import (
    MOST_WORKERS,
    PAYS_FROM,
    ChecksLost,
    check_apart,
    check_here,
    check_signatures,
)
from noa_mlops.errors import LifecycleError
from noa_mlops.ledger import (
    Draft,
    KeyStore,
    Ledger,
    LedgerState,
    Refusal,
    admit,
    examine_unsigned,
    read_lines,
)
from noa_mlops.records.layout import Layout

COUNT = 1_200
PADDING = "x" * 4_000
"""Long lines: few entries make a log that is worth processes."""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A log so long that its signatures are checked by processes."""
    root = tmp_path_factory.mktemp("long")
    layout = Layout.of(root / "project")
    with Ledger.create(layout, "demo", KeyStore(root / "keys")) as ledger:
        for number in range(COUNT // 200):
            outcomes = ledger.append_many([submission] * 200)
            assert not any(isinstance(outcome, Exception) for outcome in outcomes), number
    assert layout.ledger.stat().st_size > PAYS_FROM
    return root


def submission(state: LedgerState) -> Draft:
    """The next version of a lifecycle."""
    version = state.lifecycle("rain").next_version
    predicate = {
        "plan": {"digest": {"sha256": "0" * 64}},
        "profile": "command",
        "agent_id": f"rain-{version}",
        "datasets": {},
        "padding": PADDING,
    }
    subject = [{"name": "plan", "digest": {"sha256": "0" * 64}}]
    return Draft("Submitted", "noa:lifecycle/v1", predicate, subject, "rain", version)


@pytest.fixture
def layout(written, tmp_path):
    shutil.copytree(written / "project", tmp_path / "project")
    return Layout.of(tmp_path / "project")


def unsigned(layout):
    state = LedgerState()
    for line in read_lines(layout.ledger):
        result = examine_unsigned(state, line[:-1])
        if isinstance(result, Refusal):
            return
        state = result.state
        yield result


def children():
    """The processes that check signatures for this one."""
    mine = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(child) for child in mine if b"signature_worker" in Path(f"/proc/{child}/cmdline").read_bytes()]


def alter(layout, number, before, after):
    lines = layout.ledger.read_bytes().splitlines(keepends=True)
    assert before in lines[number]
    lines[number] = lines[number].replace(before, after, 1)
    layout.ledger.write_bytes(b"".join(lines))


def ledger_findings(layout):
    return [(found.entry, found.reason) for found in verify(layout).findings if found.file == str(layout.ledger)]


def refused_by_the_law(layout):
    """Where the law, asked line by line in this process, stops, and why."""
    state = LedgerState()
    for line in read_lines(layout.ledger):
        after = admit(state, line[:-1])
        if isinstance(after, Refusal):
            return [(state.size, f"{after.reason}; nothing after it can be trusted")]
        state = after
    return []


def test_processes_answer_as_this_one_does_and_in_order(layout):
    alone = [(line.entry.seq, right) for line, right in check_here(unsigned(layout))]
    assert alone == [(seq, True) for seq in range(COUNT + 1)]
    assert [(line.entry.seq, right) for line, right in check_apart(unsigned(layout), 3)] == alone
    assert children() == []


@pytest.mark.parametrize("number", [0, 600, COUNT])
def test_a_wrong_signature_is_found_at_its_entry_and_for_the_same_reason(layout, number):
    before = next(islice(read_lines(layout.ledger), number, None))
    alter(layout, number, before[-20:-10], bytes(reversed(before[-20:-10])))
    found = ledger_findings(layout)
    assert found[:1] == refused_by_the_law(layout)
    assert found[0] == (number, "has a wrong signature; nothing after it can be trusted")


def test_a_wrong_word_is_found_at_its_entry_and_for_the_same_reason(layout):
    alter(layout, 600, b"rain-", b"rein-")
    assert ledger_findings(layout)[:1] == refused_by_the_law(layout) != []


def test_the_first_of_two_damages_is_the_one_that_is_named(layout):
    """The second one is met first: the fold runs ahead of the signatures."""
    alter(layout, 630, b'"v":1', b'"v":2')
    alter(layout, 629, b"rain-629", b"rain-269")
    assert ledger_findings(layout)[0] == (629, "has a wrong signature; nothing after it can be trusted")


def test_a_process_that_dies_fails_the_verification(layout):
    checked = check_apart(unsigned(layout), 2)
    assert next(checked)[1]
    for child in children():
        os.kill(child, signal.SIGKILL)
    with pytest.raises(ChecksLost, match="ended early") as failure:
        list(checked)
    assert isinstance(failure.value, LifecycleError)
    assert children() == []


def test_no_process_is_left_when_not_all_is_asked_for(layout):
    checked = check_apart(unsigned(layout), 2)
    assert next(checked)[1]
    assert len(children()) == 2
    checked.close()
    assert children() == []


def test_the_processes_are_given_nothing_but_lines_and_public_keys(layout, monkeypatch):
    monkeypatch.setenv("NOA_SECRET", "s3cret")
    checked = check_apart(unsigned(layout), 2)
    next(checked)
    assert len(children()) == 2
    for child in children():
        assert Path(f"/proc/{child}/environ").read_bytes() == b""
        assert len(list(Path(f"/proc/{child}/fd").iterdir())) <= 4
    checked.close()


def test_a_long_log_gets_a_process_for_each_core_and_a_short_one_none(layout):
    cores = min(len(os.sched_getaffinity(0)), MOST_WORKERS)
    checked = check_signatures(unsigned(layout), PAYS_FROM)
    assert next(checked)[1]
    assert len(children()) == (cores if cores > 1 else 0)
    checked.close()
    checked = check_signatures(unsigned(layout), PAYS_FROM - 1)
    assert next(checked)[1]
    assert children() == []
    checked.close()

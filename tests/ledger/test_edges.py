"""Exactly at the limits of what an entry may say."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib
import os
import pkgutil
from datetime import UTC, datetime, timedelta, timezone

import pytest

import noa_mlops.ledger
from ledger.writing import BYTES, decided, evaluated, promote, scanned, submitted, trained
from noa_mlops.errors import LedgerConflict, LedgerTampered, NotAuthorised, NotFound
from noa_mlops.evidence import SigningKey, sign_statement, split_line
from noa_mlops.ledger import KeyStore, Ledger, follow_version, split_records
from noa_mlops.ledger.entry import EntryInvalid, read_entry, timestamp
from noa_mlops.ledger.objects import put_object
from noa_mlops.ledger.signers import Signers
from noa_mlops.ledger.waiting import MAX_BATCH, Queue, Request
from noa_mlops.version import VERSION

KEY = SigningKey.generate()
UP = ("age", "values", "up")


def read(header, subject=({"name": "plan", "digest": {"sha256": BYTES}},)):
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "noa_entry": header,
        "predicateType": "noa:lifecycle/v1",
        "predicate": {},
        "subject": list(subject),
    }
    line = sign_statement(statement, KEY)
    return read_entry(line, split_line(line))


def header(**changes):
    fields = {"v": 1, "type": "Submitted", "seq": 0, "prev": "0" * 64, "ts": "2026-11-22T10:00:00.000Z"}
    return fields | changes


@pytest.mark.parametrize("seq", [0, 2**53 - 1])
def test_an_entry_may_have_any_number_that_is_exact_everywhere(seq):
    assert read(header(seq=seq)).seq == seq


@pytest.mark.parametrize("seq", [-1, 2**53, 2**54 - 1, True, 1.0, "1", None])
def test_what_is_no_such_number_is_refused(seq):
    with pytest.raises(EntryInvalid, match="no index"):
        read(header(seq=seq))


@pytest.mark.parametrize("version", [1, 2**53 - 1])
def test_versions_begin_at_one(version):
    assert read(header(lifecycle_id="rain", version=version)).version == version


@pytest.mark.parametrize("what", [None, [], ["v"], "v", {}, {"type": "Submitted"}])
def test_an_entry_without_a_header_is_refused_as_such(what):
    with pytest.raises(EntryInvalid, match="has no header"):
        read(what)


@pytest.mark.parametrize("form", [0, 2, True, 1.0, "1", None])
def test_a_form_of_another_version_is_refused_as_such(form):
    with pytest.raises(EntryInvalid, match="not known to this version"):
        read(header(v=form))


def test_every_subject_needs_a_digest_not_only_one_of_them():
    good = {"name": "plan", "digest": {"sha256": BYTES}}
    for other in ({"name": "plan"}, {"digest": {}}, {"digest": "x"}, "plan"):
        for subject in ([good, other], [other, good]):
            with pytest.raises(EntryInvalid, match="subject"):
                read(header(), subject)


def test_a_time_is_written_in_utc_wherever_the_clock_stands():
    there = timezone(timedelta(hours=5, minutes=30))
    moment = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)
    assert timestamp(moment) == timestamp(moment.astimezone(there)) == "2026-11-22T10:00:00.123Z"


def test_a_scan_may_name_a_hundred_signs(ledger):
    promote(ledger, 1)
    signs = [(f"column {number}", "values", "up") for number in range(100)]
    assert ledger.append(scanned(verdict="fail", signs=signs)).predicate["verdict"] == "fail"


@pytest.mark.parametrize("sign", [("age", "values", 1), (1, "values", "up"), ("age", None, "up")])
def test_every_part_of_a_sign_is_text(ledger, sign):
    promote(ledger, 1)
    with pytest.raises(LedgerConflict, match="a column, a question and a direction"):
        ledger.append(scanned(verdict="fail", signs=[sign]))


def test_a_version_that_is_no_champion_is_not_scanned_though_it_is_the_first(ledger):
    for compose in (submitted(), trained()):
        ledger.append(compose)
    with pytest.raises(LedgerConflict, match="the champion is None"):
        ledger.append(scanned(1))


@pytest.mark.parametrize(
    "changed", [{"verdict": "pass"}, {"status": "ready"}, {"reasons": []}, {"reasons": ["champion"]}]
)
def test_the_decision_of_a_scan_says_what_the_scan_says(ledger, changed):
    promote(ledger, 1)
    said = {"verdict": "fail", "status": "blocked", "reasons": ["drift"]}
    with pytest.raises(LedgerConflict, match="decision"):
        ledger.append(
            scanned(verdict="fail", certain=True, status="blocked", predicate={"noa:decision": said | changed})
        )
    blocked = scanned(verdict="fail", certain=True, status="blocked", predicate={"noa:decision": said})
    assert ledger.append(blocked).status == "blocked"


@pytest.fixture
def no_room_for_heads(layout, monkeypatch):
    """Fills the disk as far as checkpoints go, from the moment that it is called."""
    real = os.write

    def fill():
        heads = os.stat(layout.log_checkpoints)

        def full(descriptor, data):
            if os.path.samestat(os.fstat(descriptor), heads):
                raise OSError(28, "No space left on device")
            return real(descriptor, data)

        monkeypatch.setattr(os, "write", full)

    yield fill
    monkeypatch.setattr(os, "write", real)


def test_a_decision_that_could_not_be_sealed_names_the_disk_as_its_cause(ledger, no_room_for_heads):
    for compose in (submitted(), trained(), evaluated()):
        ledger.append(compose)
    no_room_for_heads()
    with pytest.raises(LedgerConflict, match="recorded but not sealed") as caught:
        ledger.append(decided())
    assert "could not be written" in str(caught.value.__cause__)


def test_where_a_seal_is_due_by_number_and_fails_the_last_one_is_told(ledger, no_room_for_heads):
    no_room_for_heads()
    outcomes = ledger.append_many(submitted() for _ in range(1000))
    failed = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, LedgerConflict)]
    assert failed == [999]
    assert "entry 1000 is recorded but not sealed" in str(outcomes[999])


def records():
    """Every record that a module of the ledger defines."""
    for module in pkgutil.iter_modules(noa_mlops.ledger.__path__, "noa_mlops.ledger."):
        for name, found in vars(importlib.import_module(module.name)).items():
            if isinstance(found, type) and dataclasses.is_dataclass(found) and found.__module__ == module.name:
                yield pytest.param(found, id=name)


@pytest.mark.parametrize("record", list(records()))
def test_records_cannot_be_changed_and_hold_nothing_else(record):
    assert record.__dataclass_params__.frozen
    assert "__slots__" in vars(record)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_while_its_parent_writes_gets_in_a_line_of_its_own(ledger):
    """What leads the line of the parent is the parent; nobody in the child would ever call upon the child."""
    children = []

    def compose(state):
        children.append(os.fork())
        if not children[0]:
            status = 1
            try:
                status = ledger.append(submitted("child")).seq != 2
            finally:
                os._exit(status)
        return submitted("parent")(state)

    assert ledger.append(compose).seq == 1
    assert os.waitpid(children[0], 0)[1] == 0
    ledger.refresh()
    assert ledger.state.size == 3


def test_a_leader_that_waits_in_vain_for_the_files_says_so(ledger):
    ledger._timeout = 0.05
    with ledger._group.mutex, pytest.raises(LedgerConflict, match="in use by another thread"):
        ledger.append(submitted())
    assert ledger.append(submitted()).seq == 1


def test_each_measurement_is_one_look_more_and_nothing_else_is(ledger):
    for number, expected in ((1, 1), (2, 2)):
        ledger.append(submitted())
        ledger.append(trained(number))
        assert ledger.state.lifecycle("rain").looks == expected - 1
        ledger.append(evaluated(number, predicate={"look": expected}))
        assert ledger.state.lifecycle("rain").looks == expected
    ledger.append(submitted())
    ledger.append(trained(3))
    for look in (2, 4, True, "3", None):
        with pytest.raises(LedgerConflict, match="but the next is 3"):
            ledger.append(evaluated(3, predicate={"look": look}))
    ledger.append(decided(1))
    assert ledger.state.lifecycle("rain").looks == 0


def test_what_another_writer_has_sealed_is_not_sealed_again(ledger, layout, keystore):
    with Ledger.open(layout, keystore) as other:
        ledger.append(submitted())
        other.refresh()
        ledger.seal()
        once = layout.log_checkpoints.read_bytes()
        other.seal()
        assert other.sealed_size == 2
    assert layout.log_checkpoints.read_bytes() == once
    assert len(split_records(once)) == 2


def test_genesis_says_by_which_version_of_what_form_it_was_made(ledger):
    assert ledger.entry(0).predicate == {
        "format": 1,
        "policy": ledger.state.policy.to_document(),
        "created_with": VERSION,
    }


def test_a_batch_holds_as_many_as_it_may_and_not_one_more():
    queue = Queue()
    requests = [Request([submitted()] * count) for count in (MAX_BATCH - 1, 1, 1, MAX_BATCH)]
    assert [queue.join(request) for request in requests] == [True, False, False, False]
    assert [queue.take(), queue.take(), queue.take(), queue.take()] == [requests[:2], requests[2:3], requests[3:], []]


def test_who_gives_up_although_called_upon_leaves_the_line_to_the_next():
    queue, first, second, third = Queue(), *(Request([submitted()]) for _ in range(3))
    assert queue.join(first)
    queue.abandon(first)
    assert queue.join(second)
    assert not queue.join(third)
    queue.abandon(second)
    assert third.leads
    assert third.wait(0)
    assert queue.take() == [third]


def test_who_waits_may_leave_but_not_who_leads_or_is_being_written():
    queue, first, second, third = Queue(), *(Request([submitted()]) for _ in range(3))
    for request in (first, second, third):
        queue.join(request)
    assert [queue.leave(first), queue.leave(second), queue.leave(second)] == [False, True, False]
    assert queue.take() == [first, third]
    assert not queue.leave(third)


def test_each_who_waited_gets_a_failure_of_its_own_that_names_the_one_of_all():
    request, failure = Request([submitted(), submitted()]), LedgerConflict("the disk is full")
    request.outcomes = [ValueError("its own")]
    request.fail(failure)
    own, shared = request.outcomes
    assert (str(own), str(shared)) == ("its own", "the disk is full")
    assert shared is not failure
    assert shared.__cause__ is failure


def test_a_ledger_that_lost_its_end_while_it_is_read_is_noticed(ledger, layout):
    promote(ledger)
    lines = layout.ledger.read_bytes().splitlines(keepends=True)
    layout.ledger.write_bytes(b"".join(lines[:-1]))
    for read in (ledger.entries, ledger.known_entries):
        with pytest.raises(LedgerTampered, match="holds 4 entries; 5 were known"):
            list(read())
    layout.ledger.write_bytes(b"".join(lines))
    assert len(list(ledger.entries())) == 5


def test_a_ledger_that_was_emptied_is_said_to_be_gone(ledger, layout):
    ledger.close()
    layout.ledger.write_bytes(b"")
    with pytest.raises(LedgerTampered, match=r"is gone or empty, but checkpoints\.log vouches for what it held"):
        Ledger.read_only(layout)


@pytest.mark.parametrize("reason", ["threshold", "champion", "hygiene", "inconclusive", "drift", "approval", "no_gate"])
def test_a_decision_may_block_for_each_reason_that_there_is(ledger, reason):
    for compose in (submitted(), trained(), evaluated()):
        ledger.append(compose)
    verdict = {"threshold": "fail", "champion": "fail", "hygiene": "fail", "inconclusive": "inconclusive"}
    blocked = decided(verdict=verdict.get(reason, "pass"), status="blocked", reasons=[reason])
    assert ledger.append(blocked).status == "blocked"


def test_a_scan_of_no_lifecycle_is_refused(ledger):
    with pytest.raises(LedgerConflict, match="names no lifecycle"):
        ledger.append(lambda state: dataclasses.replace(scanned()(state), lifecycle_id=None))


def test_an_object_that_another_process_wrote_is_synced_before_it_is_named(ledger, layout, monkeypatch):
    digest = ledger.put_object(b"an object")
    synced, real = [], os.fsync

    def fsync(descriptor):
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    assert ledger.put_object(b"an object") == digest
    assert synced == []
    assert put_object(layout.objects, b"an object") == digest
    assert synced == [str(layout.objects)]


def test_a_folder_without_a_ledger_is_not_opened(layout, keystore):
    with pytest.raises(NotFound, match="there is no ledger in") as caught:
        Ledger.open(layout, keystore)
    assert caught.value.hint == "'noa init' begins a project."
    layout.evidence.mkdir(parents=True)
    with pytest.raises(NotFound, match="there is no ledger in"):
        Ledger.open(layout, keystore)


def test_an_object_over_the_limit_is_not_stored(layout):
    class Large(bytes):
        """As large as it says, and no larger."""

        __slots__ = ()

        def __len__(self):
            return (1 << 28) + 1

    with pytest.raises(LedgerConflict, match="over the limit of 268435456"):
        put_object(layout.objects, Large())
    assert not layout.objects.exists()


def test_a_version_that_there_is_not_is_none(ledger):
    ledger.append(submitted())
    versions = ledger.state.lifecycle("rain").versions
    assert versions[1].version == 1
    for absent in (0, 2):
        with pytest.raises(KeyError):
            versions[absent]
    with pytest.raises(KeyError):
        ledger.state.lifecycles["snow"]


def test_a_program_that_prints_more_than_a_signature_is_refused(tmp_path):
    public = KEY.public
    for count, refused in ((4096, False), (4097, True)):
        printing = Signers.of(tmp_path).adding(public.keyid, "passphrase", ["head", "-c", str(count), "/dev/zero"])
        if refused:
            with pytest.raises(NotAuthorised, match="printed more than"):
                printing.passphrase(public.keyid, tmp_path / "key.pem")
        else:
            assert len(printing.passphrase(public.keyid, tmp_path / "key.pem")) == count


def test_a_version_begins_with_its_submission_alone_also_where_only_its_own_entries_are_seen(ledger):
    """A proof shows no other entries than these."""
    first = follow_version(None, ledger.append(submitted()))
    for kind in ("EvaluationLogged", "EvaluationFailed"):
        refused = follow_version(None, read(header(type=kind, lifecycle_id="rain", version=1)))
        assert refused.reason == "cannot follow: version 1 is new"
    again = follow_version(first, ledger.append(submitted(version=2)))
    assert again.reason == "cannot follow: version 2 is submitted"
    assert follow_version(None, read(header(lifecycle_id="rain"))).reason == "names no version"


def held_open(layout):
    """The files of the project that this process holds open."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return [name for name in found if name.startswith(str(layout.project))]


def test_a_ledger_that_is_closed_or_did_not_open_holds_nothing(ledger, layout, tmp_path):
    assert len(held_open(layout)) >= 3
    ledger.close()
    assert held_open(layout) == []
    with pytest.raises(NotAuthorised):
        Ledger.open(layout, KeyStore(tmp_path / "elsewhere"))
    assert held_open(layout) == []


def test_a_cancelled_append_is_cancelled(ledger):
    async def main():
        task = asyncio.create_task(ledger.append_async(submitted()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task

    assert asyncio.run(main()).cancelled()

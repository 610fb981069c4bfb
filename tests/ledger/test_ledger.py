"""Appending: durable, in order, by one writer at a time, whoever asks."""

from __future__ import annotations

import functools
import os
import signal
import threading
import time

import pytest

from ledger.writing import OPEN, decided, evaluated, promote, python, submitted, trained
from noa_mlops.errors import LedgerConflict, LedgerTampered, NotFound
from noa_mlops.files import UnsafePath
from noa_mlops.ledger import Draft, Ledger, LedgerState, admit


def fold(layout):
    state = LedgerState()
    for line in layout.ledger.read_bytes().splitlines():
        state = admit(state, line)
        assert isinstance(state, LedgerState), state
    return state


def run(code, *arguments, **options):
    process = python(code, *arguments, **options)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output


def test_an_entry_reads_back_as_it_was_drafted(ledger):
    entry = ledger.append(submitted(notes="grüße"))
    assert entry == ledger.entry(1)
    assert (entry.seq, entry.type, entry.lifecycle_id, entry.version) == (1, "Submitted", "rain", 1)
    assert entry.predicate["notes"] == "grüße"
    assert entry.prev == ledger.entry(0).digest


def test_a_draft_changed_after_appending_changes_nothing(ledger):
    predicate = {"metrics": {"accuracy": 0.9}}
    ledger.append(submitted())
    ledger.append(trained())
    entry = ledger.append(evaluated(predicate=predicate))
    predicate["metrics"]["accuracy"] = 0.1
    assert entry.predicate["metrics"] == {"accuracy": 0.9}


def test_a_deciding_entry_is_sealed_when_append_returns_and_others_need_not_be(ledger, layout):
    assert ledger.sealed_size == 1
    ledger.append(submitted())
    ledger.append(trained())
    assert ledger.sealed_size == 1
    ledger.append(evaluated())
    ledger.append(decided())
    assert ledger.sealed_size == 5
    assert Ledger.read_only(layout).state == ledger.state


def test_closing_seals_and_a_closed_ledger_appends_nothing(ledger, layout):
    ledger.append(submitted())
    ledger.close()
    ledger.close()
    assert Ledger.read_only(layout).state.size == 2
    with pytest.raises(LedgerConflict, match="closed"):
        ledger.append(submitted())


def test_sealing_twice_writes_one_checkpoint(ledger, layout):
    ledger.append(submitted())
    ledger.seal()
    once = layout.log_checkpoints.read_bytes()
    ledger.seal()
    assert layout.log_checkpoints.read_bytes() == once


def test_creating_again_opens_what_is_there(ledger, layout, keystore):
    with Ledger.create(layout, "another", keystore) as again:
        assert (again.origin, again.state) == (ledger.origin, ledger.state)


def test_a_compose_that_raises_writes_nothing_and_gives_the_lock_back(ledger, layout):
    before = layout.ledger.read_bytes()

    def compose(state):
        raise LedgerConflict("the champion has changed")

    with pytest.raises(LedgerConflict, match="champion has changed"):
        ledger.append(compose)
    assert layout.ledger.read_bytes() == before
    assert ledger.append(submitted()).seq == 1


def test_compose_sees_what_another_writer_appended(ledger, layout, keystore):
    with Ledger.open(layout, keystore) as other:
        promote(other, 1)
        promote(other, 2)
    seen = []
    ledger.append(lambda state: seen.append(state.lifecycle("rain").champion) or submitted()(state))
    assert seen == [2]
    assert ledger.state == fold(layout)


def test_refreshing_shows_what_another_writer_appended(ledger, layout, keystore):
    with Ledger.open(layout, keystore) as other:
        other.append(submitted())
        ledger.refresh()
        assert ledger.state == other.state


def test_refuses_an_entry_over_the_cap(ledger, layout):
    before = layout.ledger.read_bytes()
    with pytest.raises(LedgerConflict, match="more than 65535 bytes"):
        ledger.append(submitted(notes="x" * 70_000))
    with pytest.raises(LedgerConflict, match="more than 65535 bytes"):
        ledger.append(submitted(notes="x" * 10_000_000))
    assert layout.ledger.read_bytes() == before


NESTED = functools.reduce(lambda inner, _: [inner], range(70), [])


@pytest.mark.parametrize("value", [float("nan"), "\ud800", {1: "a", "1": "b"}, 10**50, object(), NESTED])
def test_writes_nothing_that_no_reader_would_accept(ledger, layout, value):
    before = layout.ledger.read_bytes()
    with pytest.raises(LedgerConflict):
        ledger.append(submitted(notes=value))
    assert layout.ledger.read_bytes() == before


def test_threads_share_a_ledger_without_a_gap(ledger, layout):
    threads = [threading.Thread(target=lambda: [ledger.append(submitted()) for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.state.size == 81
    assert fold(layout) == ledger.state


def test_several_ledgers_in_one_process_interleave(ledger, layout, keystore):
    with Ledger.open(layout, keystore) as second, Ledger.open(layout, keystore) as third:
        for _ in range(5):
            for one in (ledger, second, third):
                one.append(submitted())
    ledger.refresh()
    assert ledger.state.lifecycle("rain").next_version == 16
    assert fold(layout) == ledger.state


APPEND = (
    OPEN
    + """
with Ledger.open(layout, keystore) as ledger:
    for _ in range(int(sys.argv[2])):
        print(ledger.append(writing.submitted()).version, flush=True)
"""
)


def test_eight_processes_append_to_one_chain_without_a_gap(ledger, layout, tmp_path):
    processes = [python(APPEND, tmp_path, 25) for _ in range(8)]
    versions = [int(word) for process in processes for word in process.communicate(timeout=120)[0].split()]
    assert sorted(versions) == list(range(1, 201))
    assert fold(layout).size == 201
    ledger.refresh()
    assert ledger.state == fold(layout)


def test_two_processes_that_create_at_once_make_one_ledger(layout, tmp_path):
    code = OPEN + "ledger = Ledger.create(layout, 'demo', keystore); print(ledger.origin); ledger.close()"
    processes = [python(code, tmp_path) for _ in range(4)]
    origins = {process.communicate(timeout=120)[0] for process in processes}
    assert origins == {Ledger.read_only(layout).origin + "\n"}
    assert len(list((tmp_path / "keys").iterdir())) == 1


@pytest.mark.parametrize("kills", range(4))
def test_what_a_killed_process_acknowledged_is_there_afterwards(ledger, layout, keystore, tmp_path, kills):
    ledger.close()
    process = python(
        OPEN
        + """
ledger = Ledger.open(layout, keystore)
while True:
    writing.promote(ledger, ledger.state.lifecycle("rain").next_version)
    print(ledger.state.size, flush=True)
""",
        tmp_path,
    )
    first = process.stdout.readline()
    time.sleep(0.02 * kills)
    process.kill()
    acknowledged = [int(word) for word in (first + process.communicate()[0]).split()]
    with Ledger.open(layout, keystore) as again:
        assert again.state.size >= acknowledged[-1]
        assert again.state == fold(layout)
        assert again.append(submitted()).seq == again.state.size - 1


def test_a_writer_that_waits_in_vain_names_the_holder(ledger, layout, keystore, tmp_path):
    code = (
        OPEN
        + """
import time
ledger = Ledger.open(layout, keystore)
def wait(state):
    print("held", flush=True)
    time.sleep(60)
ledger.append(wait)
"""
    )
    holder = python(code, tmp_path)
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGSTOP)
    ledger._timeout = 0.1
    with pytest.raises(LedgerConflict, match=f"in use by process {holder.pid} "):
        ledger.append(submitted())
    holder.kill()
    holder.communicate()
    assert ledger.append(submitted()).seq == 1


def test_a_lock_file_that_lost_its_name_excludes_nobody_and_is_made_again(ledger, layout):
    layout.lock.unlink()
    assert ledger.append(submitted()).seq == 1
    assert layout.lock.read_text().strip() == str(os.getpid())


def test_a_forked_child_takes_a_lock_of_its_own(ledger, layout, tmp_path):
    code = (
        OPEN
        + """
import os
ledger = Ledger.open(layout, keystore)
ledger.append(writing.submitted())
def compose(state):
    child = os.fork()
    if child == 0:
        ledger._timeout = 0.05
        try:
            ledger.append(writing.submitted())
        except Exception as error:
            os._exit(7 if "in use by process" in str(error) else 8)
        os._exit(9)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return writing.submitted()(state)
ledger.append(compose)
ledger.close()
"""
    )
    assert run(code, tmp_path) == "7\n"
    assert fold(layout).size == 3


def test_a_full_disk_loses_nothing_and_records_nothing(ledger, layout, keystore, tmp_path):
    """The file may grow by a few lines only; each refused append leaves it as it was."""
    ledger.close()
    code = (
        OPEN
        + """
import resource
from noa_mlops.errors import LedgerConflict
ledger = Ledger.open(layout, keystore)
limit = layout.ledger.stat().st_size + 3000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
refused = 0
for _ in range(8):
    try:
        print(ledger.append(writing.submitted()).seq, flush=True)
    except LedgerConflict as error:
        assert "could not be written" in str(error), error
        assert layout.ledger.read_bytes().endswith(b"}\\n")
        refused += 1
assert refused
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(ledger.append(writing.submitted()).seq)
ledger.close()
"""
    )
    acknowledged = [int(word) for word in run(code, tmp_path).split()]
    assert acknowledged == list(range(1, len(acknowledged) + 1))
    assert 2 <= len(acknowledged) <= 6
    assert Ledger.read_only(layout).state.size == len(acknowledged) + 1
    with Ledger.open(layout, keystore) as again:
        assert again.recovered is None


def test_a_decision_that_cannot_be_sealed_is_not_acknowledged_and_is_sealed_by_the_next_writer(
    ledger, layout, keystore, tmp_path
):
    ledger.append(submitted())
    ledger.append(trained())
    ledger.append(evaluated())
    ledger.close()
    code = (
        OPEN
        + """
import os
from noa_mlops.errors import LedgerConflict
ledger = Ledger.open(layout, keystore)
real, heads = os.write, os.stat(layout.log_checkpoints)
def full(descriptor, data):
    if os.path.samestat(os.fstat(descriptor), heads):
        raise OSError(28, "No space left on device")
    return real(descriptor, data)
os.write = full
try:
    ledger.append(writing.decided())
except LedgerConflict as error:
    print(error)
os._exit(0)
"""
    )
    assert "entry 4 is recorded but not sealed" in run(code, tmp_path)
    assert Ledger.read_only(layout).state.size == 4
    with Ledger.open(layout, keystore) as again:
        assert (again.sealed_size, again.state.lifecycle("rain").champion) == (5, 1)


def test_a_failed_sync_stops_the_writer_and_the_next_one_recovers(ledger, layout, keystore, monkeypatch):
    """What the disk holds after it is unknown, so it is never taken for a success later."""
    real = os.fdatasync

    def broken(descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(LedgerConflict, match="could not be synced"):
        ledger.append(submitted())
    monkeypatch.setattr(os, "fdatasync", real)
    for _ in range(2):
        with pytest.raises(LedgerConflict, match="this writer has stopped"):
            ledger.append(submitted())
    ledger.close()
    with Ledger.open(layout, keystore) as again:
        assert (again.state.size, again.recovered) == (1, None)
        assert again.append(submitted()).seq == 1


def test_a_failed_write_that_cannot_be_undone_stops_the_writer(ledger, layout, keystore, monkeypatch):
    real = os.write

    def torn(descriptor, data):
        real(descriptor, data[:10])
        raise OSError(5, "Input/output error")

    def stuck(descriptor, size):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", torn)
        patched.setattr(os, "ftruncate", stuck)
        with pytest.raises(LedgerConflict, match="could not be written"):
            ledger.append(submitted())
    with pytest.raises(LedgerConflict, match="this writer has stopped"):
        ledger.append(submitted())
    with Ledger.open(layout, keystore) as again:
        assert again.recovered.read_bytes() == b'{"_type":"'
        assert again.append(submitted()).seq == 1


def test_objects_are_named_by_their_content_and_checked_when_read(ledger, layout):
    digest = ledger.put_object(b"a plan")
    assert ledger.put_object(b"a plan") == digest
    assert [path.name for path in layout.objects.iterdir()] == [digest]
    assert Ledger.read_only(layout).get_object(digest) == b"a plan"
    (layout.objects / digest).write_bytes(b"another plan")
    with pytest.raises(LedgerTampered, match="does not hold the bytes"):
        ledger.get_object(digest)
    assert ledger.put_object(b"a plan") == digest
    assert ledger.get_object(digest) == b"a plan"


@pytest.mark.parametrize("name", ["f" * 64, "../ledger.jsonl", "", "A" * 64])
def test_an_object_that_is_not_there_is_a_finding(ledger, name):
    with pytest.raises(LedgerTampered, match=r"cannot be read|not the name"):
        ledger.get_object(name)


def test_a_reader_never_sees_half_of_what_a_writer_writes(ledger, layout, tmp_path):
    process = python(APPEND, tmp_path, 60)
    reader, sizes = Ledger.read_only(layout), []
    while process.poll() is None:
        reader.refresh()
        sizes.append(reader.state.size + len(reader.pending))
    process.communicate()
    assert sizes == sorted(sizes)
    reader.refresh()
    assert (reader.state.size, reader.pending) == (61, ())


def test_a_draft_of_the_wrong_kind_is_refused_before_it_is_written(ledger):
    with pytest.raises(LedgerConflict, match="has a subject"):
        ledger.append(lambda _: Draft("Submitted", "noa:lifecycle/v1", {}, [], "rain", 1))


def test_there_is_nothing_to_open_before_a_ledger_was_created(layout, keystore):
    with pytest.raises(NotFound, match="no ledger"):
        Ledger.open(layout, keystore)


def test_a_ledger_that_cannot_be_read_is_not_taken_for_none(layout):
    layout.evidence.parent.mkdir(parents=True)
    layout.evidence.write_text("a file in the folder's place")
    with pytest.raises(LedgerConflict, match="cannot be read"):
        Ledger.read_only(layout)


@pytest.mark.parametrize("name", ["ledger", "log_checkpoints", "lock"])
def test_a_folder_in_place_of_a_file_is_a_conflict(layout, keystore, name):
    layout.evidence.mkdir(parents=True)
    getattr(layout, name).mkdir()
    with pytest.raises((LedgerConflict, UnsafePath)):
        Ledger.create(layout, "demo", keystore)
    assert not (layout.ledger.is_file() and layout.ledger.stat().st_size)

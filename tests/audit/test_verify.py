"""Verify finds whatever no longer says what was signed: file, entry, reason. It never changes a byte."""

from __future__ import annotations

import json
import os
import re
import shutil

import pytest

from audit.conftest import orchestrator_of, run
from ledger.writing import evaluated, submitted, trained
from lifecycle.drafts import MAKES, append
from noa_mlops.audit import Finding, verify
from noa_mlops.cli.app import main
from noa_mlops.errors import NotFound
from noa_mlops.evidence import split_line
from noa_mlops.ledger import KeyStore, Ledger, read_entry, split_records
from noa_mlops.records.events import named_objects
from noa_mlops.records.layout import Layout

LEDGER = "storage/db/evidence/ledger.jsonl"
HEADS = "storage/db/evidence/checkpoints.log"
STORED = "storage/artifacts/little/command/1"
MIRROR = "registry/ml_artifacts.log"
HEAD = "registry/checkpoint"
CAPABILITIES = "registry/capabilities.json"


def entries(audited):
    return [json.loads(line)["noa_entry"] for line in audited.layout.ledger.read_bytes().splitlines()]


def seq_of(audited, kind, version=1):
    return next(entry["seq"] for entry in entries(audited) if (entry["type"], entry.get("version")) == (kind, version))


@pytest.fixture
def promotion(audited):
    """The index of the entry that made version 1 the champion."""
    return seq_of(audited, "PromotionReady")


def test_an_untouched_project_holds(audited):
    result = verify(audited.layout)
    assert result.findings == ()
    assert result.holds
    assert result.entries == result.sealed == len(entries(audited))
    assert result.versions == 1
    assert audited.findings(origin=result.origin) == ()


def test_without_an_anchor_it_says_what_it_cannot_rule_out(audited):
    result = verify(audited.layout)
    assert len(result.notes) == 1
    assert "rolled back" in result.notes[0]
    assert verify(audited.layout, origin=result.origin).notes == ()


def test_another_origin_than_the_given_one_is_found(audited):
    (finding,) = audited.findings(origin="little/" + "0" * 64)
    assert (audited.named(finding), finding.entry) == (LEDGER, 0)
    assert finding.reason.startswith("its origin is project/")


def test_a_finding_reads_as_file_entry_and_reason():
    assert str(Finding("a/b", 3, "is missing")) == "a/b, entry 3: is missing"
    assert str(Finding("a/b", None, "is missing")) == "a/b: is missing"


def test_a_folder_without_a_ledger_is_not_verified(tmp_path):
    with pytest.raises(NotFound, match="there is no ledger"):
        verify(Layout.of(tmp_path))


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_flipped_bit_in_the_ledger_is_found_at_its_entry(audited, share):
    data = audited.layout.ledger.read_bytes()
    place = int(len(data) * share)
    entry = data[:place].count(b"\n")
    audited.flip(audited.layout.ledger, place)
    first = audited.findings()[0]
    assert (audited.named(first), first.entry) == (LEDGER, entry)
    assert "nothing after it can be trusted" in first.reason


def test_a_dropped_a_swapped_and_a_repeated_line_are_found_at_their_entry(audited):
    lines = audited.layout.ledger.read_bytes().splitlines(keepends=True)
    changes = {
        2: [*lines[:2], *lines[3:]],
        3: [*lines[:3], lines[4], lines[3], *lines[5:]],
        5: [*lines[:5], lines[4], *lines[5:]],
        len(lines): [*lines, b"\n"],
    }
    for entry, changed in changes.items():
        audited.rewrite(audited.layout.ledger, b"".join(changed))
        first = audited.findings()[0]
        assert (audited.named(first), first.entry) == (LEDGER, entry)


def test_a_ledger_rolled_back_below_its_checkpoints_is_found(audited):
    """Every line that is left is valid; only the checkpoint knows that there were more."""
    lines = audited.layout.ledger.read_bytes().splitlines(keepends=True)
    audited.rewrite(audited.layout.ledger, b"".join(lines[:-2]))
    (finding, *_) = audited.findings()
    assert (audited.named(finding), finding.entry) == (LEDGER, len(lines) - 2)
    assert f"a checkpoint vouches for {len(lines)} entries" in finding.reason


def test_a_ledger_and_its_checkpoints_rolled_back_together_are_found_by_the_mirror(audited):
    lines = audited.layout.ledger.read_bytes().splitlines(keepends=True)
    notes = split_records(audited.layout.log_checkpoints.read_bytes())
    kept = next(note for note in reversed(notes) if int(note.split(b"\n")[1]) < seq_of(audited, "PromotionReady", 2))
    size = int(kept.split(b"\n")[1])
    audited.rewrite(audited.layout.ledger, b"".join(lines[:size]))
    earlier = notes[: notes.index(kept) + 1]
    audited.rewrite(audited.layout.log_checkpoints, b"".join(note + b"\n" for note in earlier))
    assert audited.found() == {(MIRROR, None)}


def test_an_empty_ledger_is_found(audited):
    audited.rewrite(audited.layout.ledger, b"")
    assert (LEDGER, None) in audited.found()


def test_a_ledger_behind_a_link_is_found(audited):
    moved = audited.layout.ledger.rename(audited.layout.ledger.with_name("moved"))
    audited.layout.ledger.symlink_to(moved)
    reasons = {
        finding.reason for finding in audited.findings() if (audited.named(finding), finding.entry) == (LEDGER, None)
    }
    assert any(reason.startswith("cannot be read (") for reason in reasons)


@pytest.mark.parametrize("place", [0, 60, 200, -3])
def test_a_flipped_bit_in_the_checkpoints_is_found(audited, place):
    audited.flip(audited.layout.log_checkpoints, place)
    assert (HEADS, None) in audited.found()


def test_missing_and_empty_checkpoints_are_found(audited):
    audited.rewrite(audited.layout.log_checkpoints, b"")
    assert (HEADS, None) in audited.found()
    audited.layout.log_checkpoints.unlink()
    assert (HEADS, None) in audited.found()


def test_checkpoints_in_another_order_are_found(audited):
    notes = split_records(audited.layout.log_checkpoints.read_bytes())
    audited.rewrite(audited.layout.log_checkpoints, b"".join(note + b"\n" for note in reversed(notes)))
    assert audited.found() == {(HEADS, None)}


def every_object(audited):
    for line in audited.layout.ledger.read_bytes().splitlines():
        statement = json.loads(line)
        for digest in named_objects(statement):
            yield digest, statement["noa_entry"]["seq"]


def test_every_missing_object_is_found_at_the_entry_that_names_it_first(audited):
    wanted = {}
    for digest, seq in every_object(audited):
        wanted.setdefault(digest, seq)
    assert len(wanted) >= 8
    shutil.rmtree(audited.layout.objects)
    objects = "storage/db/evidence/objects/"
    assert audited.found() == {(f"{objects}{digest}", seq) for digest, seq in wanted.items()}


def test_every_object_with_a_flipped_bit_is_found(audited):
    for digest, _ in every_object(audited):
        path = audited.layout.objects / digest
        good = path.read_bytes()
        audited.flip(path, len(good) // 2)
        assert [audited.named(finding) for finding in audited.findings()] == [f"storage/db/evidence/objects/{digest}"]
        audited.rewrite(path, good)


def test_an_object_behind_a_link_is_found(audited):
    digest, seq = next(every_object(audited))
    path = audited.layout.objects / digest
    path.symlink_to(path.rename(path.with_name("moved")))
    assert audited.found() == {(f"storage/db/evidence/objects/{digest}", seq)}


@pytest.mark.parametrize(
    "name", ["model/cut", "code/src/train.sh", "predictions.parquet", "manifest.json", "model.sig"]
)
def test_a_flipped_bit_in_every_file_of_a_promoted_version_is_found(audited, promotion, name):
    audited.flip(audited.stored / name, -2)
    found = audited.found()
    assert found == {(f"{STORED}/{name}", promotion)}


@pytest.mark.parametrize("name", ["model/cut", "code/src/train.sh", "predictions.parquet", "model.sig"])
def test_a_missing_file_of_a_promoted_version_is_found(audited, promotion, name):
    (audited.stored / name).unlink()
    assert audited.found() == {(f"{STORED}/{name}", promotion)}


@pytest.mark.parametrize("name", ["model/more", "extra"])
def test_an_added_file_in_a_promoted_version_is_found(audited, promotion, name):
    (audited.stored / name).write_bytes(b"")
    assert audited.found() == {(f"{STORED}/{name}", promotion)}


def test_a_promoted_version_that_is_gone_is_found(audited, promotion):
    shutil.rmtree(audited.stored)
    (finding,) = audited.findings()
    assert (audited.named(finding), finding.entry) == (STORED, promotion)
    assert "little@1 is not in the store" in finding.reason


def test_a_manifest_that_was_exchanged_for_a_valid_one_is_found_and_not_believed(audited, promotion):
    """Its files are not asked for: what an unsigned manifest lists means nothing."""
    path = audited.stored / "manifest.json"
    audited.rewrite(path, path.read_bytes().replace(b'"seed":0', b'"seed":1'))
    (audited.stored / "model" / "cut").unlink()
    assert (f"{STORED}/manifest.json", promotion) in audited.found()
    assert (f"{STORED}/model/cut", promotion) not in audited.found()


@pytest.mark.parametrize("path", ["../../../../../../../secret", "{}/secret"])
def test_a_manifest_that_leads_outside_is_found_and_nothing_outside_is_opened(audited, promotion, tmp_path, path):
    """A pipe lies there: opening it to read would never return."""
    os.mkfifo(tmp_path / "secret")
    manifest = audited.stored / "manifest.json"
    document = json.loads(manifest.read_bytes())
    document["files"][0]["path"] = path.format(tmp_path)
    audited.rewrite(manifest, json.dumps(document).encode())
    assert audited.found() == {(f"{STORED}/manifest.json", promotion)}


def test_a_run_on_its_way_may_be_ahead_of_the_mirror_and_what_is_sealed_may_not(audited):
    """The mirror follows when the run ends; until then nothing vouches for the entry."""
    with Ledger.open(audited.layout, KeyStore()) as ledger:
        history = []
        for step in ("submitted", "trained", "evaluated"):
            append(ledger, MAKES[step], "other", history)
        named = {audited.named(finding) for finding in verify(audited.layout).findings}
        assert MIRROR not in named
    assert MIRROR in {audited.named(finding) for finding in verify(audited.layout).findings}


def test_a_flipped_bit_in_the_mirror_or_its_head_is_found(audited):
    good = audited.layout.mirror.read_bytes()
    audited.flip(audited.layout.mirror, len(good) // 2)
    assert (MIRROR, None) in audited.found()
    audited.rewrite(audited.layout.mirror, good)
    audited.flip(audited.layout.mirror_checkpoint, 100)
    assert audited.found() == {(HEAD, None)}


@pytest.mark.parametrize(("attribute", "name"), [("mirror", MIRROR), ("mirror_checkpoint", HEAD)])
def test_a_missing_mirror_or_head_is_found(audited, attribute, name):
    getattr(audited.layout, attribute).unlink()
    assert audited.found() == {(name, None)}


@pytest.mark.parametrize(
    "text", ["", "not json", '{"version": 1, "capabilities": []}', '{"version": 1, "capabilities": [{"id": "x"}]}']
)
def test_a_capability_manifest_that_does_not_know_us_is_found(audited, text):
    audited.rewrite(audited.layout.capabilities, text.encode())
    assert audited.found() == {(CAPABILITIES, None)}


def test_everything_that_is_wrong_is_found_at_once(audited, promotion):
    (audited.stored / "model" / "cut").unlink()
    digest, seq = next(every_object(audited))
    (audited.layout.objects / digest).unlink()
    audited.layout.mirror.unlink()
    assert audited.found() == {
        (f"storage/db/evidence/objects/{digest}", seq),
        (f"{STORED}/model/cut", promotion),
        (MIRROR, None),
    }


def test_an_entry_that_is_signed_but_does_not_say_what_it_must_is_found(tmp_path):
    layout = Layout.of(tmp_path / "project")
    with Ledger.create(layout, "demo", KeyStore(tmp_path / "keys")) as ledger:
        ledger.append(submitted())
        ledger.append(trained())
        ledger.append(evaluated())
    found = {finding.entry: finding.reason for finding in verify(layout).findings if finding.file == str(layout.ledger)}
    assert found.keys() == {2, 3}
    assert all(reason.startswith("does not say what an entry of its type must say") for reason in found.values())


@pytest.mark.parametrize("damage", [False, True])
def test_the_command_line_says_0_when_all_holds_and_4_when_not(audited, capsys, damage):
    if damage:
        (audited.stored / "model" / "cut").unlink()
    status = main(["verify", "--json", "-C", str(audited.layout.project)])
    document = json.loads(capsys.readouterr().out)
    assert status == document["exit"] == (4 if damage else 0)
    assert document["holds"] is not damage
    assert len(document["findings"]) == damage


def test_people_are_told_what_was_looked_at_and_how_long_it_took(audited, capsys):
    result = verify(audited.layout)
    assert main(["verify", "-C", str(audited.layout.project)]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert re.fullmatch(
        rf"verified: {result.entries} entries, {result.sealed} sealed by {result.checkpoints} checkpoints, "
        rf"{result.objects} objects, 1 version in the store; \d+\.\d s",
        first,
    )


def test_people_are_told_each_finding_on_a_line_and_what_to_do(audited, promotion, capsys):
    (audited.stored / "model" / "cut").unlink()
    audited.layout.mirror.unlink()
    assert main(["verify", "-C", str(audited.layout.project)]) == 4
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{STORED}/model/cut, entry {promotion}: ")
    assert lines[1].startswith(f"{MIRROR}: cannot be read")
    assert lines[2].startswith("2 findings: ")
    assert lines[-1].startswith("Next        Nothing was changed. Restore the files named above")


def test_a_registry_that_alone_does_not_hold_can_be_written_anew(audited, capsys):
    audited.flip(audited.layout.mirror, 100)
    assert main(["verify", "-C", str(audited.layout.project)]) == 4
    assert "'noa doctor --repair' writes the registry anew" in capsys.readouterr().out


def test_every_entry_of_a_real_run_reads_back_from_its_line(audited):
    for line in audited.layout.ledger.read_bytes().splitlines():
        assert read_entry(line, split_line(line)).line == line


def test_a_model_made_elsewhere_that_could_not_be_taken_over_leaves_evidence_that_holds(healthy):
    """Its files are named by the entry that submitted it, before anything ran."""
    healthy.project.write("made/elsewhere/weights.bin", b"weights")
    with orchestrator_of(healthy.project) as orchestrator:
        report = run(
            orchestrator,
            healthy.project,
            agent_profile="import",
            hyperparameters={"path": "made/elsewhere"},
            code=None,
        )
    assert report.state == "failed"
    assert "must say how it predicts" in report.failure["message"]
    assert healthy.findings() == ()

"""What is handed out is what was promoted, to the last byte; everything else is refused by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

import noa_mlops
from delivery.conftest import folder_of
from noa_mlops.errors import ArtifactTampered, LedgerTampered, NotFound
from noa_mlops.evidence import ECDSA_P256, SigningKey, sign_model
from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.records.layout import Layout


def decision(project, lifecycle_id, version):
    """The entry that promoted a version."""
    return next(
        entry
        for entry in project.entries()
        if entry["noa_entry"]["type"] == "PromotionReady"
        and (entry["noa_entry"]["lifecycle_id"], entry["noa_entry"]["version"]) == (lifecycle_id, version)
    )


@pytest.mark.parametrize(
    ("name", "lifecycle_id", "profile", "version"),
    [
        ("little", "little", "command", 2),
        ("little@2", "little", "command", 2),
        ("little@1", "little", "command", 1),
        ("trees", "trees", "sklearn-classifier", 1),
        ("line", "line", "sklearn-regressor", 1),
    ],
)
def test_gives_the_champion_or_the_version_that_is_named(project, name, lifecycle_id, profile, version):
    model = noa_mlops.load(name, project.path)
    assert (model.lifecycle_id, model.version) == (lifecycle_id, version)
    assert model.path == folder_of(project, lifecycle_id, profile, version)
    assert model.manifest.to_bytes() == (model.path / "manifest.json").read_bytes()
    assert model.checksum == decision(project, lifecycle_id, version)["subject"][0]["digest"]["sha256"]


def test_takes_the_present_folder_for_the_project(project, monkeypatch):
    monkeypatch.chdir(project.path)
    assert noa_mlops.load("little").version == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("other", "no lifecycle 'other'"),
        ("", "no lifecycle ''"),
        ("../little", "no lifecycle '../little'"),
        ("nothing", "has no champion"),
        ("nothing@1", "nothing@1 was never promoted: it is rejected"),
        ("little@3", "little@3 was never promoted: it is rejected"),
        ("little@4", "no 'little@4'; the newest is little@3"),
        ("little@0", "no 'little@0'"),
        ("little@-1", "no 'little@-1'"),
        ("little@", "no 'little@'"),
        ("little@two", "no 'little@two'"),
        ("little@\u0662", "no 'little@"),
        ("little@1@2", "no 'little@1@2'"),
    ],
)
def test_knows_nothing_that_was_not_promoted(project, name, said):
    with pytest.raises(NotFound, match=said.replace("(", r"\(")):
        noa_mlops.load(name, project.path)


def test_needs_a_ledger(tmp_path):
    with pytest.raises(NotFound, match="there is no ledger"):
        noa_mlops.load("little", tmp_path)


def test_holds_the_project_to_the_origin_that_is_given(project):
    origin = Ledger.read_only(Layout.of(project.path)).origin
    assert noa_mlops.load("little", project.path, origin=origin).version == 2
    with pytest.raises(LedgerTampered, match="has the origin"):
        noa_mlops.load("little", project.path, origin="project/" + "0" * 64)


def test_needs_no_private_key_and_changes_nothing(project, monkeypatch, tmp_path):
    monkeypatch.setenv("NOA_KEYS", str(tmp_path / "nowhere"))
    before = project.state()
    noa_mlops.load("little", project.path)
    assert project.state() == before


def test_loads_no_data_library(project):
    program = "import sys, noa_mlops; noa_mlops.load('little', sys.argv[1]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, project.path], capture_output=True, text=True, check=True)
    assert {"numpy", "pyarrow", "sklearn", "pydantic"}.isdisjoint(done.stdout.split())


FILES = ["model/cut", "code/src/train.sh", "code/src/predict.sh", "manifest.json", "model.sig", "predictions.parquet"]


def replaced(path, content):
    path.chmod(0o644)
    path.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
def test_refuses_a_changed_byte_and_names_the_file(project, name):
    path = folder_of(project) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    replaced(path, bytes(content))
    with pytest.raises(ArtifactTampered, match=name):
        noa_mlops.load("little", project.path)
    assert noa_mlops.load("little@1", project.path).version == 1


@pytest.mark.parametrize("name", FILES)
def test_refuses_an_added_byte_and_names_the_file(project, name):
    path = folder_of(project) / name
    replaced(path, path.read_bytes() + b"\n")
    with pytest.raises(ArtifactTampered, match=name):
        noa_mlops.load("little", project.path)


@pytest.mark.parametrize("name", FILES)
def test_refuses_a_missing_file_and_names_it(project, name):
    (folder_of(project) / name).unlink()
    with pytest.raises(ArtifactTampered, match=name):
        noa_mlops.load("little", project.path)


@pytest.mark.parametrize("name", FILES)
def test_refuses_a_link_in_the_place_of_a_file_even_to_the_same_bytes(project, tmp_path, name):
    path = folder_of(project) / name
    (tmp_path / "same").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "same")
    with pytest.raises(ArtifactTampered, match=name):
        noa_mlops.load("little", project.path)


@pytest.mark.parametrize("name", ["model/extra", "model/.git/config", "code/extra.sh", "extra", "model.sig.bak"])
def test_refuses_a_file_that_was_added(project, name):
    path = folder_of(project) / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    with pytest.raises(ArtifactTampered, match=f"{name.removesuffix('/config')} is not in the manifest"):
        noa_mlops.load("little", project.path)


def test_refuses_a_folder_that_is_gone(project):
    shutil.rmtree(folder_of(project))
    with pytest.raises(ArtifactTampered, match="little@2 is not in the store"):
        noa_mlops.load("little", project.path)


def test_refuses_the_folder_of_another_version(project):
    shutil.rmtree(folder_of(project))
    shutil.copytree(folder_of(project, version=1), folder_of(project))
    with pytest.raises(ArtifactTampered, match=r"manifest\.json is the manifest of another version"):
        noa_mlops.load("little", project.path)


def signed_anew(project, key):
    """A genuine signature over the right files, made a second time."""
    model = noa_mlops.load("little", project.path)
    replaced(model.path / "model.sig", sign_model("little@2", model.manifest.files, key))


def test_refuses_a_signature_that_the_ledger_does_not_name_whoever_made_it(project):
    policy = Ledger.read_only(Layout.of(project.path)).state.policy
    for key in (KeyStore().find(policy).signing_key("model"), SigningKey.generate(ECDSA_P256)):
        signed_anew(project, key)
        with pytest.raises(ArtifactTampered, match=r"model\.sig is not the model signature that the ledger names"):
            noa_mlops.load("little", project.path)
        result = project.tell("verify", "--json")
        assert result.status == 4
        assert [finding["file"] for finding in result.document["findings"]] == [str(folder_of(project) / "model.sig")]
        shutil.copy(project.path.parent / "model.sig", folder_of(project) / "model.sig")


@pytest.fixture(autouse=True)
def _kept_signature(request):
    """The recorded signature beside the project, to be put back."""
    if "project" in request.fixturenames:
        project = request.getfixturevalue("project")
        shutil.copy(folder_of(project) / "model.sig", project.path.parent / "model.sig")
        (project.path.parent / "model.sig").chmod(0o644)


def test_refuses_a_changed_ledger(project):
    path = project.path / "storage/db/evidence/ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"status":"blocked"', b'"status":"ready"', 1))
    with pytest.raises(LedgerTampered):
        noa_mlops.load("little", project.path)


def test_the_reference_tool_accepts_what_a_run_wrote(project):
    export = project.tell("keys", "export", "--to", str(project.path.parent / "public"))
    assert export.status == 0, export.said
    (public,) = (project.path.parent / "public").glob("model-*.pem")
    for folder in (folder_of(project), folder_of(project, "trees", "sklearn-classifier", 1)):
        command = [
            *(sys.executable, "-m", "model_signing", "verify", "key", "--public_key", str(public)),
            *("--signature", str(folder / "model.sig"), "--no-ignore-git-paths", str(folder / "model")),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "alter",
    [
        lambda folder: (folder / "model.sig").unlink(),
        lambda folder: replaced(folder / "model.sig", b"{}"),
        lambda folder: shutil.copy(folder.with_name("1") / "model.sig", folder / "model.sig"),
    ],
    ids=["missing", "altered", "foreign"],
)
def test_verify_names_a_model_signature_that_is_missing_altered_or_foreign(project, alter):
    assert project.tell("verify").status == 0
    (folder_of(project) / "model.sig").chmod(0o644)
    alter(folder_of(project))
    result = project.tell("verify", "--json")
    assert result.status == 4
    (finding,) = result.document["findings"]
    assert finding["file"] == str(folder_of(project) / "model.sig")


def test_the_decision_names_the_signature_by_its_digest_and_the_manifest_holds_no_verdict(project):
    subjects = {item["name"] for item in decision(project, "little", 2)["subject"]}
    assert subjects == {"little@2", "manifest.json", "model.sig", "predictions.parquet", "summary.json"}
    manifest = json.loads((folder_of(project) / "manifest.json").read_bytes())
    assert {"verdict", "status", "decision", "signature"}.isdisjoint(manifest)


def test_a_stored_signature_is_read_only(project, template):
    path = template / folder_of(project).relative_to(project.path) / "model.sig"
    assert os.stat(path).st_mode & 0o222 == 0

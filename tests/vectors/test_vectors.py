"""Two verifiers that share no code, on the same proofs: they agree on every one, and on why."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from noa_mlops.audit import PortableProof, proof_verification, verifier_source, verify_proof
from noa_mlops.cli.app import main
from vectors.logs import CODE, MODEL, PREDICTIONS
from vectors.make import write

HERE = Path(__file__).parent
INDEX = json.loads((HERE / "index.json").read_text())
GOOD, BAD = INDEX["good"], INDEX["bad"]
VERIFIER = Path(proof_verification.__file__).with_name("verify_noa_proof.py")


def load_verifier():
    spec = importlib.util.spec_from_file_location("verify_noa_proof", VERIFIER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ALONE = load_verifier()


def proof(kind, name):
    return (HERE / kind / f"{name}.noa-proof").read_bytes()


def ours(data, origin, model=None):
    """What the package finds."""
    return [str(finding) for finding in verify_proof(data, file="proof", origin=origin, model=model).findings]


def alone(data, origin, model=None):
    """What the single file finds, and what it says of a good proof."""
    said = {"status": None, "checksum": None, "named": {}}
    return list(ALONE.verify(data, origin, model and str(model), said)), said


@pytest.mark.parametrize("name", GOOD)
def test_both_accept_a_good_proof_and_say_the_same_of_it(name):
    data, origin, status = proof("good", name), GOOD[name]["origin"], GOOD[name]["status"]
    result, (findings, said) = verify_proof(data, file="proof", origin=origin), alone(data, origin)
    assert (result.findings, findings) == ((), [])
    assert (result.holds, result.status, result.origin) == (True, status, origin)
    assert (said["status"], said["origin"], said["checksum"]) == (status, origin, result.checksum)


@pytest.mark.parametrize("name", BAD)
def test_both_refuse_a_bad_proof_for_its_reason(name):
    data, origin, finding = proof("bad", name), BAD[name]["origin"], BAD[name]["finding"]
    assert re.search(finding, "\n".join(ours(data, origin)))
    assert re.search(finding, "\n".join(alone(data, origin)[0]))


def test_there_are_vectors_enough():
    assert len(GOOD) >= 20
    assert len(BAD) >= 250


def test_the_vectors_are_those_that_the_fixed_keys_give(tmp_path):
    write(tmp_path)
    for path in sorted([*tmp_path.rglob("*.noa-proof"), tmp_path / "index.json"]):
        assert path.read_bytes() == (HERE / path.relative_to(tmp_path)).read_bytes(), path.name
    committed = {path.relative_to(HERE) for path in HERE.rglob("*.noa-proof")}
    assert committed == {path.relative_to(tmp_path) for path in tmp_path.rglob("*.noa-proof")}


PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_both_find_every_single_bit_that_is_flipped(part):
    data, origin = proof("good", "smallest"), GOOD["smallest"]["origin"]
    missed = []
    for place in range(part, 8 * len(data), PARTS):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        if not ours(bytes(flipped), origin) or not alone(bytes(flipped), origin)[0]:
            missed.append(place)
    assert missed == []


def test_both_find_a_flipped_bit_anywhere_in_the_proof_of_a_promotion():
    data, origin = proof("good", "promoted"), GOOD["promoted"]["origin"]
    for place in range(0, 8 * len(data), 29):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        assert ours(bytes(flipped), origin), place
        assert alone(bytes(flipped), origin)[0], place


def test_both_find_a_flipped_bit_in_every_row_of_the_proof_of_a_log_whose_policy_changed():
    name, start = "revoked-after-the-decision", 0
    data, origin = proof("good", name), GOOD[name]["origin"]
    for row in data.splitlines(keepends=True):
        bits = range(8 * start, 8 * (start + len(row)), 97 if len(row) < 200 else 997)
        start += len(row)
        for place in (*bits, 8 * start - 1):
            flipped = bytearray(data)
            flipped[place // 8] ^= 1 << place % 8
            assert ours(bytes(flipped), origin), place
            assert alone(bytes(flipped), origin)[0], place


def test_both_find_a_proof_that_is_cut_anywhere():
    data, origin = proof("good", "smallest"), GOOD["smallest"]["origin"]
    for length in range(len(data)):
        assert ours(data[:length], origin)
        assert alone(data[:length], origin)[0]


def test_reading_and_writing_a_proof_gives_the_same_bytes():
    for name in GOOD:
        data = proof("good", name)
        assert PortableProof.from_bytes(data).to_bytes() == data


@pytest.fixture
def model(tmp_path):
    """The folder of ``rain@1`` as it is handed out."""
    for part, contents in (("model", MODEL), ("code", CODE)):
        for path, data in contents.items():
            target = tmp_path / "handed" / part / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    tmp_path.joinpath("handed", "predictions.parquet").write_bytes(PREDICTIONS)
    manifest = PortableProof.from_bytes(proof("good", "promoted")).manifest
    tmp_path.joinpath("handed", "manifest.json").write_bytes(manifest)
    return tmp_path / "handed"


def both(model):
    data, origin = proof("good", "promoted"), GOOD["promoted"]["origin"]
    return "\n".join(ours(data, origin, model)), "\n".join(alone(data, origin, model)[0])


def test_both_accept_the_model_that_was_promoted(model):
    assert both(model) == ("", "")


def test_files_beside_the_model_may_be_left_out(model):
    (model / "predictions.parquet").unlink()
    (model / "manifest.json").unlink()
    assert both(model) == ("", "")


def flip(path):
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def replace_by_link(path):
    kept = path.parent.parent.parent / "kept"
    path.rename(kept)
    path.symlink_to(kept)


def replace_by_pipe(path):
    path.unlink()
    os.mkfifo(path)


def link_parent(path):
    kept = path.parent.parent.parent / "kept"
    path.parent.rename(kept)
    path.parent.symlink_to(kept)


@pytest.mark.parametrize(
    ("spoil", "path"),
    [
        (flip, "model/weights.bin"),
        (flip, "model/deep/notes.txt"),
        (flip, "code/features.py"),
        (flip, "predictions.parquet"),
        (flip, "manifest.json"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "model/weights.bin"),
        (lambda path: path.write_bytes(b""), "model/weights.bin"),
        (Path.unlink, "model/weights.bin"),
        (Path.unlink, "code/features.py"),
        (lambda path: path.write_bytes(b""), "model/more.bin"),
        (lambda path: path.write_bytes(b""), "model/deep/.hidden"),
        (lambda path: path.write_bytes(b""), "more.txt"),
        (Path.mkdir, "model/empty"),
        (Path.mkdir, ".git"),
        (lambda path: path.symlink_to("weights.bin"), "model/link"),
        (replace_by_link, "model/weights.bin"),
        (replace_by_link, "predictions.parquet"),
        (replace_by_pipe, "model/weights.bin"),
        (link_parent, "model/deep/notes.txt"),
    ],
)
def test_both_find_what_was_done_to_the_model(model, spoil, path):
    spoil(model / path)
    name = "deep" if spoil is link_parent else Path(path).name
    for findings in both(model):
        assert name in findings


def test_a_version_without_files_is_no_proof_of_a_model(model):
    data, origin = proof("good", "training-failed"), GOOD["training-failed"]["origin"]
    for findings in (ours(data, origin, model), alone(data, origin, model)[0]):
        assert "does not say of which files" in findings[0]


def run_alone(*arguments):
    command = [sys.executable, "-I", str(VERIFIER), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


@pytest.mark.parametrize(
    ("kind", "name", "origin", "status", "says"),
    [
        ("good", "promoted", GOOD["promoted"]["origin"], 0, "verified: rain@1"),
        ("good", "promoted", None, 4, "self-consistent, signer unknown"),
        ("good", "promoted", f"vectors/{'0' * 64}", 4, "its origin is"),
        ("good", "promoted", "", 4, "its origin is"),
        ("good", "rejected", GOOD["rejected"]["origin"], 0, "rejected"),
        ("bad", "lines-key-twice", BAD["lines-key-twice"]["origin"], 4, "entry 4"),
        ("bad", "bytes-nothing", BAD["bytes-nothing"]["origin"], 4, "does not begin"),
    ],
)
def test_both_commands_end_with_the_same_status(capsys, kind, name, origin, status, says):
    arguments = [HERE / kind / f"{name}.noa-proof", *(() if origin is None else ("--origin", origin))]
    done = run_alone(*arguments)
    assert (done.returncode, done.stderr) == (status, "")
    assert says in done.stdout
    assert main(["verify", *map(str, arguments)]) == status
    assert says in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["missing.noa-proof"], [HERE / "good" / "promoted.noa-proof", "--model", "/missing"], []]
)
def test_both_commands_say_so_when_there_is_nothing_to_read(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    done = run_alone(*arguments)
    assert done.returncode == 2
    assert done.stderr
    assert main(["verify", *map(str, arguments)]) == 2


def code_of(source):
    """The lines of a program that are neither blank nor comment nor documentation."""
    quiet = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, node.end_lineno + 1)
    }
    lines = enumerate(source.splitlines(), start=1)
    return [line for number, line in lines if line.strip() and not line.startswith("#") and number not in quiet]


def test_the_single_file_needs_nothing_of_ours_and_one_package():
    source = VERIFIER.read_text()
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    modules = {
        name.partition(".")[0] for name in names | {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    }
    assert modules - sys.stdlib_module_names == {"cryptography"}
    assert len(code_of(source)) < 500
    assert verifier_source() == VERIFIER.read_bytes()

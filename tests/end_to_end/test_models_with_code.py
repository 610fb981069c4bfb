"""Models in formats that run code when they are loaded: stored, flagged, checked and handed out, and loaded by nobody here."""

import gzip
import io
import json
import operator
import os
import pickle
import sys
import zipfile
import zlib

import numpy as np
import pytest

from noa_mlops import load

FOUND = []
"""What any unpickler of this process looked up, while `_watched` is set."""


def _watch(event, arguments):
    if event == "pickle.find_class" and _watched:
        FOUND.append(arguments)


_watched = []
sys.addaudithook(_watch)


@pytest.fixture
def nobody_unpickles():
    """Fails the test when a model is unpickled in this process, which decides and verifies."""
    FOUND.clear()
    _watched.append(True)
    yield
    _watched.clear()
    assert FOUND == []


class Runs:
    """Pickled, something that is called when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), content)
    return stream.getvalue()


def saved(save, array):
    stream = io.BytesIO()
    save(stream, array)
    return stream.getvalue()


def hostile(canary):
    """Files that make the canary when they are loaded, each in another format."""
    system = pickle.dumps(Runs(os.system, f"touch {canary}"))
    imported = b"cimportlib\nimport_module\n(Vantigravity\ntR." + system
    got = pickle.dumps(operator.attrgetter("system")) + system
    objects = np.array([Runs(os.system, f"touch {canary}")], dtype=object)
    layers = [
        {"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None]}},
        {"class_name": "TFSMLayer", "config": {"filepath": "/tmp/evil"}},
    ]
    return {
        "system.pkl": system,
        "imported.pkl": imported,
        "got.pkl": got,
        "model.pkl.gz": gzip.compress(system),
        "model.joblib": zlib.compress(system),
        "polyglot.zip": system + zipped(weights_DOT_bin=b"1"),
        "model.pt": zipped(archive__data_DOT_pkl=system, archive__version=b"3\n"),
        "model.keras": zipped(config_DOT_json=json.dumps({"config": {"layers": layers}}), metadata_DOT_json="{}"),
        "model.h5": b"\x89HDF\r\n\x1a\n" + system,
        "weights.npy": saved(np.save, objects),
        "weights.npz": saved(np.savez, objects),
    }


@pytest.fixture
def canary(home):
    path = home / "canary"
    yield path
    assert not path.exists(), "the model was loaded"


@pytest.mark.usefixtures("nobody_unpickles")
def test_is_promoted_flagged_verified_and_handed_out_without_being_loaded(promoted, canary):
    for name, content in hostile(canary).items():
        promoted.write(f"theirs/{name}", content)
    predict = """awk 'NR == 1 { print "p_0,p_1" } NR > 1 { split($0, c, ","); print 1 - c[1] "," c[1] }' """
    contract = {"predict": ["sh", "-c", predict + '"$NOA_DATA" > "$NOA_OUT/predictions.csv"'], "data_format": "csv"}
    plan = promoted.plan(agent_profile="import", hyperparameters={"path": "theirs", **contract}, code=None)
    result = promoted.tell("run", plan, "--json")
    assert (result.status, result.document["version"]) == (0, 2), result.said
    manifest = json.loads((promoted.path / result.document["artifact"] / "manifest.json").read_bytes())
    assert manifest["code_bearing"] is True
    assert {item["path"] for item in manifest["files"]} == hostile(canary).keys()
    for arguments in (["show", "little@2"], ["show", "little"], ["logs", "little@2"], ["doctor"], ["status"]):
        assert promoted.tell(*arguments).status == 0
    assert promoted.tell("verify", "--decisions").status == 0
    assert promoted.tell("export", "little@2", "--proof", str(promoted.path / "proof")).status == 0
    assert load("little", promoted.path).version == 2


@pytest.mark.usefixtures("nobody_unpickles")
def test_is_refused_in_the_place_of_data(promoted, canary):
    for name, content in hostile(canary).items():
        promoted.write(f"data/{name}", content)
        promoted.write("data/named.parquet", content)
        for path in (f"data/{name}", "data/named.parquet"):
            before = promoted.state()
            result = promoted.tell("run", promoted.plan(dataset_path=path))
            assert result.status == 2, (path, result.said)
            assert len(result.err.splitlines()) <= 2
            assert promoted.state() == before
    assert promoted.verifies()


@pytest.mark.usefixtures("nobody_unpickles")
@pytest.mark.parametrize("name", ["system.pkl", "polyglot.zip", "weights.npy"])
def test_fails_the_run_in_the_place_of_predictions(promoted, canary, name):
    promoted.write("src/evil", hostile(canary)[name])
    promoted.programs(predict='cp "$NOA_CODE/src/evil" "$NOA_OUT/predictions.parquet"\n')
    result = promoted.tell("run", promoted.plan(code=["src/train.sh", "src/predict.sh", "src/evil"]))
    assert result.status == 6, result.said
    assert promoted.last_entry()[0] == "EvaluationFailed"
    assert promoted.champion() == 1
    assert promoted.verifies()


@pytest.mark.usefixtures("nobody_unpickles")
def test_fails_the_run_under_the_name_of_a_format_that_holds_no_code(promoted, canary):
    promoted.write("src/evil", hostile(canary)["system.pkl"])
    promoted.programs(train='cp "$NOA_CODE/src/evil" "$NOA_OUT/model.safetensors"\n')
    result = promoted.tell("run", promoted.plan(code=["src/train.sh", "src/predict.sh", "src/evil"]))
    assert result.status == 6, result.said
    assert "'model.safetensors' is no safetensors file" in result.out
    assert promoted.last_entry()[0] == "TrainingFailed"
    assert promoted.champion() == 1
    assert promoted.verifies()

"""What may not be opened, and what cannot be read: refused at once, on one line, with nothing left open."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from noa_mlops.datasets import DatasetReader
from noa_mlops.datasets.sources import Sources, one_version
from noa_mlops.errors import DatasetInvalid, LifecycleError
from noa_mlops.files import UnsafePath


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "good.csv").write_text("x,y\n1,2\n")
    (tmp_path / "outside.csv").write_text("x,y\n1,2\n")
    return folder


@pytest.mark.parametrize(
    "path",
    [
        "../outside.csv",
        "../../../etc/shadow",
        "a/../../outside.csv",
        "/etc/passwd",
        "/dev/zero",
        "/proc/self/environ",
        "",
        "a\0.csv",
        "a\n.csv",
        "\x1b[2J.csv",
        "C:\\x.csv",
        "C:/x.csv",
        "data\\x.csv",
        "x.csv/",
    ],
)
def test_refuses_paths_that_lead_outside_or_are_no_names(project, path):
    with pytest.raises(UnsafePath) as refused:
        DatasetReader(project).read(path)
    assert str(refused.value).isprintable()
    assert refused.value.hint


def test_refuses_the_absolute_path_of_a_file_outside(project, tmp_path):
    with pytest.raises(UnsafePath, match="outside the project folder and its data roots"):
        DatasetReader(project).read(str(tmp_path / "outside.csv"))


def test_reads_absolute_paths_below_the_project_and_below_a_data_root(project, tmp_path):
    reader = DatasetReader(project, [tmp_path])
    inside, outside = reader.read(str(project / "good.csv")), reader.read(str(tmp_path / "outside.csv"))
    assert inside.identity.fingerprint == outside.identity.fingerprint == reader.read("good.csv").identity.fingerprint


def test_a_project_may_itself_be_reached_through_a_link(project, tmp_path):
    (tmp_path / "link").symlink_to(project)
    reader = DatasetReader(tmp_path / "link")
    assert reader.read("good.csv").table.num_rows == 1
    assert reader.read(str(project / "good.csv")).table.num_rows == 1


@pytest.mark.parametrize("kind", ["file", "folder", "loop", "dangling"])
def test_follows_no_symbolic_link_below_the_root(project, tmp_path, kind):
    target = {"file": tmp_path / "outside.csv", "folder": tmp_path, "loop": "link", "dangling": "nothing"}[kind]
    (project / "link").symlink_to(target)
    path = "link/outside.csv" if kind == "folder" else "link"
    (project / "link.dataset.yaml").write_text(f"files: ['{path}.csv']\n")
    (project / "link.csv").symlink_to(target)
    with pytest.raises(UnsafePath, match="symbolic link"):
        DatasetReader(project).read("link.csv" if kind != "folder" else path)


def test_refuses_pipes_folders_sockets_and_devices_without_waiting(project):
    os.mkfifo(project / "pipe.csv")
    (project / "folder.csv").mkdir()
    listener = socket.socket(socket.AF_UNIX)
    here = os.open(project, os.O_RDONLY)
    listener.bind(f"/proc/self/fd/{here}/socket.csv")
    for name in ("pipe.csv", "folder.csv", "socket.csv"):
        with pytest.raises(LifecycleError) as refused:
            DatasetReader(project).read(name)
        assert refused.value.exit_code == 2
        assert name in str(refused.value)
    listener.close()
    os.close(here)
    (project / "zero.dataset.yaml").write_text("files: [/dev/zero.csv]\n")
    with pytest.raises(UnsafePath):
        DatasetReader(project).read("zero.dataset.yaml")


def test_a_device_below_a_data_root_is_refused_too(project):
    with pytest.raises(UnsafePath, match="not a regular file"):
        Sources(project, (Path("/dev"),)).open("/dev/zero")


@pytest.mark.parametrize(
    "form", ["http://{}/a.csv", "https://user:hunter2@{}/a.csv", "HTTP://{}/a.csv", "ftp://{}/a.csv"]
)
def test_refuses_addresses_and_connects_to_nothing(project, form):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(UnsafePath, match="nothing is ever fetched") as refused:
            DatasetReader(project, ["/"]).read(form.format(address))
        with pytest.raises(BlockingIOError):
            server.accept()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "path",
    [
        "file:///etc/passwd",
        "s3://bucket/a.csv",
        "gs://bucket/a.parquet",
        "hdfs://h/a",
        "\\\\host\\share\\a.csv",
        "//host/share/a.csv",
        "http://169.254.169.254/latest",
        "data:text/csv,a",
    ],
)
def test_refuses_addresses_of_every_kind_by_rule(project, path):
    with pytest.raises(LifecycleError) as refused:
        DatasetReader(project, ["/"]).read(path)
    assert refused.value.exit_code == 2


def test_an_address_inside_a_definition_is_refused_too(project):
    (project / "a.dataset.yaml").write_text("files: ['http://127.0.0.1/a.csv']\n")
    with pytest.raises(LifecycleError, match="files"):
        DatasetReader(project).read("a.dataset.yaml")


def test_says_that_a_file_is_missing(project):
    with pytest.raises(DatasetInvalid, match=r"(?m)^data/train\.csv: no such file$") as refused:
        DatasetReader(project).read("data/train.csv")
    assert "project folder" in refused.value.hint


def test_says_that_a_file_cannot_be_read(project):
    (project / "good.csv").chmod(0)
    code = f"""
import os, pathlib
from noa_mlops.datasets import DatasetReader
if os.geteuid() == 0: os.setegid(65534); os.seteuid(65534)
try: DatasetReader(pathlib.Path({str(project)!r})).read("good.csv")
except Exception as error: print(type(error).__name__, error)
"""
    for folder in (project, *list(project.parents)[:3]):
        folder.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "DatasetInvalid good.csv: permission denied\n"


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow", "jsonl", "npz"])
def test_refuses_an_empty_file_of_any_format(project, suffix):
    (project / f"a.{suffix}").touch()
    with pytest.raises(DatasetInvalid, match="is empty"):
        DatasetReader(project).read(f"a.{suffix}")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow", "jsonl", "npz"])
def test_refuses_a_sparse_file_of_ten_terabytes_at_once(project, suffix):
    with (project / f"a.{suffix}").open("wb") as stream:
        stream.truncate(10 * 10**12)
    with pytest.raises(DatasetInvalid, match=r"at most 68719476736 \(64 GiB\) are read"):
        DatasetReader(project).read(f"a.{suffix}")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow", "feather", "jsonl", "npz"])
@pytest.mark.parametrize(
    "content", [b"\0" * 5000, bytes(range(256)) * 20, b"PAR1PAR1", b"ARROW1\0\0", b"PK\3\4xxxx", b"{" * 5000]
)
def test_refuses_garbage_in_every_format_in_its_own_words(project, suffix, content):
    (project / f"a.{suffix}").write_bytes(content)
    with pytest.raises(DatasetInvalid) as refused:
        DatasetReader(project).read(f"a.{suffix}")
    assert str(refused.value).startswith(f"a.{suffix}: ")
    assert len(str(refused.value)) < 300
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "npz"])
def test_survives_every_truncation(project, suffix):
    table = pa.table({"x": [1, 2, 3], "s": ["a", None, "c"]})
    if suffix == "parquet":
        parquet.write_table(table, project / "a.parquet")
    elif suffix == "arrow":
        with pa.ipc.new_file(project / "a.arrow", table.schema) as stream:
            stream.write_table(table)
    else:
        np.savez(project / "a.npz", x=np.arange(3))
    data = (project / f"a.{suffix}").read_bytes()
    for length in range(1, len(data) - 1, max(1, len(data) // 60)):
        (project / f"b.{suffix}").write_bytes(data[:length])
        with pytest.raises(DatasetInvalid):
            DatasetReader(project).read(f"b.{suffix}")


def test_refuses_text_that_is_not_unicode_inside_a_typed_file(project):
    broken = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.array([0, 2], pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfe")]
    )
    parquet.write_table(pa.table({"s": broken}), project / "a.parquet")
    with pytest.raises(DatasetInvalid, match="cannot be read as Parquet"):
        DatasetReader(project).read("a.parquet")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.zip", "a.txt", "a.xlsx", "a.pickle", "a", "a.npy"])
def test_refuses_names_of_other_formats_and_says_which_are_read(project, name):
    (project / name).write_bytes(b"x,y\n1,2\n")
    with pytest.raises(DatasetInvalid, match=r"not named like a data file|is compressed|is a workbook") as refused:
        DatasetReader(project).read(name)
    assert any(word in refused.value.hint for word in (".parquet", "Unpack", "CSV"))


def test_refuses_typed_files_without_rows_or_columns(project):
    parquet.write_table(pa.table({"x": pa.array([], pa.int64())}), project / "rows.parquet")
    parquet.write_table(pa.table({}), project / "columns.parquet")
    with pytest.raises(DatasetInvalid, match="has no rows"):
        DatasetReader(project).read("rows.parquet")
    with pytest.raises(DatasetInvalid, match="has no columns"):
        DatasetReader(project).read("columns.parquet")


def test_refuses_typed_files_with_equal_column_names(project):
    table = pa.table([pa.array([1]), pa.array([2])], names=["x", "x"])
    parquet.write_table(table, project / "a.parquet")
    with pytest.raises(DatasetInvalid, match="more than one column named 'x'"):
        DatasetReader(project).read("a.parquet")


def test_refuses_more_columns_than_anyone_can_mean(project):
    (project / "a.csv").write_text(",".join(f"c{index}" for index in range(100_001)) + "\n1\n")
    with pytest.raises(DatasetInvalid, match="has 100001 columns; at most 100000"):
        DatasetReader(project).read("a.csv")


def test_refuses_a_small_file_that_claims_two_billion_cells(project):
    runs = pa.table({f"x{index}": pa.nulls(2_200_000) for index in range(1000)})
    parquet.write_table(runs, project / "a.parquet")
    assert (project / "a.parquet").stat().st_size < 1 << 22
    with pytest.raises(DatasetInvalid, match="claims 2200000 rows of 1000 columns"):
        DatasetReader(project).read("a.parquet")


def test_notices_a_file_that_changes_while_it_is_read(project):
    path = project / "good.csv"
    with path.open("rb") as stream, pytest.raises(DatasetInvalid, match=r"^good\.csv: changed while it was being read"):  # noqa: SIM117
        with one_version("good.csv", stream), path.open("ab") as writer:
            writer.write(b"x")


def test_leaves_nothing_open_after_success_or_refusal(project):
    (project / "bad.csv").write_text("x,y\n1\n")
    (project / "bad.parquet").write_text("x")
    (project / "bad.npz").write_text("x")
    reader = DatasetReader(project)
    reader.read("good.csv")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("good.csv", "bad.csv", "bad.parquet", "bad.npz", "none.csv", "/etc/passwd") * 5:
        try:
            reader.read(name)
        except LifecycleError:
            continue
    assert len(os.listdir("/proc/self/fd")) == before

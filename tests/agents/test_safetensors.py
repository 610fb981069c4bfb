"""Safetensors files whose headers lie about what is in them: the output that holds one cannot be used."""

import json
import struct

import pytest

from noa_mlops.agents import keep_output
from noa_mlops.errors import TrainingFailed


def tensor(begin, end, shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def file(header, data=b"", length=None):
    """A file with this header, given as JSON or as text, and how long it says that it is."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


GOOD = {
    "none": file({}),
    "one": file({"a": tensor(0, 16, [2, 2])}, bytes(16)),
    "a scalar": file({"a": tensor(0, 8, [], "F64")}, bytes(8)),
    "an empty one between two": file(
        {"b": tensor(4, 4, [0, 7]), "c": tensor(4, 6, [2], "BOOL"), "a": tensor(0, 4, [2], "BF16")}, bytes(6)
    ),
    "two halves of a byte": file({"a": tensor(0, 1, [2], "F4")}, bytes(1)),
    "a padded header": file(b'{"__metadata__":{"format":"pt"}}      '),
}
LIES = {
    "a header of a terabyte": (file({}, length=1 << 40), "header of 1099511627776 bytes"),
    "a header longer than the file": (file({}, length=3), "header of 3 bytes"),
    "no header at all": (b"", "header of 0 bytes"),
    "a pickle": (b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.", "header of"),
    "a header that is no JSON": (file(b"{'a': 1}"), "header that is not JSON"),
    "a name twice": (
        file(
            b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
            b"x",
        ),
        "the key 'a' twice",
    ),
    "tensors that overlap": (file({"a": tensor(0, 8, [2]), "b": tensor(4, 12, [2])}, bytes(12)), "overlap"),
    "tensors with a hole between": (file({"a": tensor(0, 4, [1]), "b": tensor(8, 12, [1])}, bytes(12)), "between"),
    "a tensor beyond the file": (file({"a": tensor(0, 400, [100])}, bytes(16)), "400 bytes of tensors where 16 are"),
    "bytes that are no tensor": (file({"a": tensor(0, 4, [1])}, bytes(5)), "4 bytes of tensors where 5 are"),
    "a shape that overflows": (file({"a": tensor(0, 0, [1 << 62, 4])}), "other bytes than its shape"),
    "a shape of minus one": (file({"a": tensor(0, 4, [-1])}, bytes(4)), "form that is none"),
    "a shape without end": (file({"a": tensor(0, 4, [1] * 65)}, bytes(4)), "form that is none"),
    "offsets that run backwards": (file({"a": tensor(4, 0, [1])}, bytes(4)), "other bytes than its shape"),
    "a type that is none": (file({"a": tensor(0, 4, [1], "object")}, bytes(4)), "form that is none"),
    "metadata that are no texts": (file({"__metadata__": {"a": 1}}), "no mapping of texts"),
}


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("case", GOOD)
def test_takes_a_file_that_says_what_it_holds(out, case):
    (out / "model.safetensors").write_bytes(GOOD[case])
    assert len(keep_output(out, 1 << 20).files) == 1


@pytest.mark.parametrize("case", LIES)
def test_refuses(out, case):
    content, words = LIES[case]
    (out / "model.safetensors").write_bytes(content)
    with pytest.raises(TrainingFailed, match=words) as caught:
        keep_output(out, 1 << 20)
    assert "'model.safetensors' is no safetensors file" in str(caught.value)
    assert str(caught.value).isprintable()

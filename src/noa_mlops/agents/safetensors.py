"""The header of a safetensors file (the format that huggingface/safetensors documents), looked at and not believed.

Nothing is loaded. A reader that believes a header that lies takes memory that is not there, reads beyond the file, or
takes one tensor for another; so a model that holds such a file fails its run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from noa_mlops.records.documents import DocumentInvalid, parse_object

SUFFIX = ".safetensors"
"""How the names of such files end."""

MAX_HEADER = 16 << 20
"""Longest header accepted, in bytes; room for a hundred thousand tensors."""

MOST_DIMENSIONS = 64
"""Dimensions that a tensor may have; their product must not cost anything."""

_LENGTH = 8
_BITS = {
    "F4": 4,
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}
_METADATA = "__metadata__"


def header_problem(stream: BinaryIO, size: int) -> str | None:
    """What is wrong with the header of a file of ``size`` bytes; None when it describes exactly those bytes."""
    length = int.from_bytes(stream.read(_LENGTH), "little")
    if length > min(MAX_HEADER, size - _LENGTH):
        return f"has a header of {length} bytes in a file of {size}"
    try:
        header = parse_object(stream.read(length), limit=MAX_HEADER)
    except DocumentInvalid as error:
        return f"has a header that {error}"
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        return f"has a {_METADATA} that is no mapping of texts"
    return next(_problems(header, size - _LENGTH - length), None)


def _problems(tensors: Mapping[str, Any], room: int) -> Iterator[str]:
    """Tensors of another form than theirs, and bytes that none or more than one of them claims."""
    spans = []
    for name, tensor in tensors.items():
        if not _has_its_form(tensor):
            yield f"describes the tensor {name!r:.80} in a form that is none"
            return
        begin, end = tensor["data_offsets"]
        if (end - begin) * 8 != math.prod(tensor["shape"]) * _BITS[tensor["dtype"]]:
            yield f"gives the tensor {name!r:.80} other bytes than its shape takes"
        spans.append((begin, end))
    reached = 0
    for begin, end in sorted(spans):
        if begin != reached:
            yield "has tensors that overlap, or bytes between them"
        reached = end
    if reached != room:
        yield f"describes {reached} bytes of tensors where {room} are"


def _has_its_form(tensor: object) -> bool:
    if not isinstance(tensor, dict) or tensor.keys() != {"dtype", "shape", "data_offsets"}:
        return False
    shape, offsets = tensor["shape"], tensor["data_offsets"]
    if (
        not isinstance(shape, list)
        or len(shape) > MOST_DIMENSIONS
        or not isinstance(offsets, list)
        or len(offsets) != 2
    ):
        return False
    return isinstance(tensor["dtype"], str) and tensor["dtype"] in _BITS and all(map(_is_size, [*shape, *offsets]))


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63

"""Plain data as bytes: what crosses the border between the grader and a student's code, and nothing else.

Numbers, texts, lists, dicts with texts as keys, tensors and arrays of numbers; no objects, no code. Reading
is safe for bytes from a hostile sender: the worst that comes out is a `CourseError`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import torch

from course_lib.errors import CourseError

MAX_BYTES = 64 * 2**20  # of one message
MAX_ITEMS = 20_000  # of all lists and dicts in it
MAX_TEXT = 10_000  # characters of one text
MAX_HEADER = 4 * 2**20  # bytes of a message without the numbers of its arrays
MAX_INT = 2**63
DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


@dataclass(frozen=True)
class Seed:
    """Stands for a ``torch.Generator`` with this seed: a new one for every call."""

    value: int

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.value)


@dataclass(frozen=True)
class Other:
    """Stands for a value that is not plain data; ``what`` describes it: "a generator object"."""

    what: str


def encode(value: object) -> bytes:
    """Return ``value`` as bytes; what is not plain data, or far too large, becomes an `Other`."""
    blobs: list[bytes] = []
    budget = [MAX_ITEMS, MAX_BYTES]
    try:
        header = json.dumps(_pack(value, blobs, budget), allow_nan=True)
    except RecursionError:
        header, blobs = json.dumps({"other": "lists in lists without end"}), []
    if len(header) > MAX_HEADER:
        header, blobs = json.dumps({"other": f"texts of more than {MAX_HEADER >> 20} MiB"}), []
    text = header.encode()
    return len(text).to_bytes(8, "little") + text + b"".join(blobs)


def decode(data: bytes) -> object:
    """Return the value that `encode` made bytes of; raise `CourseError` if it did not make these."""
    try:
        length = int.from_bytes(data[:8], "little")
        if length > MAX_HEADER:
            raise ValueError(length)
        return _unpack(json.loads(data[8 : 8 + length]), memoryview(data)[8 + length :])
    except (ValueError, TypeError, KeyError, IndexError, RuntimeError, OverflowError, AttributeError) as error:
        raise CourseError("A message is not plain data.") from error


def _pack(value: object, blobs: list[bytes], budget: list[int]) -> object:
    if value is None or type(value) in (bool, float):
        return value
    if type(value) is int:
        return value if abs(value) < MAX_INT else {"other": "a whole number of more than 18 digits"}
    if type(value) is str:
        return value if len(value) <= MAX_TEXT else {"other": f"a text of {len(value):,} characters"}
    if type(value) is Seed and type(value.value) is int and 0 <= value.value < MAX_INT:
        return {"seed": value.value}
    if type(value) is Other and type(value.what) is str:
        return {"other": value.what[:MAX_TEXT]}
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        try:
            return _pack_array(value, blobs, budget)
        except Exception:  # without numbers, as on the device "meta"; without a shape; or of a class of its own
            return {"other": f"{'a tensor' if isinstance(value, torch.Tensor) else 'an array'} that cannot be read"}
    if type(value) in (list, tuple):
        budget[0] -= len(value)
        if budget[0] < 0:
            return {"other": f"a {type(value).__name__} with more than {MAX_ITEMS:,} items"}
        return {type(value).__name__: [_pack(item, blobs, budget) for item in value]}
    if type(value) is dict:
        budget[0] -= len(value)
        if budget[0] < 0 or not all(type(key) is str and len(key) <= 1000 for key in value):
            return {"other": "a dict that is too large, or whose keys are not short texts"}
        return {"dict": {key: _pack(item, blobs, budget) for key, item in value.items()}}
    name = type(value).__name__
    return {"other": f"an object of type {name[:100]}"}


def _pack_array(value: torch.Tensor | np.ndarray | np.generic, blobs: list[bytes], budget: list[int]) -> object:
    kind = "tensor" if isinstance(value, torch.Tensor) else "array"
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype not in DTYPES:
        return {"other": f"{'a tensor' if kind == 'tensor' else 'an array'} of type {dtype[:40]}"}
    size = math.prod(value.shape) * value.dtype.itemsize
    if size > budget[1]:
        return {"other": f"numbers of {size / 2**20:,.0f} MiB; {MAX_BYTES / 2**20:.0f} MiB are allowed"}
    budget[1] -= size
    if kind == "tensor":
        value = value.detach().to_dense().cpu().resolve_neg().numpy()
    blobs.append(np.asarray(value).tobytes())
    return {kind: [dtype, list(value.shape)]}


def _unpack(packed: object, rest: memoryview) -> object:
    """Rebuild a value; the numbers of its arrays follow each other in ``rest``."""
    position = 0

    def build(item: object) -> object:
        nonlocal position
        if type(item) is int and abs(item) >= MAX_INT:
            raise ValueError("a whole number that `encode` never writes")
        if item is None or isinstance(item, (bool, int, float, str)):
            return item
        ((kind, content),) = item.items()
        if kind in ("list", "tuple"):
            return (list if kind == "list" else tuple)(build(part) for part in content)
        if kind == "dict":
            return {str(key): build(part) for key, part in content.items()}
        if kind == "seed":
            if type(content) is not int or not 0 <= content < MAX_INT:
                raise ValueError(kind)
            return Seed(content)
        if kind == "other":
            return Other(str(content)[:MAX_TEXT])
        dtype, shape = content
        if kind not in ("tensor", "array") or dtype not in DTYPES or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(kind)
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size > len(rest) - position:
            raise ValueError("more numbers are announced than there are")
        numbers = np.array(rest[position : position + size], np.uint8)
        numbers = (numbers != 0 if dtype == "bool" else numbers.view(dtype)).reshape(shape)
        position += size
        return torch.from_numpy(numbers) if kind == "tensor" else numbers

    return build(packed)

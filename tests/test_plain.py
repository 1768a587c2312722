"""Plain data: every allowed value comes back bit by bit, and no bytes whatever bring anything else."""

import contextlib
import json
import math
import random
import sys
import time

import numpy as np
import pytest
import torch

from course_lib.errors import CourseError
from course_lib.grading import plain
from course_lib.grading.plain import DTYPES, MAX_HEADER, MAX_ITEMS, MAX_TEXT, Other, Seed, decode, encode

SHAPES = [(), (0,), (1,), (3,), (2, 3), (0, 4), (2, 0, 3), (1,) * 9]
HUGE = 10**6


def returned(value):
    return decode(encode(value))


def message(header, numbers=b""):
    """The bytes of a message with this header: text, or what JSON makes of it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


def fill(dtype, shape, seed=0):
    """An array of this type with random bits: every NaN, both zeros, infinities, subnormal numbers."""
    bits = np.random.default_rng(seed).integers(0, 256, math.prod(shape) * np.dtype(dtype).itemsize, np.uint8)
    return (bits > 127).reshape(shape) if dtype == "bool" else bits.view(dtype).reshape(shape)


def assert_same(got, want):
    """Assert equal types, forms and bits, all the way down."""
    assert type(got) is type(want)
    if isinstance(want, (torch.Tensor, np.ndarray)):
        assert got.dtype == want.dtype
        assert got.shape == want.shape
        assert bytes(np.asarray(got).tobytes()) == np.asarray(want).tobytes()
    elif isinstance(want, (list, tuple)):
        assert len(got) == len(want)
        for one, other in zip(got, want, strict=True):
            assert_same(one, other)
    elif isinstance(want, dict):
        assert list(got) == list(want)
        for key in want:
            assert_same(got[key], want[key])
    elif isinstance(want, float):
        assert np.float64(got).tobytes() == np.float64(want).tobytes() or (math.isnan(got) and math.isnan(want))
    else:
        assert got == want


def is_plain(value):
    """Whether a value is of the types that `decode` may return, all the way down."""
    if type(value) in (list, tuple):
        return all(map(is_plain, value))
    if type(value) is dict:
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    if type(value) in (torch.Tensor, np.ndarray):
        return str(value.dtype).removeprefix("torch.") in DTYPES
    if type(value) is int:
        return abs(value) < 2**63
    if type(value) is Seed:
        return type(value.value) is int and 0 <= value.value < 2**63
    return value is None or type(value) in (bool, float, str) or (type(value) is Other and type(value.what) is str)


# What is plain comes back


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_and_arrays_come_back_bit_by_bit(dtype, shape):
    array = fill(dtype, shape)
    assert_same(returned(array), array)
    assert_same(returned(torch.from_numpy(array.copy())), torch.from_numpy(array.copy()))


@pytest.mark.parametrize("value", [
    None, True, False, 0, -1, 2**63 - 1, 1 - 2**63, 0.0, -0.0, 1e-320, 0.1, math.inf, -math.inf, math.nan, "", "ü\0\n",
    "\ud800", [], (), {}, [[]], ((),), [(), []], {"": None}, {"b": 1, "a": {"c": (1, 2.0, "x", None)}},
    {"list": [1]}, {"tensor": ["float32", [2]]}, {"seed": 3, "other": "x"}, [True, 1, 1.0], Seed(0), Seed(2**63 - 1),
    Other("a generator"), "x" * MAX_TEXT,
], ids=lambda value: repr(value)[:30])  # fmt: skip
def test_everything_else_that_is_plain_comes_back_as_it_was(value):
    assert_same(returned(value), value)
    assert_same(returned([value, {"again": (value,)}]), [value, {"again": (value,)}])


def test_many_arrays_in_one_message_keep_their_order():
    values = [fill(dtype, shape, i) for i, dtype in enumerate(DTYPES) for shape in SHAPES]
    assert_same(returned({"all": (values, values[::-1])}), {"all": (values, values[::-1])})


def test_what_comes_back_shares_nothing_with_what_was_sent():
    tensor, array, given = torch.zeros(3), np.zeros(3), []
    got = returned([tensor, array, given])
    tensor += 1
    array += 1
    given.append(1)
    assert_same(got, [torch.zeros(3), np.zeros(3), []])
    got[0] += 1  # and can be written to
    got[1] += 1


@pytest.mark.parametrize(("value", "want"), [
    (np.float32(0.1), np.array(0.1, np.float32)),
    (np.bool_(True), np.array(True)),
    (np.arange(6).reshape(2, 3).T, np.arange(6).reshape(2, 3).T.copy()),
    (np.arange(6)[::-2], np.array([5, 3, 1])),
    (torch.arange(6).reshape(2, 3).T, torch.tensor([[0, 3], [1, 4], [2, 5]])),
    (torch.ones(1).expand(4), torch.ones(4)),
    (torch.ones(2, requires_grad=True), torch.ones(2)),
    (torch.nn.Parameter(torch.ones(2)), torch.ones(2)),
    (torch.tensor([[0.0, 2.0]]).to_sparse(), torch.tensor([[0.0, 2.0]])),
    (torch.tensor([1 + 2j]).conj().imag, torch.tensor([-2.0])),
    (np.ma.array([1.0, 2.0], mask=[0, 1]), np.array([1.0, 2.0])),
])  # fmt: skip
def test_numbers_in_another_guise_arrive_as_plain_numbers(value, want):
    assert_same(returned(value), want)


# What is not plain is described


class Texty(str):
    __slots__ = ()


class Hostile(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *_, **__):
        raise RuntimeError("no")


class Shapeless(np.ndarray):
    @property
    def dtype(self):
        raise KeyError("no")


def endless():
    inner = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize(("value", "what"), [
    ((i for i in "ab"), "object of type generator"), (lambda: 0, "object of type function"),
    (iter([]), "object of type list_iterator"), (object(), "object of type object"), (int, "object of type type"),
    ({1, 2}, "object of type set"), (b"x", "object of type bytes"), (1j, "object of type complex"),
    (range(3), "object of type range"), (Texty("x"), "object of type Texty"), (torch.Generator(), "of type Generator"),
    (10**30, "more than 18 digits"), (-(2**63), "more than 18 digits"), ("x" * (MAX_TEXT + 1), "a text of 10,001"),
    (torch.tensor([1j]), "a tensor of type complex64"), (torch.ones(2, dtype=torch.bfloat16), "of type bfloat16"),
    (np.array(["a"]), "an array of type <U1"), (np.array([None]), "an array of type object"),
    (np.str_("x"), "an array of type <U1"), (np.array(1, ">f4"), "an array of type >f4"),
    (np.zeros(2, "f4,i4"), "an array of type"), (np.datetime64("2020-01-01"), "an array of type datetime64"),
    (torch.ones(2, device="meta"), "a tensor that cannot be read"),
    (torch.ones(2).as_subclass(Hostile), "a tensor that cannot be read"),
    (np.ones(2).view(Shapeless), "an array that cannot be read"),
    ({1: 2}, "keys are not short texts"), ({"k" * 1001: 2}, "keys are not short texts"), ({Texty("k"): 2}, "a dict"),
    ([0] * (MAX_ITEMS + 1), "a list with more than 20,000 items"), (endless(), "lists in lists without end"),
    ({str(i): 0 for i in range(MAX_ITEMS + 1)}, "a dict that is too large"),
    (torch.zeros(1).expand(HUGE, HUGE), "MiB are allowed"), (torch.zeros(1).expand(2**24 + 1), "64 MiB are allowed"),
    (np.broadcast_to(np.zeros(1), (HUGE, HUGE)), "MiB are allowed"),
    (torch.sparse_coo_tensor([[0], [0]], [1.0], (HUGE, HUGE), check_invariants=True), "MiB are allowed"),
    (Seed(-1), "object of type Seed"), (Seed(2**63), "object of type Seed"), (Other(["no text"]), "of type Other"),
    (["x" * MAX_TEXT] * 1000, "texts of more than 4 MiB"),
], ids=lambda value: value if isinstance(value, str) and len(value) < 99 else "")  # fmt: skip
def test_everything_else_becomes_a_description_of_itself(value, what):
    got = returned(value)
    assert type(got) is Other
    assert what in got.what
    assert len(encode(value)) < 200


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_tensor_without_a_shape_is_described_too():
    ragged = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    assert returned(ragged) == Other("a tensor that cannot be read")


def test_only_what_is_not_plain_is_replaced():
    got = returned([1, print, {"a": torch.ones(2), "b": object()}])
    assert got[:2] == [1, Other("an object of type builtin_function_or_method")]
    assert_same(got[2], {"a": torch.ones(2), "b": Other("an object of type object")})


def test_arrays_share_one_limit_of_bytes(monkeypatch):
    monkeypatch.setattr(plain, "MAX_BYTES", 100)
    got = returned([np.zeros(60, np.uint8), np.zeros(60, np.uint8), np.zeros(40, np.uint8)])
    assert [type(value) for value in got] == [np.ndarray, Other, np.ndarray]


def test_lists_share_one_limit_of_items(monkeypatch):
    monkeypatch.setattr(plain, "MAX_ITEMS", 10)
    assert returned([[0] * 4, [0] * 4]) == [[0] * 4, [0] * 4]
    assert returned([[0] * 4, (0,) * 5]) == [[0] * 4, Other("a tuple with more than 10 items")]


# Bytes of a hostile sender


@pytest.mark.parametrize("data", [
    b"", b"\0", b"\xff" * 8, b"\xff" * 100, message(b""), message(b"{"), message(b"\xff\xfe"), message(b"nul"),
    message({}), message([1]), message({"list": 3}), message({"list": {"a": 1}, "tuple": []}), message({"dict": [1]}),
    message({"what": 1}), message({"tensor": 1}), message({"tensor": ["float32"]}), message({"array": ["object", [1]]}),
    message({"array": [["float32"], [1]]}), message({"array": ["float32", [1]]}, b"123"),
    message({"array": ["uint8", [-1]]}, b"1"), message({"array": ["uint8", [1.0]]}, b"1"),
    message({"array": ["uint8", [True]]}, b"1"), message({"array": ["uint8", "12"]}, b"1"),
    message({"array": ["uint8", [0, 2**80]]}), message({"tensor": ["uint8", [1] * 65]}, b"1"),
    message({"tensor": ["float64", [2**60, 0]]}), message({"array": ["uint8", [2**40]]}, b"1"),
    message({"seed": "1"}), message({"seed": -1}), message({"seed": 1e400}), message({"seed": 2**63}),
    message(b"1" + b"0" * 400), message(b"1" + b"0" * 5000), message({"list": [2**63]}), message(b"[" * 100_000),
    message(b'{"list":[' * 100_000), (2**40).to_bytes(8, "little") + b"1", (2**63).to_bytes(8, "little"),
    message(b'{"list":[' + b"{}," * 2**21 + b"1]}"),
], ids=lambda data: repr(data[8:40]))  # fmt: skip
def test_bytes_that_nobody_encoded_are_refused(data):
    with pytest.raises(CourseError, match="not plain data"):
        decode(data)


def test_true_and_false_are_nothing_else_whatever_their_bytes_were():
    for kind in ("tensor", "array"):
        got = decode(message({kind: ["bool", [3]]}, b"\0\1\xff"))
        assert np.asarray(got).tobytes() == b"\0\1\1"


@pytest.mark.parametrize("frame", [b"[%s]", b'{"list":[%s]}', b'{"other":[%s]}', b'"%s"'])
@pytest.mark.parametrize("part", [b"1", b"{}", b"[]", b"0.1", b'"a"'])
def test_no_message_takes_long_or_much_memory(frame, part):
    used = pytest.importorskip("resource")
    many = b",".join([part] * ((MAX_HEADER - 20) // (len(part) + 1)))
    before, start = used.getrusage(used.RUSAGE_SELF).ru_maxrss, time.process_time()
    with contextlib.suppress(CourseError):
        assert is_plain(decode(message(frame % many)))
    assert time.process_time() - start < 30
    kilobytes = 1024 if sys.platform == "darwin" else 1
    assert (used.getrusage(used.RUSAGE_SELF).ru_maxrss - before) / kilobytes < 500_000


VALID = [
    encode(value)
    for value in (
        {"a": [1, -2.5, None, True, "text"], "b": (Seed(7), Other("x"))},
        [torch.arange(12.0).reshape(3, 4), np.arange(5, dtype=np.int8), torch.tensor([True, False])],
        ("answer", (torch.ones(2, 2, dtype=torch.float16), 0.5), "", 0, False),
    )
]


def mutate(data, draw):
    """Change, remove, insert, double or swap a few bytes."""
    data = bytearray(data)
    for _ in range(draw.randint(1, 6)):
        i, j = sorted(draw.randrange(len(data) + 1) for _ in range(2))
        change = draw.randrange(5)
        if change == 0 and i < len(data):
            data[i] = draw.choice([draw.randrange(256), *b'0123456789[]{},:"-e.']) & 255
        elif change == 1:
            del data[i : min(j, i + 8)]
        elif change == 2:
            data[i:i] = draw.choice([b"[", b"0" * 30, b'{"list":', b"null", b'"', b"1e999", draw.randbytes(4)])
        elif change == 3:
            data[i:i] = data[i:j]
        else:
            data[i:j] = bytes(reversed(data[i:j]))
    return bytes(data)


def test_random_and_damaged_messages_are_refused_or_plain():
    draw = random.Random(7)
    refused = 0
    for i in range(6000):
        if i % 4 == 0:
            data = draw.randbytes(draw.randrange(200))
        elif i % 4 == 1:
            data = message(draw.randbytes(draw.randrange(60)), draw.randbytes(20))
        else:  # with the length as it is, so that most damage is in the header
            data = mutate(draw.choice(VALID), draw)
            data = (len(data) - 8 if i % 8 > 3 else draw.choice([60, 90, 120])).to_bytes(8, "little") + data[8:]
        try:
            assert is_plain(decode(data))
        except CourseError:
            refused += 1
    assert 3000 < refused < 6000  # both happen


def test_damaged_values_in_a_sound_message_are_refused_or_plain():
    draw = random.Random(8)

    def build(depth):
        kinds = ["list", "tuple", "dict", "seed", "other", "tensor", "array", "what"]
        if depth == 0 or draw.random() < 0.4:
            return draw.choice([None, True, 3, -1.5, 2**70, "uint8", "float64", "", [], {}, [2, 2], [1] * 70, [0]])
        inside = [build(depth - 1) for _ in range(draw.randrange(4))]
        if draw.random() < 0.2:
            return inside
        kind = draw.choice(kinds)
        content = {str(i): item for i, item in enumerate(inside)} if kind == "dict" else inside
        if kind in ("tensor", "array") and draw.random() < 0.7:
            content = [draw.choice([*DTYPES, "object", 3]), [draw.choice([0, 1, 2, 3, -1, 2**62, "1"])] * len(inside)]
        if kind == "seed" or draw.random() < 0.1:
            content = build(0)
        return {kind: content}

    refused = 0
    for _ in range(5000):
        try:
            assert is_plain(decode(message(build(4), draw.randbytes(40))))
        except CourseError:
            refused += 1
    assert 1000 < refused < 5000

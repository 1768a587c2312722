"""Pictures that are made when they are first read: always the right ones, each of them once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from course_lib.data.lazy import LazyPictures

EVERY = torch.arange(20, dtype=torch.uint8).view(20, 1, 1, 1).expand(20, 3, 2, 2)


class Maker:
    """Makes pictures of `EVERY`, and keeps which ones it was asked for."""

    def __init__(self):
        self.asked: list[int] = []
        pictures, missing = torch.full((20, 3, 2, 2), 99, dtype=torch.uint8), torch.ones(20, dtype=torch.bool)
        self.pictures = LazyPictures(pictures, missing, self)

    def __call__(self, index: torch.Tensor) -> torch.Tensor:
        self.asked += index.tolist()
        return EVERY[index]


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.mark.parametrize(
    "index",
    [7, -1, slice(3, 9), slice(None), slice(-3, None), torch.tensor([4, 4, 19, 0]), torch.zeros(0, dtype=torch.int64)],
    ids=str,
)
def test_they_are_read_like_a_tensor_and_made_once(maker, index):
    for _ in range(2):
        assert torch.equal(maker.pictures[index], EVERY[index])
    assert sorted(maker.asked) == sorted(set(torch.arange(20)[index].reshape(-1).tolist()))


def test_each_is_made_once_in_whatever_order_they_are_read(maker):
    for index in torch.randint(20, (30, 5), generator=torch.Generator().manual_seed(1)):
        assert torch.equal(maker.pictures[index], EVERY[index])
    assert torch.equal(torch.stack(list(maker.pictures)), EVERY)
    assert sorted(maker.asked) == list(range(20))


def test_there_are_as_many_as_there_will_be(maker):
    assert len(maker.pictures) == 20
    with pytest.raises(IndexError):
        maker.pictures[20]
    assert maker.asked == []


def test_they_can_be_made_ahead_of_time_in_parts(maker):
    maker.pictures[5]
    for _, made in zip(maker.pictures.making(8), (8, 16, 20), strict=True):
        assert sorted(maker.asked) == list(range(made))


def test_a_copy_of_what_is_there_says_what_is_not(maker):
    maker.pictures[2:6]
    pictures, missing = maker.pictures.so_far()
    assert missing.tolist() == [i not in range(2, 6) for i in range(20)]
    assert torch.equal(pictures[~missing], EVERY[2:6])
    pictures.fill_(0)
    missing.fill_(False)
    assert torch.equal(maker.pictures[:], EVERY)


def test_a_thread_that_reads_what_another_one_is_making_gets_it_whole(maker):
    begun, may_end = threading.Event(), threading.Event()

    def slowly(index):
        if not begun.is_set():  # the first one waits in the middle
            begun.set()
            assert may_end.wait(20)
        return EVERY[index]

    maker.pictures._make = slowly
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(lambda: maker.pictures[:].clone())
        assert begun.wait(20)
        assert torch.equal(maker.pictures[:], EVERY)
        may_end.set()
        assert torch.equal(first.result(), EVERY)


def test_they_know_their_shape(maker):
    assert (maker.pictures.shape, maker.pictures.dtype) == ((20, 3, 2, 2), torch.uint8)

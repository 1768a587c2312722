import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from course_lib import parallel
from course_lib.parallel import at_once, cores


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(parallel, "_cores", 2)
    monkeypatch.setattr(parallel, "_pool", None)


def test_two_functions_run_at_the_same_time_and_the_results_come_in_order():
    meet = threading.Barrier(2, timeout=10)  # broken unless both are there at once

    def call(name):
        meet.wait()
        return name

    assert at_once([lambda: call("a"), lambda: call("b")]) == ["a", "b"]


def test_more_functions_than_cores_are_all_called_by_whoever_is_free():
    threads, others = {}, threading.Barrier(2, timeout=10)

    def call(i):
        threads[i] = threading.get_ident()
        if i in (0, 8):  # the first one waits for the last one
            others.wait()
        return i

    assert at_once([lambda i=i: call(i) for i in range(9)]) == list(range(9))
    assert threads[0] != threads[8]
    assert {threads[i] for i in range(1, 9)} == {threads[8]}


@pytest.mark.parametrize("calls", [0, 1])
def test_nothing_and_one_thing_need_no_thread(calls):
    assert at_once([threading.get_ident] * calls) == [threading.get_ident()] * calls
    assert parallel._pool is None


def test_what_is_called_at_once_in_turn_is_called_one_by_one():
    def outer():
        assert cores() == 1
        here = threading.get_ident()
        return set(at_once([threading.get_ident] * 3)) == {here}

    assert at_once([outer, outer]) == [True, True]
    assert cores() == 2


def test_after_an_error_what_has_begun_ends_and_nothing_else_begins():
    meet, done = threading.Barrier(2, timeout=10), []

    def fail():
        meet.wait()
        raise ValueError("no")

    def go_on():
        meet.wait()
        time.sleep(0.2)
        done.append("begun")

    later = [lambda: done.append("later")] * 3
    for calls in ([fail, go_on, *later], [go_on, fail, *later]):
        done.clear()
        with pytest.raises(ValueError, match="no"):
            at_once(calls)
        assert done == ["begun"]
    assert cores() == 2
    assert at_once([lambda: 1, lambda: 2]) == [1, 2]


def test_nobody_waits_for_a_helper_that_works_for_somebody_else(monkeypatch):
    busy, release = threading.Event(), threading.Event()
    pool = ThreadPoolExecutor(1)
    monkeypatch.setattr(parallel, "_pool", pool)
    pool.submit(lambda: (busy.set(), release.wait(20)))
    busy.wait(10)
    here = threading.get_ident()
    assert at_once([threading.get_ident] * 3) == [here] * 3  # the only helper never came
    release.set()


def test_where_no_thread_can_be_had_it_is_done_alone(monkeypatch):
    class Refused(ThreadPoolExecutor):
        def submit(self, *_):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(parallel, "_pool", Refused(1))
    assert at_once([lambda: 1, lambda: 2]) == [1, 2]


@pytest.mark.parametrize(("threads", "left"), [(1, 2), (2, 1), (5, 1)])
def test_what_has_threads_of_its_own_leaves_room_for_fewer(threads, left):
    parallel.share_with(threads)
    assert cores() == left


def test_a_worker_whose_neighbours_have_the_other_cores_does_nothing_at_once():
    parallel.one_by_one()
    assert at_once([threading.get_ident] * 3) == [threading.get_ident()] * 3


def test_every_thread_has_as_many_torch_threads_as_were_chosen():
    from course_lib.training import THREADS

    meet = threading.Barrier(2, timeout=10)

    def call():
        meet.wait()
        return torch.get_num_threads()

    assert at_once([call, call]) == [THREADS, THREADS]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # Python 3.12 warns of what is tested here
def test_a_forked_process_has_threads_of_its_own():
    assert at_once([lambda: 1, lambda: 2]) == [1, 2]  # the threads are there
    child = os.fork()
    if child == 0:
        os._exit(0 if at_once([lambda: 3, lambda: 4]) == [3, 4] else 1)
    deadline = time.monotonic() + 20
    while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < deadline:
        time.sleep(0.02)
    if not ended[0]:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert ended == (child, 0)

"""The worker: the newest job wins, and nothing is left behind."""

import threading
import time

import pytest

from course_lib.worker import Worker

PATIENCE = 10  # seconds until a test gives up


@pytest.fixture
def errors():
    return []


@pytest.fixture
def worker(errors):
    """A worker of which nothing may remain after the test."""
    before = set(threading.enumerate())
    worker = Worker(errors.append)
    yield worker
    worker.cancel()
    worker.wait(PATIENCE)
    until(lambda: not [t for t in threading.enumerate() if t not in before])


def until(condition):
    """Wait for a condition, but not for ever."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)


def endless(log, name):
    """A job that notes its start, its end, and each pause, and never ends by itself."""

    def job():
        log.append(f"{name} starts")
        try:
            while True:
                time.sleep(0.001)
                yield
        finally:
            log.append(f"{name} ends")

    return job


def short(log, name, pauses=3):
    def job():
        for _ in range(pauses):
            yield
        log.append(name)

    return job


def test_a_job_runs_to_its_end_in_a_thread_of_its_own(worker, errors):
    threads = []

    def job():
        threads.append(threading.current_thread())
        yield
        threads.append(threading.current_thread())

    assert not worker.busy
    worker.submit(job)
    worker.wait(PATIENCE)
    assert not worker.busy
    assert len(threads) == 2
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()
    assert threads[0].daemon  # the program can end while it works
    assert errors == []


def test_no_thread_lives_on_when_there_is_nothing_to_do(worker):
    count = threading.active_count()
    log = []
    for name in "abc":
        worker.submit(short(log, name))
        worker.wait(PATIENCE)
        until(lambda: threading.active_count() == count)
    assert log == ["a", "b", "c"]


def test_the_newest_job_stops_the_one_that_runs(worker):
    log = []
    worker.submit(endless(log, "old"))
    until(lambda: log == ["old starts"])
    worker.submit(short(log, "new"))
    worker.wait(PATIENCE)
    assert log == ["old starts", "old ends", "new"]


def test_two_jobs_never_run_at_once(worker):
    inside = []

    def job():
        inside.append(1)
        try:
            for _ in range(5):
                assert len(inside) == 1
                time.sleep(0.0005)
                yield
        finally:
            inside.pop()

    for _ in range(30):
        worker.submit(job)
        time.sleep(0.001)
    worker.wait(PATIENCE)  # would raise the assertion's error
    assert inside == []


def test_cancel_stops_at_the_next_pause_and_closes_the_generator(worker, errors):
    log, pauses = [], []
    gate = threading.Event()

    def job():
        try:
            while True:
                gate.wait(PATIENCE)
                gate.clear()
                pauses.append(1)
                yield
        finally:
            log.append("closed")

    steps = job()  # held here too, so that only the worker closes it
    worker.submit(lambda: steps)
    gate.set()
    until(lambda: len(pauses) == 1)
    worker.cancel()
    assert log == []  # it works on until it pauses
    gate.set()
    worker.wait(PATIENCE)
    assert log == ["closed"]
    assert len(pauses) <= 2
    assert errors == []


def test_cancel_forgets_a_job_that_waits(worker):
    log = []
    worker.submit(short(log, "late"), delay=0.5)  # long enough to be called off on a busy machine, too
    worker.cancel()
    worker.wait(PATIENCE)
    assert log == []
    time.sleep(0.6)
    assert log == []


def test_cancel_with_nothing_to_do_does_nothing(worker):
    worker.cancel()
    worker.wait(0)
    assert not worker.busy


def test_a_delayed_job_starts_in_its_time(worker):
    started = []
    begin = time.monotonic()
    worker.submit(lambda: iter([started.append(time.monotonic() - begin)]), delay=0.15)
    assert worker.busy
    worker.wait(PATIENCE)
    assert 0.15 <= started[0] < 2


def test_each_submit_starts_the_delay_anew(worker):
    log = []
    begin = time.monotonic()
    for name in "abcde":
        worker.submit(short(log, name), delay=0.6)
        time.sleep(0.03)
    worker.wait(PATIENCE)
    assert log == ["e"]
    assert time.monotonic() - begin >= 4 * 0.03 + 0.6


def test_a_job_without_delay_overtakes_one_that_waits(worker):
    log = []
    worker.submit(short(log, "slow"), delay=60)
    worker.submit(short(log, "fast"))
    worker.wait(PATIENCE)
    assert log == ["fast"]


def test_a_delayed_job_stops_the_one_that_runs_at_once(worker):
    log = []
    worker.submit(endless(log, "old"))
    until(lambda: log == ["old starts"])
    worker.submit(short(log, "new"), delay=0.2)
    until(lambda: log == ["old starts", "old ends"])
    assert "new" not in log
    worker.wait(PATIENCE)
    assert log[-1] == "new"


def test_a_thousand_rapid_submits_leave_exactly_the_last(worker):
    log = []
    for number in range(1000):
        worker.submit(short(log, number), delay=0.02)
    worker.wait(PATIENCE)
    assert log == [999]


def test_a_thousand_rapid_submits_without_delay_end_with_the_last(worker):
    finished, alive = [], []

    def job(number):
        alive.append(number)
        try:
            yield
            yield
            finished.append(number)
        finally:
            alive.remove(number)

    for number in range(1000):
        worker.submit(lambda number=number: job(number))
        assert threading.active_count() < 20  # no queue of threads
    worker.wait(PATIENCE)
    assert finished[-1] == 999
    assert finished == sorted(finished)
    assert alive == []


# Errors


@pytest.mark.parametrize("when", ["at once", "later", "while closing"])
def test_an_error_is_told_and_raised_by_wait_once(worker, errors, when):
    def job():
        if when == "later":
            yield
        try:
            if when != "while closing":
                raise ValueError(when)
            yield
        finally:
            if when == "while closing":
                raise ValueError(when)

    worker.submit(job)
    with pytest.raises(ValueError, match=when):
        worker.wait(PATIENCE)
    assert [str(error) for error in errors] == [when]
    worker.wait(PATIENCE)  # it has been told


def test_a_job_that_cannot_even_start_is_an_error(worker, errors):
    worker.submit(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        worker.wait(PATIENCE)
    worker.submit(lambda: None)
    with pytest.raises(TypeError, match="not iterable"):
        worker.wait(PATIENCE)
    assert [type(error) for error in errors] == [ZeroDivisionError, TypeError]


def test_an_error_is_told_in_the_workers_thread(errors):
    threads = []
    worker = Worker(lambda error: threads.append(threading.current_thread().name))
    worker.submit(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        worker.wait(PATIENCE)
    assert threads == ["panel worker"]


def test_after_an_error_the_next_job_runs_and_the_error_is_forgotten(worker, errors):
    log = []
    worker.submit(lambda: 1 / 0)
    until(lambda: errors)
    worker.submit(short(log, "next"))
    worker.wait(PATIENCE)
    assert log == ["next"]
    assert len(errors) == 1


def test_what_a_stopped_job_raises_interests_nobody(worker, errors):
    log, gate = [], threading.Event()

    def job():
        log.append("stale")
        gate.wait(PATIENCE)
        raise ValueError("too late")
        yield

    worker.submit(job)
    until(lambda: log == ["stale"])
    worker.submit(short(log, "new"))
    gate.set()
    worker.wait(PATIENCE)
    assert log == ["stale", "new"]
    assert errors == []


def test_a_listener_that_fails_itself_does_not_stop_the_worker_for_ever(monkeypatch):
    crashes = []
    monkeypatch.setattr(threading, "excepthook", lambda crash: crashes.append(crash.exc_type))

    def failed(error):
        raise RuntimeError("cannot show it")

    worker, log = Worker(failed), []
    worker.submit(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        worker.wait(PATIENCE)
    until(lambda: crashes == [RuntimeError])  # Python prints it
    worker.submit(short(log, "next"))
    worker.wait(PATIENCE)
    assert log == ["next"]


def test_waiting_too_long_is_a_timeout(worker):
    log = []
    worker.submit(endless(log, "job"))
    with pytest.raises(TimeoutError, match=r"still at work after 0.05 seconds"):
        worker.wait(0.05)
    assert worker.busy
    worker.cancel()
    worker.wait(PATIENCE)


# Who is current


def test_a_job_is_current_until_a_newer_one_comes(worker):
    seen, gate, paused = [], threading.Event(), threading.Event()

    def job():
        seen.append(worker.current())
        paused.set()
        gate.wait(PATIENCE)
        seen.append(worker.current())
        yield

    worker.submit(job)
    paused.wait(PATIENCE)
    assert not worker.current()  # this is not the worker's thread
    worker.submit(lambda: iter([seen.append(worker.current())]))
    gate.set()
    worker.wait(PATIENCE)
    assert seen == [True, False, True]


def test_a_cancelled_job_is_not_current(worker):
    seen, gate, paused = [], threading.Event(), threading.Event()

    def job():
        paused.set()
        gate.wait(PATIENCE)
        seen.append(worker.current())
        yield
        seen.append("never here")

    worker.submit(job)
    paused.wait(PATIENCE)
    worker.cancel()
    gate.set()
    worker.wait(PATIENCE)
    assert seen == [False]


def test_iterators_that_cannot_be_closed_are_fine(worker):
    worker.submit(lambda: iter([1, 2, 3]))
    worker.wait(PATIENCE)

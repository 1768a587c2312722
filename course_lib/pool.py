"""Worker processes for what takes long: on this machine, or those of a Dask cluster that is there already."""

from __future__ import annotations

import itertools
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from course_lib import __version__
from course_lib.errors import CourseError
from course_lib.parallel import one_by_one

AHEAD = 4  # pieces of work that wait for each worker: memory does not grow with how many there are


class LostWorker(CourseError):
    """A worker process was ended from outside."""


class Local:
    """Worker processes on this machine; use it with ``with``."""

    def __init__(self, jobs: int):
        self.ahead = AHEAD * jobs
        context = multiprocessing.get_context("spawn")  # a fork would carry over what torch has started
        self.pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin_worker)

    def __enter__(self) -> Local:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is not None:  # do not wait for what takes minutes
            for process in list((self.pool._processes or {}).values()):
                process.kill()
        self.pool.shutdown(cancel_futures=True)

    def submit(self, function: Callable, *arguments: object) -> Future:
        return self.pool.submit(function, *arguments)

    def map(self, function: Callable, work: Iterable[tuple[Any, tuple]]) -> Iterator[tuple[Any, Any]]:
        """Yield (what, ``function(*arguments)``) for each (what, arguments) of ``work``, as they are done.

        Raises `LostWorker` if a process was ended from outside.
        """
        left = iter(work)
        running: dict[Future, Any] = {}
        while True:
            for what, arguments in itertools.islice(left, self.ahead - len(running)):
                running[self.submit(function, *arguments)] = what
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                try:
                    result = future.result()
                except BrokenProcessPool:
                    raise LostWorker(
                        "A worker process was ended from outside (was memory short?): what is finished stays, the same "
                        "command goes on, and fewer --jobs take less memory."
                    ) from None
                yield running.pop(future), result


class Cluster(Local):
    """Workers of a Dask cluster that is there already; what a worker had begun when it was lost, another does."""

    def __init__(self, address: str):
        try:
            from distributed import Client
        except ImportError:
            raise CourseError("--dask needs the package distributed: pip install 'dask[distributed]'.") from None
        try:
            self.client = Client(address, timeout=10)
        except (OSError, ValueError, TimeoutError) as error:
            raise CourseError(f"There is no Dask cluster at {address!r} ({error}).") from None
        versions = set(self.client.run(_version).values())
        if not versions:
            raise CourseError(f"The Dask cluster at {address} has no workers.")
        if versions != {__version__}:
            raise CourseError(
                f"Every worker needs course_lib {__version__}; the cluster has {sorted(map(str, versions))}."
            )
        self.ahead = AHEAD * len(self.client.nthreads())

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def submit(self, function: Callable, *arguments: object) -> Future:
        future = self.client.submit(function, *arguments, pure=False)
        done: Future = Future()
        future.add_done_callback(lambda f: _pass_on(f, done))
        return done


def make_workers(jobs: int, dask: str = "") -> Local:
    """Return ``jobs`` processes on this machine or, with the address of a Dask cluster, its workers.

    Raises `CourseError` if there is no such cluster, or it runs another version of the kit.
    """
    return Cluster(dask) if dask else Local(jobs)


def _pass_on(source: Any, target: Future) -> None:
    try:
        target.set_result(source.result())
    except BaseException as error:
        target.set_exception(error)


def _version() -> str:
    return __version__


def _begin_worker() -> None:
    one_by_one()  # the other cores have work of their own
    # Ctrl-C is left to the main process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

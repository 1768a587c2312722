"""Worker processes for what takes long: on this machine, or those of a Dask cluster that is there already."""

from __future__ import annotations

import asyncio
import itertools
import logging
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from course_lib import __version__
from course_lib.environment import requirements
from course_lib.errors import CourseError
from course_lib.parallel import one_by_one

AHEAD = 4  # pieces of work that wait for each worker: memory does not grow with how many there are
PATIENCE = 10  # seconds that a cluster has to answer
STAYS = "what is finished stays, and the same command goes on"


class LostWorker(CourseError):
    """A worker process, or the cluster that it belongs to, was ended from outside."""


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
                        f"A worker process was ended from outside (was memory short?): {STAYS}; fewer --jobs take "
                        "less memory."
                    ) from None
                yield running.pop(future), result


class Cluster(Local):
    """Workers of a Dask cluster that is there already; what a worker had begun when it was lost, another does."""

    def __init__(self, address: str):
        try:
            from distributed import Client
        except ImportError:
            (package,) = requirements(["cluster"])["cluster"]
            raise CourseError(
                f'--dask needs the package distributed: {sys.executable} -m pip install "{package}".'
            ) from None
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # a lost cluster is told in a sentence
        _require_scheduler(address)
        self.client = Client(address, timeout=PATIENCE)
        try:
            self._check(address)
        except BaseException:
            self.client.close()
            raise
        self.ahead = AHEAD * len(self.client.nthreads())

    def _check(self, address: str) -> None:
        # A worker that has no course_lib answers with an exception.
        versions = set(map(str, self.client.run(_version, on_error="return").values()))
        if not versions:
            raise CourseError(f"The Dask cluster at {address} has no workers.")
        if versions != {__version__}:
            raise CourseError(f"Every worker needs course_lib {__version__}; the cluster has {sorted(versions)}.")

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


def _require_scheduler(address: str) -> None:
    """Raise `CourseError` if no Dask scheduler answers there; a Dask client would wait for whatever else listens."""
    from distributed import Security, rpc

    async def ask() -> str:
        async with rpc(address, connection_args=Security().get_connection_args("client")) as there:
            return (await there.identity())["type"]

    async def ask_in_time() -> str:
        return await asyncio.wait_for(ask(), PATIENCE)

    try:
        with ThreadPoolExecutor(1) as thread:  # in a notebook, this thread has a loop that runs
            kind = thread.submit(asyncio.run, ask_in_time()).result()
        why = "" if kind == "Scheduler" else f"it is a {kind.lower()}"
    except TimeoutError:
        why = f"no answer in {PATIENCE} seconds"
    except (OSError, ValueError, TypeError) as error:  # TypeError: a tls address, and no certificate
        why = str(error)
    if why:
        raise CourseError(f"There is no Dask cluster at {address!r} ({why}).")


def _pass_on(source: Any, target: Future) -> None:
    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    try:
        target.set_result(source.result())
    except KilledWorker:
        target.set_exception(LostWorker(f"One task ended each worker that took it up (was memory short?): {STAYS}."))
    except (CancelledError, CommClosedError):
        target.set_exception(LostWorker(f"The Dask cluster was lost: {STAYS} once it is there again."))
    except BaseException as error:
        target.set_exception(error)


def _version() -> str:
    return __version__


def _begin_worker() -> None:
    one_by_one()  # the other cores have work of their own
    # Ctrl-C is left to the main process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

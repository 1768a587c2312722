"""Several things at once in threads, one for each core: while torch computes, Python lets another thread go on.

Each thing is computed as it would be alone, to the last bit. Unlike torch's own threads, which share one product
and wait for each other all the time, these meet only when they are done, so that a busy machine makes them no slower
than one after the other. For worker processes see ``pool.py``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

T = TypeVar("T")
MOST = 8  # cores that are used: a container may be allowed fewer than it sees
_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_this = threading.local()  # .busy: this thread has been given its share already
_cores = min(MOST, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def cores() -> int:
    """Return how many things can be done at once here; 1 inside of something that is done at once with others."""
    return 1 if getattr(_this, "busy", False) else _cores


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Call all functions, as many at once as there are cores, and return what they return, in their order.

    If one of them raises, what has begun goes on to its end, nothing else begins, and the error is raised. What a
    function calls at once in turn, it calls one by one. A thread has torch's settings of its own: ``torch.no_grad()``
    around this call does not reach the functions.
    """
    if len(calls) < 2 or cores() == 1:
        return [call() for call in calls]
    results: list[Any] = [None] * len(calls)
    left = iter(range(len(calls)))  # shared: whoever is done takes the next one

    def take() -> None:
        _this.busy = True
        try:
            for i in left:
                results[i] = calls[i]()
        except BaseException:
            for _ in left:  # nobody begins another one
                pass
            raise
        finally:
            _this.busy = False

    helpers = _begin(take, min(len(calls), _cores) - 1)
    try:
        take()
    finally:
        helpers = [helper for helper in helpers if not helper.cancel()]  # all others work for somebody else
        wait(helpers)
    for helper in helpers:
        helper.result()
    return results


def _begin(take: Callable[[], None], n: int) -> list[Future]:
    """Have up to ``n`` other threads take from the work, too."""
    global _pool
    with _lock:
        _pool = _pool or ThreadPoolExecutor(MOST - 1, thread_name_prefix="beside")
        try:
            return [_pool.submit(take) for _ in range(n)]
        except RuntimeError:  # no more threads, since Python is about to end: then it is done alone
            return []


def share_with(threads: int) -> None:
    """Leave room for this many threads, which each of the things uses by itself."""
    global _cores
    _cores = max(1, _cores // threads)


def one_by_one() -> None:
    """Do nothing at once any more in this process: a worker whose neighbours have the other cores."""
    global _cores
    _cores = 1


def _forget() -> None:
    """Start anew in a forked process, which has none of the threads."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

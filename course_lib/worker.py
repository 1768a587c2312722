"""A background thread that only ever works on the newest job: what a live panel needs, and no more."""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Callable, Iterator

Job = Callable[[], Iterator[None]]


class Worker:
    """Runs the newest job; a newer one, or ``cancel()``, stops the old one at its next pause.

    A job is a function that returns an iterator: it works between its pauses (yields). There is no
    queue. The thread lives only while there is something to do. ``failed(error)`` is told, in that
    thread, what a job raised; ``wait()`` raises it too. What a stopped job raises interests nobody.
    """

    def __init__(self, failed: Callable[[Exception], None]):
        self._failed = failed
        self._changed = threading.Condition()
        self._job: Job | None = None  # the newest job, until it is taken up
        self._due = 0.0
        self._ticket = 0  # grows with each submit and cancel: a job with an older ticket is stale
        self._running = 0  # the ticket of the job that runs
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        atexit.register(_leave, weakref.ref(self))

    def submit(self, job: Job, delay: float = 0.0) -> None:
        """Start ``job`` in ``delay`` seconds, in place of whatever waits or runs now."""
        with self._changed:
            self._job, self._due, self._error = job, time.monotonic() + delay, None
            self._ticket += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True, name="panel worker")
                self._thread.start()
            self._changed.notify_all()

    def cancel(self) -> None:
        """Forget the waiting job, and stop the running one at its next pause."""
        with self._changed:
            self._job = None
            self._ticket += 1
            self._changed.notify_all()

    def current(self) -> bool:
        """Return whether this is the worker's thread and its job is still the newest."""
        return threading.current_thread() is self._thread and self._ticket == self._running

    @property
    def busy(self) -> bool:
        """Whether a job waits or runs."""
        return self._thread is not None

    def wait(self, timeout: float | None = None) -> None:
        """Return once nothing waits or runs; raise what the last job raised, or `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._thread is None, timeout):
                raise TimeoutError(f"still at work after {timeout} seconds")
            error, self._error = self._error, None
        if error is not None:
            raise error

    def _work(self) -> None:
        try:
            while (job := self._take()) is not None:
                try:
                    self._follow(job)
                except Exception as error:  # shown by failed(), raised by wait()
                    if self._ticket == self._running:
                        self._error = error
                        self._failed(error)
        finally:
            with self._changed:  # after an error in failed(), too: the next submit starts a new thread
                if self._thread is threading.current_thread():
                    self._thread = None
                    self._changed.notify_all()

    def _follow(self, job: Job) -> None:
        """Run ``job`` to its end, or to the first pause at which it is stale."""
        steps = job()
        try:
            for _ in steps:
                if self._ticket != self._running:
                    break
        finally:
            if hasattr(steps, "close"):
                steps.close()

    def _take(self) -> Job | None:
        """Wait until the newest job is due and return it; None, and the thread is over, if there is none."""
        with self._changed:
            while self._job is not None and (left := self._due - time.monotonic()) > 0:
                self._changed.wait(left)
            job, self._job, self._running = self._job, None, self._ticket
            if job is None:
                self._thread = None
                self._changed.notify_all()
            return job


def _leave(worker: weakref.ref[Worker]) -> None:
    """Let a running job come to its next pause: a thread inside torch when Python ends aborts the process."""
    if (left := worker()) is not None and (thread := left._thread) is not None:
        left.cancel()
        thread.join(5)

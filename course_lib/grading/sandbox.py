"""The grader's side of the border: a child process that runs one student's function, under limits.

`Sandbox` starts children; a `Child` is asked, and killed when it is late. Nothing that comes from a child is
trusted: it is plain data, of limited size.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError
from course_lib.grading.call import Outcome
from course_lib.grading.plain import MAX_BYTES, decode, encode
from course_lib.grading.sheet import name_of

SECONDS = 10.0  # that one call may take
STARTUP = 120.0  # seconds that Python may take to load torch on a busy machine
BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); import {0} as start; start.{1}"


class Ended(Exception):
    """A child that is no more; the message says how it ended, for the student."""


class Child:
    """A process that runs a student's code. ``end()`` kills it and returns its exit status, if it had one."""

    def __init__(self, connection: Connection, end: Callable[[], int | None]):
        self._connection, self._end = connection, end
        self._ending, self._closed = threading.Lock(), threading.Event()
        self._deadline, self._late = math.inf, False
        self.ended: str = ""
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        """Kill the child when it is late; a thread of its own, since sending and receiving can both hang."""
        while not self._closed.wait(0.05):
            if time.monotonic() > self._deadline:
                self._late = True
                self._kill()
                return

    def ask(self, *request: Any, seconds: float = SECONDS) -> Any:
        """Return the answer to a request; raise `Ended` if there is none within ``seconds``."""
        if self.ended:
            raise Ended(self.ended)
        self._deadline = time.monotonic() + seconds
        try:
            self._connection.send_bytes(encode(request))
            answer = decode(self._connection.recv_bytes(MAX_BYTES + 2**20))
        except (OSError, EOFError, CourseError) as error:
            status = self._kill()
            self.ended = _describe_end(self._late, seconds, status, error)
            raise Ended(self.ended) from None
        self._deadline = math.inf
        return answer

    def load(self, source: bytes, name: str) -> Outcome:
        """Run the source of a function and what it needs; the outcome says what went wrong."""
        return self._outcome("load", _bytes(source), name)

    def call(self, arguments: bytes, harness: Callable | None = None) -> Outcome:
        """Call the loaded function."""
        return self._outcome("call", _bytes(arguments), name_of(harness))

    def _outcome(self, *request: Any) -> Outcome:
        try:
            status, value, text, printed, changed = self.ask(*request)
            if status not in ("answer", "error", "not attempted") or not isinstance(text, str):
                raise ValueError
            return Outcome(status, value, text[:500], max(0, int(printed)), bool(changed))
        except Ended as end:
            return Outcome("slow" if "longer than" in str(end) else "died", text=str(end))
        except Exception:  # it answers in a way of its own: infinity for a count, a tensor for yes or no
            self.ended = "It interfered with the process that graded it"
            return Outcome("died", text=self.ended)

    def _kill(self) -> int | None:
        with self._ending:  # whoever comes second waits until it has ended
            end, self._end = self._end, lambda: None
            return end()

    def close(self) -> None:
        self._closed.set()
        self._kill()
        self._connection.close()


def _bytes(data: bytes) -> Any:
    import numpy as np

    return np.frombuffer(data, np.uint8)


def _describe_end(late: bool, seconds: float, status: int | None, error: Exception) -> str:
    if late:
        return f"It took longer than {seconds:.0f} seconds and was stopped: look for a loop without end"
    if isinstance(error, CourseError):
        return "It interfered with the process that graded it"
    if status in (None, -9):
        return "It ended its process, or took more memory than it may"
    if status < 0:
        names = {-11: "a segmentation fault", -24: "too much processor time", -25: "too large a file", -6: "an abort"}
        return f"Its process crashed ({names.get(status, f'signal {-status}')})"
    return f"It ended its process (exit status {status})"


def find_weakness(spawn: bool = False) -> str:
    """Return a sentence if students' code is not held by this system itself, but by what Python can refuse."""
    if sys.platform == "linux" and not spawn:
        from course_lib.grading import linux

        hidden = linux.landlock_version() > 0 or linux.permits_namespaces()
        if hidden and platform.machine() in linux.MACHINES:
            return ""
    return (
        "On this system Python alone keeps students' code away from your files, and there are ways around it: if you "
        "do not know your class, grade on Linux, with Landlock or namespaces."
    )


class Sandbox:
    """Starts children, from the class edition of the library in ``library``; use it as a context.

    ``folder`` is empty, and where children work; what they leave there is for the caller to remove.

    On Linux children are forked from a process that has torch loaded; elsewhere, or with ``spawn``, each
    submission gets a new Python.
    """

    def __init__(self, library: Path, packages: Sequence[str], folder: Path, *, spawn: bool = False):
        self.library, self.packages, self.folder = Path(library), packages, Path(folder)
        self.spawned = spawn or sys.platform != "linux"
        self._zygote: subprocess.Popen | None = None

    def __enter__(self) -> Sandbox:
        if not self.spawned:
            self._start_zygote()
        return self

    def __exit__(self, *_: object) -> None:
        if self._zygote:
            self._control.close()
            self._zygote.kill()
            self._zygote.wait()

    @contextlib.contextmanager
    def child(self) -> Iterator[Child]:
        """A new child, for as long as the context lasts."""
        child = self._spawn() if self.spawned else self._fork()
        try:
            yield child
        finally:
            child.close()

    def _python(self, module: str, start: str, *arguments: str) -> list[str]:
        boot = BOOT.format(f"course_lib.grading.{module}", start)
        return [sys.executable, "-I", "-B", "-c", boot, str(self.library), *arguments]

    def _environment(self) -> dict[str, str]:
        """Only what Python needs: no secrets of the teacher's shell, and a home that is the private folder."""
        keep = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TEMP", "TMP", "LD_LIBRARY_PATH")
        kept = {name: os.environ[name] for name in keep if name in os.environ}
        one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}  # forks need it, too
        return kept | one_thread | {"HOME": str(self.folder), "MPLBACKEND": "agg", "PYTHONHASHSEED": "0"}

    def _start_zygote(self) -> None:
        self._control, theirs = socket.socketpair()
        number = theirs.fileno()
        command = self._python("zygote", "main(*sys.argv[1:])", str(number), str(self.folder), ",".join(self.packages))
        self._zygote = subprocess.Popen(command, pass_fds=[number], env=self._environment(), cwd=self.folder)
        theirs.close()
        self._control.settimeout(STARTUP)
        try:
            ready = self._control.recv(1)
        except TimeoutError:
            self.__exit__()
            raise CourseError(
                f"The process that runs the students' code did not start within {STARTUP:.0f} seconds: this computer "
                "is busy with something else. Try again, with fewer --jobs."
            ) from None
        if not ready:
            raise CourseError("The process that runs the students' code did not start (it says why above).")

    def _fork(self) -> Child:
        mine, theirs = socket.socketpair()
        socket.send_fds(self._control, [b"f"], [theirs.fileno()])
        theirs.close()
        self._control.recv(1)
        return Child(Connection(mine.detach()), self._end_fork)

    def _end_fork(self) -> int:
        self._control.send(b"e")
        return int.from_bytes(self._control.recv(4), "little", signed=True)

    def _spawn(self) -> Child:
        key = secrets.token_bytes(16)
        folder = tempfile.mkdtemp(dir=self.folder)
        with Listener(authkey=key) as listener:
            arguments = [str(listener.address), key.hex(), str(self.library)]
            start = "run_spawned(sys.argv[1:], __import__('multiprocessing.connection').connection.Client)"
            command = self._python("child", start, *arguments)
            environment = self._environment() | dict.fromkeys(("HOME", "TMPDIR", "TEMP", "TMP"), folder)
            process = subprocess.Popen(command, env=environment, cwd=folder, stdin=subprocess.DEVNULL)
            connection = listener.accept()

        def end() -> int | None:
            process.kill()
            return process.wait()

        return Child(connection, end)

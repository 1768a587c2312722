"""The child process that runs a student's code. It has no answers; it takes and returns plain data only."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.grading import notebook
from course_lib.grading.call import Outcome, call, describe, hushed
from course_lib.grading.plain import MAX_BYTES, decode, encode
from course_lib.grading.sheet import find_function
from course_lib.parallel import one_by_one

FILE = "<your notebook>"


def serve(connection: Connection) -> None:
    """Answer requests until the other side ends; see `_answer` for what may be asked."""
    _lose_output()
    one_by_one()  # the sandbox refuses new threads
    state: dict[str, Any] = {}
    with hushed():
        while True:
            try:
                request = decode(connection.recv_bytes(2 * MAX_BYTES))
            except (EOFError, OSError):
                return
            connection.send_bytes(encode(_answer(state, *request)))


def _row(outcome: Outcome) -> list:
    return [outcome.status, outcome.value, outcome.text, outcome.printed, outcome.changed]


def _lose_output() -> None:
    """Point standard input, output and errors nowhere, also for code that does not go through ``sys``."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)


def _answer(state: dict, task: str, *values: Any) -> Any:
    """Do one task: "read" a notebook, "load" a function from its source, or "call" it."""
    if task == "read":
        return _read(*values)
    if task == "load":
        return _load(state, *values)
    data, harness = values
    return _row(call(state["function"], data.tobytes(), find_function(harness)))


def _read(data: np.ndarray, names: list[str]) -> dict[str, Any]:
    """Return for each name its source and problem, and what the notebook says about its edition."""
    try:
        sources, about = notebook.read_cells(data.tobytes())
    except ValueError as error:
        return {"problem": str(error)}
    found = notebook.find_functions(sources, names)
    release = str(about.get("release", ""))[:100]
    functions = {name: [np.frombuffer(one.source.encode(), np.uint8), one.problem] for name, one in found.items()}
    return {"problem": "", "release": release, "functions": functions}


def _load(state: dict, source: np.ndarray, name: str) -> list:
    """Run the source and keep the function; return an `Outcome` with what went wrong."""
    text = source.tobytes().decode()
    linecache.cache[FILE] = (len(text), None, text.splitlines(True), FILE)
    space = {"__name__": "__main__"}
    try:
        exec(compile(text, FILE, "exec"), space)
    except BaseException as error:
        return _row(Outcome("error", text=describe(error, FILE)))
    state["function"] = space.get(name)
    if not callable(state["function"]):
        return _row(Outcome("error", text=f"TypeError: {name} is not a function any more"))
    return _row(Outcome("answer"))


# --- where there is no Linux: a process of its own, and what Python itself can refuse --------------------


def forbid(readable: Iterable[str | Path], writable: Iterable[str | Path]) -> None:
    """Refuse, by an audit hook, files elsewhere than beneath these, programs, other processes and the network.

    It stops what a function does openly; native code goes around it. It cannot be taken back.
    """
    nowhere = str(Path(os.devnull).resolve())
    to_write = tuple(str(Path(path).resolve()) + os.sep for path in writable)
    to_read = (*to_write, *(str(Path(path).resolve()) + os.sep for path in readable))
    never = (
        "socket.", "subprocess.", "os.fork", "os.exec", "os.spawn", "os.posix_spawn", "os.system", "os.startfile",
        "os.kill", "os.rename", "os.symlink", "os.link", "os.chmod",
        "os.chown", "os.truncate", "os.utime", "os.setxattr", "os.chflags", "shutil.", "ctypes.", "fcntl.",
        "webbrowser.", "winreg.", "_winapi.", "pty.spawn",
    )  # fmt: skip

    reading, writing = ("os.listdir", "os.scandir"), ("os.remove", "os.mkdir", "os.rmdir")
    change = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

    def hook(event: str, arguments: tuple) -> None:
        if event.startswith(never):
            raise PermissionError(f"{event} is not allowed in graded code")
        if event in (*reading, *writing, "open") and not isinstance(arguments[0], (int, type(None))):
            path = str(Path(os.fsdecode(arguments[0])).resolve())
            mode, flags = arguments[1:3] if event == "open" else ("", 0)
            writes = event in writing or set(mode or "") & set("wax+") or (flags or 0) & change
            if path != nowhere and not (path + os.sep).startswith(to_write if writes else to_read):
                raise PermissionError(f"graded code may not open {path}")

    sys.addaudithook(hook)


def python_folders() -> list[Path]:
    """Return where Python and its packages are: not its whole prefix, which may be a folder that people work in."""
    names = ("lib", "lib64", "share", "DLLs", "Library")
    return [Path(prefix) / name for prefix in {sys.prefix, sys.base_prefix} for name in names]


def run_spawned(arguments: list[str], connect: Callable[..., Connection]) -> None:
    """Start of a spawned child: connect to the grader, give up what can be given up, and serve."""
    address, key, library = arguments
    connection = connect(address, authkey=bytes.fromhex(key))
    try:
        import resource
    except ImportError:  # Windows
        pass
    else:
        limits = {"CPU": 300, "FSIZE": 16 * 2**20, "NOFILE": 64, "CORE": 0, "NPROC": 1}
        for name, value in limits.items():
            number = getattr(resource, f"RLIMIT_{name}")
            hard = resource.getrlimit(number)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(number, (value, value))
    forbid([library, *python_folders()], [Path.cwd()])
    serve(connection)

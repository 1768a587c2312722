"""The environment: which packages are needed, which Python has them, and running a command in it.

Standard library only, because it runs before anything is installed. ``.venv`` is trusted by its stamp
alone: a small file that says "not ready" before the first package comes in and "ready" after the last.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import operator
import os
import re
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "course_lib.json"
HANDED_OVER = "COURSE_LIB_HANDED_OVER"  # set for the child, so that it does not hand over again

Groups = Mapping[str, Sequence[str]]  # group of requirements -> requirements, such as "pandas>=2.2,<4"

COMPARE = {"==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<": operator.lt}


def requirements(extras: Sequence[str] = ()) -> Groups:
    """Return the requirements of the lab and of each of ``extras``, names in pyproject.toml, by group."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    wanted = {"lab": [text for line in lines if (text := line.partition("#")[0].strip())]}
    if extras:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        wanted |= {extra: project["optional-dependencies"][extra] for extra in extras}
    return wanted


def parse(requirement: str) -> tuple[str, list[tuple[str, str]]]:
    """Split ``"pandas>=2.2,<4"`` into name and limits: ``("pandas", [(">=", "2.2"), ("<", "4")])``."""
    parts = re.fullmatch(r"([\w.-]+)((?:(?:==|!=|>=|<)[\w.]+,?)*)", requirement.replace(" ", ""))
    if not parts:
        raise CourseError(f"A requirement may use {', '.join(COMPARE)} only; it was {requirement!r}.")
    return parts[1], re.findall(r"(==|!=|>=|<)([\w.]+)", parts[2])


def is_met(requirement: str) -> bool:
    """Tell whether the running Python has this package; its version ``2.2+cpu`` counts as ``2.2``."""
    name, limits = parse(requirement)
    try:
        have = _release(importlib.metadata.version(name))
    except (importlib.metadata.PackageNotFoundError, TypeError):  # TypeError: half deleted, no version
        return False
    return all(COMPARE[sign](have, _release(version)) for sign, version in limits)


def _release(version: str) -> tuple[int, ...]:
    numbers = [int(number) for number in re.match(r"\d+(\.\d+)*", version)[0].split(".")]
    while numbers[-1:] == [0]:  # 2.13.0 is 2.13
        numbers.pop()
    return tuple(numbers)


def is_ready_here(wanted: Groups) -> bool:
    """Tell whether the running Python has every requirement; ``.venv`` needs its stamp besides."""
    if Path(sys.prefix).resolve() == VENV.resolve():
        return not find_fault(wanted)
    return all(is_met(requirement) for group in wanted.values() for requirement in group)


def find_ready() -> Path | None:
    """Return a Python that has the lab's packages, or None; install nothing."""
    wanted = requirements()
    if is_ready_here(wanted):
        return Path(sys.executable)
    return None if find_fault(wanted) else PYTHON


def find_fault(wanted: Groups) -> str:
    """Return why ``.venv`` cannot be used as it is, a key of ``install.NEWS``; empty if it can."""
    if not VENV.exists() or not any(VENV.iterdir()):
        return "missing"
    stamp = read_stamp()
    if not stamp:
        return "foreign"
    if not stamp["ready"]:
        return "unfinished"
    version, _ = probe()
    if stamp["venv"] != str(VENV) or stamp["python"] != version:
        return "broken"
    if set(stamp["entries"]) - set(list_entries(Path(stamp["site"]))):
        return "damaged"
    if any(stamp["groups"].get(name, digest) != digest for name, digest in digests(wanted).items()):
        return "changed"
    return "" if stamp["groups"].keys() >= wanted.keys() else "extra"


def read_stamp() -> dict[str, Any]:
    """Return what ``.venv``'s stamp says; empty if there is none: the course did not make it, then."""
    try:
        return json.loads(STAMP.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def write_stamp(**content: object) -> None:
    """Replace the stamp atomically."""
    part = STAMP.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1), "utf-8")
    part.replace(STAMP)


def digests(wanted: Groups) -> dict[str, str]:
    """Return a checksum of each group of requirements; comments do not change it."""
    return {name: hashlib.sha256("\n".join(group).encode()).hexdigest() for name, group in wanted.items()}


def probe() -> tuple[str, Path]:
    """Return version ("3.11") and site-packages of ``.venv``'s Python; version "" if it does not run."""
    code = (
        "import json, sys, sysconfig;print(json.dumps(['%d.%d' % sys.version_info[:2], sysconfig.get_path('purelib')]))"
    )
    try:
        told = subprocess.run(
            [PYTHON, "-I", "-c", code], capture_output=True, timeout=60, check=True, stdin=subprocess.DEVNULL
        )
        version, site = json.loads(told.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return "", VENV
    return version, Path(site)


def list_entries(site: Path) -> list[str]:
    """Return the names in site-packages, without versions: an upgrade by hand is not a loss."""
    names = (path.name for path in site.iterdir()) if site.exists() else ()
    kept = (name for name in names if not (name == "__pycache__" or name.startswith("~") or name.endswith(".pth")))
    return sorted({re.sub(r"-[^-]+(\.dist-info)$", r"\1", name) for name in kept})


def hand_over(python: Path, arguments: Sequence[str]) -> int:
    """Run ``course_lib`` with these arguments in another Python and return its exit status."""
    command = [str(python), "-m", "course_lib", *arguments]
    return call(command, env={**os.environ, HANDED_OVER: str(python)})[0]


def call(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
    started: Callable[[subprocess.Popen], object] | None = None,
    hushed: bool = False,
) -> tuple[int, bool]:
    """Run a child; return its exit status, and whether Ctrl-C came, which is left to the child.

    started: called with the child as soon as it runs. hushed: Ctrl-C comes to the child, and to all that it
    has started, by way of this process, and what they say on stderr from then on (tracebacks) is dropped.
    """
    came = []
    apart = {}
    if hushed:
        apart = {"stderr": subprocess.PIPE, "start_new_session": True}
        if os.name == "nt":
            apart["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP

    def note(number: int, _frame: object) -> None:
        came.append(number)
        if hushed:
            return _stop_group(child, number)
        # A terminal sends Ctrl-C to the child as well; from elsewhere a signal comes to this process only.
        if number == signal.SIGTERM or (os.name != "nt" and not (sys.stdin and sys.stdin.isatty())):
            child.send_signal(number)

    def relay() -> None:
        for line in child.stderr:
            if signal.SIGINT not in came:
                sys.stderr.write(line)
                sys.stderr.flush()

    with subprocess.Popen(command, env=env, cwd=cwd, pass_fds=pass_fds, errors="replace", **apart) as child:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            if hushed:
                (reader := threading.Thread(target=relay)).start()
            if started:
                started(child)
            status = child.wait()
            if hushed:
                reader.join()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    return (status if status >= 0 else 128 - status), signal.SIGINT in came


def _stop_group(child: subprocess.Popen, number: int) -> None:
    """Pass a signal on to a child that leads a group, and to the whole group."""
    if os.name == "nt":
        child.send_signal(signal.CTRL_BREAK_EVENT)
    else:
        with suppress(OSError):  # it has ended by itself
            os.killpg(child.pid, number)

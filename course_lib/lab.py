"""The lab: a learner's own copies of the notebooks in ``work/``, served by JupyterLab."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from course_lib.environment import ROOT, call
from course_lib.errors import CourseError

NOTEBOOKS = ROOT / "notebooks"
WORK = ROOT / "work"
RECORD = ".course_lib.json"  # in work/: notebook -> checksum of the kit's notebook that was copied
FIRST = "00_start_here.ipynb"
HOST = "127.0.0.1"

# JupyterLab's start takes 2.4 s, 1.3 of them in rfc3987_syntax, which only checks the form of web
# addresses in event schemas and may be absent; hidden, the server answers after 1.0 s. Until the server
# has its own handler, Ctrl-C ends it without a traceback.
START = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); sys.modules['rfc3987_syntax'] = None; "
    "from jupyterlab.labapp import main; main()"
)


def find_lesson(number: str, notebooks: Path = NOTEBOOKS) -> str:
    """Return the notebook of a lesson: ``"07"`` or ``"7"`` gives ``"07_bias_mitigation.ipynb"``.

    Raises `CourseError` that lists the lessons if there is no such lesson.
    """
    lessons = {path.name.partition("_")[0]: path.name for path in _list(notebooks)}
    if not number or number.zfill(2) not in lessons:
        there = ", ".join(f"{key} ({Path(name).stem[3:]})" for key, name in lessons.items())
        raise CourseError(f"There is no lesson {number!r}; there are {there or 'no lessons'}.")
    return lessons[number.zfill(2)]


def prepare_work(notebooks: Path = NOTEBOOKS, work: Path = WORK, *, reset: str | None = None) -> None:
    """Copy into ``work`` every notebook that is not there, and say what is new; overwrite nothing.

    reset: number of a lesson that gets a fresh copy; the learner's is kept under a new name beside it.
    Raises `CourseError` if there is no such lesson or ``work`` cannot be written to.
    """
    fresh = find_lesson(reset, notebooks) if reset is not None else ""
    check_work(work)
    try:
        work.mkdir(parents=True, exist_ok=True)
        record = _read_record(work)
        for source in _list(notebooks):
            target, checksum = work / source.name, hashlib.sha256(source.read_bytes()).hexdigest()
            if source.name == fresh or not target.exists():
                _copy(source, target)
                record[source.name] = checksum
            elif record.get(source.name, checksum) != checksum:
                number = source.name.partition("_")[0]
                print(f"The course has a newer {source.name}: `lab --reset {number}` gets it and keeps yours.")
        _write(work / RECORD, json.dumps(record, indent=1).encode())
    except OSError as error:
        raise CourseError(
            f"Your notebooks cannot be put into {work} ({error.strerror or error}): "
            "make it a folder that you may write to, with some free space."
        ) from None


def check_work(work: Path = WORK) -> None:
    """Raise `CourseError` if something that is not a folder has the place of ``work``."""
    if work.exists() and not work.is_dir():
        raise CourseError(
            f"{work} is a file, and your notebooks need a folder of that name: rename the file, then run the same "
            "command again."
        )


def _list(notebooks: Path) -> list[Path]:
    return sorted(path for path in notebooks.glob("*.ipynb") if re.match(r"\d\d_", path.name))


def _read_record(work: Path) -> dict[str, str]:
    try:
        return dict(json.loads((work / RECORD).read_text("utf-8")))
    except (FileNotFoundError, TypeError, ValueError):
        return {}


def _copy(source: Path, target: Path) -> None:
    """Copy a notebook; one that is there is renamed ``….kept-1.ipynb``, or the next free number."""
    part = target.with_suffix(".part")
    shutil.copyfile(source, part)  # first, so that a full disk loses nothing
    if target.exists():
        number = 1
        while (kept := target.with_suffix(f".kept-{number}.ipynb")).exists():
            number += 1
        target.rename(kept)
        print(f"{target.name} is a fresh copy now; yours is kept as {kept.name}.")
    part.replace(target)


def _write(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


def choose_port(port: int | None = None) -> int:
    """Return ``port``, or the first free one from 8888 on; raise `CourseError` if it is in use."""
    if port is None:
        port = next((free for free in range(8888, 8988) if not _find_obstacle(free)), 0)
        if not port:
            raise CourseError("The ports 8888 to 8987 are all in use: choose another one with --port.")
    elif obstacle := _find_obstacle(port):
        raise CourseError(f"Port {port} {obstacle}: choose another one with --port, or leave the option out.")
    return port


def _find_obstacle(port: int) -> str:
    with socket.socket() as client, socket.socket() as server:
        client.settimeout(1)
        if not client.connect_ex((HOST, port)):
            return "is in use by another program"
        if os.name != "nt":  # there it would take a port away from its owner
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
        except PermissionError:
            return "may not be used by an ordinary user"
        except OSError:
            return "is in use by another program"
    return ""


def server_command(port: int, root: Path = WORK, *, browser: bool = False, extra: Sequence[str] = ()) -> list[str]:
    """Return the command that serves ``root`` on this computer only, opening the first lesson.

    extra: further options of JupyterLab, such as ``--LabApp.expose_app_in_browser=True``.
    """
    return [
        *(sys.executable, "-c", START),
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.base_url=/",
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url={_page(root)}",
        f"--LabApp.open_browser={browser}",
        f"--ServerApp.open_browser={browser}",
        "--ServerApp.allow_root=True",  # in a container one often is; the port is open to this machine only
        "--JupyterApp.answer_yes=True",  # Ctrl-C stops without asking back
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LanguageServerManager.autodetect=False",
        "--ServerApp.log_level=WARN",
        "--LabApp.log_level=WARN",
        *extra,
    ]


def server_environment(token: str | None = None) -> dict[str, str]:
    """Return the environment variables for `server_command`.

    The lab's page settings come before the user's, this Python's kernel before any other of that name,
    and ``import course_lib`` works in every notebook. token: the password in the address; None: Jupyter's.
    """
    variables = dict(os.environ)
    for name, first in {
        "JUPYTER_CONFIG_PATH": Path(__file__).parent,  # holds labconfig/
        "JUPYTER_PATH": Path(sys.prefix) / "share" / "jupyter",
        "PYTHONPATH": ROOT,
    }.items():
        variables[name] = os.pathsep.join(filter(None, [str(first), variables.get(name)]))
    if token is not None:
        variables["JUPYTER_TOKEN"] = token
    return variables


def serve(port: int, work: Path = WORK, *, browser: bool = True) -> int:
    """Serve ``work`` until Ctrl-C and return 0; raise `CourseError` if JupyterLab fails."""
    obstacle = _find_browser_obstacle() if browser else ""
    if obstacle:
        print(f"{obstacle}, so none is opened: copy the address below into a browser.")
    opens = browser and not obstacle
    token = secrets.token_hex(24)

    def tell(server: subprocess.Popen) -> None:
        if wait_until_up(server, port):
            how = "opens in your browser; if no page comes" if opens else "is ready; to see it"
            address = f"http://{HOST}:{port}{_page(work)}?token={token}"
            print(f"\nThe lab {how}, open this address:\n\n  {address}\n\nCtrl-C here stops it.", flush=True)

    print("Starting JupyterLab ...", flush=True)
    command = server_command(port, work, browser=opens)
    status, stopped = call(command, env=server_environment(token), cwd=work, started=tell)
    if status and not stopped:
        raise CourseError(f"JupyterLab stopped with status {status} (it says why above).")
    print(f"\nThe lab has stopped. What you saved is in {work}.")
    return 0


def _page(root: Path) -> str:
    return f"/lab/tree/{FIRST}" if (root / FIRST).exists() else "/lab"


def wait_until_up(server: subprocess.Popen, port: int) -> bool:
    """Wait until the server answers and return True; False if it ends before that."""
    while server.poll() is None:
        with socket.socket() as client:
            if not client.connect_ex((HOST, port)):
                return True
        time.sleep(0.05)
    return False


def _find_browser_obstacle() -> str:
    displays = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in displays):
        return "There is no display for a browser"
    try:
        webbrowser.get()
    except webbrowser.Error:
        return "No browser was found"
    return ""

"""The installation: make, repair or complete ``.venv``, and never leave one that only looks whole.

Standard library only. See `environment` for the stamp that says what ``.venv`` holds.
"""

from __future__ import annotations

import importlib.util
import locale
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from course_lib import environment
from course_lib.environment import PYTHON, ROOT, VENV, Groups
from course_lib.errors import CourseError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

BASE = getattr(sys, "_base_executable", sys.executable)  # outside .venv, which may be deleted
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
NVIDIA = Path("/proc/driver/nvidia")  # there if the driver is loaded
GIGABYTES = {"cpu": 2.5, "cuda": 8.0, "update": 0.5}  # free disk space that each needs

NEWS = {
    "missing": "The course's environment is not there yet. It is made now, once:",
    "foreign": "There is a .venv that the course did not make. It is kept; what is missing is added:",
    "unfinished": "The last installation was not finished, so it is done again from the start:",
    "broken": "The environment no longer runs (Python is gone or the folder was moved). It is made again:",
    "damaged": "Packages are missing from the environment. They are installed again:",
    "changed": "The requirements have changed since the environment was made. It is brought up to date:",
    "partial": "Files of installed packages are missing. The environment is made again:",
    "extra": "This command needs a few packages more. They are installed now, once:",
}
AFRESH = ("missing", "unfinished", "broken", "partial")  # faults that only a new .venv cures, if it is ours

IMPORT_ALL = """
import importlib, importlib.metadata as metadata, sys, sysconfig
for package in metadata.distributions(path=[sysconfig.get_path("purelib")]):
    if package.files is None:  # the list of files is what pip writes last
        sys.exit(package.metadata["Name"] + " is installed only in part")
modules = metadata.packages_distributions()
for name in sys.argv[1:]:
    name = metadata.distribution(name).metadata["Name"]
    for module in (m for m, owners in modules.items() if name in owners and m.isidentifier()):
        importlib.import_module(module)
"""


def ensure(extras: Sequence[str] = ()) -> Path:
    """Return a Python that has the lab's packages and those of ``extras``, installing them if need be.

    The Python that is running is used if it has everything (a conda environment, say), else ``.venv``.
    Raises `CourseError` if that fails, and `KeyboardInterrupt` with a sentence if the user stops it.
    """
    wanted = environment.requirements(extras)
    if environment.is_ready_here(wanted):
        return Path(sys.executable)
    if environment.find_fault(wanted):
        with _alone() as lock:
            fault = environment.find_fault(wanted)  # whoever held the lock may have done it all
            try:
                if fault:
                    _install(wanted, fault, lock)
            except KeyboardInterrupt:
                raise KeyboardInterrupt("Stopped; run the same command again and it starts over.") from None
    _link(Path(environment.read_stamp()["site"]))
    return PYTHON


def _install(wanted: Groups, fault: str, lock: Sequence[int]) -> None:
    stamp = environment.read_stamp()
    ours = fault == "missing" or stamp.get("ours", False)
    afresh = ours and fault in AFRESH
    site = None if afresh else _find_site()
    print(NEWS[fault], flush=True)
    torch = _find_missing_torch(wanted, site)
    index = _announce(torch)
    if afresh:
        site, stamp = _create(lock), {}
    environment.write_stamp(**{**stamp, "ready": False, "ours": ours})
    before = set(site.iterdir())
    try:
        _install_all(wanted, lock, torch if index else "")
    except (CourseError, KeyboardInterrupt):
        if not afresh and set(site.iterdir()) == before:  # nothing was touched: without network, say
            environment.write_stamp(**stamp)
        raise
    if trouble := _check_imports(wanted):
        if ours and not afresh:
            return _install(wanted, "partial", lock)
        advice = "see what it says" if ours else f"{VENV} is not the course's own: delete or rename it"
        raise CourseError(f"Not all packages can be imported ({trouble}); {advice}, then run the command again.")
    _stamp_ready(wanted, site, ours, stamp.get("groups", {}))
    print("The environment is ready.\n", flush=True)


def _find_site() -> Path:
    """Return site-packages of the ``.venv`` that is there; raise `CourseError` if its Python is of no use."""
    version, site = environment.probe()
    if not version or tuple(map(int, version.split("."))) < (3, 11):
        raise CourseError(
            f"{VENV} was not made by the course, and its Python does not run or is older than 3.11: "
            "delete or rename it, then run the same command again."
        )
    return site


def _find_missing_torch(wanted: Groups, site: Path | None) -> str:
    """Return the pinned requirement of torch if that version is not in ``site``, else nothing."""
    pin = next((each.replace(" ", "") for each in wanted["lab"] if each.startswith("torch==")), "")
    there = site and pin and any(site.glob(pin.replace("==", "-") + "*.dist-info"))
    return "" if there else pin


def _announce(torch: str) -> str:
    """Say where, how big and how long; return the index to take torch from, nothing for the default.

    Raises `CourseError` if the disk has too little room.
    """
    index, size = "", "update"
    if torch:
        index, size = _choose_torch()
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < GIGABYTES[size]:
        raise CourseError(
            f"The installation needs about {GIGABYTES[size]:g} GB of free disk space, and {ROOT} has "
            f"{free:.1f} GB: make room, then run the same command again."
        )
    if torch:
        print(f"  where  {VENV} (nothing outside it is changed; to undo, delete it)")
        print(f"  size   about {GIGABYTES[size]:g} GB of disk space")
        print("  time   2 to 15 minutes, most of it downloads; it can be stopped with Ctrl-C\n", flush=True)
    return index


def _choose_torch() -> tuple[str, str]:
    """Return the index to take torch from, and its size as a key of `GIGABYTES`.

    On Linux the default index brings CUDA with torch, which is of no use without an NVIDIA card.
    """
    if sys.platform != "linux":
        return "", "cpu"
    if shutil.which("nvidia-smi") or NVIDIA.exists():
        return "", "cuda"
    try:
        urllib.request.urlopen(f"{CPU_INDEX}/torch/", timeout=5).close()
    except OSError:
        print(f"  {CPU_INDEX} does not answer, so torch comes from pip's default index.", flush=True)
        return "", "cuda"
    print("  There is no NVIDIA card: torch comes without CUDA, about 200 MB instead of 3 GB.", flush=True)
    return CPU_INDEX, "cpu"


def _create(lock: Sequence[int]) -> Path:
    """Make a new ``.venv``, in place of the old one that the course made; return its site-packages."""
    if not importlib.util.find_spec("ensurepip"):
        raise CourseError(
            "This Python cannot make environments: install its venv module (on Debian and Ubuntu: "
            "sudo apt install python3-venv), then run the same command again."
        )
    _remove()
    VENV.mkdir(exist_ok=True)
    environment.write_stamp(ready=False, ours=True)  # before anything else is in it
    if _run(lock, BASE, "-I", "-m", "venv", VENV):
        raise CourseError(f"The environment {VENV} could not be made (Python says why above).")
    return _find_site()


def _remove() -> None:
    """Delete ``.venv``: renamed first, so that one deleted by halves is never taken for a whole one."""
    waste = VENV.with_name(".venv.waste")
    try:
        if waste.exists():
            shutil.rmtree(waste)
        if VENV.exists():
            VENV.rename(waste)
            shutil.rmtree(waste)
    except PermissionError:
        raise CourseError(
            f"{VENV} cannot be deleted to be made again: stop every program that uses it (a lab, an editor), "
            "then run the same command again."
        ) from None


def _install_all(wanted: Groups, lock: Sequence[int], torch: str) -> None:
    """Install everything with pip, ``torch`` (if any) first and from PyTorch's index without CUDA."""
    find_pip = "import importlib.util, sys; sys.exit(not importlib.util.find_spec('pip'))"
    if _run(lock, PYTHON, "-I", "-c", find_pip):  # an environment made by another tool may have none
        _run(lock, PYTHON, "-I", "-m", "ensurepip")
    if torch and not _pip(lock, torch, "--index-url", CPU_INDEX):
        print(f"{CPU_INDEX} did not work out; going on with pip's default index.", flush=True)
    extras = [requirement for name, group in wanted.items() if name != "lab" for requirement in group]
    if not _pip(lock, "-r", ROOT / "requirements.txt", *extras):
        raise CourseError(
            "The packages could not be installed (pip says why above): check the network (behind a proxy, "
            "set HTTPS_PROXY) and the free disk space, then run the same command again."
        )


def _check_imports(wanted: Groups) -> str:
    """Return what is wrong with the packages in ``.venv``: the last line of a failed import, or nothing."""
    print("Checking that everything imports ...", flush=True)
    names = [environment.parse(requirement)[0] for group in wanted.values() for requirement in group]
    command = [PYTHON, "-I", "-c", IMPORT_ALL, *names]
    check = subprocess.run(command, capture_output=True, text=True, errors="replace")
    return (check.stderr.strip() or f"status {check.returncode}").splitlines()[-1] if check.returncode else ""


def _stamp_ready(wanted: Groups, site: Path, ours: bool, groups: dict[str, str]) -> None:
    environment.write_stamp(
        ready=True,
        ours=ours,
        venv=str(VENV),
        python=environment.probe()[0],
        site=str(site),
        entries=environment.list_entries(site),
        groups={**groups, **environment.digests(wanted)},
    )


def _pip(lock: Sequence[int], *arguments: str | Path) -> bool:
    """Run ``pip install`` in ``.venv`` and tell whether it went well; -I hides packages from elsewhere."""
    return not _run(lock, PYTHON, "-I", "-m", "pip", "install", "--disable-pip-version-check", *arguments)


def _run(lock: Sequence[int], *command: str | Path) -> int:
    """Run a child that holds the lock too, so that it is not overtaken if this process is killed."""
    status, stopped = environment.call(command, env={**os.environ, "PIP_USER": "0"}, pass_fds=lock, hushed=True)
    if stopped:
        raise KeyboardInterrupt
    return status


def _link(site: Path) -> None:
    """Let ``.venv`` import course_lib from any folder; an environment that is shared may be read-only."""
    path = site / "course_lib.pth"
    # A folder whose name the encoding of such files lacks has to do without: the lab itself sets PYTHONPATH.
    with suppress(OSError, UnicodeEncodeError):
        text = f"{ROOT}\n".encode(locale.getencoding())
        if not path.exists() or path.read_bytes() != text:
            path.write_bytes(text)


@contextmanager
def _alone() -> Iterator[Sequence[int]]:
    """Hold the lock, waiting for it if need be; yield the files that a child must inherit to hold it too.

    The operating system lets go of it when its last holder ends, however that ends.
    """
    try:
        file = VENV.with_name(".venv.lock").open("a")
    except OSError:
        raise CourseError(
            f"The folder {ROOT} cannot be written to: copy the course to a folder of your own, start it there."
        ) from None
    with file:
        if not _try_lock(file):
            print("Another start is installing; waiting until it has finished (Ctrl-C gives up) ...", flush=True)
            while not _try_lock(file):
                time.sleep(0.3)
        yield (file.fileno(),) if fcntl else ()


def _try_lock(file: IO[str]) -> bool:
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True  # a network folder without locks: better unlocked than not at all
    return True

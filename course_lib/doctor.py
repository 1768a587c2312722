"""The doctor: what is here, what is missing, and what to do about it. Installs and downloads nothing."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from course_lib import environment
from course_lib.data import idx

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
INSTALLED_BROWSERS = (  # where macOS and Windows keep them, off the search path
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "{PROGRAMFILES}/Google/Chrome/Application/chrome.exe",
    "{PROGRAMFILES(X86)}/Google/Chrome/Application/chrome.exe",
    "{LOCALAPPDATA}/Google/Chrome/Application/chrome.exe",
    "{PROGRAMFILES(X86)}/Microsoft/Edge/Application/msedge.exe",
)


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``advice`` is what to do if it is not as it should be."""

    name: str
    value: str
    advice: str = ""
    needed: bool = False  # whether the lab cannot run like this


def report(findings: Iterable[Finding]) -> int:
    """Print the findings as they come and return 1 if something that is needed is missing, else 0."""
    status = 0
    for finding in findings:
        print(f"{finding.name:<16}{finding.value}", flush=True)
        if finding.advice:
            print(f"{'':<16}-> {finding.advice}")
        status |= finding.needed
    return status


def check_all() -> Iterator[Finding]:
    """Yield everything that the doctor looks at."""
    yield Finding("Python", f"{platform.python_version()}   {sys.executable}")
    yield Finding("system", f"{platform.platform()}, {os.cpu_count()} cores")
    found = check_environment()
    yield found
    if found.needed:  # what happens to be in this Python is of no use to anybody
        yield Finding("packages", "come with the environment")
    else:
        yield from check_packages()
        yield from _careful("device", _check_device)
        yield from _careful("threads", _check_threads)
    yield from check_data()
    yield check_browser()
    free = shutil.disk_usage(environment.ROOT).free / 1e9
    yield Finding("free disk", f"{free:.1f} GB", "less than 1 GB: make some room" if free < 1 else "")


def check_environment() -> Finding:
    """Tell whether a Python with all that the lab needs is there."""
    wanted = environment.requirements()
    if environment.is_ready_here(wanted):
        return Finding("environment", f"ready, in {sys.prefix}")
    fault = environment.find_fault(wanted)
    state = "not made yet" if fault == "missing" else f"not usable as it is ({fault})"
    return Finding("environment", state, "`python -m course_lib lab` sets it up in .venv", needed=True)


def check_packages() -> Iterator[Finding]:
    """Yield the version of each package that the lab or the tests need."""
    for group, names in environment.requirements(["test"]).items():
        advice = "comes with `python -m course_lib test`" if group == "test" else ""
        for requirement in names:
            name, _ = environment.parse(requirement)
            try:
                have = metadata.version(name)
            except metadata.PackageNotFoundError:
                yield Finding(name, "not here", advice)
                continue
            fits = environment.is_met(requirement)
            yield Finding(name, have, "" if fits else f"the course is made for {requirement}")


def _careful(name: str, check: Callable[[], str]) -> Iterator[Finding]:
    """Yield what ``check`` says; a package that does not load is reported, not raised."""
    try:
        yield Finding(name, check())
    except Exception as error:  # a broken torch raises anything from OSError to RuntimeError
        trouble = str(error).strip().partition("\n")[0]
        yield Finding(name, f"unknown: {trouble}", "`python -m course_lib lab` repairs .venv", needed=True)


def _check_device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"cuda   {torch.cuda.get_device_name()}"
    return "mps   Apple's graphics processor" if torch.backends.mps.is_available() else "cpu"


def _check_threads() -> str:
    from course_lib import training

    return f"{training.THREADS} of {os.cpu_count()} cores (another number: set COURSE_THREADS)"


def check_data() -> Iterator[Finding]:
    """Yield which data is there."""
    sklearn = importlib.util.find_spec("sklearn")
    digits = sklearn and Path(sklearn.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if digits and digits.exists():
        yield Finding("bundled digits", "1,797, with scikit-learn")
    else:
        yield Finding("bundled digits", "not here", "they come with the environment", needed=True)
    folder = idx.find_mnist()
    advice = "" if folder else "optional: `python -m course_lib data mnist` downloads it (11 MB)"
    yield Finding("MNIST", str(folder or "not here"), advice)


def check_browser() -> Finding:
    """Tell which browser the tests would drive."""
    browser = find_browser()
    advice = "" if browser else "optional: install Chromium or Chrome, and the tests drive it; without, they skip"
    return Finding("test browser", str(browser or "not here"), advice)


def find_browser() -> Path | None:
    """Return an installed Chromium, Chrome or Edge, or None."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return Path(found)
    for place in INSTALLED_BROWSERS:
        variable, _, rest = place.removeprefix("{").partition("}")
        path = Path(os.environ.get(variable, "-") + rest) if rest else Path(place)
        if path.exists():
            return path
    return None

"""How processes share the tests, and the lab in a real browser, on a machine without a network."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

import course_lib.training  # noqa: F401 - so that torch uses one thread in each process
from course_lib.bench.browser import Browser
from course_lib.doctor import find_browser

ROOT = Path(__file__).parents[1]

# A shell that starts the tests in the background ignores Ctrl-C, and so would every process that a test stops by it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Loaded by every Python that the lab starts: nothing but this machine can be reached, and who tries is noted.
BLOCK = """
import os, socket
inside = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo
def check(address):
    host = address[0] if isinstance(address, tuple) else "127.0.0.1"
    if host not in ("127.0.0.1", "localhost", "::1", "", None):
        with open(os.environ["BLOCKED_LOG"], "a") as log:
            log.write(f"{host}\\n")
        raise OSError("the network is blocked in this test")
def connect(self, address): check(address); return inside[0](self, address)
def connect_ex(self, address): check(address); return inside[1](self, address)
def getaddrinfo(host, *rest, **more): check((host,)); return inside[2](host, *rest, **more)
socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo = connect, connect_ex, getaddrinfo
"""

# The files that take longest, longest first: started last, one would go on alone when all others are done.
LONGEST = (
    "test_hostile",
    "test_browser",
    "test_browser_augmentation",
    "test_browser_fairness",
    "test_browser_fairness_scores",
    "test_browser_gradients",
    "test_browser_multitask",
    "test_browser_normalization",
    "test_browser_transfer",
    "test_exercises",
    "test_environment",
    "test_release",
    "test_grade",
    "test_fairness_interview",
    "test_nbgrader",
    "07_bias_mitigation",
    "06_fairness",
    "test_check",
    "test_fairness_experiment",
    "test_own_numbers",
)


def pytest_collection_modifyitems(config, items):
    """Bring the longest files to the front where processes share the tests."""
    if hasattr(config, "workerinput"):
        place = {name: i for i, name in enumerate(LONGEST)}
        items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.hookimpl(optionalhook=True)  # there is no such hook without pytest-xdist
def pytest_xdist_make_scheduler(config, log):
    """With ``--dist loadfile``, give a process a file at a time, and one of them all files that drive a browser."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return "browser" if "/test_browser" in file else file  # two browsers at once would wait for each other

    config.option.loadscopereorder = False  # which would start with the most tests, and they are not the longest
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    """Close what a test has drawn by pyplot, which warns of more than 20 figures in one process."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A running lab with copies of the notebooks, on a machine without a network."""
    pytest.importorskip("playwright", reason="browser tests need playwright: python -m course_lib test installs it")
    if find_browser() is None and not os.environ.get("COURSE_REQUIRE_BROWSER"):
        pytest.skip("browser tests need an installed Chromium or Chrome")
    folder = tmp_path_factory.mktemp("lab")
    work, block, log = folder / "work", folder / "block", folder / "blocked.log"
    shutil.copytree(ROOT / "notebooks", work)
    block.mkdir()
    (block / "sitecustomize.py").write_text(BLOCK)
    log.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(block))
        patch.setenv("BLOCKED_LOG", str(log))
        patch.setenv("COURSE_DATA", str(folder / "no data"))
        with Browser(work) as browser:
            browser.blocked_log = log
            yield browser

"""The lab in a real browser, on a machine without a network, for the tests of every lesson."""

import os
import shutil
from pathlib import Path

import pytest

from course_lib.bench.browser import Browser
from course_lib.doctor import find_browser

ROOT = Path(__file__).parents[1]

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

"""The code is clean, and says nothing about where it was made."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [p for p in ROOT.rglob("*.py") if not {".venv", "work", "build"} & set(p.relative_to(ROOT).parts)]


@pytest.mark.parametrize("check", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff(check):
    done = subprocess.run([sys.executable, "-m", "ruff", *check, "."], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_library_stays_readable():
    too_long = [p.name for p in SOURCES if "tests" not in p.parts and len(p.read_text("utf-8").splitlines()) > 320]
    assert not too_long


def test_only_panels_know_ipywidgets():
    users = {
        p.relative_to(ROOT).as_posix() for p in SOURCES if re.search(r"^import ipywidgets", p.read_text("utf-8"), re.M)
    }
    frame = {f"course_lib/{name}.py" for name in ("controls", "keep", "livepanel", "panel")}
    lessons = {u for u in users - frame if re.fullmatch(r"course_lib/\w+/(controls|panels?)\.py", u)}
    assert {u for u in users if u.startswith("course_lib")} == frame | lessons


def test_importing_course_lib_brings_no_torch():
    code = "import sys, course_lib; assert not {'torch', 'numpy', 'ipywidgets'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)

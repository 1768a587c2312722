"""The lab: copies that are never overwritten, and a real JupyterLab that serves them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from course_lib import cli, environment, lab
from course_lib.errors import CourseError

START, LESSON = "00_start_here.ipynb", "07_bias_mitigation.ipynb"


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """The kit's notebooks: two lessons and something else."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in (START, LESSON, "draft.ipynb"):
        (folder / name).write_text(f"kit {name}")
    return folder


@pytest.fixture
def work(tmp_path: Path, kit: Path) -> Path:
    """A learner's folder with copies of the lessons."""
    lab.prepare_work(kit, tmp_path / "work")
    return tmp_path / "work"


def read_all(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.ipynb")}


# ---- the copies


def test_lessons_are_copied_once_and_never_overwritten(kit: Path, work: Path):
    assert read_all(work) == {START: f"kit {START}", LESSON: f"kit {LESSON}"}
    (work / LESSON).write_text("mine")
    (work / START).unlink()
    lab.prepare_work(kit, work)
    assert read_all(work) == {START: f"kit {START}", LESSON: "mine"}


def test_a_newer_lesson_is_announced_until_it_is_fetched(kit: Path, work: Path, capsys):
    (kit / LESSON).write_text("kit, improved")
    for _ in range(2):
        lab.prepare_work(kit, work)
        assert f"newer {LESSON}: `lab --reset 07`" in capsys.readouterr().out
    lab.prepare_work(kit, work, reset="07")
    capsys.readouterr()
    lab.prepare_work(kit, work)
    assert capsys.readouterr().out == ""
    assert (work / LESSON).read_text() == "kit, improved"


def test_reset_keeps_what_was_there_under_the_next_free_name(kit: Path, work: Path, capsys):
    for number in (1, 2):
        (work / LESSON).write_text(f"mine {number}")
        lab.prepare_work(kit, work, reset="7")
        assert f"yours is kept as 07_bias_mitigation.kept-{number}.ipynb" in capsys.readouterr().out
    assert read_all(work) == {
        START: f"kit {START}",
        LESSON: f"kit {LESSON}",
        "07_bias_mitigation.kept-1.ipynb": "mine 1",
        "07_bias_mitigation.kept-2.ipynb": "mine 2",
    }


def test_reset_of_a_lesson_that_is_not_there_copies_it(kit: Path, work: Path, capsys):
    (work / LESSON).unlink()
    lab.prepare_work(kit, work, reset="07")
    assert read_all(work).keys() == {START, LESSON}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("number", ["99", "x", "-1", "draft", ""])
def test_an_unknown_lesson_lists_what_exists(kit: Path, number: str):
    with pytest.raises(CourseError, match=r"there are 00 \(start_here\), 07 \(bias_mitigation\)\.$"):
        lab.find_lesson(number, kit)


@pytest.mark.parametrize("broken", ["", "[]", "[1]", "{", "null"])
def test_a_broken_record_loses_nothing(kit: Path, work: Path, broken: str):
    (work / lab.RECORD).write_text(broken)
    (work / LESSON).write_text("mine")
    lab.prepare_work(kit, work)
    assert (work / LESSON).read_text() == "mine"
    assert json.loads((work / lab.RECORD).read_text()) == {}


def test_an_unwritable_folder_is_one_sentence(kit: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(CourseError, match=r"^Your notebooks cannot be put into .*: make it a folder .*\.$"):
        lab.prepare_work(kit, tmp_path / "file" / "work")


def test_a_file_called_work_is_told_to_be_renamed(kit: Path, tmp_path: Path):
    (tmp_path / "work").touch()
    with pytest.raises(CourseError, match=r"work is a file, .*: rename the file, then run the same command again\.$"):
        lab.prepare_work(kit, tmp_path / "work")


# ---- port and browser


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_in_use_is_one_sentence_and_status_1(taken_port: int, monkeypatch, capsys):
    monkeypatch.setenv(environment.HANDED_OVER, sys.executable)
    assert cli.main(["lab", "--no-browser", "--port", str(taken_port)]) == 1
    said = f"Port {taken_port} is in use by another program: choose another one with --port, or leave the option out.\n"
    assert capsys.readouterr().err == said


def test_without_a_wish_the_next_free_port_is_taken(monkeypatch):
    monkeypatch.setattr(lab, "_find_obstacle", lambda port: "" if port == 8890 else "is in use")
    assert lab.choose_port() == 8890
    monkeypatch.setattr(lab, "_find_obstacle", lambda port: "is in use")
    with pytest.raises(CourseError, match="are all in use"):
        lab.choose_port()


def test_a_missing_display_or_browser_is_told(monkeypatch):
    monkeypatch.setattr(lab.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    assert lab._find_browser_obstacle() == "There is no display for a browser"
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "get", lambda: None)
    assert lab._find_browser_obstacle() == ""

    def fail() -> None:
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "get", fail)
    assert lab._find_browser_obstacle() == "No browser was found"


# ---- the server


def test_the_lab_runs_from_start_to_ctrl_c(work: Path):
    """As a learner starts it, without a display: the address that it prints opens the first lesson."""
    code = "import sys; from pathlib import Path; from course_lib import lab; "
    code += "sys.exit(lab.serve(lab.choose_port(), Path(sys.argv[1])))"
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(work)],
        cwd=environment.ROOT,
        env={name: value for name, value in os.environ.items() if name not in hidden},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = ""
    with process:
        while not (found := re.search(r"http://127\.0\.0\.1:\d+(\S+)\?token=\w+", said)):
            said += (line := process.stdout.readline())
            assert line, said
        with urlopen(found[0], timeout=30) as page:
            config = re.search(
                r'id="jupyter-config-data"[^>]*>\s*(\{.*?\})\s*</script>', page.read().decode(), re.DOTALL
            )
        process.send_signal(signal.SIGINT)
        said += process.stdout.read()
    assert process.returncode == 0, said
    assert f"What you saved is in {work}." in said
    assert sys.platform != "linux" or "There is no display for a browser, so none is opened" in said
    assert found[1] == f"/lab/tree/{START}"
    page_config = json.loads(config[1])
    disabled = page_config["disabledExtensions"]
    assert {"@jupyterlab/apputils-extension:announcements", "@jupyterlab/extensionmanager-extension"} <= set(disabled)
    assert page_config["news"] == {"disabled": True}


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("delay", [0.2, 0.5, 0.8])
def test_ctrl_c_while_the_server_starts_shows_no_traceback(work: Path, delay: float):
    code = "import sys; from pathlib import Path; from course_lib import lab; "
    code += "sys.exit(lab.serve(lab.choose_port(), Path(sys.argv[1]), browser=False))"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(work)],
        cwd=environment.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == "Starting JupyterLab ...\n"
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        said = process.communicate(timeout=30)[0]
    assert "Traceback" not in said
    assert f"What you saved is in {work}." in said
    assert process.returncode == 0


def test_the_users_own_settings_come_after_the_labs(monkeypatch):
    own = {"JUPYTER_CONFIG_PATH": "my config", "JUPYTER_PATH": "my data", "PYTHONPATH": "my code"}
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    variables = lab.server_environment("secret")
    firsts = {name: variables[name].split(os.pathsep) for name in own}
    package = Path(lab.__file__).parent
    assert firsts["JUPYTER_CONFIG_PATH"] == [str(package), "my config"]
    assert firsts["JUPYTER_PATH"] == [str(Path(sys.prefix) / "share" / "jupyter"), "my data"]
    assert firsts["PYTHONPATH"] == [str(package.parent), "my code"]
    assert variables["JUPYTER_TOKEN"] == "secret"


def test_the_command_takes_more_options():
    command = lab.server_command(8123, Path("there"), extra=["--LabApp.expose_app_in_browser=True"])
    assert command[-1] == "--LabApp.expose_app_in_browser=True"
    assert {"--ServerApp.ip=127.0.0.1", "--ServerApp.port=8123", "--LabApp.default_url=/lab"} <= set(command)


def test_the_kernel_is_this_python_and_knows_the_course(tmp_path: Path):
    """Even where the user has a kernel of the same name that belongs to another Python."""
    other = tmp_path / "data" / "kernels" / "python3"
    other.mkdir(parents=True)
    spec = {"argv": ["/no/python", "{connection_file}"], "display_name": "other", "language": "python"}
    (other / "kernel.json").write_text(json.dumps(spec))
    code = (
        "from jupyter_client.manager import start_new_kernel\n"
        "manager, client = start_new_kernel(kernel_name='python3')\n"
        "client.execute_interactive('import sys, course_lib; print(sys.prefix, course_lib.__file__)', timeout=60)\n"
        "client.stop_channels()\n"
        "manager.shutdown_kernel(now=True)\n"
    )
    variables = {**lab.server_environment(), "JUPYTER_DATA_DIR": str(tmp_path / "data")}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=120
    )
    assert told.stdout == f"{sys.prefix} {Path(lab.__file__).with_name('__init__.py')}\n", told.stderr

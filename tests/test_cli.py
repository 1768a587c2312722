"""The command line: what it understands, what it says, and the status it leaves."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import pytest

from course_lib import cli, doctor, environment, install, lab
from course_lib.doctor import Finding
from course_lib.errors import CourseError


def run_bare(*arguments: str) -> subprocess.CompletedProcess:
    """Run the command line in a Python that sees the standard library and the course only."""
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from course_lib.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(environment.ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every command run in this Python, whatever is or is not in ``.venv``."""
    monkeypatch.setenv(environment.HANDED_OVER, sys.executable)


@pytest.mark.parametrize("command", ["lab", "test", "data", "doctor", "bench"])
def test_each_command_has_help_without_any_package(command: str):
    assert command in run_bare("--help").stdout
    shown = run_bare(command, "--help")
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"usage: python -m course_lib {command}")
    assert len(shown.stdout.splitlines()) > 3
    assert not shown.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: command"),
        (["lap"], "invalid choice: 'lap'"),
        (["lab", "--port", "0"], "must be a whole number from 1 to 65535; it was '0'"),
        (["lab", "--port", "x"], "must be a whole number from 1 to 65535; it was 'x'"),
        (["lab", "07"], "unrecognized arguments: 07"),
        (["data", "cifar"], "invalid choice: 'cifar'"),
    ],
)
def test_what_is_not_understood_leaves_status_2(capsys, arguments: list[str], said: str):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("error", "said", "status"),
    [
        (CourseError("One clear sentence."), "One clear sentence.\n", 1),
        (PermissionError(13, "Permission denied", "x.txt"), "The computer refused: Permission denied (x.txt).\n", 1),
        (OSError("odd"), "The computer refused: odd.\n", 1),
        (KeyboardInterrupt(), "\nStopped.\n", 130),
        (KeyboardInterrupt("Stopped; start over."), "\nStopped; start over.\n", 130),
    ],
)
def test_errors_are_one_sentence_and_a_status(monkeypatch, capsys, error, said, status):
    def fail(options: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(cli, "run_doctor", fail)
    assert cli.main(["doctor"]) == status
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("pytests", [[], ["-k", "digits"], ["tests/test_cli.py", "-x", "--lf"], ["-q", "--help"]])
def test_all_arguments_of_test_are_pytests(pytests: list[str]):
    options = cli.parse(["test", *pytests])
    assert (options.pytest, options.extras) == (pytests, ("test",))


@pytest.mark.usefixtures("here")
def test_test_runs_pytest_in_the_courses_folder_and_returns_its_status(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    status = cli.main(["test", "--collect-only", "-p", "no:cacheprovider", "tests/test_cli.py", "-k", "no_such_name"])
    said = capfd.readouterr().out
    assert "deselected" in said  # so it has found this very file
    assert status == 5, said  # pytest's word for "no test was run"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("pytests", "spread"),
    [
        ([], True),
        (["-k", "digits"], True),
        (["-n", "0"], True),  # pytest takes the last
        (["-p", "no:xdist"], False),
        (["-pno:xdist", "-x"], False),
        (["--pdb"], False),
        (["tests/test_cli.py", "-s"], False),
    ],
)
def test_tests_are_spread_over_processes_unless_one_must_be_seen(monkeypatch, pytests, spread):
    monkeypatch.delenv("PYTEST_XDIST_AUTO_NUM_WORKERS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 96)
    seen = {}
    monkeypatch.setattr(environment, "call", lambda command, cwd, env: seen.update(env, command=command) or (0, False))
    assert cli.main(["test", *pytests]) == 0
    options = ["-n", "auto", "--dist", "loadfile"] if spread else []
    assert seen["command"] == [sys.executable, "-m", "pytest", *options, *pytests]
    assert seen["PYTEST_XDIST_AUTO_NUM_WORKERS"] == str(cli.MOST_PROCESSES)
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "3")  # the user's own word
    monkeypatch.setenv(environment.HANDED_OVER, sys.executable)  # a command uses it up, and the next would install
    assert cli.main(["test", *pytests]) == 0
    assert seen["PYTEST_XDIST_AUTO_NUM_WORKERS"] == "3"


def test_commands_install_only_what_they_need(monkeypatch):
    monkeypatch.delenv(environment.HANDED_OVER, raising=False)
    asked, handed = [], []
    monkeypatch.setattr(install, "ensure", lambda extras: asked.append(extras) or environment.PYTHON)
    monkeypatch.setattr(environment, "find_ready", lambda: environment.PYTHON)
    monkeypatch.setattr(environment, "hand_over", lambda python, arguments: handed.append(arguments) or 5)
    monkeypatch.setattr(sys, "executable", "another")
    for arguments in (["lab"], ["data", "mnist"], ["test", "-x"], ["bench"], ["doctor"], ["data"]):
        assert cli.main(arguments) == 5
        assert handed.pop() == arguments
    assert asked == [(), ("test",), ("test",)]


def test_a_slip_is_told_before_a_long_installation(monkeypatch, capsys):
    monkeypatch.delenv(environment.HANDED_OVER, raising=False)
    monkeypatch.setattr(install, "ensure", lambda extras: pytest.fail("it installs"))
    assert cli.main(["lab", "--reset", "99"]) == 1
    assert capsys.readouterr().err.startswith("There is no lesson '99'; there are ")
    assert cli.main(["bench", "import", "nonsense"]) == 1
    assert "must be one of 'import', 'render', " in capsys.readouterr().err


def test_a_file_in_the_place_of_work_is_told_before_a_long_installation(monkeypatch, capsys, tmp_path):
    monkeypatch.delenv(environment.HANDED_OVER, raising=False)
    monkeypatch.setattr(install, "ensure", lambda extras: pytest.fail("it installs"))
    (tmp_path / "work").touch()
    monkeypatch.setattr(lab.check_work, "__defaults__", (tmp_path / "work",))
    assert cli.main(["lab"]) == 1
    assert f"{tmp_path / 'work'} is a file, and " in capsys.readouterr().err


def test_the_child_is_told_not_to_hand_over_again(monkeypatch, capfd):
    monkeypatch.setattr(environment, "HANDED_OVER", "PYTHONHASHSEED_IS_NOT_ME")
    seen = {}
    monkeypatch.setattr(environment, "call", lambda command, env: seen.update(env, command=command) or (3, False))
    assert environment.hand_over(environment.PYTHON, ["data", "mnist"]) == 3
    assert seen["command"] == [str(environment.PYTHON), "-m", "course_lib", "data", "mnist"]
    assert seen["PYTHONHASHSEED_IS_NOT_ME"]


def test_call_returns_the_status_of_the_child():
    assert environment.call([sys.executable, "-c", "raise SystemExit(9)"]) == (9, False)


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
def test_ctrl_c_is_left_to_the_child():
    child = (
        "import time\ntry:\n  print('up', flush=True); time.sleep(30)\nexcept KeyboardInterrupt:\n  raise SystemExit(4)"
    )
    code = f"import sys; from course_lib.environment import call; print(call([sys.executable, '-c', {child!r}]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=environment.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "up\n"
        process.send_signal(2)
        assert process.stdout.read() == "(4, True)\n"


# ---- the doctor


@pytest.mark.usefixtures("here")
def test_the_doctor_says_what_is_here(capsys, monkeypatch):
    monkeypatch.setattr(environment, "is_ready_here", lambda wanted: True)
    status = cli.main(["doctor"])
    said = capsys.readouterr().out
    names = [line[:16].strip() for line in said.splitlines() if line[0] != " "]
    for name in ("Python", "environment", "torch", "jupyterlab", "ipywidgets", "device", "threads", "bundled digits"):
        assert name in names
    assert names[-3:] == ["MNIST", "test browser", "free disk"]
    assert status == 0


@pytest.mark.usefixtures("here")
def test_without_an_environment_the_doctor_lists_no_packages(capsys, monkeypatch):
    monkeypatch.setattr(environment, "is_ready_here", lambda wanted: False)
    monkeypatch.setattr(environment, "find_fault", lambda wanted: "missing")
    assert cli.main(["doctor"]) == 1
    names = [line[:16].strip() for line in capsys.readouterr().out.splitlines() if line[0] != " "]
    assert names[2:5] == ["environment", "packages", "bundled digits"]


def test_the_doctor_runs_without_any_package_and_says_what_to_do():
    shown = run_bare("doctor")
    assert not shown.stderr
    assert "device" not in shown.stdout or environment.find_ready()
    assert "`python -m course_lib lab` sets it up in .venv" in shown.stdout or environment.find_ready()


def test_a_report_shows_advice_and_fails_only_on_what_is_needed(capsys):
    fine, optional = Finding("a", "1"), Finding("b", "not here", "get it")
    assert doctor.report([fine, optional]) == 0
    assert capsys.readouterr().out == f"{'a':16}1\n{'b':16}not here\n{'':16}-> get it\n"
    assert doctor.report([Finding("c", "not here", "get it", needed=True), fine]) == 1


def test_a_package_that_does_not_load_is_reported(capsys):
    def load() -> str:
        raise OSError("libc10.so: cannot open\nmore")

    assert doctor.report(doctor._careful("device", load)) == 1
    assert "unknown: libc10.so: cannot open\n" in capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_data_without_a_name_lists_what_is_there(capsys):
    assert cli.main(["data"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[0] != " "] == ["bundled", "MNIST"]


def test_the_browser_is_found_on_the_search_path_or_where_it_is_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/bin/{name}" if name == "chromium" else None)
    assert str(doctor.find_browser()) == os.path.normpath("/bin/chromium")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor, "INSTALLED_BROWSERS", ("/nowhere/chrome", "{PLACE(X86)}/chrome.exe"))
    monkeypatch.setenv("PLACE(X86)", str(tmp_path))
    assert doctor.find_browser() is None
    (tmp_path / "chrome.exe").touch()
    assert doctor.find_browser() == tmp_path / "chrome.exe"

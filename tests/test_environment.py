"""The environment end to end: real ``.venv`` folders, real pip, tiny packages made here, no network."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from course_lib import environment, install
from course_lib.errors import CourseError

PARTS = ("__init__", "__main__", "cli", "doctor", "environment", "errors", "install")
REQUIREMENTS = "alpha==1.0  # the main thing\nbeta>=1,<3\n"
posix = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")


def make_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> None:
    """Write a wheel by hand: a zip of files with three lists of what it is."""
    info = f"{name}-{version}.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(path, text)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("1.0", "2.0"):
        make_wheel(folder, "alpha", version, {"alpha/__init__.py": f"version = {version!r}\n"})
    make_wheel(folder, "beta", "1.5", {"beta.py": ""})
    make_wheel(folder, "gamma", "1.0", {"gamma.py": ""})
    make_wheel(folder, "slow", "1.0", {"slow/__init__.py": "", **{f"slow/{n}.txt": "" for n in range(2500)}})
    make_wheel(folder, "bad", "1.0", {"bad.py": "raise OSError('a library is missing')\n"})
    return folder


class Repo:
    """A clone of the course, cut down to its start: `lab` says which Python runs it."""

    def __init__(self, root: Path, wheels: Path, requirements: str = REQUIREMENTS):
        self.root, self.venv, self.requirements = root.resolve(), root.resolve() / ".venv", root / "requirements.txt"
        source = Path(environment.__file__).parent
        for folder in ("data", "study"):
            (root / "course_lib" / folder).mkdir(parents=True)
        for part in PARTS:
            shutil.copy(source / f"{part}.py", root / "course_lib")
        for part in ("__init__", "download", "idx"):
            shutil.copy(source / "data" / f"{part}.py", root / "course_lib" / "data")
        for part in ("__init__", "command"):
            shutil.copy(source / "study" / f"{part}.py", root / "course_lib" / "study")
        hook = "import sys\nchoose_port = check_work = lambda *_: None\ndef prepare_work(reset):\n    pass\n"
        hook += "def serve(*_, browser):\n    import alpha\n    print(f'The lab is in {sys.prefix} {alpha.version}.')\n"
        (root / "course_lib" / "lab.py").write_text(hook + "    return 0\n")
        hook = "BENCHES = ('rendering', 'drag')\n"
        hook += "def main(names):\n    import gamma\n    print('measured', *names)\n    return 7\n"
        (root / "course_lib" / "bench.py").write_text(hook)
        (root / "pyproject.toml").write_text('[project.optional-dependencies]\ntest = ["gamma>=1"]\n')
        self.requirements.write_text(requirements)
        self.variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))},
            **{"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)},
        }

    def popen(self, *arguments: str, python: str = sys.executable, **variables: str) -> subprocess.Popen:
        return subprocess.Popen(
            [python, "-m", "course_lib", *arguments],
            cwd=self.root,
            env={**self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **options: str) -> tuple[int, str]:
        """Run a command and return its status and all that it says."""
        with self.popen(*arguments, **options) as process:
            said, _ = process.communicate(timeout=120)
        assert "Traceback" not in said
        return process.returncode, said

    def start(self, **options: str) -> str:
        """Run a command that needs the lab's packages, in ``.venv`` and with success; return what it says."""
        status, said = self.run("lab", **options)
        assert status == 0, said
        assert f"The lab is in {self.venv}" in said
        return said

    def python(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run ``.venv``'s Python and return what it prints."""
        python = self.venv / environment.PYTHON.relative_to(environment.VENV)
        command = [python, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd, env=self.variables).stdout

    @property
    def site(self) -> Path:
        return Path(json.loads((self.venv / "course_lib.json").read_text())["site"])


@pytest.fixture
def repo(tmp_path: Path, wheels: Path) -> Repo:
    """A fresh clone: nothing is installed."""
    return Repo(tmp_path / "clone", wheels)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Repo:
    repo = Repo(tmp_path_factory.mktemp("shared") / "a clone", wheels)
    said = repo.start()
    assert install.NEWS["missing"] in said
    assert str(repo.venv) in said
    return repo


@pytest.fixture
def ready(shared: Repo) -> Iterator[Repo]:
    """A clone whose environment stands; it is put in order again afterwards."""
    yield shared
    shared.requirements.write_text(REQUIREMENTS)
    shared.start()


def has_one_sentence(said: str) -> bool:
    return said.count("\n") == 1 and said.endswith((".\n", ").\n"))


# ---- a ready environment


def test_a_second_start_is_quick_and_silent(ready: Repo):
    def spent() -> float:  # by the children's own clock: other tests may keep the processor busy
        return os.times().children_user + os.times().children_system

    times = []
    for _ in range(3):
        begin = spent()
        assert ready.start() == f"The lab is in {ready.venv} 1.0.\n"
        times.append(spent() - begin)
    assert min(times) < 1


def test_the_package_can_be_imported_from_any_folder(ready: Repo, tmp_path: Path):
    print_file = ("-c", "import course_lib; print(course_lib.__file__)")
    assert ready.python(*print_file, cwd=tmp_path).strip() == str(ready.root / "course_lib" / "__init__.py")
    (ready.site / "course_lib.pth").write_text("/elsewhere\n")
    ready.start()
    assert ready.python(*print_file, cwd=tmp_path).strip() == str(ready.root / "course_lib" / "__init__.py")


def test_a_comment_in_the_requirements_changes_nothing(ready: Repo):
    ready.requirements.write_text("# new\n" + REQUIREMENTS)
    assert ready.start() == f"The lab is in {ready.venv} 1.0.\n"


def test_changed_requirements_are_installed(ready: Repo):
    ready.requirements.write_text("alpha==2.0\nbeta>=1,<3\n")
    said = ready.start()
    assert install.NEWS["changed"] in said
    assert f"The lab is in {ready.venv} 2.0." in said


def test_an_update_that_cannot_be_had_leaves_the_environment_as_it_was(ready: Repo):
    ready.requirements.write_text("alpha==3.0\nbeta>=1,<3\n")
    status, said = ready.run("lab")
    assert status == 1
    assert "could not be installed" in said
    ready.requirements.write_text(REQUIREMENTS)
    assert ready.start() == f"The lab is in {ready.venv} 1.0.\n"


def test_extras_come_when_a_command_needs_them_and_the_status_is_the_commands(ready: Repo):
    assert not list(ready.site.glob("gamma*"))
    status, said = ready.run("bench", "rendering", "drag")
    assert (status, install.NEWS["extra"] in said, "measured rendering drag" in said) == (7, True, True)
    assert ready.run("bench") == (7, "measured\n")
    assert ready.start() == f"The lab is in {ready.venv} 1.0.\n"


def test_a_package_removed_by_hand_is_installed_again(ready: Repo):
    ready.python("-m", "pip", "uninstall", "--yes", "beta")
    said = ready.start()
    assert install.NEWS["damaged"] in said
    assert (ready.site / "beta.py").exists()


def test_deleted_files_that_pip_believes_there_are_repaired(ready: Repo):
    shutil.rmtree(ready.site / "alpha")
    said = ready.start()
    assert install.NEWS["partial"] in said
    assert (ready.site / "alpha").exists()


def test_an_environment_whose_python_is_gone_is_made_again(ready: Repo):
    scripts = ready.venv / environment.PYTHON.relative_to(environment.VENV).parent
    for python in scripts.glob("python*"):
        python.unlink()
    assert install.NEWS["broken"] in ready.start()


def test_a_moved_folder_is_not_trusted(ready: Repo):
    stamp = ready.venv / "course_lib.json"
    text = stamp.read_text()
    stamp.write_text(text.replace(json.dumps(str(ready.venv)), '"/was/here/.venv"'))
    assert "not usable as it is (broken)" in ready.run("doctor")[1]
    stamp.write_text(text)  # the cure is the same as above, and takes long


def test_a_fitting_python_is_used_as_it_is(repo: Repo, wheels: Path, tmp_path: Path):
    for wheel in ("alpha-1.0", "beta-1.5"):
        zipfile.ZipFile(wheels / f"{wheel}-py3-none-any.whl").extractall(tmp_path / "packages")
    status, said = repo.run("lab", PYTHONPATH=str(tmp_path / "packages"))
    assert (status, said) == (0, f"The lab is in {sys.prefix} 1.0.\n")
    assert not repo.venv.exists()


# ---- installations that do not finish


def wait_for(condition, process: subprocess.Popen) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def find_child(process: subprocess.Popen) -> int:
    """Return the installer that the course has started: it is in a group of its own."""
    told = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return next(int(pid) for pid, parent in map(str.split, told.splitlines()) if int(parent) == process.pid)


@posix
@pytest.mark.parametrize("delay", [0.05, 0.3, 1.0, 2.0])
def test_ctrl_c_shows_no_traceback_of_venv_or_pip(repo: Repo, delay: float):
    process = repo.popen("lab")
    wait_for((repo.venv / "course_lib.json").exists, process)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[0]
    assert "Traceback" not in said
    assert said.endswith("Stopped; run the same command again and it starts over.\n")
    assert process.returncode == 130


@posix
def test_what_a_hushed_child_says_is_shown_until_it_is_stopped():
    child = "import sys, time; print('a warning', file=sys.stderr, flush=True); print('up', flush=True); time.sleep(30)"
    code = "from course_lib.environment import call; import sys; "
    code += f"print(call([sys.executable, '-c', {child!r}], hushed=True))"
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(
        command, cwd=environment.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    with process:
        assert process.stdout.readline() == "up\n"
        assert process.stderr.readline() == "a warning\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=30) == ("(130, True)\n", "")  # no traceback


def test_a_download_needs_no_environment(repo: Repo):
    hidden = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "COURSE_DATA": str(repo.root)}
    status, said = repo.run("data", "mnist", **hidden)
    assert status == 1
    assert has_one_sentence(said)
    assert "could not be downloaded" in said
    assert not repo.venv.exists()


def test_a_wrong_name_of_a_measurement_installs_nothing(repo: Repo):
    status, said = repo.run("bench", "nonsense")
    assert (status, has_one_sentence(said), "'rendering', 'drag'" in said) == (1, True, True)
    assert not repo.venv.exists()


def test_a_folder_can_be_started_like_a_script(repo: Repo, tmp_path: Path):
    command = [sys.executable, repo.root / "course_lib", "--help"]
    shown = subprocess.run(command, cwd=tmp_path, env=repo.variables, capture_output=True, text=True)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "course_lib" in shown.stdout


@posix
def test_installations_that_fail_or_are_stopped_are_never_trusted(repo: Repo):
    """One long story, because each step begins with the ruin that the step before has left."""
    stamp = repo.venv / "course_lib.json"

    def begin_installation() -> subprocess.Popen:
        """Start, and return when pip is writing files into a new ``.venv``."""
        ruin = stamp.stat().st_mtime_ns if stamp.exists() else 0
        process = repo.popen("lab")

        def is_writing() -> bool:
            new = stamp.exists() and stamp.stat().st_mtime_ns != ruin
            return new and len(list(repo.venv.glob("lib/python3*/site-packages/slow/*"))) > 50

        wait_for(is_writing, process)
        return process

    # a package does not import: said, and the next start begins again
    repo.requirements.write_text(REQUIREMENTS + "bad\n")
    status, said = repo.run("lab")
    assert status == 1
    assert "a library is missing" in said.splitlines()[-1]
    assert not json.loads(stamp.read_text())["ready"]
    repo.requirements.write_text(REQUIREMENTS + "slow==1.0\n")

    # killed, with pip, while files are being written: what is there looks installed, and is not used
    process = begin_installation()
    pip = find_child(process)
    process.kill()
    os.killpg(pip, signal.SIGKILL)
    assert install.NEWS["unfinished"] in process.communicate()[0]
    assert "not usable as it is (unfinished)" in repo.run("doctor")[1]

    # stopped with Ctrl-C
    process = begin_installation()
    pip = find_child(process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    said = process.communicate(timeout=60)[0]
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(pip, 0)
    assert install.NEWS["unfinished"] in said
    assert said.endswith("Stopped; run the same command again and it starts over.\n")
    assert process.returncode == 130

    # killed without pip, which goes on alone: the next start waits for it before it deletes anything
    process = begin_installation()
    process.kill()
    process.wait()
    said = repo.start()
    assert "Another start is installing" in said
    assert install.NEWS["unfinished"] in said
    assert len(list((repo.site / "slow").iterdir())) > 2500
    process.stdout.close()


def test_two_starts_at_once_share_one_installation(repo: Repo):
    first, second = repo.popen("lab"), repo.popen("lab")
    said = [process.communicate(timeout=120)[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    assert sorted(install.NEWS["missing"] in each for each in said) == [False, True]
    assert sorted("Another start is installing" in each for each in said) == [False, True]


def test_somebody_elses_environment_is_completed_and_kept(repo: Repo):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", repo.venv], check=True)
    mine = repo.venv / "mine.txt"
    mine.write_text("precious")
    assert install.NEWS["foreign"] in repo.start()
    assert repo.start() == f"The lab is in {repo.venv} 1.0.\n"
    for python in (repo.venv / environment.PYTHON.relative_to(environment.VENV).parent).glob("python*"):
        python.unlink()
    status, said = repo.run("lab")
    assert status == 1
    assert has_one_sentence(said)
    assert "was not made by the course" in said
    assert mine.read_text() == "precious"


# ---- obstacles before an installation


def run_with_patch(repo: Repo, tmp_path: Path, patch: str) -> tuple[int, str]:
    (tmp_path / "sitecustomize.py").write_text(patch)
    return repo.run("lab", PYTHONPATH=str(tmp_path))


def test_too_little_disk_space_is_said_before_anything_is_made(repo: Repo, tmp_path: Path):
    repo.requirements.write_text("torch==0.1\n")
    patch = "import collections, shutil\nshutil.disk_usage = lambda _: collections.namedtuple('U', 'free')(10**9)\n"
    status, said = run_with_patch(repo, tmp_path, patch)
    assert status == 1
    assert "and " + str(repo.root) + " has 1.0 GB: make room" in said.splitlines()[-1]
    assert not repo.venv.exists()


def test_a_python_without_ensurepip_is_told_what_to_install(repo: Repo, tmp_path: Path):
    status, said = run_with_patch(repo, tmp_path, "import sys\nsys.modules['ensurepip'] = None\n")
    assert status == 1
    assert "python3-venv" in said
    assert not repo.venv.exists()


def test_an_unwritable_folder_is_one_sentence(repo: Repo):
    (repo.root / ".venv.lock").mkdir()  # root, who runs tests in containers, may write to anything else
    status, said = repo.run("lab")
    assert status == 1
    assert has_one_sentence(said)
    assert "cannot be written to" in said


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8", "3.10"])
def test_an_old_python_says_so(repo: Repo, version: str):
    found = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    python = str(found[0]) if found else shutil.which(f"python{version}")
    if not python:
        pytest.skip(f"there is no Python {version} here")
    status, said = repo.run("lab", python=python)
    assert status == 1
    assert said.startswith(f"The course needs Python 3.11 or later, and this is Python {version}: install")
    assert has_one_sentence(said)


# ---- the rules, one by one


@pytest.mark.parametrize(
    ("have", "requirement", "met"),
    [
        ("2.13.0+cpu", "it==2.13.0", True),
        ("2.13", "it == 2.13.0", True),
        ("2.13.1", "it==2.13.0", False),
        ("4.4", "it>=4.4,<5", True),
        ("4.3.9", "it>=4.4,<5", False),
        ("5.0rc1", "it>=4.4,<5", False),
        ("4.10", "it>=4.9,<5", True),
        ("4.5", "it>=4.4,!=4.5,<5", False),
        ("1", "it", True),
    ],
)
def test_is_met(monkeypatch: pytest.MonkeyPatch, have: str, requirement: str, met: bool):
    monkeypatch.setattr(environment.importlib.metadata, "version", lambda name: have)
    assert environment.is_met(requirement) is met


def test_what_is_not_installed_is_not_met():
    assert not environment.is_met("surely-not-installed")


def test_all_requirements_of_the_course_are_understood():
    groups = environment.requirements(["test", "vision"])
    assert list(groups) == ["lab", "test", "vision"]
    names = [environment.parse(requirement)[0] for group in groups.values() for requirement in group]
    assert {"torch", "jupyterlab", "pytest", "torchvision"} <= set(names)
    with pytest.raises(CourseError, match=r"may use ==, !=, >=, < only; it was 'it~=1.0'"):
        environment.parse("it~=1.0")


@pytest.mark.parametrize(
    ("system", "nvidia", "reachable", "chosen"),
    [
        ("darwin", False, True, ("", "cpu")),
        ("win32", False, True, ("", "cpu")),
        ("linux", True, True, ("", "cuda")),
        ("linux", False, True, (install.CPU_INDEX, "cpu")),
        ("linux", False, False, ("", "cuda")),
    ],
)
def test_where_torch_comes_from(monkeypatch, capsys, tmp_path, system, nvidia, reachable, chosen):
    class Answer:
        close = staticmethod(lambda: None)

    def urlopen(address: str, timeout: float) -> Answer:
        if not reachable:
            raise URLError("no network")
        return Answer()

    monkeypatch.setattr(install.sys, "platform", system)
    monkeypatch.setattr(install, "NVIDIA", tmp_path / "none")
    monkeypatch.setattr(install.shutil, "which", lambda name: "/bin/nvidia-smi" if nvidia else None)
    monkeypatch.setattr(install.urllib.request, "urlopen", urlopen)
    assert install._choose_torch() == chosen
    said = capsys.readouterr().out
    assert ("about 200 MB instead of 3 GB" in said) is (chosen[0] != "")
    assert ("does not answer" in said) is (not reachable)


def test_torch_comes_first_and_from_its_own_index(monkeypatch):
    commands = []
    monkeypatch.setattr(install, "_run", lambda lock, *command: commands.append(command) or 0)
    install._install_all({"lab": ["torch==2.13.0"], "test": ["gamma>=1"]}, (), "torch==2.13.0")
    assert commands[1][-3:] == ("torch==2.13.0", "--index-url", install.CPU_INDEX)
    assert commands[2][-3:] == ("-r", environment.ROOT / "requirements.txt", "gamma>=1")

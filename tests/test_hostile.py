"""The hostile zoo, graded by the real command: it costs its own students, and nobody else a point."""

from __future__ import annotations

import csv
import ctypes
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("the attacks are on what Linux protects from; elsewhere Python alone does", allow_module_level=True)

from classroom import NAME, ROOT, SOLVED, write_notebook
from hostile import ZOO, Member, at, cell_of, save

from course_lib.errors import CourseError
from course_lib.grading import book, linux, sandbox
from course_lib.grading import grade as grading
from course_lib.grading.key import read_key
from course_lib.grading.release import release
from course_lib.grading.reports import file_name
from course_lib.grading.submissions import find_submissions

HONEST = {id: source for id, source in SOLVED.items() if id != "07.5"}
FULL = float(sum(points for id, (_, points) in book.titles().items() if id in HONEST))
SUBREAPER = 36
BY_NAME = {member.name: member for member in ZOO}

PROBE = """
import platform
from course_lib.grading import linux
print(linux.landlock_version() > 0 and platform.machine() in linux.MACHINES and linux.permits_namespaces())
"""
WITHOUT = """
import os, sys
from course_lib.grading import linux
steps = [(linux.LOAD, 0, 0, 0)]
for number in sys.argv[1].split(","):
    steps += [(linux.EQUAL, 0, 1, int(number)), (linux.RETURN, 0, 0, linux.REFUSE)]
linux.filter_calls([*steps, (linux.RETURN, 0, 0, linux.ALLOW)])
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@pytest.fixture(scope="module")
def whole_linux() -> None:
    """Skips where this system lacks something that the attacks are on."""
    probe = subprocess.run([sys.executable, "-c", PROBE], cwd=ROOT, capture_output=True, text=True, check=True)
    if probe.stdout.strip() != "True":
        pytest.skip("this Linux lacks Landlock, namespaces or the filter of system calls")


@dataclass
class Class:
    """A class in a folder: what is handed in, and what came of grading it."""

    folder: Path
    notebook: bytes
    status: int = -1
    said: str = ""
    before: dict = field(default_factory=dict)
    after: dict = field(default_factory=dict)
    left: set = field(default_factory=set)

    def hand_in(self, student: str, member: Member | None = None) -> None:
        """Put an honest notebook into a student's folder, or a member's."""
        path = self.folder / "submissions" / student / NAME
        path.parent.mkdir(parents=True)
        if member is None:
            path.write_bytes(self.notebook)
            return
        member.write(path, self.template())
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 2**24:
            path.write_bytes(at(path.read_bytes(), self.places()))

    def template(self) -> dict:
        """Return a notebook that solves 07.2 and 07.3 and nothing else."""
        notebook = json.loads(self.notebook)
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
        for id in ("07.1", "07.4"):
            cell_of(notebook, id)["source"] = ""
        return notebook

    def places(self) -> dict[str, object]:
        names = {"SUBMISSIONS": "submissions", "OUT": "out", "TEACHER": "release/teacher", "HOME": "home"}
        secret = json.loads((self.folder / "release/teacher/release.json").read_text())["secret"]
        return {key: self.folder / name for key, name in names.items()} | {"ROOT": ROOT, "TERCES": secret[::-1]}

    def hand_in_all(self, members: Iterable[Member]) -> None:
        """Hand in members with an honest neighbour before and after each."""
        self.hand_in("a_honest")
        for i, member in enumerate(members):
            self.hand_in(f"m{i:03}_a_honest")
            self.hand_in(f"m{i:03}_b", member)
        self.hand_in("z_honest")

    @property
    def rows(self) -> dict[str, dict[str, str]]:
        """What grades.csv says about each student."""
        with (self.folder / "out/grades.csv").open(encoding="utf-8", newline="") as file:
            return {row["student"]: row for row in csv.DictReader(file) if row["student"] != "maximum"}

    @property
    def points(self) -> dict[str, float]:
        return {student: float(row["total"]) for student, row in self.rows.items()}

    def page(self, student: str) -> str:
        return (self.folder / "out/feedback" / f"{file_name(student)}.html").read_text("utf-8")


@pytest.fixture(scope="module")
def new_class(tmp_path_factory) -> Callable[[], Class]:
    """Makes a class: all have the same release, and its solution."""
    first = tmp_path_factory.mktemp("first")
    release(first / "release")
    write_notebook(first / "honest.ipynb", first / "release", HONEST)

    def make() -> Class:
        folder = tmp_path_factory.mktemp("class")
        for name in ("home", "temporary", "submissions", "release/teacher"):
            (folder / name).mkdir(parents=True)
        (folder / "release/teacher/release.json").write_bytes((first / "release/teacher/release.json").read_bytes())
        return Class(folder, (first / "honest.ipynb").read_bytes())

    return make


def grade(made: Class, *options: str, submissions: str = "submissions", refused: Sequence[int] = ()) -> Class:
    """Grade a class by the command, on a system that refuses some calls, and look at what is left of it."""
    folder = made.folder
    without = ["-c", WITHOUT, ",".join(map(str, refused))] if refused else []
    command = [sys.executable, *without, "-m", "course_lib", "grade", folder / submissions, "--out", folder / "out"]
    command += ["--release", folder / "release/teacher", *options]
    variables = {"PYTHONPATH": ROOT, "COURSE_LIB_HANDED_OVER": sys.executable}
    variables |= {"HOME": folder / "home", "TMPDIR": folder / "temporary", "MPLCONFIGDIR": folder}
    watched = [folder / name for name in ("submissions", "release", "home")]
    made.before, known = look(*watched), children()
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)  # whatever outlives its parent becomes ours, and is seen
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **variables},
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=600,
        )
        made.status, made.said = done.returncode, done.stdout + done.stderr
        deadline = time.monotonic() + 10
        while (left := children() - known) and time.monotonic() < deadline:
            for number in left:
                os.waitpid(number, os.WNOHANG)
            time.sleep(0.05)
        made.left = left
    finally:
        ctypes.CDLL(None).prctl(SUBREAPER, 0, 0, 0, 0)
    made.after = look(*watched)
    return made


def look(*folders: Path) -> dict[str, tuple]:
    """Return what is in folders: kind and mode, size, and content of each file."""
    seen = {}
    for path in (path for folder in folders for path in [folder, *folder.rglob("*")]):
        about = path.lstat()
        plain = path.is_file() and not path.is_symlink()
        content = hashlib.sha256(path.read_bytes()).digest() if plain and about.st_size < 2**24 else b""
        seen[str(path)] = about.st_mode, about.st_size if plain else 0, about.st_mtime_ns if plain else 0, content
    return seen


def children() -> set[int]:
    """Return the processes whose parent is this one."""
    return {int(n) for path in Path("/proc/self/task").glob("*/children") for n in path.read_text().split()}


def assert_nothing_else_happened(made: Class) -> None:
    """The command ended well; nothing but the results was written; no process is left."""
    assert made.status == 0, made.said
    assert "Traceback" not in made.said
    assert made.after == made.before
    assert not made.left
    assert not list((made.folder / "temporary").glob("course_*"))
    everywhere = [made.folder / "out", made.folder, ROOT, *map(Path, ("/", "/tmp", "/var/tmp", "/dev/shm"))]
    assert not [path for folder in everywhere for path in folder.glob(f"marker-{made.places()['TERCES']}")]


# ---- the zoo


@pytest.fixture(scope="module")
def zoo(whole_linux, new_class) -> Class:
    made = new_class()
    made.hand_in_all(ZOO)
    for name in (b"M\xfcller", b"M\xf6ller"):  # not UTF-8
        made.hand_in(os.fsdecode(name))
    (made.folder / "submissions/twice").mkdir()
    for name in (b"\xff.ipynb", b"a\x1b[2J.ipynb"):
        (made.folder / "submissions/twice" / os.fsdecode(name)).write_bytes(made.notebook)
    return grade(made, "--no-training", "--jobs", "2")


def test_the_zoo_is_graded_to_its_end_and_leaves_nothing_behind(zoo):
    assert_nothing_else_happened(zoo)


def test_everybody_is_in_the_tables_and_has_a_page(zoo):
    students = {path.name for path in (zoo.folder / "submissions").glob("[amz]*")}
    assert len(students) == 2 * len(ZOO) + 2
    assert zoo.rows.keys() == students | {"M<dcfc>ller", "M<dcf6>ller", "twice"}
    assert students < {path.stem for path in (zoo.folder / "out/feedback").iterdir()}
    for table in ("canvas.csv", "moodle.csv"):
        assert (zoo.folder / "out" / table).read_text("utf-8").count("_honest") == len(ZOO) + 2


def test_names_that_are_no_text_are_different_names(zoo):
    assert [zoo.points[name] for name in ("M<dcfc>ller", "M<dcf6>ller", "twice")] == [FULL] * 3
    assert "twice handed in lesson 07 more than once" in zoo.said
    assert "\x1b[2J" not in zoo.said


@pytest.mark.parametrize("i", range(len(ZOO)), ids=[member.name for member in ZOO])
def test_a_member_costs_its_own_student_only_and_is_named(zoo, i):
    member = ZOO[i]
    assert zoo.points[f"m{i:03}_b"] == member.points
    assert zoo.rows[f"m{i:03}_b"]["07.3"] == ("4" if member.points == 8 else "0")
    assert zoo.points[f"m{i:03}_a_honest"] == FULL
    assert zoo.points[f"m{i + 1:03}_a_honest" if i + 1 < len(ZOO) else "z_honest"] == FULL
    page = zoo.page(f"m{i:03}_b")
    assert member.says in page
    assert "<script" not in page


# ---- the same, where a system protects from less


TYPICAL = [
    "os._exit",
    "a fork bomb",
    "50 GB at once",
    "forged garbage",
    "a neighbour's notebook",
    "the secret of the release",
    "the solutions by path",
    "the grade book",
    "the neighbours removed",
    "the neighbours made unreadable",
    "files everywhere",
    "a program",
]


@pytest.mark.parametrize("missing", [["namespaces"], ["landlock"], ["namespaces", "landlock"]], ids=" and ".join)
def test_what_is_left_protects_where_a_system_has_no(missing, whole_linux, new_class):
    made = new_class()
    made.hand_in_all(BY_NAME[name] for name in TYPICAL)
    numbers = {"landlock": 444, "namespaces": linux.FORBIDDEN["unshare"][linux.MACHINES[platform.machine()][0]]}
    grade(made, "--no-training", "--jobs", "1", refused=[numbers[name] for name in missing])
    assert_nothing_else_happened(made)
    assert ("Python alone" in made.said) == (len(missing) == 2)
    for student, points in made.points.items():
        assert points == (FULL if student.endswith("honest") else 4), student
    for i, name in enumerate(TYPICAL):
        assert re.search("stopped with an error|exit status 7|interfered", made.page(f"m{i:03}_b")), name


SPAWNED = {
    "a loop without end": "longer than 10 seconds",
    "os._exit": "exit status 7",
    "forged garbage": "interfered",
    "a neighbour's notebook": "may not open",
    "a fork bomb": "not allowed",
}


def test_a_new_python_for_each_submission_protects_by_what_python_can_refuse(new_class):
    made = new_class()
    for student in ("a_honest", "c_honest", "z_honest"):
        made.hand_in(student)
    names = {f"{'bd'[i % 2]}{i}": name for i, name in enumerate(SPAWNED)}
    for student, name in names.items():
        made.hand_in(student, BY_NAME[name])
    before = look(made.folder / "submissions", made.folder / "home")
    key = replace(read_key(made.folder / "release/teacher"), training=False, spawn=True)
    assert grading.grade(made.folder / "submissions", made.folder / "out", key, jobs=2) == len(SPAWNED) + 3
    assert look(made.folder / "submissions", made.folder / "home") == before
    for student, points in made.points.items():
        assert points == (FULL if student.endswith("honest") else 4), student
    for student, name in names.items():
        assert SPAWNED[name] in made.page(student)


def test_a_computer_that_is_too_busy_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "STARTUP", 0.01)
    known = children()
    with pytest.raises(CourseError, match="did not start within 0 seconds"):
        sandbox.Sandbox(ROOT, ["torch"], tmp_path).__enter__()
    assert children() == known


# ---- training

IN_THE_MIDDLE = [  # of training, after the cases that are asked first
    ("return x * float('nan')", "became nan"),
    ("return x[:1]", "must return decimal numbers of shape"),
    ("return [0] * 10**6", "must return decimal numbers of shape"),
    ("raise KeyError('x')", "KeyError"),
    ("__import__('os')._exit(3)", "exit status 3"),
    ("__import__('time').sleep(99)", "longer than 10 seconds"),
]


def test_a_method_that_goes_wrong_in_training_costs_that_exercise_only(whole_linux, new_class):
    made = new_class()

    def member(line: str, says: str) -> Member:
        head = "calls = []\ndef mitigate(x, generator):\n    calls.append(1)\n    if len(calls) > 9:\n        "

        def write(path: Path, notebook: dict) -> None:
            cell_of(notebook, "07.5")["source"] = f"{head}{line}\n    return x.mean(1, keepdim=True).repeat(1, 3, 1, 1)"
            save(path, notebook)

        return Member(line, says, 8, write)

    made.hand_in_all(members := [member(*one) for one in IN_THE_MIDDLE])
    grade(made, "--jobs", "2")
    assert_nothing_else_happened(made)
    for i, one in enumerate(members):
        assert made.points[f"m{i:03}_b"] == one.points
        assert made.points[f"m{i:03}_a_honest"] == FULL
        assert "In training it went wrong" in made.page(f"m{i:03}_b")
        assert one.says in made.page(f"m{i:03}_b")


# ---- names and archives

NAMES = [  # in a zip file; the student in grades.csv
    ("/etc/07_bias_mitigation.ipynb", "/"),
    ("=cmd|'calc'!A0/07_bias_mitigation.ipynb", "'=cmd|'calc'!A0"),
    ("<script>alert(1)<.script>/07_bias_mitigation.ipynb", "<script>alert(1)<.script>"),
    ("line\nbreak_07_bias_mitigation.ipynb", "line<a>break"),
    ("\x1b[2Jclear/07_bias_mitigation.ipynb", "<1b>[2Jclear"),
    ("\u202egrj.exe/07_bias_mitigation.ipynb", "<202e>grj.exe"),
    ("x" * 5000 + "/07_bias_mitigation.ipynb", "x" * 80),
    ("con/07_bias_mitigation.ipynb", "con"),
]
DAMAGED = {
    "a_link": "is a link",
    "b_bomb": "200 MiB",
    "c_locked": "is encrypted",
    "d_damaged": "cannot be read",
    "e_lies": "cannot be read",
    "f_unknown": "cannot be read",
}


def damage(data: bytes, name: str, offset: int, value: bytes) -> bytes:
    """Return a zip file with the bytes at an offset of a name's entry in its table replaced."""
    start = data.rindex(name.encode()) - 46 + offset
    return data[:start] + value + data[start + len(value) :]


@pytest.fixture(scope="module")
def archive(whole_linux, new_class) -> Class:
    """A class handed in as one zip file, by names and entries that mean harm."""
    made = new_class()
    path = made.folder / "submissions/class.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("../../marker.ipynb", *(name for name, _ in NAMES)):
            file.writestr(name, made.notebook)
        for name in DAMAGED:
            file.writestr(f"{name}0_honest/{NAME}", made.notebook)
            entry = zipfile.ZipInfo(f"{name}/{NAME}")
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o120777 if name == "a_link" else 0o100644) << 16
            content = b"/etc/passwd" if name == "a_link" else made.notebook
            file.writestr(entry, bytes(200 << 20) if name == "b_bomb" else content)
        file.writestr(f"z_honest/{NAME}", made.notebook)
    data = path.read_bytes()
    data = damage(data, f"c_locked/{NAME}", 8, b"\x01\x00")
    data = damage(data, f"d_damaged/{NAME}", 16, b"bad!")  # its checksum
    data = damage(data, f"e_lies/{NAME}", 24, (100).to_bytes(4, "little"))  # its size
    data = damage(data, f"f_unknown/{NAME}", 10, b"\x63\x00")  # its compression
    path.write_bytes(data)
    return grade(made, "--no-training", "--jobs", "2", submissions="submissions/class.zip")


def test_a_hostile_archive_is_graded_to_its_end_and_leaves_nothing_behind(archive):
    assert_nothing_else_happened(archive)
    assert len(archive.rows) == len(NAMES) + 2 * len(DAMAGED) + 1  # what leads out of the archive is nobody's


@pytest.mark.parametrize(("name", "student"), NAMES, ids=lambda text: ascii(text)[:20])
def test_a_hostile_name_is_a_name(archive, name, student):
    assert archive.points[student] == FULL
    assert "<script" not in archive.page(student.removeprefix("'"))


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_entry_costs_its_own_student_only_and_is_named(archive, name):
    assert archive.points[name] == 0
    assert archive.points[f"{name}0_honest"] == FULL
    assert DAMAGED[name] in archive.page(name)


def test_folders_in_folders_without_end_are_left_out(tmp_path):
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna" / NAME).write_text("{}")
    folders = [tmp_path]
    try:
        for _ in range(1200):
            folders.append(folders[-1] / "d")
            folders[-1].mkdir()
        assert [one.student for one in find_submissions(tmp_path, ["07"])] == ["anna"]
    finally:
        for folder in reversed(folders[1:]):
            folder.rmdir()

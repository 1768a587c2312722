"""The real grader, by its command: a class is graded, stopped, resumed, on one machine or on a cluster."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from classroom import NAME, SOLVED, results, run, start, totals, write_notebook
from dask_cluster import cluster as two_workers
from dask_cluster import wait_for

from course_lib.grading import book
from course_lib.grading.release import release

UNTRAINED = ("07.1", "07.2", "07.3", "07.4")
LOOP = {"07.3": "def update_weights(q, losses, group):\n    while True:\n        pass"}


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course") / "release"
    release(folder)
    return folder


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory, released):
    """Three students: all solved, half of it, nothing."""
    folder = tmp_path_factory.mktemp("handed_in")
    solved = {id: SOLVED[id] for id in UNTRAINED}
    write_notebook(folder / f"ada_{NAME}", released, solved)
    write_notebook(folder / f"bob_{NAME}", released, {id: SOLVED[id] for id in UNTRAINED[:2]})
    write_notebook(folder / f"cyd_{NAME}", released, {})
    return folder


def grade(submissions, out, released, *more):
    """Grade without training, and in one process unless it is said: each takes seconds to start."""
    more = more if {"--jobs", "--dask"} & set(more) else (*more, "--jobs", 1)
    return run("grade", submissions, "--out", out, "--release", released / "teacher", "--no-training", *more)


@pytest.fixture(scope="module")
def graded(tmp_path_factory, released, handed_in):
    out = tmp_path_factory.mktemp("graded") / "out"
    status, said = grade(handed_in, out, released, "--jobs", 2)
    assert status == 0, said
    return out


def test_everybody_gets_their_points(graded):
    assert totals(graded) == {"ada": 15, "bob": 7, "cyd": 0}


def test_all_results_are_there(graded):
    tables = {"grades.csv", "canvas.csv", "moodle.csv", "summary.html"}
    assert set(results(graded)) == tables | {f"feedback/{name}.html" for name in ("ada", "bob", "cyd")}


def test_grading_again_from_a_zip_file_by_one_process_gives_the_same_bytes(graded, handed_in, released, tmp_path):
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        for path in handed_in.iterdir():
            archive.write(path, path.name)
    assert grade(tmp_path / "class.zip", tmp_path / "again", released, "--jobs", 1)[0] == 0
    assert results(tmp_path / "again") == results(graded)


def test_training_is_graded_too(released, tmp_path):
    write_notebook(tmp_path / f"in/ada_{NAME}", released, SOLVED)
    status, said = run("grade", tmp_path / "in", "--out", tmp_path / "out", "--release", released / "teacher")
    assert status == 0, said
    assert totals(tmp_path / "out") == {"ada": 20}


def test_results_are_not_overwritten_without_a_word(graded, handed_in, released):
    before = results(graded)
    status, said = grade(handed_in, graded, released)
    assert status == 1
    assert "--resume" in said
    assert len(said.splitlines()) == 1
    assert results(graded) == before


def test_resume_marks_only_what_is_new_or_changed(handed_in, released, tmp_path):
    shutil.copytree(handed_in, tmp_path / "in")
    assert grade(tmp_path / "in", tmp_path / "out", released)[0] == 0
    write_notebook(tmp_path / f"in/cyd_{NAME}", released, {"07.2": SOLVED["07.2"]})
    write_notebook(tmp_path / f"in/dan_{NAME}", released, {"07.3": SOLVED["07.3"]})
    status, said = grade(tmp_path / "in", tmp_path / "out", released, "--resume")
    assert status == 0
    assert "2 of 4 notebooks were marked before" in said
    assert "2 notebooks were marked" in said
    assert totals(tmp_path / "out") == {"ada": 15, "bob": 7, "cyd": 4, "dan": 4}


def start_and_wait_for_three(folder, released):
    """Start to grade what is in ``folder / "in"``, with one process, and return it when three are marked."""
    options = ["--out", folder / "out", "--release", released / "teacher", "--no-training", "--jobs", 1]
    process = start("grade", folder / "in", *options)
    wait_for(lambda: len(list(folder.glob("out/records/*.json"))) >= 3)
    return process


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_keeps_what_was_marked_and_resume_goes_on(handed_in, released, tmp_path):
    shutil.copytree(handed_in, tmp_path / "in")
    for i in range(6):
        write_notebook(tmp_path / f"in/loop{i}_{NAME}", released, LOOP)
    process = start_and_wait_for_three(tmp_path, released)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in said
    assert "Traceback" not in said
    assert totals(tmp_path / "out").items() >= {"ada": 15, "bob": 7, "cyd": 0}.items()
    for i in range(6):
        (tmp_path / f"in/loop{i}_{NAME}").unlink()
    status, said = grade(tmp_path / "in", tmp_path / "out", released, "--resume")
    assert status == 0
    assert "0 notebooks were marked" in said
    assert totals(tmp_path / "out") == {"ada": 15, "bob": 7, "cyd": 0}


@pytest.mark.skipif(sys.platform != "linux", reason="finds the grader's processes in /proc")
def test_a_process_that_is_killed_from_outside_is_told_and_nothing_is_lost(handed_in, released, tmp_path):
    shutil.copytree(handed_in, tmp_path / "in")
    write_notebook(tmp_path / f"in/loop_{NAME}", released, LOOP)
    process = start_and_wait_for_three(tmp_path, released)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    worker = next(c for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes())
    os.kill(int(worker), signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "--resume" in said
    assert "Traceback" not in said
    assert len(list(tmp_path.glob("out/records/*.json"))) == 3


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="makes a small file system, as root on Linux")
def test_a_full_disk_is_one_sentence(handed_in, released, tmp_path):
    (tmp_path / "small").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", tmp_path / "small"], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        status, said = grade(handed_in, tmp_path / "small/out", released)
    finally:
        subprocess.run(["umount", tmp_path / "small"], check=True)
    assert status == 1
    assert "No space left on device" in said
    assert "--resume" in said
    assert len(said.splitlines()) == 1


# --- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [[], ["notes.txt"]], ids=["empty", "no notebook"])
def test_a_folder_without_notebooks_is_told(names, released, tmp_path):
    (tmp_path / "in").mkdir()
    for name in names:
        (tmp_path / "in" / name).write_text("x")
    status, said = grade(tmp_path / "in", tmp_path / "out", released)
    assert status == 1
    assert "holds no notebook" in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--lesson", "99"], "no exercises"),
        (["--roster", "nowhere.csv"], "cannot be read"),
        (["--dask", "tcp://127.0.0.1:9"], "no Dask cluster"),
        (["--release", "nowhere"], "no teacher's folder"),
    ],
    ids=["lesson", "roster", "cluster", "release"],
)
def test_what_is_not_there_is_one_sentence(more, sentence, handed_in, released, tmp_path):
    status, said = grade(handed_in, tmp_path / "out", released, *more)
    assert status == 1
    assert sentence in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1


@pytest.fixture(scope="module")
def odd(tmp_path_factory, released):
    """A class with a student who handed in twice, one with another edition, and one whom nobody knows."""
    folder = tmp_path_factory.mktemp("odd")
    release(folder / "other")
    right = {"07.2": SOLVED["07.2"]}
    write_notebook(folder / f"in/ada/{NAME}", released, {})
    write_notebook(folder / "in/ada/07_bias_mitigation_final.ipynb", released, right)
    write_notebook(folder / f"in/bob/{NAME}", folder / "other", right)
    write_notebook(folder / f"in/cyd/{NAME}", released, right)
    (folder / "class.csv").write_text("name,email\nada,ada@x.org\nbob,bob@x.org\neve,eve@x.org\n")
    status, said = grade(folder / "in", folder / "out", released, "--roster", folder / "class.csv")
    assert status == 0, said
    return folder / "out", said


def test_of_two_submissions_of_one_student_the_last_counts_and_it_is_told(odd):
    out, said = odd
    assert "ada handed in lesson 07 more than once: ada/07_bias_mitigation_final.ipynb is graded" in said
    assert totals(out)["ada"] == 4


def test_students_that_the_list_does_not_know_are_told_and_graded(odd):
    out, _ = odd
    assert totals(out) == {"ada": 4, "bob": 4, "cyd": 4, "eve": 0}
    assert "cyd is not in the list of students" in (out / "grades.csv").read_text("utf-8")


def test_a_notebook_of_another_edition_is_graded_and_told(odd):
    out, _ = odd
    assert "another edition" in (out / "feedback/bob.html").read_text("utf-8")
    assert "another edition" not in (out / "feedback/ada.html").read_text("utf-8")


# --- own numbers, and a cluster ----------------------------------------------------------------------------


def test_each_student_is_graded_by_their_own_numbers(tmp_path):
    (tmp_path / "class.csv").write_text("id,name\nS1,Ada\nS2,Bob\nS3,Cyd\n")
    release(tmp_path / "release", variant_by="id", roster=tmp_path / "class.csv")
    with (tmp_path / "release/teacher/numbers.csv").open(newline="") as file:
        numbers = {(row["id"], row["exercise"], row["number"]): row["value"] for row in csv.DictReader(file)}
    exercises = book.declared("07")[:4]

    def solve(student):
        answers = {}
        for one in exercises:
            answers[one.id] = one.solution()
            for name, default in one.defaults.items():
                answers[one.id] = answers[one.id].replace(
                    f"{name}={default}", f"{name}={numbers[student, one.id, name]}"
                )
        return answers

    for student, solved_for in (("S1", "S1"), ("S2", "S2"), ("S3", "S1")):  # the third one copied
        write_notebook(tmp_path / f"in/{student}_{NAME}", tmp_path / "release", solve(solved_for))
    status, said = grade(tmp_path / "in", tmp_path / "out", tmp_path / "release", "--roster", tmp_path / "class.csv")
    assert status == 0, said
    points = totals(tmp_path / "out")
    assert points["S1"] == points["S2"] == 15

    def same(one):  # by chance two students have the same number: one "least" in 24
        return all(numbers["S1", one.id, name] == numbers["S3", one.id, name] for name in one.defaults)

    rightly = sum(one.points for one in exercises if same(one))
    assert rightly < 15
    assert rightly <= points["S3"] < rightly + 4


@pytest.fixture
def cluster(tmp_path):
    with two_workers(tmp_path) as (address, _):
        yield address


def test_a_cluster_gives_the_same_bytes(cluster, graded, handed_in, released, tmp_path):
    status, said = grade(handed_in, tmp_path / "out", released, "--dask", cluster)
    assert status == 0, said
    assert results(tmp_path / "out") == results(graded)

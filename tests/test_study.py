"""Studies: each run once, a stopped one goes on, files are whole, slips are told in a sentence."""

import csv
import hashlib
import re
import shutil
import subprocess

import pytest

from course_lib import cli, environment, study
from course_lib.environment import ROOT
from course_lib.errors import CourseError
from course_lib.runs import finish
from course_lib.study import Order, augmentation, engine, record
from course_lib.training import Progress


@pytest.fixture
def tiny(monkeypatch):
    """A study of two arms and any number of seeds, that remembers what it measured and may be told to stop."""
    measured, stop = [], []

    def measure(configuration):
        yield Progress(1, 2, 0.5)
        if len(measured) in stop:
            raise KeyboardInterrupt
        measured.append((configuration["seed"], configuration["arm"]))
        yield Progress(2, 2, 0.5)
        return {"value": 10 * configuration["seed"]}

    def plan(source, seeds):
        return [{"source": source, "seed": seed, "arm": arm} for seed in range(seeds) for arm in "ab"]

    monkeypatch.setattr(study, "find", lambda name: study.Study(plan, measure))
    return measured, stop


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_run_is_a_row_with_configuration_result_duration_and_versions(tiny, tmp_path):
    path = engine.run(Order("augmentation", seeds=2), tmp_path / "new" / "out.csv")
    assert [(row["seed"], row["arm"], row["value"]) for row in rows(path)] == [
        ("0", "a", "0"), ("0", "b", "0"), ("1", "a", "10"), ("1", "b", "10"),
    ]  # fmt: skip
    assert list(rows(path)[0]) == [
        "source", "seed", "arm", "value",
        "seconds", "device", "python", "torch", "processor", "course_lib", "commit", "wh_low", "wh_high",
    ]  # fmt: skip
    assert not list(path.parent.glob("*.part"))


def test_a_row_says_whether_the_library_was_another_than_in_its_commit(tmp_path, monkeypatch):
    git = shutil.which("git") or pytest.skip("there is no git")
    (tmp_path / "course_lib").mkdir()
    (tmp_path / "course_lib" / "code.py").write_text("x = 1")
    (tmp_path / "table.csv").write_text("a\n")
    monkeypatch.setattr(record, "ROOT", tmp_path)
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    assert record.commit.__wrapped__() == ""
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run([git, "-C", tmp_path, *command], check=True)
    clean = record.commit.__wrapped__()
    assert re.fullmatch("[0-9a-f]{12}", clean)
    (tmp_path / "table.csv").write_text("a\n1\n")  # what a study adds to
    assert record.commit.__wrapped__() == clean
    (tmp_path / "course_lib" / "more.py").write_text("y = 1")
    assert record.commit.__wrapped__() == clean + "+"
    (tmp_path / "course_lib" / "more.py").unlink()
    (tmp_path / "course_lib" / "code.py").write_text("x = 2")
    assert record.commit.__wrapped__() == clean + "+"


def test_a_stopped_study_goes_on_where_it_was(tiny, tmp_path):
    measured, stop = tiny
    path = tmp_path / "out.csv"
    stop.append(3)
    with pytest.raises(KeyboardInterrupt):
        engine.run(Order("augmentation", seeds=3), path)
    assert len(rows(path)) == 3
    stop.clear()
    engine.run(Order("augmentation", seeds=3), path)
    engine.run(Order("augmentation", seeds=3), path)  # nothing is left to do
    assert measured == [(seed, arm) for seed in range(3) for arm in "ab"]
    assert len(rows(path)) == 6


def test_a_file_of_something_else_is_left_alone(tiny, tmp_path):
    path = tmp_path / "grades.csv"
    path.write_text("name,points\nada,20\n")
    with pytest.raises(CourseError, match="is not a table of this study"):
        engine.run(Order("augmentation"), path)
    assert path.read_text() == "name,points\nada,20\n"


def test_it_says_how_long_it_still_takes(tiny, tmp_path, capsys):
    engine.run(Order("augmentation", seeds=2), tmp_path / "out.csv")
    assert "100% of 4 runs" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "said"), [
    (["study", "magic"], f"study must be one of {', '.join(map(repr, study.STUDIES))}; it was 'magic'."),
    (["study", "augmentation", "--source", "cifar"], "source must be one of 'bundled', 'mnist'"),
    (["study", "augmentation", "--seeds", "1001"], "seeds must be a number from 1 to 1000; it was 1001."),
])  # fmt: skip
def test_a_slip_is_told_before_a_long_installation(monkeypatch, capsys, arguments, said):
    monkeypatch.delenv(environment.HANDED_OVER, raising=False)
    monkeypatch.setattr("course_lib.install.ensure", lambda extras: pytest.fail("it installs"))
    assert cli.main(arguments) == 1
    assert said in capsys.readouterr().err


def test_the_command_writes_the_file_and_says_so(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(environment.HANDED_OVER, "here")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["study", "augmentation", "--seeds", "1"]) == 0
    assert "study_augmentation_bundled.csv holds every run." in capsys.readouterr().out
    assert len(rows(tmp_path / "study_augmentation_bundled.csv")) == 2
    tiny[1].append(2)
    monkeypatch.setenv(environment.HANDED_OVER, "here")
    assert cli.main(["study", "augmentation", "--seeds", "2"]) == 130
    assert "Stopped: the same command goes on where it was." in capsys.readouterr().err


# Lesson 03's study


def test_what_is_held_out_is_a_sixth_and_never_trained_on():
    train, held = augmentation.split("bundled", "held out")
    assert (len(train), len(held)) == (1297 - 216, 216)
    whole, test = augmentation.split("bundled", "test")
    assert (len(whole), len(test)) == (1297, 500)
    seen = {image.numpy().tobytes() for image in train.images}
    assert sum(image.numpy().tobytes() in seen for image in held.images) <= 1  # but for true duplicates


def test_the_settings_are_those_that_the_stored_search_found_best():
    found = rows(ROOT / "data" / "study_augmentation_search.csv")
    assert {row["tested_on"] for row in found} == {"held out"}
    assert len(found) == len(augmentation.plan_search("mnist", 1))

    def best(lr, epochs):
        here = [row for row in found if (float(row["lr"]), int(row["epochs"])) == (lr, epochs)]
        moved = max((r for r in here if r["shift"] != "0"), key=lambda row: float(row["accuracy"]))
        without = next(row for row in here if row["shift"] == "0")
        return float(without["accuracy"]) + float(moved["accuracy"]), int(moved["shift"])

    settings = {(float(row["lr"]), int(row["epochs"])) for row in found}
    chosen = max(settings, key=lambda setting: best(*setting)[0])
    assert chosen == (augmentation.CHOSEN["lr"], augmentation.CHOSEN["epochs"])
    assert best(*chosen)[1] == augmentation.SHIFT


def test_the_stored_study_is_what_the_command_plans():
    stored = rows(ROOT / "data" / "study_augmentation.csv")
    seeds = len({row["seed"] for row in stored})
    plan = [{k: str(v) for k, v in row.items()} for row in augmentation.plan("mnist", seeds)]
    assert [{k: row[k] for k in plan[0]} for row in stored] == plan


def test_a_run_is_measured_again_the_same():
    configuration = augmentation.plan("bundled", 1)[1] | {"epochs": 2}
    first, again = (finish(augmentation.measure(configuration)) for _ in range(2))
    assert first == again
    assert (first["n"], first["n_train"]) == (500, 1297)


def test_shipped_files_are_those_that_were_summed():
    lines = (ROOT / "data" / "SHA256SUMS").read_text("utf-8").splitlines()
    sums = dict(reversed(line.split()) for line in lines)
    for name, digest in sums.items():
        assert hashlib.sha256((ROOT / "data" / name).read_bytes()).hexdigest() == digest, name
    here = [path for kind in ("*.csv", "*.npz", "*.png") for path in (ROOT / "data").rglob(kind)]
    shipped = {path.relative_to(ROOT / "data").as_posix() for path in here if "mnist" not in path.parts}
    assert shipped == set(sums)
    licences = (ROOT / "data" / "LICENSES.md").read_text("utf-8")
    assert all(name in licences for name in sums)

"""What was handed in, however it was packed: whose each notebook is, and what cannot be read."""

import json
import os
import stat
import sys
import zipfile

import pytest

from course_lib.errors import CourseError
from course_lib.grading import submissions
from course_lib.grading.grade import make_job
from course_lib.grading.submissions import clean, find_student, find_submissions, keep_last

NAME = "07_bias_mitigation.ipynb"
LESSONS = ["06", "07"]


def write(folder, *paths, data=b"{}"):
    """Write files into a folder and return it."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def pack(path, *names, data=b"{}"):
    """Write a zip file and return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as files:
        for name in names:
            files.writestr(name, data)
    return path


def found(where, lesson=None):
    """Student, number and lesson of each submission."""
    return [(s.student, s.number, s.lesson) for s in find_submissions(where, LESSONS, lesson)]


# Layouts

LAYOUTS = {
    "flat": ([f"ada_{NAME}", f"bob-{NAME}", f"cyd l {NAME}"], [("ada", ""), ("bob", ""), ("cyd l", "")]),
    "flat, by number": ([f"123456_{NAME}", f"234567_{NAME}"], [("123456", ""), ("234567", "")]),
    "flat, again": ([f"ada_07_bias_mitigation{end}.ipynb" for end in (" (1)", "-2")], [("ada", ""), ("ada", "")]),
    "flat, changed": (["ada_07_final2.ipynb", "07_bias_bob.ipynb"], [("07_bias_bob", ""), ("ada_07_final2", "")]),
    "folders": ([f"ada/{NAME}", f"Bob B/{NAME}", f"cyd/deep/er/{NAME}"], [("ada", ""), ("Bob B", ""), ("cyd", "")]),
    "nbgrader": ([f"submitted/ada/lesson07/{NAME}", f"submitted/bob/x/{NAME}"], [("ada", ""), ("bob", "")]),
    "submissions": ([f"submissions/ada/{NAME}", f"submissions/bob_{NAME}"], [("ada", ""), ("bob", "")]),
    "canvas": (
        [
            f"lovelaceada_4711_815_{NAME}",
            f"babbagec_LATE_12_99_{NAME}",
            "noetheremmy_13_98_07_bias_mitigation-1.ipynb",
            "hopperg_14_97_LATE_07_x.ipynb",
        ],
        [("babbagec", "12"), ("hopperg", "14"), ("lovelaceada", "4711"), ("noetheremmy", "13")],
    ),
    "moodle": (
        [
            f"Ada Lovelace_4711_assignsubmission_file_/{NAME}",
            f"Emmy N_5_assignsubmission_file/{NAME}",
            f"Bob_B_6_assignsubmission_onlinetext_/{NAME}",
        ],
        [("Ada Lovelace", "4711"), ("Bob_B", "6"), ("Emmy N", "5")],
    ),
    "others beside": ([f"ada/{NAME}", "ada/readme.txt", "bob/07.pdf", "list.csv", "cyd/07_x.ipynb.bak"], [("ada", "")]),
    "capitals": (["ada/07_BIAS.IPYNB", f"SUBMITTED/bob/{NAME}"], [("ada", ""), ("bob", "")]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_read_from_a_folder(layout, tmp_path):
    paths, students = LAYOUTS[layout]
    assert found(write(tmp_path / "class", *paths)) == [(name, number, "07") for name, number in students]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_read_from_a_zip_file(layout, tmp_path):
    paths, students = LAYOUTS[layout]
    assert found(pack(tmp_path / "class.zip", *paths)) == [(name, number, "07") for name, number in students]


@pytest.mark.parametrize("around", ["class", "Submissions", "submitted"])
@pytest.mark.parametrize("layout", ["flat", "folders", "canvas", "moodle"])
def test_a_folder_around_all_does_not_matter(layout, around, tmp_path):
    paths, students = LAYOUTS[layout]
    path = pack(tmp_path / "class.zip", *[f"{around}/{path}" for path in paths])
    assert found(path) == [(name, number, "07") for name, number in students]


def test_bytes_are_those_that_were_handed_in(tmp_path):
    folder = write(tmp_path / "class", f"ada/{NAME}", data=b"\xff\0 data")
    archive = pack(tmp_path / "class.zip", f"ada/{NAME}", data=b"\xff\0 data")
    for where in (folder, archive):
        (one,) = find_submissions(where, LESSONS)
        assert one.read() == b"\xff\0 data"


# Lessons


@pytest.mark.parametrize(("path", "lesson"), [
    (f"ada/{NAME}", "07"), ("ada_06_fairness.ipynb", "06"), ("ada/06_x/notebook.ipynb", "06"),
    ("ada_1_2_06_fairness.ipynb", "06"), ("ada/2006_07_x.ipynb", "07"),
])  # fmt: skip
def test_the_name_tells_the_lesson(path, lesson, tmp_path):
    assert found(write(tmp_path, path))[0][2] == lesson


def test_a_name_without_a_lesson_needs_one_where_there_are_several(tmp_path):
    write(tmp_path, "ada/homework.ipynb", "bob/1999_x.ipynb", "cyd/99_x.ipynb")
    with pytest.raises(CourseError, match=r"Which lesson is ada/homework.ipynb\? Name it with --lesson, such as"):
        found(tmp_path)
    assert {lesson for _, _, lesson in found(tmp_path, "06")} == {"06"}
    assert {one.lesson for one in find_submissions(tmp_path, ["07"])} == {"07"}


def test_a_notebook_tells_its_lesson_where_its_name_does_not(tmp_path):
    write(tmp_path, "ada/homework.ipynb", "bob.ipynb")
    for name, lesson in (("ada/homework.ipynb", "06"), ("bob.ipynb", "07")):
        notebook = {"cells": [{"metadata": {"course_lib": {"exercise": f"{lesson}.2"}}}, {"exercise": "05.1"}]}
        (tmp_path / name).write_text(json.dumps(notebook), "utf-8")
    assert sorted((student, lesson) for student, _, lesson in found(tmp_path)) == [("ada", "06"), ("bob", "07")]
    assert {one.lesson for one in find_submissions(tmp_path, LESSONS, "07")} == {"07"}  # what the teacher says counts
    write(tmp_path, "cyd.ipynb", "dan/07_x.ipynb")  # a notebook that tells nothing does not stop the others
    assert ("cyd", "07") in [(student, lesson) for student, _, lesson in found(tmp_path)]


# Twice


def test_of_two_notebooks_of_one_student_the_last_by_name_counts(tmp_path):
    write(tmp_path, "ada/07_a.ipynb", "ada/07_b.ipynb", "Ada/07_0.ipynb", "ada/06_a.ipynb", "bob/07_a.ipynb")
    kept, sentences = keep_last(find_submissions(tmp_path, LESSONS))
    assert [one.path for one in kept] == ["ada/06_a.ipynb", "ada/07_b.ipynb", "bob/07_a.ipynb"]
    assert sorted(sentences) == [
        "Ada handed in lesson 07 more than once: ada/07_b.ipynb is graded, Ada/07_0.ipynb is not.",
        "ada handed in lesson 07 more than once: ada/07_b.ipynb is graded, ada/07_a.ipynb is not.",
    ]


def test_students_of_the_same_name_are_told_apart_by_their_numbers(tmp_path):
    write(tmp_path, f"leek_11_1_{NAME}", f"leek_LATE_12_2_{NAME}", f"leek_12_3_{NAME}", f"ada_13_4_{NAME}")
    kept, sentences = keep_last(find_submissions(tmp_path, LESSONS))
    assert [(one.student, one.number) for one in kept] == [("ada", "13"), ("leek 11", "11"), ("leek 12", "12")]
    assert len(sentences) == 1
    assert sentences[0].startswith("leek 12 handed in lesson 07 more than once")
    assert find_student([{"ID": "11", "Student": "Lee, K"}, {"ID": "12", "Student": "Lee, K"}], kept[1])["ID"] == "11"


# What cannot be read


def problems(where):
    return {one.student: one.problem for one in find_submissions(where, LESSONS)}


def test_a_link_is_a_problem_and_is_never_followed(tmp_path):
    secret = write(tmp_path, "secret/secret.ipynb", "secret/more/07_x.ipynb") / "secret"
    folder = write(tmp_path / "class", f"ada/{NAME}")
    (folder / "bob").mkdir()
    (folder / "bob" / NAME).symlink_to(secret / "secret.ipynb")
    (folder / f"cyd_{NAME}").symlink_to(tmp_path / "nowhere")
    (folder / f"dan_{NAME}").symlink_to(secret)
    (folder / "eve").symlink_to(secret)
    told = problems(folder)
    assert told.pop("ada") == ""
    assert set(told) == {"bob", "cyd", "dan"}
    assert all(text.startswith("The file is a link") for text in told.values())
    assert all(one.read() == b"" for one in find_submissions(folder, LESSONS) if one.problem)


def test_a_file_that_becomes_a_link_is_not_followed(tmp_path):
    secret = write(tmp_path, "secret", data=b"secret") / "secret"
    folder = write(tmp_path / "class", f"ada/{NAME}")
    (one,) = find_submissions(folder, LESSONS)
    (folder / "ada" / NAME).unlink()
    (folder / "ada" / NAME).symlink_to(secret)
    job = make_job(one)
    assert (job.data, job.problem[:24]) == (b"", "The file cannot be read:")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_is_a_problem(tmp_path):
    folder = write(tmp_path, f"ada/{NAME}")
    (folder / "bob").mkdir()
    os.mkfifo(folder / "bob" / NAME)
    assert "is no file" in problems(folder)["bob"]


@pytest.mark.parametrize("where", ["folder", "class.zip"])
def test_what_is_empty_or_too_large_is_a_problem_of_that_student(where, tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_NOTEBOOK", 2**20)
    if where == "folder":
        place = write(tmp_path / "class", f"ada/{NAME}")
        write(place, f"bob/{NAME}", data=b"")
        write(place, f"cyd/{NAME}", data=b" " * (2**20 + 1))
        write(place, f"dan/{NAME}", data=b" " * 2**20)
    else:
        place = tmp_path / where
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as files:
            for name, data in (("ada", b"{}"), ("bob", b""), ("cyd", b" " * (2**20 + 1)), ("dan", b" " * 2**20)):
                files.writestr(f"{name}/{NAME}", data)
    assert problems(place) == {
        "ada": "",
        "bob": "The notebook is empty.",
        "cyd": "The notebook has 1 MiB; 1 are allowed: clear its outputs.",
        "dan": "",
    }
    sizes = {one.student: len(one.read()) for one in find_submissions(place, LESSONS)}
    assert sizes == {"ada": 2, "bob": 0, "cyd": 0, "dan": 2**20}


def test_a_file_that_is_larger_than_it_said_is_not_read_to_its_end(tmp_path, monkeypatch):
    data = b" " * 1000
    for where in (write(tmp_path / "class", f"ada/{NAME}", data=data), pack(tmp_path / "class.zip", NAME, data=data)):
        (one,) = find_submissions(where, LESSONS)
        with monkeypatch.context() as patched:
            patched.setattr(submissions, "MAX_NOTEBOOK", 100)
            assert len(one.read()) == 100


def test_a_file_that_goes_away_is_a_problem(tmp_path):
    (one,) = find_submissions(write(tmp_path, f"ada/{NAME}"), LESSONS)
    (tmp_path / "ada" / NAME).unlink()
    assert make_job(one).problem == "The file cannot be read: No such file or directory."


def test_links_and_locked_files_in_a_zip_file_are_problems(tmp_path):
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w") as files:
        link = zipfile.ZipInfo(f"ada/{NAME}")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        files.writestr(link, "/etc/passwd")
        files.writestr(f"bob/{NAME}", "{}")
    data = path.read_bytes()
    at = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1) + 8  # the flags of the second entry
    path.write_bytes(data[:at] + b"\1" + data[at + 1 :])
    assert {k: v.partition(":")[0] for k, v in problems(path).items()} == {
        "ada": "The file is a link",
        "bob": "The file is encrypted",
    }


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_entry_is_a_problem_of_one_student(compression, tmp_path):
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w", compression) as files:
        files.writestr(f"ada/{NAME}", bytes(range(256)) * 9)
        files.writestr(f"bob/{NAME}", b"{}")
    data = bytearray(path.read_bytes())
    for i in range(30 + len(f"ada/{NAME}") + 12, 100):
        data[i] ^= 0xA5
    path.write_bytes(data)
    jobs = {job.student: job for job in map(make_job, find_submissions(path, LESSONS))}
    assert jobs["ada"].problem.startswith("The file cannot be read: ")
    assert jobs["ada"].data == b""
    assert jobs["bob"].data == b"{}"


# Nothing to grade


@pytest.mark.parametrize("files", [[], ["ada/readme.txt", "notes.md"], [f".ipynb_checkpoints/{NAME}"]])
def test_a_folder_or_zip_file_without_notebooks_is_told(files, tmp_path):
    for where in (write(tmp_path / "class", "x/y.txt", *files), pack(tmp_path / "class.zip", *files)):
        with pytest.raises(CourseError, match=r"is empty, or holds no notebook \(.ipynb\): nothing was graded"):
            found(where)


def test_an_empty_folder_is_told(tmp_path):
    (tmp_path / "empty" / "inside").mkdir(parents=True)
    with pytest.raises(CourseError, match="is empty, or holds no notebook"):
        found(tmp_path / "empty")


def test_what_is_not_there_or_no_zip_file_is_told(tmp_path):
    with pytest.raises(CourseError, match="There is nothing at"):
        found(tmp_path / "nowhere")
    for data in (b"", b"PK\3\4 cut off", b"{}"):
        (tmp_path / NAME).write_bytes(data)
        with pytest.raises(CourseError, match="is neither a folder nor a zip file that can be read"):
            found(tmp_path / NAME)


# Names


@pytest.mark.parametrize("hidden", [
    f"ada/.ipynb_checkpoints/{NAME}", f".git/{NAME}", f"__MACOSX/ada/{NAME}", "ada/._07_bias.ipynb", f".{NAME}",
    f"ada/../../{NAME}", f"../{NAME}",
])  # fmt: skip
def test_hidden_files_and_those_outside_do_not_count(hidden, tmp_path):
    assert found(pack(tmp_path / "class.zip", hidden, f"bob/{NAME}")) == [("bob", "", "07")]
    if ".." not in hidden:
        assert found(write(tmp_path / "class", hidden, f"bob/{NAME}")) == [("bob", "", "07")]


@pytest.mark.parametrize("student", [
    "Zoë Ångström", "李 雷", "O'Neil, Pat", "a" * 200, "x.y.z", "=1+1", "<b>", "100%", "{0}", "%s", "con", "-",
    "ada\u202egpj", "a\nb", "\x1b[31mred", "07_07_07",
])  # fmt: skip
def test_odd_names_are_kept_as_far_as_they_can_be_shown(student, tmp_path):
    ((name, number, lesson),) = found(write(tmp_path, f"{student}/{NAME}"))
    assert name == clean(student)
    assert (number, lesson) == ("", "07")
    assert name.isprintable()
    assert 0 < len(name) <= 80
    if student.isprintable() and len(student) <= 80:
        assert name == student


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such names")
def test_names_that_are_no_utf8_can_be_shown_and_stay_different(tmp_path):
    for name in (b"m\xfcller", b"m\xe9ller"):
        write(tmp_path, f"{os.fsdecode(name)}/{NAME}")
    first, second = find_submissions(tmp_path, LESSONS)
    assert first.read() == second.read() == b"{}"
    assert first.student != second.student
    assert first.student.isprintable()


@pytest.mark.parametrize("name", ["", "   "])
def test_a_name_of_nothing_has_a_stand_in(name):
    assert clean(name) == "(no name)"


def test_a_folder_of_any_name_around_all_students_is_seen_through(tmp_path):
    for student in ("ada", "bob"):
        (tmp_path / "one/export" / student).mkdir(parents=True)
        (tmp_path / "one/export" / student / "07_bias_mitigation.ipynb").write_text("{}")
        (tmp_path / "two/export").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"two/export/{student}_07_bias_mitigation.ipynb").write_text("{}")
    for where in ("one", "two"):
        assert [s.student for s in find_submissions(tmp_path / where, ["07"])] == ["ada", "bob"]


def test_one_students_folder_is_not_taken_for_a_folder_around_all(tmp_path):
    (tmp_path / "ada/07_bias_mitigation").mkdir(parents=True)
    (tmp_path / "ada/07_bias_mitigation/07_bias_mitigation.ipynb").write_text("{}")
    (tmp_path / "ada/07_bias_mitigation.ipynb").write_text("{}")
    assert {s.student for s in find_submissions(tmp_path, ["07"])} == {"ada"}

"""The list of students: how it is read, and who a submission is from."""

import pytest

from course_lib.errors import CourseError
from course_lib.grading.grade import make_job
from course_lib.grading.submissions import Submission, find_student, read_roster


def roster_of(tmp_path, text, encoding="utf-8"):
    (tmp_path / "roster.csv").write_bytes(text.encode(encoding))
    return read_roster(tmp_path / "roster.csv")


def test_a_roster_is_rows_by_column(tmp_path):
    rows = roster_of(tmp_path, 'id,name,mail\n1,"Lovelace, Ada", ada@x \r\n\n2,Bob\n,,\n3,C,c@x,more,still\n')
    assert rows == [
        {"id": "1", "name": "Lovelace, Ada", "mail": "ada@x"},
        {"id": "2", "name": "Bob", "mail": ""},
        {"id": "3", "name": "C", "mail": "c@x"},
    ]


def test_a_roster_may_come_from_canvas_or_excel(tmp_path):
    text = "Student,ID,Lesson\nPoints Possible,,20\n    Points Possible,,20\nAda,1,\n"
    assert roster_of(tmp_path, text, "utf-8-sig") == [{"Student": "Ada", "ID": "1", "Lesson": ""}]


@pytest.mark.parametrize("text", ["", "id,name\n", "id,name\n,\n", "Student,ID\n  Points Possible,3\n", "\n\n"])
def test_a_roster_without_students_is_told(text, tmp_path):
    with pytest.raises(CourseError, match="has no rows below its header"):
        roster_of(tmp_path, text)


def test_a_roster_that_cannot_be_read_is_told(tmp_path):
    for write_it in (lambda path: None, lambda path: path.write_bytes(b"PK\3\4\xff\xfe"), lambda path: path.mkdir()):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.csv"
        write_it(path)
        with pytest.raises(CourseError, match=r"The list of students .* cannot be read"):
            read_roster(path)


ROSTER = [
    {"Student": "Lovelace, Ada", "ID": "11", "Login": "ada"},
    {"Student": "Babbage, Charles", "ID": "12", "Login": "CBB"},
    {"Student": "Lee, Kim", "ID": "13", "Login": "lee1"},
    {"Student": "Lee, Kim", "ID": "14", "Login": "lee2"},
]


@pytest.mark.parametrize(("student", "number", "login"), [
    ("ada", "", "ada"), ("ADA", "", "ada"), ("lovelace, ada", "", "ada"), ("cbb", "", "CBB"), ("11", "", "ada"),
    ("babbagecharles", "12", "CBB"), ("Lee, Kim", "", None), ("Lee, Kim", "14", None), ("leekim", "14", "lee2"),
    ("ad", "", None), ("nobody", "", None), ("nobody", "99", None), ("", "", None),
])  # fmt: skip
def test_a_student_is_found_in_any_column_if_there_is_just_one(student, number, login):
    row = find_student(ROSTER, Submission(student, "07", "x", number=number))
    assert (row and row["Login"]) == login


def test_a_job_has_the_identifier_that_own_numbers_come_from():
    one = Submission("Lovelace, Ada", "07", "x", problem="The notebook is empty.")
    assert make_job(one, ROSTER, "Login").student == "ada"
    assert make_job(one).student == "Lovelace, Ada"
    assert make_job(one).problem == "The notebook is empty."

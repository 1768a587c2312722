"""Tables and pages: the same bytes for the same marks, safe to open, and what a grade book expects."""

import copy
import csv
import html
import re
from html.parser import HTMLParser

import pytest

from course_lib.grading import book, reports
from course_lib.grading.key import Key
from course_lib.grading.reports import file_name

TITLES = {id: row for id, row in book.titles().items() if id.startswith("07.")}
KEY = Key("1-abc", "secret")
EVIL = '=HYPERLINK("http://x","y")'
TAG = "<script>alert(1)</script> & `x < y`"


def verdict(id, points=0.0, status="wrong", hint="", misconception="", note=""):
    title, maximum = TITLES[id]
    return {"id": id, "title": title, "status": status, "points": points, "maximum": maximum, "hint": hint,
            "misconception": misconception, "note": note}  # fmt: skip


def record(student, *points, number="", problem="", notes=(), **more):
    """The record of a student who got these points in 07.1, 07.2, ..."""
    verdicts = []
    for id, mine in zip(TITLES, (*points, *[0] * len(TITLES)), strict=False):
        status = "passed" if mine == TITLES[id][1] else "part" if mine else "not attempted"
        verdicts.append(verdict(id, float(mine), status))
    for id, changes in more.get("change", {}).items():
        verdicts[list(TITLES).index(id)] |= changes
    return {"student": student, "number": number, "lesson": "07", "file": f"{student}/07.ipynb", "fingerprint": "f",
            "notes": list(notes), "problem": problem, "verdicts": verdicts}  # fmt: skip


WRONG = {"status": "wrong", "misconception": "absolute_gap", "hint": "The MMD keeps its sign."}
CLASS = [
    record("cyd", 3, 4, 4, 4, 5, number="13"),
    record("Ada", 3, 3.5, 0, 0, 0, number="11", change={"07.3": {"status": "wrong", "hint": TAG, "note": TAG}}),
    record("bob", 3, 0, 4, number="12", change={"07.2": WRONG}, notes=["Of another edition."]),
    record("dan", change={"07.2": WRONG}, problem="The notebook is empty."),
]
ROSTER = [
    {"Student": "Lovelace, Ada", "ID": "11", "SIS User ID": "s11", "SIS Login ID": "ada", "Section": "A"},
    {"Student": "Babbage, Bob", "ID": "12", "SIS User ID": "s12", "SIS Login ID": "bob", "Section": "A"},
    {"Student": "Zeno, Z", "ID": "99", "SIS User ID": "s99", "SIS Login ID": "zzz", "Section": "B"},
]


def write(folder, records=CLASS, roster=ROSTER):
    folder.mkdir(parents=True, exist_ok=True)
    reports.write(folder, copy.deepcopy(records), roster, KEY)
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return write(tmp_path_factory.mktemp("out"))


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Reader(HTMLParser):
    """A page's tags and text; fails where a tag is not closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "br", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += "" if self.open and self.open[-1] == "style" else data + " "


def test_the_same_marks_give_the_same_bytes_in_any_order(out, tmp_path):
    assert files(write(tmp_path / "again", CLASS[::-1])) == files(out)
    assert set(files(out)) == {
        "grades.csv", "canvas.csv", "moodle.csv", "summary.html", "feedback/Ada.html", "feedback/bob.html",
        "feedback/cyd.html", "feedback/dan.html",
    }  # fmt: skip


# Tables


def test_grades_have_a_row_for_everybody_and_for_the_maximum(out):
    rows = {row["student"]: row for row in table(out / "grades.csv")}
    assert list(rows) == ["maximum", "Ada", "bob", "cyd", "dan", "Zeno, Z"]
    assert list(rows["Ada"]) == ["student", *TITLES, "total", "remarks"]
    assert [rows["maximum"][id] for id in (*TITLES, "total")] == ["3", "4", "4", "4", "5", "20"]
    assert [rows["Ada"][id] for id in (*TITLES, "total")] == ["3", "3.5", "0", "0", "0", "6.5"]
    assert {name: float(row["total"]) for name, row in rows.items()} == {
        "maximum": 20, "Ada": 6.5, "bob": 7, "cyd": 20, "dan": 0, "Zeno, Z": 0,
    }  # fmt: skip
    assert rows["bob"]["remarks"] == "Of another edition."
    assert rows["dan"]["remarks"] == "The notebook is empty."
    assert rows["Zeno, Z"]["remarks"] == "Nothing was handed in."
    assert rows["Zeno, Z"]["07.1"] == ""


def test_canvas_finds_its_own_columns(out):
    fixed = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    possible, *rows = table(out / "canvas.csv")
    assert list(possible) == [*fixed, "Lesson 07"]
    assert (possible["Student"], possible["Lesson 07"]) == ("Points Possible", "20")
    assert [list(row.values()) for row in rows[:2]] == [
        ["Lovelace, Ada", "11", "s11", "ada", "A", "6.5"],
        ["Babbage, Bob", "12", "s12", "bob", "A", "7"],
    ]
    assert list(rows[2].values()) == ["cyd", "13", "", "", "", "20"]  # not in the roster: as the file tells


def test_moodle_finds_its_own_columns(out, tmp_path):
    rows = table(out / "moodle.csv")
    assert list(rows[0]) == ["Identifier", "Full name", "Email address", "Grade", "Maximum Grade", "Feedback comments"]
    assert [rows[0][name] for name in ("Identifier", "Grade", "Maximum Grade")] == ["Participant 11", "6.5", "20"]
    assert rows[0]["Feedback comments"].startswith("07.1: 3 of 3. 07.2: 3.5 of 4. 07.3: 0 of 4.")
    assert rows[3]["Identifier"] == ""
    roster = [{"Identifier": "Participant 11", "Full name": "Ada Lovelace", "Email address": "ada@x"}]
    rows = table(write(tmp_path, [record("Ada Lovelace", 3)], roster) / "moodle.csv")
    assert list(rows[0].values())[:5] == ["Participant 11", "Ada Lovelace", "ada@x", "3", "20"]


@pytest.mark.parametrize("name", [EVIL, "+1", "-1+2", "@SUM(A1)", "\tx", "\r=1", "'=1", 'a"b,c\nd', "ü", "", "x;y"])
def test_a_spreadsheet_runs_no_name_as_a_formula(name, tmp_path):
    roster = [{"id": name or "-", "mail": "x"}, {"id": "7", "Section": name}]
    marked = record(name, 3, notes=[name], problem=name)
    folder = write(tmp_path, [marked, record("7", number=name)], roster)
    for path in folder.glob("*.csv"):
        rows = list(csv.reader(path.read_bytes().decode().splitlines(), strict=True))  # whatever ends a line there
        assert not [cell for row in rows for cell in row if cell.strip().startswith(("=", "+", "-", "@"))]
        assert len({len(row) for row in rows}) == 1
    cells = [row["student"] for row in table(folder / "grades.csv")]
    assert [cell for cell in cells if " ".join(name.split()) in cell]


def test_two_lessons_are_two_columns_and_one_page(tmp_path, monkeypatch):
    monkeypatch.setattr(book, "titles", lambda _lessons: {"06.1": ("Other", 10), **TITLES})
    first = record("ada", 3)
    first |= {"lesson": "06", "verdicts": [verdict("07.1") | {"id": "06.1", "title": "Other", "points": 9.0}]}
    folder = write(tmp_path, [record("ada", 3), first, record("bob", 2)], [])
    assert [row["Lesson 06"] for row in table(folder / "canvas.csv")] == ["10", "9", ""]
    assert [row["Lesson 07"] for row in table(folder / "canvas.csv")] == ["20", "3", "2"]
    assert [row["total"] for row in table(folder / "grades.csv")] == ["30", "12", "2"]
    assert "ada: 12 of 30 points" in Reader((folder / "feedback/ada.html").read_text("utf-8")).text
    assert "bob: 2 of 20 points" in Reader((folder / "feedback/bob.html").read_text("utf-8")).text


def test_nobody_at_all_still_gives_tables(tmp_path):
    folder = write(tmp_path, [], ROSTER)
    assert [row["student"] for row in table(folder / "grades.csv")][1:] == [row["Student"] for row in ROSTER]
    assert "0 students" in Reader((folder / "summary.html").read_text("utf-8")).text


# Pages


def test_every_page_is_well_formed_and_made_for_a_phone(out):
    for path in out.rglob("*.html"):
        page = path.read_text("utf-8")
        assert page.startswith('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')
        metas = [attributes for tag, attributes in Reader(page).tags if tag == "meta"]
        assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in metas
        assert not re.search(r"<(script|link|img|iframe)|http|url\(|@import", page)  # nothing is fetched


def test_feedback_tells_points_hints_and_problems(out):
    ada = Reader((out / "feedback/Ada.html").read_text("utf-8")).text
    assert "Ada: 6.5 of 20 points" in ada
    assert "07.2 MMD and IOSM: 3.5 of 4 points" in ada
    assert "(partly right)" in ada
    assert "(passed)" in ada
    bob = Reader((out / "feedback/bob.html").read_text("utf-8")).text
    assert "Of another edition." in bob
    assert "The MMD keeps its sign." in bob
    assert "The notebook is empty." in (out / "feedback/dan.html").read_text("utf-8")


def test_what_a_student_wrote_is_escaped(out, tmp_path):
    page = (out / "feedback/Ada.html").read_text("utf-8")
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; <code>x &lt; y</code>") == 2
    folder = write(tmp_path, [record(TAG, 3, notes=[TAG], problem=TAG), record("b" * 80)], [])
    for path in folder.rglob("*.html"):
        reader = Reader(path.read_text("utf-8"))
        assert not [tag for tag, _ in reader.tags if tag == "script"]
    assert html.escape(TAG) in (folder / "summary.html").read_text("utf-8")


def test_feedback_names_misconceptions_by_their_hint_only(out):
    for path in (out / "feedback").iterdir():
        assert "absolute_gap" not in path.read_text("utf-8")


def test_feedback_holds_what_a_record_holds_and_nothing_of_the_key(out):
    for data in files(out).values():
        assert KEY.secret.encode() not in data
        assert b"fingerprint" not in data


def test_the_summary_counts_the_class(out):
    text = Reader((out / "summary.html").read_text("utf-8")).text
    assert "4 students, mean 8.38 of 20 points" in text
    rows = re.findall(r"07\.(\d) [^%]*? (\d+)% +(\d)", text)  # exercise, share of the points, not attempted
    assert rows == [("4", "25", "3"), ("5", "25", "3"), ("2", "47", "0"), ("3", "50", "1"), ("1", "75", "1")]
    assert re.search(r"07\.2 +absolute gap +2 ", text)
    assert re.search(r"To look at .* bob +Of another edition\. +dan +The notebook is empty\.", text, re.S)


@pytest.mark.parametrize(("points", "bars"), [
    ([(0,), (0,), (3, 4, 4, 4, 5)], "2, 0, 0, 0, 0, 0, 0, 0, 0, 1"), ([(2,)], "0, 1, 0, 0, 0, 0, 0, 0, 0, 0"),
    ([(3, 4, 4, 4, 4)], "0, 0, 0, 0, 0, 0, 0, 0, 0, 1"), ([(1.9,), (3, 0.9)], "1, 1, 0, 0, 0, 0, 0, 0, 0, 0"),
])  # fmt: skip
def test_the_histogram_has_ten_steps(points, bars, tmp_path):
    folder = write(tmp_path, [record(f"s{i}", *mine) for i, mine in enumerate(points)], [])
    page = (folder / "summary.html").read_text("utf-8")
    assert f'aria-label="Histogram of points: {bars} students in ten steps from 0 to 20"' in page
    assert page.count('class="bar"') == 10


def test_a_class_without_mistakes_has_none_to_show(tmp_path):
    page = (write(tmp_path, [record("ada", 3, 4, 4, 4, 5)], []) / "summary.html").read_text("utf-8")
    assert "<p>None.</p>" in page
    assert "To look at" not in page


# Names of files

NAMES = [
    "ada", "a_b", "a b", "a-b", "a.b", "Müller", "Muller", "M_ller", "李雷", "con", "CON.txt", "com1", "nul", "aux ",
    "a/b", "..", ".", "", " ", "a\\b", "a:b", "a*b?", "x" * 60, "x" * 61, "x" * 80, "é" * 80, "_a", "a_", "a@b", "a+b",
    "=1", "~", "%41", "index", "a\nb", "\u202ea",
]  # fmt: skip


def test_names_of_files_differ_and_are_safe_everywhere():
    made = [file_name(name) for name in NAMES]
    assert len({name.lower() for name in made}) == len(NAMES)
    for name in made:
        assert re.fullmatch(r"[A-Za-z0-9@+_-]{1,70}", name)
        assert not re.fullmatch(r"con|prn|aux|nul|com\d|lpt\d", name.lower())


def test_names_of_files_do_not_change_with_capitals_or_time():
    assert file_name("ada") == "ada"
    assert file_name("Ada").lower() == "ada"
    assert file_name("Müller").lower() == file_name("MÜLLER").lower()
    assert re.fullmatch("M_ller-[0-9a-f]{8}", file_name("Müller"))

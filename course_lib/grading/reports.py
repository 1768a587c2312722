"""What comes out of grading: tables for a grade book, a page for each student, a page about the class.

The same records give the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from course_lib.grading import book
from course_lib.grading.judge import as_html
from course_lib.grading.key import Key
from course_lib.grading.submissions import Submission, find_student

Record = Mapping[str, Any]
COLORS = {"passed": "#1b7837", "part": "#8a6d00", "wrong": "#b35806"}

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 1.5rem auto; padding: 0 1rem }
body { color: #1a1a1a; background: #fff }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
section { border-left: 6px solid; padding: .3rem 1rem; margin: 1rem 0; background: #f6f6f6 }
section, td, h1, p { overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd }
td.n, th.n { text-align: right }
code { background: #e8e8e8; padding: 0 .2em }
svg { width: 100%; height: auto } .bar { fill: #2c6fad }
"""


def write(out: Path, records: Sequence[Record], roster: Sequence[Mapping[str, str]], key: Key) -> None:
    """Write all tables and pages for what has been marked."""
    records = sorted(records, key=lambda r: (r["student"].lower(), r["lesson"]))
    students: dict[str, list[Record]] = {}
    for record in records:
        students.setdefault(record["student"], []).append(record)
    lessons = sorted({record["lesson"] for record in records})
    columns = [(id, points) for id, (_, points) in book.titles(lessons).items()]
    people = [(name, theirs, _row_of(theirs[0], roster)) for name, theirs in students.items()]
    _write_grades(out / "grades.csv", people, columns, roster)
    _write_canvas(out / "canvas.csv", people, columns, lessons)
    _write_moodle(out / "moodle.csv", people, columns)
    (out / "feedback").mkdir(exist_ok=True)
    for name, theirs, _ in people:
        page = _feedback(name, theirs, columns)
        (out / "feedback" / f"{file_name(name)}.html").write_text(page, "utf-8", errors="replace")
    (out / "summary.html").write_text(_summary(records, columns, people), "utf-8", errors="replace")


def _row_of(record: Record, roster: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    who = Submission(record["student"], record["lesson"], record["file"], number=record["number"])
    return find_student(roster, who) or {}


def file_name(student: str) -> str:
    """Return a student's name as a file's name, different for different students on every system."""
    safe = re.sub(r"[^A-Za-z0-9@+-]+", "_", student).strip("_")[:60]
    taken = r"con|prn|aux|nul|com\d|lpt\d|.*-[0-9a-f]{8}"  # by Windows, and by what is made below
    if safe.lower() == student.lower() and safe and not re.fullmatch(taken, safe.lower()):
        return safe
    return f"{safe or 'student'}-{hashlib.sha256(student.lower().encode()).hexdigest()[:8]}"


def _points(records: Iterable[Record]) -> dict[str, float]:
    return {v["id"]: v["points"] for record in records for v in record["verdicts"]}


def _save_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows([[_cell(value) for value in row] for row in rows])


def _cell(value: object) -> str:
    """Return a value as a table's cell; a text that a spreadsheet would run as a formula is quoted."""
    if isinstance(value, float):
        return f"{value:g}"
    text = re.sub(r"[\r\n]+", " ", str(value))  # a new line could begin with a formula, too
    return f"'{text}" if text.startswith("\t") or text.lstrip().startswith(("=", "+", "-", "@")) else text


def _write_grades(path: Path, people: Sequence, columns: Sequence, roster: Sequence[Mapping[str, str]]) -> None:
    rows = []
    for name, theirs, _ in people:
        points = _points(theirs)
        remarks = [text for r in theirs for text in (*r["notes"], r["problem"]) if text]
        rows.append([name, *(points.get(id, "") for id, _ in columns), sum(points.values()), " ".join(remarks)])
    seen = [row for _, _, row in people if row]
    for row in roster:
        if row not in seen:
            first = next(value for value in row.values() if value)
            rows.append([first, *("" for _ in columns), 0.0, "Nothing was handed in."])
    maximum = ["maximum", *(float(points) for _, points in columns), float(sum(points for _, points in columns)), ""]
    _save_table(path, ["student", *(id for id, _ in columns), "total", "remarks"], [maximum, *rows])


def _write_canvas(path: Path, people: Sequence, columns: Sequence, lessons: Sequence[str]) -> None:
    """Canvas's gradebook import: https://community.canvaslms.com (the columns of its own export)."""
    fixed = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
    most = {lesson: sum(points for id, points in columns if id[:2] == lesson) for lesson in lessons}
    rows = [["Points Possible", "", "", "", "", *(float(most[lesson]) for lesson in lessons)]]
    for name, theirs, row in people:
        known = {"Student": name, "ID": theirs[0]["number"]} | {k: row[k] for k in fixed if k in row}
        totals = {record["lesson"]: sum(v["points"] for v in record["verdicts"]) for record in theirs}
        rows.append([*(known.get(k, "") for k in fixed), *(float(totals[x]) if x in totals else "" for x in lessons)])
    _save_table(path, [*fixed, *(f"Lesson {lesson}" for lesson in lessons)], rows)


def _write_moodle(path: Path, people: Sequence, columns: Sequence) -> None:
    """Moodle's offline grading worksheet: the columns that its upload matches."""
    fixed = ("Identifier", "Full name", "Email address")
    most = float(sum(points for _, points in columns))
    rows = []
    for name, theirs, row in people:
        number = theirs[0]["number"]
        known = {"Identifier": f"Participant {number}" if number else "", "Full name": name}
        known |= {k: row[k] for k in fixed if row.get(k)}
        remarks = " ".join(f"{v['id']}: {v['points']:g} of {v['maximum']}." for r in theirs for v in r["verdicts"])
        rows.append([*(known.get(k, "") for k in fixed), sum(_points(theirs).values()), most, remarks])
    _save_table(path, [*fixed, "Grade", "Maximum Grade", "Feedback comments"], rows)


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _feedback(name: str, records: Sequence[Record], columns: Sequence) -> str:
    total = sum(_points(records).values())
    most = sum(points for id, points in columns if id[:2] in {r["lesson"] for r in records})
    body = [f"<h1>{html.escape(name)}: {total:g} of {most} points</h1>"]
    for record in records:
        body.append(f"<h2>Lesson {record['lesson']}</h2><p>{html.escape(record['file'])}</p>")
        body += [f"<p><b>{html.escape(text)}</b></p>" for text in (record["problem"], *record["notes"]) if text]
        for v in record["verdicts"]:
            said = "".join(f"<br>{as_html(text)}" for text in (v["hint"], v["note"]) if text)
            status = "partly right" if v["status"] == "part" else v["status"]
            frame = COLORS.get(v["status"], "#777")
            body.append(
                f'<section style="border-color: {frame}"><b>{v["id"]} {html.escape(v["title"])}: {v["points"]:g} of '
                f"{v['maximum']} points</b> ({status}){said}</section>"
            )
    return _page(f"{name}: feedback", "\n".join(body))


def _summary(records: Sequence[Record], columns: Sequence, people: Sequence) -> str:
    totals = [sum(_points(theirs).values()) for _, theirs, _ in people]
    most = sum(points for _, points in columns)
    titles = book.titles({id.partition(".")[0] for id, _ in columns})
    verdicts = [v for record in records for v in record["verdicts"]]
    mean = sum(totals) / len(totals) if totals else 0
    body = [f"<h1>{len(people)} students, mean {mean:.3g} of {most} points</h1>", _histogram(totals, most)]
    rows = []
    for id, points in columns:
        theirs = [v for v in verdicts if v["id"] == id]
        share = sum(v["points"] for v in theirs) / (points * len(theirs)) if theirs else 0
        skipped = sum(v["status"] == "not attempted" for v in theirs)
        rows.append((share, [f"{id} {titles[id][0]}", f"{share:.0%}", str(skipped)]))
    hardest = [row for _, row in sorted(rows, key=lambda pair: pair[0])]
    body += ["<h2>Hardest exercises first</h2>", _table(["exercise", "points reached", "not attempted"], hardest)]
    wrong = Counter((v["id"], v["misconception"], v["hint"]) for v in verdicts if v["misconception"])
    common = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:15]
    cells = [[id, name.replace("_", " "), str(n)] for (id, name, _), n in common]
    body += ["<h2>Most frequent misconceptions</h2>", _table(["exercise", "misconception", "students"], cells)]
    problems = [[r["student"], text] for r in records for text in (r["problem"], *r["notes"]) if text]
    if problems:
        body += ["<h2>To look at</h2>", _table(["student", "what"], problems, numbers=False)]
    return _page("Summary of the class", "\n".join(body))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = True) -> str:
    if not rows:
        return "<p>None.</p>"
    kinds = ["", *(' class="n"' if numbers and i else "" for i in range(1, len(header)))]
    if numbers and header[1] == "misconception":
        kinds[1] = ""
    head = "".join(f"<th{kind}>{html.escape(text)}</th>" for kind, text in zip(kinds, header, strict=True))
    lines = [
        "<tr>" + "".join(f"<td{kind}>{html.escape(text)}</td>" for kind, text in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    ]
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _histogram(totals: Sequence[float], most: int) -> str:
    """Return a histogram of the totals as SVG: one bar for each tenth of the maximum."""
    counts = [0] * 10
    for total in totals:
        counts[min(9, int(10 * total / most)) if most else 0] += 1
    top = max([*counts, 1])
    parts = []
    for i, n in enumerate(counts):
        height = 110 * n / top
        parts.append(f'<rect class="bar" x="{20 + i * 38}" y="{125 - height:.1f}" width="34" height="{height:.1f}"/>')
        parts.append(f'<text x="{37 + i * 38}" y="{121 - height:.1f}" text-anchor="middle">{n or ""}</text>')
        parts.append(f'<text x="{20 + i * 38}" y="140" text-anchor="middle">{most * i / 10:g}</text>')
    parts.append(f'<text x="400" y="140" text-anchor="middle">{most}</text>')
    label = f"Histogram of points: {', '.join(map(str, counts))} students in ten steps from 0 to {most}"
    return (
        f'<svg viewBox="0 0 420 160" role="img" aria-label="{label}" font-size="11">{"".join(parts)}'
        '<text x="210" y="156" text-anchor="middle">points</text></svg>'
    )

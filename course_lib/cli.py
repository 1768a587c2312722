"""The command line: ``python -m course_lib lab | test | data | study | doctor | bench | release | grade``.

Importing this file takes the standard library only; what a command needs is imported inside it, in the
Python that has it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from course_lib import environment
from course_lib.errors import CourseError, require_choice
from course_lib.study import command as study_command

MOST_PROCESSES = 8  # of `test`: each takes up to 2 GB of memory, and the longest files take no less time with more
ALONE = ("--pdb", "--trace", "-s", "--capture=no", "--collect-only", "--co")  # of pytest: for one process

EPILOG = """\
Start with:  python -m course_lib lab
What the course needs is installed into .venv the first time, and nothing outside this folder is changed.
"""


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status; what went wrong is said in one sentence."""
    try:
        return _run(list(arguments))
    except KeyboardInterrupt as stop:
        print(f"\n{str(stop) or 'Stopped.'}", file=sys.stderr)
        return 130
    except CourseError as error:
        print(error, file=sys.stderr)
    except BrokenPipeError:  # "| head" has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"The computer refused: {error.strerror or error}{where}.", file=sys.stderr)
    return 1


def _run(arguments: list[str]) -> int:
    options = parse(arguments)
    if os.environ.pop(environment.HANDED_OVER, None):
        return options.run(options)
    if options.run is run_lab:  # a slip is told before a long installation, not after it
        _check_lab(options)
    if options.run is run_bench:
        _check_bench(options)
    if options.run is study_command.run:
        study_command.order_of(options)
    if options.extras is None:
        python = environment.find_ready()
    else:
        from course_lib import install

        python = install.ensure(options.extras)
    if python is None or str(python) == sys.executable:
        return options.run(options)
    return environment.hand_over(python, arguments)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options, with ``run``, the command's function, and ``extras``, what it needs installed.

    ``extras`` are names in pyproject.toml, beside the lab's packages; None means "whatever is there".
    Leaves with status 2 and a message if the arguments are not understood.
    """
    parser = make_parser()
    if arguments[:1] == ["test"] and arguments[1:2] not in (["-h"], ["--help"]):
        options = parser.parse_args(["test"])
        options.pytest = arguments[1:]  # all of it is pytest's, options too
    else:
        options = parser.parse_args(arguments)
    return options


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="python -m course_lib",
        description="Interactive deep-learning lessons in JupyterLab.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)

    lab = commands.add_parser(
        "lab",
        help="open the lessons in JupyterLab",
        description="Copy the lessons into work/, where they are yours to change, and open them in JupyterLab. "
        "A copy that is there is never overwritten. Ctrl-C stops the lab.",
    )
    lab.add_argument("--no-browser", action="store_true", help="only print the address; open no browser")
    lab.add_argument("--port", type=_port, metavar="N", help="port to serve on (default: 8888 or the next free one)")
    lab.add_argument(
        "--reset", metavar="NN", help="put a fresh copy of lesson NN (such as 07) into work/ and keep yours beside it"
    )
    lab.set_defaults(run=run_lab, extras=())

    test = commands.add_parser(
        "test",
        help="run the tests",
        usage="%(prog)s [any arguments of pytest]",
        description="Run the course's tests with pytest. Arguments are passed on: "
        "`test -k digits` runs the tests with 'digits' in their name.",
    )
    test.set_defaults(run=run_test, extras=("test",))

    data = commands.add_parser(
        "data",
        help="download data, or list what is there",
        description="Download a data set, or list which data is there. The lessons need no download: "
        "MNIST is an alternative to the digits that come with scikit-learn.",
    )
    data.add_argument("name", nargs="?", choices=["mnist"], help="what to download; without it, list what is there")
    data.set_defaults(run=run_data, extras=None)

    doctor = commands.add_parser(
        "doctor",
        help="say what is here, what is missing and what to do about it",
        description="Print versions, device, threads, data and free disk space, and what to do about what is "
        "missing. Installs nothing. The exit status is 1 if something that the lab needs is missing.",
    )
    doctor.set_defaults(run=run_doctor, extras=None)

    bench = commands.add_parser(
        "bench",
        help="measure how fast everything is",
        description="Measure the figures that the course promises, such as pictures per second.",
    )
    bench.add_argument("names", nargs="*", metavar="name", help="what to measure (default: everything)")
    bench.set_defaults(run=run_bench, extras=("test",))
    study_command.add(commands)
    _add_grading(commands)
    return parser


def _add_grading(commands: argparse._SubParsersAction) -> None:
    release = commands.add_parser(
        "release",
        help="write what a class gets, and what its teacher keeps",
        description="Write DIR/student, the course without the exercises' solutions, and DIR/teacher, with the "
        "solved notebooks and the secret that the hidden cases follow from.",
    )
    release.add_argument("folder", type=Path, metavar="DIR", help="a new folder")
    release.add_argument("--variant-by", metavar="ID", help="give each student their own numbers, by this column")
    release.add_argument("--roster", type=Path, metavar="FILE", help="the list of students, a CSV file with a header")
    release.add_argument("--nbgrader", action="store_true", help="also write DIR/source, in nbgrader's format")
    release.set_defaults(run=run_release, extras=())

    grade = commands.add_parser(
        "grade",
        help="grade a class",
        description="Grade a folder or zip file of returned notebooks: one per student, a folder per student, "
        "nbgrader's layout, or what Canvas and Moodle let you download. Ctrl-C keeps what is done.",
    )
    grade.add_argument("submissions", type=Path, metavar="SUBMISSIONS", help="folder or zip file")
    grade.add_argument("--out", type=Path, metavar="DIR", required=True, help="where the results go")
    grade.add_argument("--release", type=Path, metavar="DIR", help="the teacher's folder that `release` wrote")
    grade.add_argument("--roster", type=Path, metavar="FILE", help="the list of students, a CSV file with a header")
    grade.add_argument("--lesson", metavar="NN", help="lesson of notebooks whose name does not tell it")
    grade.add_argument("--jobs", type=_positive, metavar="N", help="processes (default: one for each core)")
    grade.add_argument("--resume", action="store_true", help="go on where an earlier run stopped")
    grade.add_argument("--no-training", action="store_true", help="leave out exercises that are graded by training")
    grade.add_argument("--dask", default="", metavar="ADDRESS", help="use this Dask cluster (tcp://HOST:8786)")
    grade.set_defaults(run=run_grade, extras=())


def _positive(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 1024):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 1024; it was {text!r}")
    return int(text)


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 65535; it was {text!r}")
    return int(text)


def _check_lab(options: argparse.Namespace) -> None:
    from course_lib import lab

    if options.reset is not None:
        lab.find_lesson(options.reset)
    lab.choose_port(options.port)
    lab.check_work()


def _check_bench(options: argparse.Namespace) -> None:
    from course_lib import bench

    for name in options.names:
        require_choice("measurement", name, bench.BENCHES)


def run_lab(options: argparse.Namespace) -> int:
    """Bring ``work/`` up to date and serve it until Ctrl-C."""
    from course_lib import lab

    port = lab.choose_port(options.port)
    lab.prepare_work(reset=options.reset)
    return lab.serve(port, browser=not options.no_browser)


def run_test(options: argparse.Namespace) -> int:
    """Run pytest in the course's folder, one process for each core, and return its status."""
    from course_lib import lab

    command = [sys.executable, "-m", "pytest", *_spread(options.pytest), *options.pytest]
    processes = os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS", str(min(os.cpu_count() or 1, MOST_PROCESSES)))
    variables = lab.server_environment() | {"PYTEST_XDIST_AUTO_NUM_WORKERS": processes}
    return environment.call(command, cwd=environment.ROOT, env=variables)[0]


def _spread(pytests: Sequence[str]) -> list[str]:
    """Return the options that spread the tests over processes, a file being one's; they come before the user's own.

    Nothing is spread where the user has to see or to answer one process: a debugger, or what tests print.
    """
    if any(option in ALONE or option.endswith("no:xdist") for option in pytests):
        return []
    return ["-n", "auto", "--dist", "loadfile"]


def run_data(options: argparse.Namespace) -> int:
    """Download the data set that is named, or list which data is there."""
    if not options.name:
        from course_lib import doctor

        return doctor.report(doctor.check_data())
    from course_lib.data.download import download_mnist

    print(f"MNIST is in {download_mnist()}.")
    return 0


def run_doctor(options: argparse.Namespace) -> int:
    """Print what is here; the status is 1 if something that the lab needs is missing."""
    from course_lib import doctor

    return doctor.report(doctor.check_all())


def run_release(options: argparse.Namespace) -> int:
    """Write what a class gets and what its teacher keeps."""
    if options.nbgrader:
        if options.variant_by:
            raise CourseError("nbgrader has one notebook for all students: leave out --nbgrader or --variant-by.")
        from course_lib.grading.nbgrader_source import release_source

        key = release_source(options.folder)
        print(f"Release {key.release}: {options.folder / 'README.md'} says how to go on with nbgrader.")
        return 0
    from course_lib.grading.release import release

    key = release(options.folder, variant_by=options.variant_by, roster=options.roster)
    print(
        f"Release {key.release}: {options.folder / 'student'} is for your students, "
        f"{options.folder / 'teacher'} is yours."
    )
    return 0


def run_grade(options: argparse.Namespace) -> int:
    """Grade a class."""
    from dataclasses import replace

    from course_lib.grading.grade import grade
    from course_lib.grading.key import read_key

    sys.stdout.reconfigure(errors="replace")  # of students' names, whatever the terminal can show
    key = replace(read_key(options.release), training=not options.no_training)
    count = grade(
        options.submissions,
        options.out,
        key,
        lesson=options.lesson,
        roster=options.roster,
        jobs=options.jobs,
        resume=options.resume,
        dask=options.dask,
    )
    print(f"{count} notebooks were marked: {options.out / 'summary.html'} shows the class, grades.csv the points.")
    return 0


def run_bench(options: argparse.Namespace) -> int:
    """Measure what is named, or everything."""
    from course_lib import bench

    return bench.main(options.names)

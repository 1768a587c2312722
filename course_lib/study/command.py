"""The command ``python -m course_lib study``. Standard library only, until the study runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from course_lib.study import Order


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command and its options."""
    study = commands.add_parser(
        "study",
        help="make the results that take minutes or hours",
        description="Run a study and write a row for each run into a table. Ctrl-C stops it; the same command "
        "goes on where it was.",
    )
    study.add_argument("name", metavar="NAME", help="such as augmentation: what lesson 03 claims")
    study.add_argument(
        "--source", default="bundled", metavar="S", help="digits: bundled (default) or mnist, where a study has any"
    )
    study.add_argument("--seeds", type=int, default=3, metavar="N", help="how many seeds (default: 3)")
    study.add_argument(
        "--preset", default="", metavar="P", help="size of the runs, where a study has any: laptop (default) or paper"
    )
    study.add_argument(
        "--only", action="append", default=[], metavar="COLUMN=VALUE", help="only the runs with this value; repeatable"
    )
    study.add_argument("--device", default="cpu", metavar="D", help="cpu (default), cuda, mps or auto")
    study.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default: 1)")
    study.add_argument("--dask", default="", metavar="ADDRESS", help="use this Dask cluster (tcp://HOST:8786)")
    study.add_argument(
        "--track", default="", metavar="TOOL",
        help="mirror the runs to mlflow or tensorboard, those that are finished in OUT.rows as well",
    )  # fmt: skip
    study.add_argument(
        "--reuse", action="append", type=Path, default=[], metavar="FILE",
        help="take over the runs that this table of another study or version has already; repeatable",
    )  # fmt: skip
    study.add_argument(
        "--out", type=Path, metavar="FILE",
        help="CSV file (default: study_NAME_P_S.csv; without P or S where a study has no preset or no digits)",
    )  # fmt: skip
    study.set_defaults(run=run, extras=())


def order_of(options: argparse.Namespace) -> Order:
    """Return what is wanted. Raises `CourseError` for what there is not."""
    names = ("name", "source", "seeds", "preset", "device", "jobs", "dask")
    return Order(only=tuple(options.only), **{name: getattr(options, name) for name in names})


def run(options: argparse.Namespace) -> int:
    """Run what is missing of a study."""
    from course_lib.study import engine

    try:
        path = engine.run(order_of(options), options.out, options.track, options.reuse)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("Stopped: the same command goes on where it was.") from None
    print(f"{path} holds every run.")
    return 0

"""Do the runs of a study that are missing: in this process, in several, or on a Dask cluster."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from tqdm import tqdm

from course_lib import __version__
from course_lib.errors import CourseError
from course_lib.parallel import one_by_one
from course_lib.pool import Local, make_workers
from course_lib.study import Order, Row, Study, find_device
from course_lib.study.record import record
from course_lib.study.rows import Folder, key, read_finished, read_table, write_table
from course_lib.study.track import track

BAR = "{desc}: {percentage:3.0f}% of {total:.0f} runs |{bar}| {elapsed}, {remaining} left"


def run(order: Order, out: Path | None = None, tracker: str = "", reuse: Iterable[Path] = ()) -> Path:
    """Do what is missing of a study and return the table with its rows (default: `Order.file_name`, here).

    Each finished run is kept in the folder OUT.rows until the table is written, which happens at the end, also of
    a study that is stopped or that fails; a row that is in the table or in the folder is not done again.
    ``tracker``: mirror the runs to "mlflow" or "tensorboard", those that the folder has already as well. ``reuse``:
    tables of other studies, whose rows are taken over where their configuration is one that is wanted here. Raises
    `CourseError` for what cannot be done; a run that fails does not end the others.
    """
    plan, device = order.plan(), order.chosen_device()
    path = Path(out) if out else Path(order.file_name())
    tables = [row for other in reuse for row in read_finished(other, plan[0])]
    wanted = {key(configuration) for configuration in plan}
    found = {name: row for row in tables if (name := _key(row, plan[0])) in wanted}
    table = {_key(row, plan[0]): row for row in read_table(path, plan[0])}
    mirror = track(tracker, order.name, path)
    # The folder comes last: what is refused leaves none behind.
    with _workers(order, len(plan)) as workers, Folder(path, order.name) as folder:
        kept = folder.read()
        rows = found | table | kept
        _tell_versions(rows.values())
        for configuration in plan:
            if key(configuration) in kept:
                mirror(configuration, kept[key(configuration)])
        todo = [configuration for configuration in plan if key(configuration) not in rows]
        failed = []
        try:
            for configuration, row in _measured(order, device, todo, workers):
                if isinstance(row, CourseError):
                    failed.append((configuration, row))
                    continue
                folder.write(key(configuration), row)
                rows[key(configuration)] = row
                mirror(configuration, row)
        finally:
            if rows:
                planned = [key(configuration) for configuration in plan]
                write_table(path, [rows.pop(name) for name in planned if name in rows] + list(rows.values()))
    if failed:
        raise CourseError(f"{len(failed)} of {len(plan)} runs failed, the first, {failed[0][0]}: {failed[0][1]}")
    return path


def _key(row: Row, configuration: Row) -> str:
    return key({name: row[name] for name in configuration})


def _tell_versions(rows: Iterable[Row]) -> None:
    """Say so if some of the runs were made by another version of the kit: they are not mixed in silence."""
    others = {row.get("course_lib") or "unknown" for row in rows} - {__version__}
    if others:
        print(f"Some runs were made by another course_lib before ({', '.join(sorted(others))}): this is {__version__}.")


def _workers(order: Order, runs: int) -> AbstractContextManager[Local | None]:
    """Return the processes that do the runs, None for this one."""
    return make_workers(min(order.jobs, runs), order.dask) if order.jobs > 1 or order.dask else nullcontext()


def _measured(
    order: Order, device: str, todo: list[Row], workers: Local | None
) -> Iterator[tuple[Row, Row | CourseError]]:
    """Yield each configuration with its row, or with what it cannot be done for, as they are done."""
    study = order.study()
    with tqdm(total=len(todo), desc=order.name, file=sys.stdout, mininterval=1, bar_format=BAR) as bar:
        if workers is None:
            for i, configuration in enumerate(todo):
                yield configuration, _row(study, configuration, device, bar, i)
            return
        work = ((c, (study, c, device)) for c in todo)
        for configuration, row in workers.map(_row_of_a_worker, work):
            bar.update()
            yield configuration, row


def _row_of_a_worker(study: Study, configuration: Row, device: str) -> Row | CourseError:
    import torch

    torch.set_num_threads(1)  # the other cores have runs of their own
    one_by_one()
    return _row(study, configuration, device)


def _row(study: Study, configuration: Row, device: str, bar: tqdm | None = None, done: int = 0) -> Row | CourseError:
    """Do one run and return its row, or what it cannot be done for."""
    start = time.perf_counter()
    try:
        device = find_device(device)
        work = study.measure(configuration, device) if study.devices else study.measure(configuration)
        found = _watched(work, bar, done)
    except CourseError as error:
        return error
    except (RuntimeError, MemoryError) as error:  # such as a full graphics card: the next run may fit
        first = (str(error) or "no memory is left").splitlines()[0]
        return CourseError(f"{type(error).__name__}: {first.rstrip('.')}.")
    return {**configuration, **found, **record(time.perf_counter() - start, device)}


def _watched(work: Generator[Any, None, Row], bar: tqdm | None, done: int) -> Row:
    """Run ``work`` to its end and return what it returns; move the bar on."""
    while True:
        try:
            now = next(work)
        except StopIteration as end:
            if bar is not None:
                bar.update(done + 1 - bar.n)
            return end.value
        if bar is not None:
            bar.update(done + now.step / now.steps - bar.n)

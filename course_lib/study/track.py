"""Mirror the runs of a study to a tool that its user has already."""

from __future__ import annotations

import io
import os
import re
import sys
import textwrap
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tqdm import tqdm

from course_lib.errors import CourseError, require_choice
from course_lib.study.rows import Row, digest, key, replace

TRACKERS = {"mlflow": "mlflow>=3,<4", "tensorboard": "tensorboard>=2.17,<3"}  # and the package that each needs
# A server that is away is told of in seconds, not in minutes; what a user has set stands.
MLFLOW = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines for each run, through the progress bar
}
EVENTS = "events.out.tfevents."  # how the name of a file must begin that TensorBoard is to read

Put = Callable[[Row, Row, str], None]  # hands over a configuration, its row, and what tells the row from all others


class Mirror:
    """Hands rows to a tool, each once. What the tool refuses is told, and it gets no more: no run is lost for it."""

    def __init__(self, put: Put | None = None, there: Iterable[str] = ()):
        self.put, self.there = put, set(there)

    def __call__(self, configuration: Row, row: Row) -> None:
        name = digest(row)
        if self.put is None or name in self.there:
            return
        try:
            self.put(configuration, row, name)
            self.there.add(name)
        except Exception as error:  # whatever a tool raises that is not ours
            self.put = None
            tqdm.write(f"Nothing more is mirrored ({_short(error)}): the runs go on, and a later command mirrors them.")


def track(tracker: str, study: str, path: Path) -> Mirror:
    """Return what hands the rows of a study to ``tracker``, one of `TRACKERS` or "".

    MLflow gets a run for each row, in the experiment "study NAME", wherever its own settings say (such as the
    variable MLFLOW_TRACKING_URI); TensorBoard gets them in the folder OUT.tensorboard. Raises `CourseError` if
    there is no such tracker, its package is missing, or it cannot be reached.
    """
    if not tracker:
        return Mirror()
    require_choice("tracker", tracker, TRACKERS)
    try:
        return _mlflow(study) if tracker == "mlflow" else _tensorboard(path.with_name(path.name + ".tensorboard"))
    except ImportError:
        raise CourseError(
            f'--track {tracker} needs the package {tracker}: {sys.executable} -m pip install "{TRACKERS[tracker]}".'
        ) from None
    except Exception as error:  # whatever a tool raises that is not ours
        raise CourseError(f"--track {tracker} cannot be used: {_short(error)}.") from None


def _mlflow(study: str) -> Mirror:
    for name, value in MLFLOW.items():
        os.environ.setdefault(name, value)
    import mlflow

    experiment = mlflow.set_experiment(f"study {study}").experiment_id
    finished = mlflow.search_runs([experiment], "attributes.status = 'FINISHED'", output_format="list")

    def put(configuration: Row, row: Row, name: str) -> None:
        metrics, tags = _split(configuration, row)
        with mlflow.start_run(experiment_id=experiment, run_name=key(configuration)):
            mlflow.log_params(_named(configuration))
            mlflow.log_metrics(_named(metrics))
            mlflow.set_tags(_named(tags) | {"row": name})

    return Mirror(put, [run.data.tags["row"] for run in finished if "row" in run.data.tags])


def _named(values: Row) -> Row:
    """Return the values under names that MLflow allows: "woman not smiling" has no comma."""
    return {re.sub(r"[^\w./: -]", "", name): value for name, value in values.items()}


def _tensorboard(folder: Path) -> Mirror:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter
    from torch.utils.tensorboard import summary

    def put(configuration: Row, row: Row, name: str) -> None:
        """Write the file at once: a SummaryWriter has a thread for it, which prints a traceback if the disk is full."""
        numbers, texts = _split(configuration, row)
        parts = [
            *summary.hparams(configuration, numbers),
            *(summary.scalar(column, number) for column, number in numbers.items()),
            *(summary.text(column, text) for column, text in texts.items()),
        ]
        file = io.BytesIO()
        writer = RecordWriter(file)
        for event in (Event(file_version="brain.Event:2"), *(Event(summary=part) for part in parts)):
            event.wall_time = time.time()
            writer.write(event.SerializeToString())
        path = folder / key(configuration) / f"{EVENTS}{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, file.getvalue())

    return Mirror(put, [path.name.removeprefix(EVENTS) for path in folder.glob(f"*/{EVENTS}*")])


def _split(configuration: Row, row: Row) -> tuple[dict[str, float], dict[str, str]]:
    """Return what came out as numbers, and all else as texts."""
    found = {name: value for name, value in row.items() if name not in configuration}
    numbers = {name: float(value) for name, value in found.items() if isinstance(value, int | float)}
    return numbers, {name: str(value) for name, value in found.items() if name not in numbers}


def _short(error: BaseException) -> str:
    """Return what a tool says, as far as it fits into a sentence, and what the system said before, if it did."""
    said = textwrap.shorten(str(error).rstrip(".") or type(error).__name__, 160, placeholder="...")
    system = ""
    while error := error.__cause__ or error.__context__:
        system = str(error) if isinstance(error, OSError) else system
    return f"{said}: {system}" if system and system not in said else said

"""Mirror the runs of a study to a tool that its user has already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from course_lib.errors import CourseError, require_choice
from course_lib.study.rows import Row, key

TRACKERS = ("mlflow", "tensorboard")


@contextmanager
def track(tracker: str, study: str, path: Path) -> Iterator[Callable[[Row, Row], None]]:
    """Give a function of a configuration and its row, which hands them to ``tracker``, one of `TRACKERS` or "".

    MLflow gets a run for each row, in the experiment "study NAME", wherever its own settings say (such as the
    variable MLFLOW_TRACKING_URI); TensorBoard gets them in the folder OUT.tensorboard. Raises `CourseError` if
    there is no such tracker, or its package is missing.
    """
    if not tracker:
        yield lambda configuration, row: None
        return
    require_choice("tracker", tracker, TRACKERS)
    try:
        mirror = _mlflow(study) if tracker == "mlflow" else _tensorboard(path)
    except ImportError:
        raise CourseError(f"--track {tracker} needs the package {tracker}: pip install {tracker}.") from None
    yield mirror


def _mlflow(study: str) -> Callable[[Row, Row], None]:
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        mlflow.set_experiment(f"study {study}")
    except MlflowException as error:
        raise CourseError(f"MLflow refuses: {error}") from error

    def mirror(configuration: Row, row: Row) -> None:
        metrics, tags = _split(configuration, row)
        with mlflow.start_run(run_name=key(configuration)):
            mlflow.log_params(configuration)
            mlflow.log_metrics(metrics)
            mlflow.set_tags(tags)

    return mirror


def _tensorboard(path: Path) -> Callable[[Row, Row], None]:
    from torch.utils.tensorboard import SummaryWriter

    def mirror(configuration: Row, row: Row) -> None:
        metrics, tags = _split(configuration, row)
        folder = path.with_name(path.name + ".tensorboard") / key(configuration)
        with SummaryWriter(folder) as writer:
            writer.add_hparams(configuration, metrics, run_name=".")
            for name, text in tags.items():
                writer.add_text(name, text)

    return mirror


def _split(configuration: Row, row: Row) -> tuple[dict[str, float], dict[str, str]]:
    """Return what came out as numbers, and all else as texts."""
    found = {name: value for name, value in row.items() if name not in configuration}
    numbers = {name: float(value) for name, value in found.items() if isinstance(value, int | float)}
    return numbers, {name: str(value) for name, value in found.items() if name not in numbers}

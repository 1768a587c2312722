"""What decides a run of lesson 05: which tasks are learned, from how many labels, and what each counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from course_lib import config
from course_lib.errors import CourseError, require_choice, require_integer, require_number
from course_lib.randomness import MAX_SEED

TASKS = ("smile", "age", "gender", "coin")
UNITS = ("standardised", "years")
BALANCES = ("weights", "uncertainty")
MOST_FACES = 20_000
LABELS = (500, MOST_FACES, MOST_FACES, MOST_FACES)
WEIGHTS = (1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Config(config.Config):
    """Everything that decides a run; checked when made (`CourseError`), and usable as a key.

    tasks: which of `TASKS` share the trunk. "coin" is a label tossed for each face: there is nothing to learn but
    the tosses by heart. alone: which of them are also learned alone, to compare; all of them, if None. labels: how
    many of the ``n_train`` faces have a label of each task (all, if there are not as many), and weights, 0 to
    10,000: what each task's loss is multiplied by; both a tuple in the order of `TASKS`, or by name, and then the
    others stay as they are by default. unit: age is learned in years, or standardised to mean 0 and standard
    deviation 1. balance: the weights count as given, or "uncertainty" learns them and takes no notice of those
    given. channels: width of the trunk's last layer. noise: standard deviation of the camera's noise, in grey
    levels of 255.
    """

    tasks: tuple[str, ...] = ("smile", "age", "gender")
    alone: tuple[str, ...] | None = None
    labels: tuple[int, ...] | Mapping[str, int] = LABELS
    weights: tuple[float, ...] | Mapping[str, float] = WEIGHTS
    unit: str = UNITS[0]
    balance: str = BALANCES[0]
    channels: int = 32
    noise: int = 0
    n_train: int = 2000
    epochs: int = 8
    seed: int = 0
    batch_size: int = 64
    lr: float = 1e-2
    weight_decay: float = 1e-2

    def __post_init__(self):
        self.integer("n_train", 100, MOST_FACES)
        if not (tasks := _chosen("tasks", self.tasks, TASKS)):
            raise CourseError(f"tasks must be one or more of {', '.join(TASKS)}; there were none.")
        self.put("tasks", tasks)
        alone = self.tasks if self.alone is None else _chosen("alone", self.alone, self.tasks)
        self.put("alone", None if alone == self.tasks else alone)
        labels = self._by_task("labels", LABELS, partial(require_integer, low=0, high=MOST_FACES))
        self.put("labels", tuple(min(self.n_train, n) for n in labels))
        self.put("weights", self._by_task("weights", WEIGHTS, partial(require_number, low=0, high=10_000)))
        self.choose("unit", UNITS)
        self.choose("balance", BALANCES)
        weighed = self.balance == "weights"
        if not any(self.labels[i] and (self.weights[i] or not weighed) for i in self.columns()):
            raise CourseError("Nothing would be learned: at least one task needs labels, and a weight above 0.")
        self.integer("channels", 4, 128)
        self.integer("noise", 0, 100)
        self.integer("epochs", 1, 100)
        self.integer("seed", 0, MAX_SEED)
        self.integer("batch_size", 2, 10_000)
        self.number("lr", 0, 1)
        self.number("weight_decay", 0, 10)

    def _by_task(self, name: str, default: tuple, require: Callable[[str, object], float]) -> tuple:
        given = getattr(self, name)
        if isinstance(given, Mapping):
            for task in given:
                require_choice(f"a task of {name}", task, TASKS)
            given = [given.get(task, usual) for task, usual in zip(TASKS, default, strict=True)]
        if not isinstance(given, tuple | list) or len(given) != len(TASKS):
            raise CourseError(f"{name} must be a number for each of {', '.join(TASKS)}; they were {given!r}.")
        return tuple(require(f"{name} of {task}", number) for task, number in zip(TASKS, given, strict=True))

    def columns(self) -> list[int]:
        """Return where the tasks of this run stand among `TASKS`."""
        return [TASKS.index(task) for task in self.tasks]

    def compared(self) -> tuple[str, ...]:
        """Return the tasks that are learned alone, too."""
        return self.tasks if self.alone is None else self.alone

    def named(self) -> str:
        """Return the tasks and the settings that matter most: "smile (100 labels) + age (2000 labels)"."""
        known = (f"{task} ({self.labels[i]} labels)" for task, i in zip(self.tasks, self.columns(), strict=True))
        return " + ".join(known)


def _chosen(name: str, given: object, among: tuple[str, ...]) -> tuple[str, ...]:
    """Return the given tasks in the order of ``among``; raise `CourseError` if that does not have them."""
    given = (given,) if isinstance(given, str) else given
    if not isinstance(given, tuple | list | set | frozenset):
        raise CourseError(f"{name} must be a list of some of {', '.join(among)}; it was {given!r}.")
    for task in given:
        require_choice(f"a task of {name}", task, among)
    return tuple(task for task in among if task in given)

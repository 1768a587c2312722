"""The controls of lesson 05's panel: a row for each task, and what they are all trained with."""

from __future__ import annotations

import ipywidgets as widgets

from course_lib import controls
from course_lib.multitask.config import BALANCES, TASKS, UNITS, Config

CHANNELS = (16, 32, 64)
FEWEST = 10  # labels that the slider offers
LEAST, MOST = 1e-4, 1e3  # weights that it offers; a panel that is made with others shows them too


def make_controls(config: Config) -> dict[str, widgets.Widget]:
    """Return all controls, set to ``config``, in the order of the tab key: the tasks' rows first."""
    made = {}
    for i, task in enumerate(TASKS):
        known, counts = config.labels[i], config.weights[i]
        made[task] = controls.checkbox(task, task in config.tasks, f"learn {task}")
        made[labels_of(task)] = label_slider(task, known, config.n_train)
        made[weight_of(task)] = controls.decade_slider(
            "weight", counts, LEAST, MOST, f"what the loss of {task} is multiplied by"
        )
        for name, width, text in ((task, "116px", "0px"), (labels_of(task), "340px", "50px")):
            made[name].layout.width, made[name].style.description_width = width, text
        made[weight_of(task)].layout.width, made[weight_of(task)].style.description_width = "340px", "50px"
        made[task].indent = False
    return made | {
        "unit": controls.choice("age in", config.unit, list(UNITS), "unit in which the age is learned"),
        "balance": controls.choice(
            "balance", config.balance, {name: BALANCE_TEXTS[name] for name in BALANCES}, "what decides the weights"
        ),
        "channels": controls.choice(
            "channels", config.channels, sorted({*CHANNELS, config.channels}), "width of the trunk's last layer"
        ),
        "noise": controls.integer_slider("noise", config.noise, 0, 100, "noise of the camera, in grey levels of 255"),
        "epochs": controls.integer("epochs", config.epochs, 1, 100, "epochs: how often each face is trained on"),
        "seed": controls.seed(config.seed),
    }


def label_slider(task: str, known: int, most: int) -> widgets.SelectionSlider:
    """Return the slider of a task's labels, which always offers ``most``: all faces."""
    text = f"how many training faces have a label of {task}"
    slider = controls.decade_slider("labels", known, FEWEST, most, text)
    if most not in dict(slider.options).values():
        slider.options = (*slider.options, (f"{most}", most))
        slider.value = known
    return slider


BALANCE_TEXTS = {"weights": "weights as set", "uncertainty": "learned (uncertainty)"}


def labels_of(task: str) -> str:
    """Return the name of the control of a task's labels."""
    return f"{task}_labels"


def weight_of(task: str) -> str:
    """Return the name of the control of a task's weight."""
    return f"{task}_weight"


def values_of(config: Config) -> dict[str, object]:
    """Return what each control shows for ``config``."""
    rows = {task: task in config.tasks for task in TASKS}
    known = {labels_of(task): n for task, n in zip(TASKS, config.labels, strict=True)}
    counts = {weight_of(task): weight for task, weight in zip(TASKS, config.weights, strict=True)}
    return config.values() | rows | known | counts


def settings_of(values: dict[str, object]) -> dict[str, object]:
    """Return the settings of a `Config` that the controls' values stand for."""
    rows = {
        "tasks": tuple(task for task in TASKS if values[task]),
        "labels": tuple(int(values[labels_of(task)]) for task in TASKS),
        "weights": tuple(values[weight_of(task)] for task in TASKS),
    }
    own = {*TASKS, *map(labels_of, TASKS), *map(weight_of, TASKS)}
    return rows | {name: value for name, value in values.items() if name not in own}

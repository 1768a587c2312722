"""A panel that trains first and is looked at afterwards: what is looked at never trains anything anew."""

from dataclasses import dataclass

import pytest

from course_lib import config, controls
from course_lib.errors import CourseError
from course_lib.lookpanel import LookPanel
from course_lib.plotting import LiveFigure, new_figure


@dataclass(frozen=True)
class Config(config.Config):
    size: int = 3
    view: int = 0

    def __post_init__(self):
        self.integer("size", 0, 9)
        self.integer("view", 0, 9)
        if self.view == 9:
            raise CourseError("view must not be 9.")


@dataclass(frozen=True)
class Result:
    config: Config
    step: int
    steps: int = 3

    @property
    def finished(self):
        return self.step == self.steps


class Words(LiveFigure):
    SIZE = (3, 1)

    def __init__(self, figure=None):
        super().__init__(figure or new_figure(*self.SIZE))
        self.text = self.figure.text(0, 0.5, "")

    def update(self, shown):
        self.text.set_text(self.describe(shown))
        self.refresh()

    @staticmethod
    def describe(shown):
        return str(shown)


class Small(LookPanel):
    CONFIG = Config
    LOOKS = ("view",)
    ANSWERS = {"answer": Words}  # noqa: RUF012
    RUNS = {"running": Words}  # noqa: RUF012
    runs = 0

    def answer(self, config):
        return f"size {self.latest.config.size}, view {config.view}"

    def stream(self, config):
        self.runs += 1
        for step in (1, 2, 3):
            yield Result(config, step)


@pytest.fixture
def panel():
    made = {name: controls.integer_slider(name, getattr(Config(), name), 0, 9, name) for name in Config.names()}
    return Small(Config(), made)


def shown(panel):
    return panel.helper.labels["course-answer"]


def stale(panel):
    return "course-stale" in panel.pictures["answer"].widget._dom_classes


def test_the_first_run_is_there_when_the_panel_opens(panel):
    assert shown(panel) == "size 3, view 0"
    assert panel.result.finished
    assert panel.runs == 1
    assert "Finished" in panel.status.value


def test_a_look_is_answered_at_once_and_runs_nothing(panel):
    panel.controls["view"].value = 4
    assert shown(panel) == "size 3, view 4"
    panel.wait()
    assert panel.runs == 1
    assert not stale(panel)
    assert panel.result.finished


def test_what_is_trained_changes_once_it_has_been_trained(panel):
    panel.controls["size"].value = 5
    assert shown(panel) == "size 3, view 0"
    assert stale(panel)
    panel.controls["view"].value = 1  # does not stop the run that waits
    assert shown(panel) == "size 3, view 1"
    assert stale(panel)
    panel.wait()
    assert shown(panel) == "size 5, view 1"
    assert not stale(panel)
    assert panel.runs == 2


def test_a_stopped_run_leaves_what_was_there_faded(panel):
    panel.controls["size"].value = 5
    panel.stop()
    assert shown(panel) == "size 3, view 0"
    assert stale(panel)
    panel.controls["size"].value = 3  # back to what is known
    assert not stale(panel)


def test_an_error_in_a_look_shows_and_goes_away(panel):
    with pytest.raises(CourseError):
        panel.controls["view"].value = 9
    assert "must not be 9" in panel.problem.value
    panel.controls["view"].value = 2
    assert panel.problem.value == ""
    assert shown(panel) == "size 3, view 2"


def test_static_shows_the_run_and_the_look(panel):
    panel.controls["view"].value = 4
    texts = [text.get_text() for part in panel.static().subfigs for text in part.texts]
    assert texts[0] == "size 3, view 4"
    assert "step=3" in texts[1]

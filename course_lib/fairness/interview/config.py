"""What decides a run of the interview scorer, and what is shown of it: one frozen, checked dataclass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from course_lib import config
from course_lib.randomness import MAX_SEED

APPLICANTS = 500  # that no network is trained on; all that is measured is measured on them


class Change(NamedTuple):
    """One thing about a picture that is put there, or taken away: the attribute and its two values."""

    attribute: str
    off: float
    on: float
    without: str  # in words
    with_it: str


CHANGES: dict[str, Change] = {
    "bookshelf": Change("background", 0, 1, "plain wall", "bookshelf"),
    "glasses": Change("glasses", 0, 1, "no glasses", "glasses"),
    "smile": Change("smile", 0, 1, "no smile", "smile"),
    "light": Change("light", -1, 1, "dim light", "bright light"),
}
GROUPINGS: dict[str, tuple[str, ...]] = {
    "gender x smile": ("woman, no smile", "woman, smile", "man, no smile", "man, smile"),
    "skin tone": ("light skin", "medium skin", "dark skin"),
    "light": ("dim light", "medium light", "bright light"),
}


@dataclass(frozen=True)
class InterviewConfig(config.Config):
    """Everything that decides a run of the interview scorer; checked when made (`CourseError`).

    strength: how far the recruiters' scores in the training data went along with the bookshelf, from 0 (not at
    all) to 1 (20 points, as much as a smile). n_train: faces in the training data. The last three decide only
    what the panel shows: which of the 500 applicants, what is changed about them, and by what they are grouped.
    """

    strength: float = 1.0
    n_train: int = 2000
    epochs: int = 6
    seed: int = 0
    applicant: int = 0
    change: str = "bookshelf"
    by: str = "gender x smile"

    def __post_init__(self):
        self.number("strength", 0, 1)
        self.integer("n_train", 100, 20_000)
        self.integer("epochs", 1, 100)
        self.integer("seed", 0, MAX_SEED)
        self.integer("applicant", 0, APPLICANTS - 1)
        self.choose("change", CHANGES)
        self.choose("by", GROUPINGS)

    def trained(self) -> tuple[float | int, ...]:
        """Return what decides the network; the other settings only choose what is shown of it."""
        return self.strength, self.n_train, self.epochs, self.seed

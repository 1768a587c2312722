"""The panel of the stored study: every method at every strength, at once, since nothing is trained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from course_lib import controls
from course_lib.data.biased_mnist import VARIABLES
from course_lib.livepanel import LivePanel
from course_lib.mitigation.methods import METHODS
from course_lib.mitigation.stored.pictures import SettingPicture, StrengthPicture, caption
from course_lib.mitigation.stored.results import Stored, StoredConfig, settings


class StoredPanel(LivePanel):
    """The stored study, one setting at a time; made by `panel`."""

    CONFIG = StoredConfig
    ANSWERS: ClassVar = {"strengths": StrengthPicture, "stored": SettingPicture}

    def answer(self, config: StoredConfig) -> Stored:
        self.controls["explicit"].disabled = METHODS[config.method].knows == "nothing"
        return Stored.of(config)

    def headline(self, stored: Stored) -> str:
        if len(stored.accuracies):
            return f"{caption(stored)}: {stored.said()}"
        return "Not stored: at strengths other than 0.7, methods were told the distractor shape only."


def panel(*, hide: Iterable[str] = (), **state: object) -> StoredPanel:
    """Return the panel of the stored study: choose strength, method and what it is told; nothing is trained.

    ``state`` sets the controls, by the names of the fields of `StoredConfig`; ``panel(**old.state())`` makes the same
    panel again. ``hide`` names controls or parts (status, picture) not to show. Raises `CourseError` for an unknown
    name or for what is not stored. Taught in: notebook 07.
    """
    c = StoredConfig.of(**state)
    there = settings()
    titles = {name: variable.title for name, variable in VARIABLES.items()}
    made = {
        "strength": controls.stepped("bias strength", c.strength, there["strength"], "bias strength of all variables"),
        "method": controls.choice("method", c.method, there["method"], "mitigation method"),
        "explicit": controls.choice("explicit", c.explicit, titles, "explicit variable: what the method is told"),
    }
    return StoredPanel(c, made, hide=hide)

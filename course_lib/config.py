"""What decides a run or a picture: frozen dataclasses that check themselves when they are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Self

from course_lib.errors import CourseError, require_choice, require_integer, require_number


class Config:
    """Base of the lessons' configs. Subclasses are frozen dataclasses whose ``__post_init__`` checks each field."""

    @classmethod
    def of(cls, **values: object) -> Self:
        """Return ``cls(**values)``; raise `CourseError` that lists the fields for an unknown one."""
        known = cls.names()
        if unknown := sorted(values.keys() - set(known)):
            raise CourseError(f"There is no setting {', '.join(unknown)}; there are {', '.join(known)}.")
        return cls(**values)

    @classmethod
    def made_of(cls, config: Self | None, changes: Mapping[str, object]) -> Self:
        """Return ``config``, or the defaults, with ``changes``; raise `CourseError` for what is no config."""
        if not isinstance(config, cls | None):
            raise CourseError(f"This takes a {cls.__name__} or settings by name; it was given {config!r}.")
        return cls.of(**(config.values() if config else {}) | changes)

    @classmethod
    def each_of(cls, settings: Iterable[Self | Mapping[str, object]]) -> list[Self]:
        """Return a config for each of ``settings``, which are configs or what to change of the defaults by name."""
        several = []
        for one in settings:
            if not isinstance(one, cls | Mapping):
                raise CourseError(f'Each run needs its settings, such as {{"seed": 1}}, or none: {{}}; it was {one!r}.')
            several.append(one if isinstance(one, cls) else cls.of(**one))
        if not several:
            raise CourseError('There is nothing to run: give settings for each run, such as {}, {"seed": 1}.')
        return several

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the settings."""
        return [field.name for field in fields(cls) if field.init]

    def values(self) -> dict[str, Any]:
        """Return the settings by name."""
        return {name: getattr(self, name) for name in self.names()}

    def changed(self) -> dict[str, Any]:
        """Return the settings that are not the defaults."""
        defaults = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in self.values().items() if value != defaults[name]}

    def choose(self, name: str, allowed) -> None:
        """Check that a field is one of ``allowed``."""
        require_choice(name, getattr(self, name), allowed)

    def integer(self, name: str, low: int, high: float) -> None:
        """Check that a field is a whole number from ``low`` to ``high``, and make it an int."""
        self.put(name, require_integer(name, getattr(self, name), low, high))

    def number(self, name: str, low: float, high: float) -> None:
        """Check that a field is a number from ``low`` to ``high``, and make it a float."""
        self.put(name, require_number(name, getattr(self, name), low, high))

    def put(self, name: str, value: object) -> None:
        """Set a field of this frozen dataclass: while it is made, and never after."""
        object.__setattr__(self, name, value)

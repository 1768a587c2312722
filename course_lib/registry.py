"""Things by name, to which users add their own: what feeds selectors, tests and docs alike."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from course_lib.errors import CourseError

Thing = TypeVar("Thing")


class Registry(Mapping[str, Thing], Generic[Thing]):
    """Things by name, in the order they joined; ``what`` says what one of them is ("method").

    Reading an unknown name raises `CourseError`. Those that it is made with stay; subclasses have a
    ``register`` that checks a user's own, and `add`s it.
    """

    def __init__(self, what: str, built_in: Mapping[str, Thing]):
        self.what, self.built_in = what, dict(built_in)
        self._one = f"{'an' if what[0] in 'aeiou' else 'a'} {what}"
        self._things = dict(built_in)
        self._listeners: weakref.WeakSet = weakref.WeakSet()

    def __getitem__(self, name: str) -> Thing:
        if not isinstance(name, str) or name not in self._things:
            raise CourseError(f"There is no {self.what} {name!r}; there are {', '.join(self._things)}.")
        return self._things[name]

    def __contains__(self, name: object) -> bool:
        return name in self._things

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)

    def own(self) -> list[str]:
        """Return the names that users have added."""
        return [name for name in self._things if name not in self.built_in]

    def check_name(self, name: object) -> str:
        """Return ``name`` if a user's own may have it; raise `CourseError` if not."""
        if not (isinstance(name, str) and name.isprintable() and name == name.strip() and 0 < len(name) <= 24):
            raise CourseError(
                f"For {self._one}, the name must be a text of 1 to 24 characters, without spaces around it; "
                f"it was {name!r}."
            )
        if name in self.built_in:
            raise CourseError(f"{name!r} comes with the kit: give your {self.what} another name.")
        return name

    def add(self, name: str, thing: Thing) -> Thing:
        """Add or replace a user's own, tell the listeners, and return it."""
        self._things[self.check_name(name)] = thing
        self._tell()
        return thing

    def remove(self, name: str) -> None:
        """Take out what was registered; what comes with the kit stays."""
        if name not in self.own():
            raise CourseError(f"Only {self._one} that you registered can be removed; {name!r} is not one.")
        del self._things[name]
        self._tell()

    def subscribe(self, listener: object) -> None:
        """Call ``listener.registry_changed()`` after each change, for as long as the listener lives."""
        self._listeners.add(listener)

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener.registry_changed()

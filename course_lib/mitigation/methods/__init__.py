"""The mitigation methods, by name: ``METHODS`` feeds the selector, the tests and the docs alike.

``METHODS.register(name, function_or_class)`` adds a method of your own, and every open panel offers it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import get_args

from torch import Tensor

from course_lib.errors import CourseError, require_choice
from course_lib.mitigation.methods.base import Knows, Method, Setting
from course_lib.mitigation.methods.gdro import GDRO
from course_lib.mitigation.methods.irm import IRMv1
from course_lib.mitigation.methods.lff import LFF
from course_lib.mitigation.methods.lnl import LNL
from course_lib.mitigation.methods.resample import Resample
from course_lib.mitigation.methods.rubi import RUBi
from course_lib.mitigation.methods.sd import SD
from course_lib.mitigation.methods.stdm import StdM
from course_lib.mitigation.methods.upwt import UpWt
from course_lib.registry import Registry
from course_lib.training import Batch

__all__ = ["METHODS", "Method", "Setting"]

BUILT_IN = {m.__name__: m for m in (StdM, UpWt, Resample, GDRO, RUBi, LNL, IRMv1, LFF, SD)}


class Methods(Registry[type[Method]]):
    """Methods by name, in the order they joined. Reading an unknown name raises `CourseError`."""

    def register(
        self, name: str, method: Callable[..., Tensor] | type[Method], *, title: str = "", idea: str = ""
    ) -> type[Method]:
        """Add a method of your own, and return its class; the same name again replaces it.

        ``method`` is a function ``(logits [B, classes], y [B]) -> loss`` that knows nothing, a function
        ``(logits, y, b) -> loss`` that is told the bias labels b [B], or a subclass of `Method`.
        A loss is a number per sample, [B], or one number. Raises `CourseError` for anything else.
        Taught in: notebook 07.
        """
        self.check_name(name)
        if inspect.isclass(method):
            if not issubclass(method, Method):
                raise CourseError(f"The class {method.__name__} must be a subclass of mitigation.Method.")
            require_choice(f"{method.__name__}.knows", method.knows, get_args(Knows))
            if not all(isinstance(s, Setting) and s.low <= s.default <= s.high for s in method.settings):
                raise CourseError(f"{method.__name__}.settings must be Settings with a default between low and high.")
            method.title, method.idea = title or method.title or name, idea or method.idea
        elif callable(method):
            method = from_function(name, method, title=title, idea=idea)
        else:
            raise CourseError(f"A method must be a function or a subclass of Method; it was {method!r}.")
        return self.add(name, method)


def from_function(name: str, function: Callable[..., Tensor], *, title: str, idea: str) -> type[Method]:
    """Wrap a student's loss function as a method; see `Methods.register` for what it may look like."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        parameters = ()
    # A parameter with a default is the function's own affair: it must not be handed the bias labels.
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(needed) not in (2, 3) or any(p.kind is p.KEYWORD_ONLY for p in needed):
        raise CourseError(f"The function for {name!r} must take (logits, y) or (logits, y, b).")
    knows: Knows = "bias labels" if len(needed) == 3 else "nothing"

    def loss(self: Method, batch: Batch) -> Tensor:
        told = (batch.b,) if knows == "bias labels" else ()
        value = function(self.network(batch.x), batch.y, *told)
        if not isinstance(value, Tensor) or value.shape not in ((), batch.y.shape):
            got = f"a tensor of shape {list(value.shape)}" if isinstance(value, Tensor) else repr(value)[:60]
            raise CourseError(f"{name!r} must return one loss, or one per sample [{len(batch.y)}]; got {got}.")
        if not value.requires_grad:
            raise CourseError(f"The loss of {name!r} does not depend on the logits: nothing could be learned.")
        return value.mean()

    doc = inspect.getdoc(function) or ""
    members = {
        "title": title or name,
        "idea": idea or doc.partition("\n")[0] or "A method of your own.",
        "source": "yours",
        "knows": knows,
        "loss": loss,
        "__doc__": doc,
    }
    return type(name, (Method,), members)


METHODS = Methods("method", BUILT_IN)

"""The augmentations, by name, and what each does to the label of each digit.

``AUGMENTATIONS`` feeds the sliders, the tests and the docs alike; ``AUGMENTATIONS.register(name, function)``
adds one of your own, and every open panel offers it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Generator, Tensor

from course_lib.augmentation import transforms
from course_lib.errors import CourseError
from course_lib.registry import Registry

KEEPS, MAY_BREAK, BREAKS = "keeps", "may break", "breaks"  # and "may become 5" for a digit that looks like another


@dataclass(frozen=True)
class Augmentation:
    """One augmentation: ``function(x, generator, amount)``, with amounts from 0 (nothing) to ``high``.

    effects: pairs (amount, {digit: what happens to its label}); from above that amount on, it is so. A digit
    that is not named keeps its label. They say what a person still reads: declared by looking, and compared with
    what the reference classifier reads (see the tests), which errs where a person does not.
    """

    title: str
    function: Callable[[Tensor, Generator, float], Tensor]
    high: float
    step: float
    unit: str
    idea: str
    effects: tuple[tuple[float, Mapping[int, str]], ...] = ()

    def effect(self, amount: float) -> dict[int, str]:
        """Return what happens to the label of each digit: "keeps", "may break", "breaks" or "may become 5".

        Taught in: notebook 03.
        """
        found = dict.fromkeys(range(10), KEEPS)
        for above, digits in self.effects:
            if amount > above:
                found |= digits
        return found


EVERY = range(10)
MIRRORED = {3: BREAKS, 4: BREAKS, 6: BREAKS, 7: BREAKS, 9: BREAKS, 2: "may become 5", 5: "may become 2"}
IN_A_POND = {4: BREAKS, 6: BREAKS, 7: BREAKS, 9: BREAKS, 2: "may become 5", 5: "may become 2"}
TURNED = dict.fromkeys((1, 2, 3, 4, 5, 7, 8), MAY_BREAK)  # a 1 becomes a dash, an 8 the sign for infinity
HALF_TURNED = {3: BREAKS, 4: BREAKS, 7: BREAKS, 6: "may become 9", 9: "may become 6"}

BUILT_IN = {
    "translate": Augmentation(
        "translation", transforms.translate, 8, 1, "pixels", "The same digit somewhere else.",
        ((4, dict.fromkeys(EVERY, MAY_BREAK)),),  # MNIST's margin is 4 pixels
    ),
    "rotate": Augmentation(
        "rotation", transforms.rotate, 180, 5, "degrees", "The same digit on a page that lies askew.",
        ((45, TURNED), (90, HALF_TURNED)),
    ),
    "scale": Augmentation(
        "scaling", transforms.scale, 1, 0.05, "", "The same digit nearer or farther away.",
        ((0.4, dict.fromkeys(EVERY, MAY_BREAK)),),  # 20 of 28 pixels: what grows by more leaves the picture
    ),
    "flip_horizontal": Augmentation(
        "flip left-right", transforms.flip_horizontal, 1, 0.1, "", "The digit in a mirror.", ((0, MIRRORED),)
    ),
    "flip_vertical": Augmentation(
        "flip up-down", transforms.flip_vertical, 1, 0.1, "", "The digit in a pond.", ((0, IN_A_POND),)
    ),
    "erase": Augmentation(
        "erasing", transforms.erase, 1, 0.05, "", "A part of the digit is covered.",
        ((0.2, dict.fromkeys(EVERY, MAY_BREAK)),),
    ),
    "gaussian": Augmentation(
        "Gaussian noise", transforms.gaussian, 1, 0.05, "", "A poor camera: every pixel a little off.",
        ((0.6, dict.fromkeys(EVERY, MAY_BREAK)),),
    ),
    "laplacian": Augmentation(
        "Laplacian noise", transforms.laplacian, 1, 0.05, "", "A poor camera: most pixels fine, a few far off.",
        ((0.6, dict.fromkeys(EVERY, MAY_BREAK)),),
    ),
}  # fmt: skip


class Augmentations(Registry[Augmentation]):
    """Augmentations by name, in the order in which they are applied."""

    def register(self, name: str, function: Callable[[Tensor, Generator], Tensor], *, title: str = "") -> Augmentation:
        """Add an augmentation of your own; the same name again replaces it.

        ``function(x, generator)`` takes images x, float [B, C, H, W] in 0..1, and returns images of the same
        form; what is random in it comes from the generator. The panel offers it under "your own".
        Raises `CourseError` for anything else. Taught in: notebook 03.
        """
        self.check_name(name)
        try:
            inspect.signature(function).bind(None, None)
        except (TypeError, ValueError):
            raise CourseError(f"The function for {name!r} must take (x, generator).") from None

        def checked(x: Tensor, generator: Generator, amount: float) -> Tensor:
            given = function(x.clone(), generator)
            if not (isinstance(given, Tensor) and given.shape == x.shape and given.is_floating_point()):
                raise CourseError(f"{name!r} must return images of the same shape, {list(x.shape)}, decimal numbers.")
            return given.to(x.dtype)

        idea = (inspect.getdoc(function) or "").partition("\n")[0] or "An augmentation of your own."
        return self.add(name, Augmentation(title or name, checked, 1, 1, "", idea))


AUGMENTATIONS = Augmentations("augmentation", BUILT_IN)


def augment(x: Tensor, generator: Generator, amounts: Mapping[str, float]) -> Tensor:
    """Return images with the named augmentations, one after the other: ``{"translate": 2, "gaussian": 0.1}``.

    x: float [B, C, H, W]; the order is that of ``AUGMENTATIONS`` (noise last), whatever that of ``amounts``.
    Raises `CourseError` for an unknown name or an amount out of range. Taught in: notebook 03.
    """
    transforms.require_images(x)
    for name in amounts:
        AUGMENTATIONS[name]
    for name, augmentation in AUGMENTATIONS.items():
        if amounts.get(name):
            x = augmentation.function(x, generator, amounts[name])
    return x


def effects(amounts: Mapping[str, float], digit: int) -> dict[str, str]:
    """Return what each augmentation in use does to the label of this digit. Taught in: notebook 03."""
    return {name: AUGMENTATIONS[name].effect(amount)[digit] for name, amount in amounts.items() if amount}

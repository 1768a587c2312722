"""The panel of lesson 03: what an augmentation does to a digit, to its label, and to a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import ipywidgets as widgets

from course_lib import controls
from course_lib.augmentation import plots
from course_lib.augmentation.augmentations import AUGMENTATIONS, BUILT_IN
from course_lib.augmentation.config import NONE, Config
from course_lib.augmentation.experiment import prepare, stream
from course_lib.augmentation.gallery import Gallery, GalleryPicture, make_gallery
from course_lib.augmentation.reference import REFERENCE
from course_lib.augmentation.result import Result
from course_lib.livepanel import LivePanel

BUNDLED_TRAIN = 1297
TIPS = {  # what a screen reader calls the sliders
    "translate": "translation: how far each training digit moves at most, in pixels, both ways",
    "rotate": "rotation: how far each training digit turns at most, in degrees, both ways",
    "scale": "scaling: how much larger or smaller each training digit gets at most, as a share",
    "flip_horizontal": "flip left-right: share of the training digits in which left and right are exchanged",
    "flip_vertical": "flip up-down: share of the training digits that are turned upside down",
    "erase": "erasing: how much of the image a rectangle covers at most, as a share",
    "gaussian": "Gaussian noise: its standard deviation, where ink is 1",
    "laplacian": "Laplacian noise: its standard deviation, where ink is 1",
}
SHORT = {"gaussian": "Gaussian", "laplacian": "Laplacian", "flip_horizontal": "flip ↔", "flip_vertical": "flip ↕"}


def panel(*, hide: Iterable[str] = (), **state: object) -> AugmentationPanel:
    """Return the panel: choose augmentations, see what they do to a digit, train without and with them.

    ``state`` sets the controls: translate, rotate, scale, flip_horizontal, flip_vertical, erase, gaussian,
    laplacian, own, digit, source, n_train, epochs, seed; the other fields of `Config` have no control and stay
    as given. ``panel(**old.state())`` makes the same panel again. ``hide`` names controls or parts (picture,
    run, stop, status) not to show. Raises `CourseError` for an unknown name or a value out of range.
    Taught in: notebook 03.
    """
    config = Config.of(**state)
    return AugmentationPanel(config, make_controls(config), hide=hide)


def make_controls(config: Config) -> Mapping[str, widgets.Widget]:
    """Return a slider for each augmentation, and what decides the digits and the training."""
    made = {}
    for name, one in BUILT_IN.items():
        title, value = SHORT.get(name, one.title), getattr(config, name)
        if name == "translate":
            made[name] = controls.integer_slider(title, value, 0, one.high, TIPS[name])
        else:
            made[name] = controls.slider(title, value, 0, one.high, one.step, TIPS[name])
    return made | {
        "own": controls.choice("your own", config.own, _own(), "an augmentation that you registered"),
        "digit": controls.integer_slider("digit", config.digit, 0, 9, "digit that the gallery shows"),
        "source": controls.source(config.source),
        "n_train": controls.integer_slider(
            "train on", config.n_train, 10, max(BUNDLED_TRAIN, config.n_train), "number of training digits"
        ),
        "epochs": controls.integer("epochs", config.epochs, 1, 1000, "epochs: how often each digit is trained on"),
        "seed": controls.seed(config.seed),
    }


def _own() -> list[str]:
    return [NONE, *AUGMENTATIONS.own()]


class AugmentationPanel(LivePanel):
    """The panel of lesson 03; made by `panel`."""

    CONFIG = Config
    ANSWERS = {"gallery": GalleryPicture}  # noqa: RUF012 - as in the base class
    RUNS = {"training": plots.RunPicture}  # noqa: RUF012

    def __init__(self, config: Config, controls: Mapping[str, widgets.Widget], *, hide: Iterable[str] = ()):
        super().__init__(config, controls, hide=hide)
        AUGMENTATIONS.subscribe(self)

    def answer(self, config: Config) -> Gallery:
        return make_gallery(config, wait=False)

    def stream(self, config: Config) -> Iterator[Result]:
        return stream(config)

    def prepare(self, config: Config) -> Iterator[None]:
        yield from self._train_reference()
        yield from prepare(config)

    def work(self) -> Iterator[None]:
        yield from self._train_reference()  # if a move came before it was ready
        yield from super().work()

    def headline(self, result: Result) -> str:
        if not result.evaluations:
            return "Training: step 1"
        right = ", ".join(f"{100 * result.accuracy(arm):.1f} % {arm}" for arm in ("without", "with"))
        start = "Finished" if result.finished else f"Training: step {result.step} of {result.steps}"
        return f"{start}. Test digits right: {right} augmentation."

    def registry_changed(self) -> None:
        """Offer the augmentations that are registered now; one that is chosen stays chosen."""
        with self.lock:
            control = self.controls["own"]
            chosen = control.value if control.value in _own() else NONE
            lost = chosen != control.value
            self._quiet = True
            control.options = _own()
            self._quiet = False
            self.quietly({control: chosen})
            if lost or chosen != NONE:  # what the picture shows may have become another one
                self.moved(control)

    def _train_reference(self) -> Iterator[None]:
        if not REFERENCE.ready:
            yield from REFERENCE.training()
            self.publish(self.preview)  # now that it can say what is read

"""The reference classifier: a small network that has seen untouched digits only, and what it still reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from course_lib.augmentation.augmentations import augment
from course_lib.augmentation.transforms import require_images
from course_lib.data import digits
from course_lib.networks import make_network
from course_lib.randomness import generator
from course_lib.training import Objective, TrainingSet, fit, inputs


@dataclass(frozen=True, eq=False)
class Reading:
    """How many of the 500 bundled test digits are read, out of n [10] of each label.

    read, untouched: int [10], with the augmentations and without.
    """

    read: np.ndarray
    untouched: np.ndarray
    n: np.ndarray

    def unread(self, digit: int | None = None) -> float:
        """Return the share of test digits that are no longer read: of one label, or of all."""
        part = slice(None) if digit is None else digit
        return float(1 - np.sum(self.read[part]) / np.sum(self.n[part]))


class Reference:
    """A convolutional network (`networks.Laptop`) trained on the bundled digits, once for each process."""

    EPOCHS = 10

    def __init__(self):
        self.ready = False
        self._lock = threading.Lock()  # of a training that several panels may wait for
        self._steps: Iterator | None = None

    def training(self) -> Iterator[None]:
        """Train it, or go on where an earlier call was stopped; pauses after every step."""
        while not self.ready:
            with self._lock:
                if not self.ready:
                    self._steps = self._steps or self._start()
                    self.ready = next(self._steps, None) is None
            yield

    def reading(self, amounts: Mapping[str, float]) -> Reading:
        """Return what it reads of the 500 bundled test digits under these augmentations; train it if need be."""
        for _ in self.training():
            pass
        labels = self.test[1].numpy()
        right = self._right(amounts)
        count = [np.bincount(labels, weights, 10).astype(int) for weights in (right, self.untouched, None)]
        return Reading(*count)

    def _start(self) -> Iterator[object]:
        images, labels = digits.load_shared("bundled", "train")
        self.network = make_network("laptop", generator(0, "reference network"))
        data = TrainingSet(images[:, None].expand(-1, 3, -1, -1), labels)  # it takes colours
        yield from fit(
            Objective(self.network, data, generator(0, "reference training")), epochs=self.EPOCHS, batch_size=64
        )
        self.network.eval()
        images, labels = digits.load_shared("bundled", "test")
        self.test = inputs(images[:, None], slice(None)).contiguous(), labels
        self.untouched = self._right({})

    def _right(self, amounts: Mapping[str, float]) -> np.ndarray:
        return (self.predict(augment(self.test[0], generator(0, "reading"), amounts)) == self.test[1]).numpy()

    @torch.inference_mode()
    def predict(self, x: Tensor) -> Tensor:
        """Return the labels int64 [B] that it reads in images, float [B, 1, 28, 28] in 0..1."""
        return self.network(x.expand(-1, 3, -1, -1)).argmax(1)


REFERENCE = Reference()


def read(x: Tensor) -> Tensor:
    """Return the labels int64 [B] that the reference classifier reads in images, float [B, 1, 28, 28] in 0..1.

    The first call in a process trains it, some three seconds. Taught in: notebook 03.
    """
    require_images(x)
    for _ in REFERENCE.training():
        pass
    return REFERENCE.predict(x)

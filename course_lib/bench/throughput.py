"""Throughput of a study's training, against the way in which the paper's own code reads its images."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from course_lib.bench import Figure
from course_lib.data import biased_mnist
from course_lib.mitigation import METHODS
from course_lib.mitigation.experiment import dataset, fits
from course_lib.networks import make_network
from course_lib.randomness import generator
from course_lib.runs import finish
from course_lib.study.biased_mnist import PRESETS, Preset, measure, plan_table1
from course_lib.training import TrainingSet, fit

N, ROUNDS = 2560, 5
IMAGES = {"laptop": 1280, "paper": 256}  # in one timed stretch on a processor; ten times as many on a graphics card


class Jpegs(Dataset):
    """One JPEG for each image, opened when it is asked for, and a dict for each sample."""

    def __init__(self, folder: Path, data: biased_mnist.BiasedMNIST):
        self.folder, self.labels, self.values = folder, data.labels.tolist(), data.values.tolist()
        for i, image in enumerate(data.images.permute(0, 2, 3, 1).numpy()):
            Image.fromarray(image).save(folder / f"{i}.jpg", quality=95)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> dict[str, object]:
        with Image.open(self.folder / f"{i}.jpg") as file:
            pixels = torch.frombuffer(bytearray(file.convert("RGB").tobytes()), dtype=torch.uint8)
            x = pixels.view(file.height, file.width, 3).permute(2, 0, 1).float().div(255)
        names = dict(zip(biased_mnist.VARIABLES, self.values[i], strict=True))
        return {"index": i, "x": x, "y": self.labels[i], **names}


def measure_throughput() -> Iterator[Figure]:
    """Yield how many images a second are trained on, both ways, in turns; the ratio is the median of pairs."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for name, preset in PRESETS.items():
        with tempfile.TemporaryDirectory() as folder:
            data = biased_mnist.make("bundled", "train", 0.7, N, 0, preset.cell)
            steps = IMAGES[name] * (10 if device == "cuda" else 1) // preset.batch_size
            ways = (_ours(data, preset, device, steps), _theirs(Jpegs(Path(folder), data), preset, device, steps))
            times = [[_seconds(way, device) for way in ways] for _ in range(ROUNDS + 1)][1:]  # the first warms up
        rate = steps * preset.batch_size / statistics.median(ours for ours, _ in times)
        yield Figure(f"{name}, {device}: images trained on", rate, "per s")
        ratio = statistics.median(theirs / ours for ours, theirs in times)
        yield Figure(f"{name}, {device}: against a JPEG per image", ratio, "ratio", ">= 3")


def measure_study() -> Iterator[Figure]:
    """Yield how long one run takes, its images drawn, and evaluated: ``laptop`` with 8 epochs; ``paper`` on a GPU."""
    row = plan_table1("bundled", 1, "laptop")[0] | {"epochs": 8}
    for device, aim in (("cpu", "<= 90"), ("cuda", "")):
        if device == "cpu" or torch.cuda.is_available():
            dataset.cache_clear()
            seconds = _seconds(lambda device=device: finish(measure(row, device)), device)
            yield Figure(f"laptop, {device}: 20,000 images, 8 epochs", seconds, "s", aim)
    if torch.cuda.is_available():
        row = plan_table1("bundled", 1, "paper")[0]
        yield Figure("paper, cuda: one run", _seconds(lambda: finish(measure(row, "cuda")), "cuda"), "s", "<= 60")


def _seconds(way: Callable[[], None], device: str) -> float:
    start = time.perf_counter()
    way()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _ours(data: biased_mnist.BiasedMNIST, preset: Preset, device: str, steps: int) -> Callable[[], None]:
    """Images are drawn on the device: batch by batch, or all of a run ahead of it where they fit in memory."""
    here = data.to(device)
    kept = fits(preset.n_train, preset.cell)  # as the study does with all its images
    network = make_network(preset.network, generator(0, "network"), device)
    objective = METHODS["StdM"](
        network, TrainingSet(here.images if kept else here.batch, here.labels), generator(0, "bench")
    )
    training = fit(objective, epochs=1000, batch_size=preset.batch_size, lr=preset.lr)
    next(training)

    def train() -> None:
        if kept:  # each image is drawn once in a run, and trained on in each epoch
            here.batch(torch.arange(steps * preset.batch_size // preset.epochs))
        for _ in islice(training, steps):
            pass

    return train


def _theirs(data: Jpegs, preset: Preset, device: str, steps: int) -> Callable[[], None]:
    """Images come out of files, one by one, in the process that trains."""
    network = make_network(preset.network, generator(0, "network"), device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=preset.lr)
    loader = DataLoader(data, preset.batch_size, shuffle=True, drop_last=True)

    def batches() -> Iterator[dict[str, torch.Tensor]]:
        while True:
            yield from loader

    drawn = batches()

    def train() -> None:
        for batch in islice(drawn, steps):
            optimizer.zero_grad()
            logits = network(batch["x"].to(device, memory_format=torch.channels_last))
            F.cross_entropy(logits, batch["y"].to(device)).backward()
            optimizer.step()

    return train

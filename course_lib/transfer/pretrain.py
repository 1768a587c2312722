"""Make the pre-trained trunk that comes with the kit: ``python -m course_lib.transfer.pretrain``.

It learns other things about other faces than lesson 04 asks for: gender as drawn, glasses, background, skin,
pose, light, and the 16 traits that tell one face from another. Some of the traits say how a mouth or a line is
drawn, given whether and at which age it is, so that the network must look there; but all of these labels are
drawn independently of smile and age, and tell nothing about them. Those four traits count eight times as much as
the others in the loss: in 32 x 32 noisy pixels, they are the hardest to see. Some two minutes on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.data import faces
from course_lib.data.faces import Faces
from course_lib.networks import build
from course_lib.randomness import derive_seed, generator
from course_lib.runs import finish_with_bar
from course_lib.training import Batch, Objective, Progress, TrainingSet, fit
from course_lib.transfer.network import FaceNet
from course_lib.transfer.pictures import photograph
from course_lib.transfer.trunk import FILE, save_trunk

SEED = derive_seed("transfer/source", 0)
FACES, EPOCHS, BATCH, LR = 24_000, 10, 128, 1e-2
YES_NO = ("gender", "glasses", "background")
AMOUNTS = ("skin", "pose", "tilt", "light", "side")
ASKED = len(YES_NO) + len(AMOUNTS) + 16  # questions
FINE = (6, 7, 9, 10)  # the traits that say how mouth, smile, lines and grey hair are drawn: the hardest to see
WEIGHT = 8  # of each of them in the loss


def source_labels(drawn: Faces) -> Tensor:
    """Return what is asked about each face, float [N, 24]: 3 answers of 0 or 1, 5 amounts and 16 traits.

    Amounts and traits have mean 0 and standard deviation 1. Smile and age are not among them.
    """
    amounts = torch.stack([getattr(drawn, name).float() for name in AMOUNTS], 1)
    measured = torch.cat([amounts, drawn.traits], 1)
    measured = (measured - measured.mean(0)) / measured.std(0)
    return torch.cat([torch.stack([getattr(drawn, name).float() for name in YES_NO], 1), measured], 1)


class Attributes(Objective):
    """The mean cross-entropy of the yes-no questions, and the weighted squared error of the others."""

    weights = torch.ones(ASKED - len(YES_NO))
    weights[[len(AMOUNTS) + trait for trait in FINE]] = WEIGHT

    def loss(self, batch: Batch) -> Tensor:
        said, asked, k = self.network(batch.x), batch.y, len(YES_NO)
        yes_no = F.binary_cross_entropy_with_logits(said[:, :k], asked[:, :k])
        return yes_no + (self.weights * (said[:, k:] - asked[:, k:]).square()).mean()


def pretrain(n: int = FACES, epochs: int = EPOCHS) -> Generator[Progress, None, nn.Module]:
    """Generator that trains a network on the source task, yields its progress, and returns it in eval mode."""
    drawn = faces.sample(n, seed=SEED, bookshelf=0.5)
    data = TrainingSet(photograph(drawn, SEED), source_labels(drawn))
    network = build(lambda: FaceNet(ASKED), generator(SEED, "network"))
    network = network.to(memory_format=torch.channels_last)
    yield from fit(Attributes(network, data, generator(SEED, "training")), epochs=epochs, batch_size=BATCH, lr=LR)
    return network.eval()


def main(arguments: Sequence[str]) -> int:
    """Train, write the file, and say its checksum."""
    parser = argparse.ArgumentParser(prog="python -m course_lib.transfer.pretrain", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(FILE.name), help=f"file to write (default: {FILE.name})")
    out = parser.parse_args(arguments).out
    save_trunk(finish_with_bar(pretrain(), "trunk"), out)
    print(f"{hashlib.sha256(out.read_bytes()).hexdigest()}  {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

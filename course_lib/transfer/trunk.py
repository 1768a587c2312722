"""The pre-trained trunk: a file of plain arrays, read only if it is the one that was checked."""

from __future__ import annotations

import hashlib
import io
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.errors import CourseError
from course_lib.transfer.network import FaceNet

DATA = Path(__file__).parents[2] / "data"
FILE = DATA / "transfer_trunk.npz"
COMMAND = "python -m course_lib.transfer.pretrain --out FILE"


def save_trunk(network: nn.Module, path: Path) -> None:
    """Write the four layers of ``network``, without its head, as plain arrays."""
    np.savez(path, **{name: value.numpy() for name, value in network.layers.state_dict().items()})


def load_trunk(path: Path | None = None) -> dict[str, Tensor]:
    """Return the weights and statistics of the four layers by name, for ``FaceNet(...).layers.load_state_dict``.

    Without ``path`` it is the kit's own trunk, whose checksum must be that in ``data/SHA256SUMS``; with one, a
    file that you made. Raises `CourseError` if the file is missing, is not that one, or does not fit the network.
    Taught in: notebook 04.
    """
    return {name: value.clone() for name, value in (_own() if path is None else _parse(Path(path))).items()}


@lru_cache(maxsize=1)
def _own() -> dict[str, Tensor]:
    return _parse(FILE, _expected_sum(FILE))


def _expected_sum(path: Path) -> str:
    sums = path.with_name("SHA256SUMS")
    try:
        return dict(reversed(line.split()) for line in sums.read_text("utf-8").splitlines())[path.name]
    except (OSError, KeyError, ValueError):
        raise CourseError(f"{sums} has no checksum of {path.name}: put the kit's file back.") from None


def _parse(path: Path, checksum: str | None = None) -> dict[str, Tensor]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CourseError(
            f"{path} cannot be read ({error.strerror}): put the kit's file back, or make one with `{COMMAND}`."
        ) from error
    if checksum and hashlib.sha256(content).hexdigest() != checksum:
        raise CourseError(f"{path} is not the file that came with the kit: put that one back, or name your own.")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            found = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        with torch.device("meta"):
            expected = FaceNet(1).layers.state_dict()
        fits = {n: v.shape for n, v in found.items()} == {n: v.shape for n, v in expected.items()}
    except (ValueError, BadZipFile, EOFError, AttributeError, TypeError):
        fits = False
    if not fits:
        raise CourseError(f"{path} holds no trunk for this network: make one with `{COMMAND}`.")
    return found

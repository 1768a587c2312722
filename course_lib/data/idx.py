"""The four IDX files of MNIST: where they lie, what each must hold, and one clear sentence if it does not.

Reading one takes NumPy; all the rest is the standard library, so that a download needs no environment.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.errors import CourseError

if TYPE_CHECKING:
    import numpy as np

REMEDY = "run `python -m course_lib data mnist` in a terminal, or choose the bundled digits"


@dataclass(frozen=True)
class IdxFile:
    """What one IDX file must hold: the shape of its bytes and their SHA-256 (uncompressed, with header)."""

    shape: tuple[int, ...]
    sha256: str


FILES: Mapping[str, IdxFile] = {
    "train-images-idx3-ubyte": IdxFile(
        (60_000, 28, 28), "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    "train-labels-idx1-ubyte": IdxFile((60_000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": IdxFile(
        (10_000, 28, 28), "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    ),
    "t10k-labels-idx1-ubyte": IdxFile((10_000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}


def default_folder() -> Path:
    """Return where MNIST belongs: ``$COURSE_DATA/mnist``, or if unset ``data/mnist`` beside the package."""
    return folders()[0]


def find_mnist() -> Path | None:
    """Return the folder in which all four MNIST files lie (not yet verified), or None."""
    return next((folder for folder in folders() if all(locate(folder, name) for name in FILES)), None)


def folders() -> list[Path]:
    """Return the folders in which MNIST is looked for, in order."""
    course_data = os.environ.get("COURSE_DATA")
    beside = Path(__file__).resolve().parents[2] / "data" / "mnist"
    return [Path(course_data).expanduser() / "mnist", beside] if course_data else [beside]


def locate(folder: Path, name: str) -> Path | None:
    """Return where file ``name`` lies in ``folder``: compressed (what a download writes) or else raw."""
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


def read(path: Path, name: str, files: Mapping[str, IdxFile] = FILES) -> np.ndarray:
    """Return what IDX file ``name`` holds as a read-only uint8 array of the shape in ``files[name]``.

    ``path`` is where it lies (ending in .gz: compressed). Raises what `verify` raises.
    """
    import numpy as np

    data = verify(path, name, files)
    return np.frombuffer(data, np.uint8, offset=_header_size(files[name].shape)).reshape(files[name].shape)


def verify(path: Path, name: str, files: Mapping[str, IdxFile] = FILES) -> bytes:
    """Return the uncompressed bytes of IDX file ``name`` that lies at ``path``, with the header.

    Raises `CourseError`, one sentence, if the file cannot be read or is truncated, corrupt, swapped with
    another or simply not this file.
    """
    data = _content(path)
    fault = find_fault(data, name, files)
    if fault:
        raise CourseError(f"{path} {fault}; {REMEDY}.")
    return data


def find_fault(data: bytes, name: str, files: Mapping[str, IdxFile] = FILES) -> str | None:
    """Return what is wrong with ``data`` as the content of file ``name`` (words after its path), or None."""
    spec, digest = files[name], hashlib.sha256(data).hexdigest()
    if digest == spec.sha256:
        return None
    twin = next((other for other, known in files.items() if known.sha256 == digest), None)
    if twin:
        return f"holds the content of {twin} (files swapped?)"
    header = _header(spec.shape)
    if data[:4] != header[:4]:
        return f"is not an IDX file of {len(spec.shape)}-dimensional bytes (wrong first four bytes)"
    if data[: len(header)] != header:
        return f"does not hold {spec.shape[0]:,} items of MNIST (its header gives another shape)"
    size = len(header) + math.prod(spec.shape)
    if len(data) != size:
        return f"is {'truncated' if len(data) < size else 'too long'} ({len(data):,} of {size:,} bytes)"
    return "is corrupt (its SHA-256 checksum is not MNIST's)"


def unzip(data: bytes) -> bytes:
    """Return ``data`` without its gzip compression; raise ValueError with the words of a fault."""
    try:
        return gzip.decompress(data)
    except EOFError:
        raise ValueError("is truncated (its compressed data ends too early)") from None
    except (gzip.BadGzipFile, zlib.error):
        raise ValueError("is corrupt (it is not valid gzip data)") from None


def _content(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return unzip(data) if path.suffix == ".gz" else data
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror or error}); {REMEDY}.") from error
    except ValueError as error:
        raise CourseError(f"{path} {error}; {REMEDY}.") from error


def _header_size(shape: tuple[int, ...]) -> int:
    return 4 + 4 * len(shape)


def _header(shape: tuple[int, ...]) -> bytes:
    """Two zeros, 8 for unsigned bytes, the number of dimensions, then each as four big-endian bytes."""
    return bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)

"""Fetching MNIST: two mirrors in turn, resumed where it broke off, checked, and put in place at once.

Needs the standard library only, so that it can be had before anything is installed.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

from course_lib.data import idx
from course_lib.data.idx import FILES, IdxFile, default_folder
from course_lib.errors import CourseError

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
BLOCK = 2**16  # bytes read at a time
ATTEMPTS = 3  # at one mirror, as long as each brings new bytes
WITHOUT = "or go on without: the lessons use scikit-learn's digits"


def download_mnist(
    folder: Path | None = None,
    mirrors: Sequence[str] = MIRRORS,
    *,
    files: Mapping[str, IdxFile] = FILES,
    timeout: float = 20.0,
    progress: bool = True,
) -> Path:
    """Download MNIST's four files, compressed, and return the folder they lie in.

    ``folder`` is by default `idx.default_folder`; ``mirrors`` are addresses to try in turn, ending in /;
    ``files`` is what must come (see `idx.FILES`); ``timeout`` is how many seconds of silence count as a
    failure. Files that are already right stay; wrong ones are replaced once a right one has come. What
    broke off stays as a .part file, and the next call resumes it. Raises `CourseError`, one sentence, if
    no mirror delivers a file or the folder cannot be written.

    Taught in: notebook 07.
    """
    folder = default_folder() if folder is None else Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in files:
            if not _is_right(folder, name, files):
                _fetch(folder, name, mirrors, files, timeout, progress)
    except OSError as error:
        raise CourseError(
            f"{folder} cannot be written ({_why(error)}){_kept(folder)}; make room there, set COURSE_DATA "
            f"to another folder, {WITHOUT}."
        ) from error
    return folder


class _Failure(Exception):
    """Why one mirror did not deliver one file."""


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _kept(folder: Path) -> str:
    """Say so if parts stay behind."""
    return " (what has come is kept as .part and will be resumed)" if any(folder.glob("*.part")) else ""


def _is_right(folder: Path, name: str, files: Mapping[str, IdxFile]) -> bool:
    path = idx.locate(folder, name)
    try:
        return path is not None and bool(idx.verify(path, name, files))
    except CourseError:
        return False


def _fetch(
    folder: Path,
    name: str,
    mirrors: Sequence[str],
    files: Mapping[str, IdxFile],
    timeout: float,
    progress: bool,
) -> None:
    """Put the file ``name`` in its place from the first mirror that delivers it."""
    target, failures = folder / f"{name}.gz", []
    for mirror in mirrors:
        host = urlsplit(mirror).netloc
        # A part belongs to its mirror: two mirrors may compress the same content differently.
        part = folder / f"{target.name}.{host.replace(':', '_')}.part"
        try:
            _try_mirror(f"{mirror}{target.name}", part, name, files, timeout, progress)
        except _Failure as failure:
            failures.append(f"{host} {failure}")
            continue
        part.replace(target)  # at once: nobody ever sees half a file
        for left in folder.glob(f"{target.name}.*.part"):
            left.unlink()
        return
    raise CourseError(
        f"{target} could not be downloaded ({'; '.join(failures)}); try again later{_kept(folder)}, "
        f"copy {', '.join(f'{each}.gz' for each in files)} into that folder from another computer, {WITHOUT}."
    )


def _try_mirror(url: str, part: Path, name: str, files: Mapping[str, IdxFile], timeout: float, progress: bool) -> None:
    """Complete ``part`` from ``url`` and check it; a part that proves wrong goes."""
    resumed = part.exists()
    _complete(url, part, timeout, progress)
    fault = _find_fault(part, name, files)
    if fault and resumed:  # the old bytes may be to blame: once more from the start
        part.unlink()
        _complete(url, part, timeout, progress)
        fault = _find_fault(part, name, files)
    if fault:
        part.unlink()
        raise _Failure(f"sent a file that {fault}")


def _find_fault(part: Path, name: str, files: Mapping[str, IdxFile]) -> str | None:
    try:
        return idx.find_fault(idx.unzip(part.read_bytes()), name, files)
    except ValueError as fault:
        return str(fault)


def _complete(url: str, part: Path, timeout: float, progress: bool) -> None:
    """Transfer the rest of ``part``; after a break try again, as long as each attempt brings new bytes."""
    for attempt in range(1, ATTEMPTS + 1):
        before = _size(part)
        try:
            return _transfer(url, part, timeout, progress)
        except _Failure:
            if attempt == ATTEMPTS or _size(part) <= before:
                raise


def _transfer(url: str, part: Path, timeout: float, progress: bool) -> None:
    have = _size(part)
    response = _open(url, have, timeout)
    if response is None:
        return
    with response:
        if response.status != 206:  # the mirror sends the whole file, asked or not
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with _make_bar(url.rpartition("/")[2], have, total, progress) as bar, part.open("ab" if have else "wb") as file:
            for block in _blocks(response):
                file.write(block)
                bar.update(len(block))
    if total is not None and _size(part) < total:
        raise _Failure(f"broke off after {_size(part):,} of {total:,} bytes")


def _make_bar(name: str, have: int, total: int | None, shown: bool) -> AbstractContextManager:
    """Return a progress bar: tqdm's, or plain percentages where there is no tqdm yet."""
    if tqdm is None:
        return _Percentage(name, have, total, shown)
    return tqdm(desc=name, initial=have, total=total, unit="B", unit_scale=True, disable=not shown)


class _Percentage(AbstractContextManager):
    def __init__(self, name: str, have: int, total: int | None, shown: bool):
        self.name, self.have, self.total, self.shown, self.said = name, have, total, shown and total, ""

    def update(self, count: int) -> None:
        self.have += count
        if self.shown and self.said != (now := f"{self.name}: {self.have * 100 // self.total}%"):
            self.said = now
            print(f"\r{now}", end="", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self.said:
            print(file=sys.stderr)


def _open(url: str, have: int, timeout: float) -> HTTPResponse | None:
    """Ask for the bytes from ``have`` on; None if there are none."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and have:
                return None
            raise _Failure(f"answered {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise _Failure(f"could not be reached: {_why(error)}") from error
    start = response.headers.get("Content-Range", "").partition("-")[0]
    if response.status == 206 and start != f"bytes {have}":
        response.close()
        raise _Failure("answered with another part of the file than asked for")
    return response


def _blocks(response: HTTPResponse) -> Iterator[bytes]:
    try:
        while block := response.read(BLOCK):
            yield block
    except (OSError, HTTPException) as error:
        raise _Failure(f"broke off: {_why(error)}") from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0

"""The download of MNIST, against real servers on this machine that misbehave in every way we know."""

import errno
import gzip
import hashlib
import io
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from course_lib.data import download, idx
from course_lib.data.download import MIRRORS, download_mnist
from course_lib.errors import CourseError

SHAPES = {"images-idx3-ubyte": (100, 28, 28), "labels-idx1-ubyte": (100,)}
NAMES = tuple(idx.FILES)
IMAGES = NAMES[0]


def _content(name: str, seed: int) -> bytes:
    shape = SHAPES[name.partition("-")[2]]
    return idx._header(shape) + np.random.default_rng(seed).bytes(int(np.prod(shape)))


CONTENTS = {name: _content(name, seed) for seed, name in enumerate(NAMES)}
FILES = {
    name: idx.IdxFile(SHAPES[name.partition("-")[2]], hashlib.sha256(content).hexdigest())
    for name, content in CONTENTS.items()
}
ZIPPED = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in CONTENTS.items()}
OTHERWISE_ZIPPED = {f"{name}.gz": gzip.compress(content, 1, mtime=1) for name, content in CONTENTS.items()}


class Mirror:
    """A server: ``files`` by name; ``faults`` by name, each a list of what to do in the next requests."""

    def __init__(self, files=ZIPPED, ranges=True, faults=None):
        self.files, self.ranges = dict(files), ranges
        self.faults = {name: list(faults) for name, faults in (faults or {}).items()}
        self.requests: list[tuple[str, str | None]] = []
        self.released = threading.Event()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        name, wanted = request.path.rpartition("/")[2], request.headers.get("Range")
        self.requests.append((name, wanted))
        queue = self.faults.get(name)
        fault = queue.pop(0) if queue else None
        if isinstance(fault, int) and fault >= 400:
            return request.send_error(fault)
        if fault == "hang":
            self.released.wait(10)
            return None
        body = self.files[name]
        start = int(wanted[6:-1]) if wanted and self.ranges else 0
        if start >= len(body):
            return request.send_error(416)
        request.send_response(206 if wanted and self.ranges else 200)
        if wanted and self.ranges:
            shift = 7 if fault == "wrong range" else 0
            request.send_header("Content-Range", f"bytes {start + shift}-{len(body) - 1}/{len(body)}")
        request.send_header("Content-Length", str(len(body) - start))
        request.end_headers()
        body = body[start:]
        request.wfile.write(body[: len(body) // 2] if fault == "break" else body)
        return None


@contextmanager
def serving(mirror: Mirror):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            mirror.answer(self)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/mnist/"
        finally:
            mirror.released.set()
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def fetch(folder: Path, *mirrors: str, timeout: float = 5.0) -> Path:
    return download_mnist(folder, mirrors, files=FILES, timeout=timeout, progress=False)


def assert_complete(folder: Path) -> None:
    """All four files are there and right, and nothing else."""
    assert sorted(path.name for path in folder.iterdir()) == sorted(ZIPPED)
    for name in FILES:
        assert idx.read(folder / f"{name}.gz", name, FILES).size


def refusal(folder: Path, *mirrors: str, timeout: float = 5.0) -> str:
    with pytest.raises(CourseError) as caught:
        fetch(folder, *mirrors, timeout=timeout)
    message = str(caught.value)
    assert str(folder) in message
    assert message.endswith("or go on without: the lessons use scikit-learn's digits.")
    assert "\n" not in message
    return message


def test_all_four_files_arrive_in_a_new_folder(tmp_path):
    with serving(Mirror()) as url:
        assert fetch(tmp_path / "a" / "mnist", url) == tmp_path / "a" / "mnist"
    assert_complete(tmp_path / "a" / "mnist")


def test_default_folder_is_where_digits_look(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    with serving(Mirror()) as url:
        assert download_mnist(mirrors=[url], files=FILES, progress=False) == idx.default_folder()
    assert idx.find_mnist() == tmp_path / "mnist"


def test_default_mirrors_are_two_and_encrypted():
    assert len(MIRRORS) == 2
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in MIRRORS)


def test_right_files_are_not_fetched_again(tmp_path):
    mirror = Mirror()
    (tmp_path / NAMES[1]).write_bytes(CONTENTS[NAMES[1]])  # a raw one is as good
    with serving(mirror) as url:
        fetch(tmp_path, url)
        assert NAMES[1] + ".gz" not in [name for name, _ in mirror.requests]
        mirror.requests.clear()
        fetch(tmp_path, url)
    assert not mirror.requests


def test_wrong_file_is_replaced_only_by_a_right_one(tmp_path):
    wrong = tmp_path / f"{IMAGES}.gz"
    wrong.write_bytes(b"wrong")
    with serving(Mirror(faults={f"{IMAGES}.gz": [404]})) as url:
        refusal(tmp_path, url)
        assert wrong.read_bytes() == b"wrong"
        fetch(tmp_path, url)
    assert_complete(tmp_path)


def test_broken_transfer_goes_on_where_it_broke(tmp_path):
    mirror = Mirror(faults={f"{IMAGES}.gz": ["break"]})
    with serving(mirror) as url:
        fetch(tmp_path, url)
    half = len(ZIPPED[f"{IMAGES}.gz"]) // 2
    assert mirror.requests[:2] == [(f"{IMAGES}.gz", None), (f"{IMAGES}.gz", f"bytes={half}-")]
    assert_complete(tmp_path)


def test_next_call_resumes(tmp_path):
    mirror = Mirror(faults={f"{IMAGES}.gz": ["break", 503]})
    with serving(mirror) as url:
        message = refusal(tmp_path, url)
        assert "503" in message
        assert "kept as .part and will be resumed" in message
        assert not (tmp_path / f"{IMAGES}.gz").exists()
        fetch(tmp_path, url)
    assert mirror.requests[2][1] == mirror.requests[1][1] is not None
    assert_complete(tmp_path)


def test_finished_part_is_put_in_place(tmp_path):
    mirror = Mirror()
    with serving(mirror) as url:
        part = tmp_path / f"{IMAGES}.gz.{url.split('/')[2].replace(':', '_')}.part"
        part.write_bytes(ZIPPED[f"{IMAGES}.gz"])
        fetch(tmp_path, url)
    assert_complete(tmp_path)


def test_mirror_without_ranges_starts_over(tmp_path):
    with serving(Mirror(ranges=False, faults={f"{IMAGES}.gz": ["break"]})) as url:
        fetch(tmp_path, url)
    assert_complete(tmp_path)


def test_mirror_with_wrong_range_is_not_believed(tmp_path):
    with serving(Mirror(faults={f"{IMAGES}.gz": ["break", "wrong range"]})) as url:
        assert "another part of the file" in refusal(tmp_path, url)
        fetch(tmp_path, url)
    assert_complete(tmp_path)


def test_spoilt_part_is_fetched_from_the_start(tmp_path):
    mirror = Mirror()
    with serving(mirror) as url:
        part = tmp_path / f"{IMAGES}.gz.{url.split('/')[2].replace(':', '_')}.part"
        part.write_bytes(b"not what the mirror sent")
        fetch(tmp_path, url)
    assert [wanted for _, wanted in mirror.requests[:2]] == ["bytes=24-", None]
    assert_complete(tmp_path)


def test_second_mirror_takes_over_and_bytes_are_not_mixed(tmp_path):
    first = Mirror(faults={f"{IMAGES}.gz": ["break", 500]})
    second = Mirror(OTHERWISE_ZIPPED)
    with serving(first) as one, serving(second) as two:
        fetch(tmp_path, one, two)
    assert second.requests == [(f"{IMAGES}.gz", None)]
    assert (tmp_path / f"{IMAGES}.gz").read_bytes() == OTHERWISE_ZIPPED[f"{IMAGES}.gz"]
    assert_complete(tmp_path)


SWAPPED = dict(zip(ZIPPED, reversed(ZIPPED.values()), strict=True))
CORRUPT = {name: gzip.compress(CONTENTS[name[:-3]][:-1] + b"\0") for name in ZIPPED}
TRUNCATED = {name: body[:-50] for name, body in ZIPPED.items()}
WEB_PAGE = dict.fromkeys(ZIPPED, b"<html>Please log in</html>")


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        (SWAPPED, f"sent a file that holds the content of {NAMES[3]}"),
        (CORRUPT, "sent a file that is corrupt"),
        (TRUNCATED, "sent a file that is truncated"),
        (WEB_PAGE, "not valid gzip data"),
    ],
)
def test_wrong_content_is_refused_and_leaves_nothing(tmp_path, files, fault):
    with serving(Mirror(files)) as bad, serving(Mirror()) as good:
        message = refusal(tmp_path, bad)
        assert fault in message
        assert f"copy {', '.join(ZIPPED)} into that folder" in message
        assert not list(tmp_path.iterdir())
        fetch(tmp_path, bad, good)
    assert_complete(tmp_path)


def test_each_mirror_is_named_with_its_failure(tmp_path):
    missing = Mirror(faults={f"{IMAGES}.gz": [404]})
    with serving(missing) as one:
        closed = one
    with serving(missing) as two:
        message = refusal(tmp_path, closed, two)
    assert f"{closed.split('/')[2]} could not be reached: Connection refused" in message
    assert f"{two.split('/')[2]} answered 404 Not Found" in message
    assert not list(tmp_path.iterdir())


def test_no_network_is_one_clear_sentence(tmp_path):
    message = refusal(tmp_path, "http://no-such-host.invalid/")
    assert "no-such-host.invalid could not be reached" in message


def test_hanging_mirror_is_left_for_the_next(tmp_path):
    with serving(Mirror(faults={f"{IMAGES}.gz": ["hang"]})) as slow, serving(Mirror()) as good:
        fetch(tmp_path, slow, good, timeout=0.3)
    assert_complete(tmp_path)


def test_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    message = refusal(tmp_path / "file" / "mnist", "http://127.0.0.1:9/")
    assert "cannot be written" in message
    assert "COURSE_DATA" in message


def test_full_disk_is_said(tmp_path, monkeypatch):
    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    really_open = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *a: Full() if path.suffix == ".part" else really_open(path, *a))
    with serving(Mirror()) as url:
        message = refusal(tmp_path, url)
    assert "No space left on device" in message
    assert not (tmp_path / f"{IMAGES}.gz").exists()


def test_progress_is_shown(tmp_path, capsys):
    with serving(Mirror()) as url:
        download_mnist(tmp_path, [url], files=FILES)
    assert f"{IMAGES}.gz: 100%" in capsys.readouterr().err


def test_without_tqdm_progress_is_plain_percentages(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(download, "tqdm", None)
    with serving(Mirror()) as url:
        download_mnist(tmp_path, [url], files=FILES)
        assert f"{IMAGES}.gz: 100%\n" in capsys.readouterr().err
    fetch(tmp_path)
    assert not capsys.readouterr().err


def test_the_download_needs_the_standard_library_only():
    code = "import sys; sys.path.insert(0, sys.argv[1]); from course_lib.data import download; print(download.tqdm)"
    command = [sys.executable, "-I", "-S", "-c", code, Path(download.__file__).parents[2]]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "None\n"

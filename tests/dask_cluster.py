"""A Dask cluster of two real worker processes, for the tests of what runs on one."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


@contextlib.contextmanager
def cluster(folder, *paths):
    """Start a scheduler and two workers that find the kit, and modules in ``paths``; yield its address and these."""
    Client = pytest.importorskip("distributed").Client
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *paths)))}
    about = folder / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": variables, "cwd": folder}
    with contextlib.ExitStack() as stack:

        def begin(command, *options):
            python = [sys.executable, "-W", "ignore", "-m", f"distributed.cli.{command}"]
            process = subprocess.Popen([*python, *options, "--no-dashboard", "--scheduler-file", about], **quiet)
            stack.callback(process.wait, timeout=30)
            stack.callback(process.kill)
            return process

        scheduler = begin("dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        wait_for(about.exists)
        workers = [begin("dask_worker", "--nthreads", "1", "--no-nanny") for _ in range(2)]
        address = json.loads(about.read_text())["address"]
        with Client(address, timeout=60) as client:
            client.wait_for_workers(2, timeout=120)
        yield address, [*workers, scheduler]

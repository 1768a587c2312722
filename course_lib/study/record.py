"""What is written beside the result of a run: with what it was made, how long it took, and about how much energy."""

from __future__ import annotations

import platform
import subprocess
from functools import lru_cache
from typing import Any

from course_lib import __version__
from course_lib.environment import ROOT

# Watts that one busy core draws, in a laptop at the least and in an old server at the most.
CORE = (3.0, 15.0)
IDLE = 0.3  # of its limit: what a graphics card draws that has little to do


def record(seconds: float, device: str) -> dict[str, Any]:
    """Return the columns that every row has beside its configuration and result.

    seconds; device; python, torch, course_lib and processor; commit of the kit, "" where it is not known, with a
    "+" if the library was changed since; wh_low and wh_high: the energy in watt-hours, time times what one core and the
    card draw at the least and at the most. An estimate, not a measurement.
    """
    import torch

    low, high = watts(device)
    hours = seconds / 3600
    return {
        "seconds": round(seconds, 1),
        "device": device_name(device),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "processor": platform.machine(),
        "course_lib": __version__,
        "commit": commit(),
        "wh_low": round(low * hours, 4),
        "wh_high": round(high * hours, 4),
    }


def device_name(device: str) -> str:
    """Return "cpu", or the kind of the device and its maker's name for it."""
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"


@lru_cache(maxsize=4)
def watts(device: str) -> tuple[float, float]:
    """Return the least and the most that one core, and the card if there is one, draw."""
    limit = _ask("nvidia-smi", "--query-gpu=power.limit", "--format=csv,noheader,nounits") if "cuda" in device else ""
    try:
        card = float(limit.splitlines()[0])
    except (IndexError, ValueError):
        card = 0.0
    return CORE[0] + IDLE * card, CORE[1] + card


@lru_cache(maxsize=1)
def commit() -> str:
    """Return the commit of the kit's folder, "" if it is no repository of its own.

    It has a "+" if the library is another one by now. Other files do not count: a table that is under version control
    changes with the first row that a study adds to it.
    """
    if not (ROOT / ".git").exists():
        return ""
    name = _ask("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    changed = name and _ask("git", "-C", str(ROOT), "status", "--porcelain", "--", "course_lib")
    return name + "+" * bool(changed)


def _ask(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""

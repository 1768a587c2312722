"""Linux: a process that has torch loaded and forks a child for each exercise, so that a start takes milliseconds.

It is started from the class edition of the library, holds no answers, and lives in namespaces of its own.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from course_lib.grading import linux
from course_lib.grading.child import forbid, python_folders, serve

MEMORY = 1536 * linux.MIB  # that a child may take on top of the loaded libraries
SECONDS = 120  # of processor time
FILE_SIZE = 8 * linux.MIB
PRIVATE = 32  # MiB of the private folder
GLOBAL = ["/usr/lib", "/usr/lib64", "/usr/share", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache"]
GLOBAL += ["/dev/zero", "/dev/urandom"]


def main(number: str, folder: str, packages: str) -> None:
    """Load ``packages`` (by comma) and fork on request over the socket with this file number.

    A request is one byte: ``f``, with a socket for the child, is answered by one byte; ``e`` ends the child
    and is answered by how it ended, as a number (see ``os.waitstatus_to_exitcode``).
    """
    control = socket.socket(fileno=int(number))
    linux.die_with_parent()
    isolated = linux.leave_namespaces()
    if isolated and os.fork():  # what is forked from here on lives in the new namespaces
        control.close()
        os.wait()
        return
    linux.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's affair
    for package in packages.split(","):
        importlib.import_module(package)
    gc.freeze()  # or the children's garbage collection would copy all that they share
    control.send(b"r")  # ready
    child = 0
    while True:
        try:
            request, files, _, _ = socket.recv_fds(control, 1, 1)
        except OSError:  # the grader was killed
            return
        if not request:
            return
        if request == b"f":
            child = os.fork()
            if not child:
                _become_child(control, files[0], Path(folder), isolated)
            os.close(files[0])
            control.send(b"f")
        else:
            os.kill(child, signal.SIGKILL)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            control.send(status.to_bytes(4, "little", signed=True))


def _become_child(control: socket.socket, file: int, folder: Path, isolated: bool) -> None:
    """Give up everything that graded code has no use for, and serve; never returns."""
    try:
        linux.die_with_parent()
        control.close()
        os.closerange(3, file)
        os.closerange(file + 1, 1024)
        private = isolated and linux.mount_private(folder, PRIVATE)
        os.chdir(folder)
        linux.limit_resources(MEMORY, SECONDS, FILE_SIZE)
        confined = linux.landlock_version() > 0 or (private and linux.show_only(_readable(), folder))
        linux.drop_capabilities()
        linux.restrict_files(_readable(), [Path(os.devnull), *([folder] if private else [])])
        linux.restrict_calls()
        if not confined:
            forbid(_readable(), [])
        serve(Connection(file))
    except BaseException:
        traceback.print_exc()  # of ours: what a student's code writes goes nowhere
    finally:
        os._exit(0)


def _readable() -> list[Path]:
    """Return what a child may read: Python, its packages, and this library, which has no solutions."""
    own = Path(__file__).resolve().parents[2]
    python = python_folders()
    return [own, *python, *(path.resolve() for path in python), *map(Path, GLOBAL)]


if __name__ == "__main__":
    main(*sys.argv[1:])

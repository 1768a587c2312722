"""What Linux can take away from a process: files (Landlock), system calls (seccomp), its view (namespaces).

Every step needs no privilege, cannot be undone by the process, and says whether this system has it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import struct
from collections.abc import Iterable
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
MIB = 2**20


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    _libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)


def leave_namespaces() -> bool:
    """Move into new user, mount, network, process and IPC namespaces; say whether this system permits it.

    Processes that are forked from now on see no other processes and have no network.
    """
    uid, gid = os.getuid(), os.getgid()
    if _libc.unshare(NEWUSER | NEWNS | NEWNET | NEWPID | NEWIPC):
        return False
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    private = 0x44000  # MS_REC | MS_PRIVATE: what is mounted here stays here
    return _libc.mount(b"none", b"/", None, private, None) == 0


def mount_private(folder: Path, mebibytes: int) -> bool:
    """Put an empty file system of a limited size over ``folder``, for this process only."""
    if _libc.unshare(NEWNS):
        return False
    options = f"size={mebibytes}m,nr_inodes=1000,mode=700".encode()
    return _libc.mount(b"none", os.fsencode(folder), b"tmpfs", 6, options) == 0  # no set-uid, no devices


def limit_resources(memory: int, seconds: int, file_size: int) -> None:
    """Limit memory (bytes on top of what is in use), processor time, files, and core dumps."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = {
        resource.RLIMIT_AS: pages * resource.getpagesize() + memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: file_size,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
    }
    for name, value in limits.items():
        hard = resource.getrlimit(name)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (value, value))


def drop_capabilities() -> None:
    """Give up all capabilities, those of a namespace's root too."""
    header, none = struct.pack("<Ii", 0x20080522, 0), struct.pack("<6I", *[0] * 6)
    _libc.capset(header, none)
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


# --- Landlock: which files --------------------------------------------------------------------------------

READ = 1 << 0 | 1 << 2 | 1 << 3  # execute (as a library), read a file, list a folder
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # version of Landlock -> how many rights it knows


def restrict_files(readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Allow nothing but reading beneath ``readable``, and everything beneath ``writable``; say whether it holds.

    Landlock: https://docs.kernel.org/userspace-api/landlock.html. Where it is new enough, TCP connections and
    signals to other processes are forbidden as well.
    """
    create, add_rule, restrict = 444, 445, 446
    version = _libc.syscall(create, None, 0, 1)
    if version < 1:
        return False
    everything = (1 << FILE_RIGHTS.get(version, 16)) - 1
    tcp, scopes = (3 if version >= 4 else 0), (3 if version >= 6 else 0)
    rules = struct.pack("<QQQ", everything, tcp, scopes)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _libc.syscall(create, rules, len(rules), 0)
    if ruleset < 0:
        return False
    for paths, rights in ((readable, READ), (writable, everything)):
        for path in paths:
            try:
                file = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue  # what is not there cannot be read
            allowed = rights if path.is_dir() else rights & (1 << 1 | 1 << 2 | 1 << 14)  # write, read, truncate
            _libc.syscall(add_rule, ruleset, 1, struct.pack("<Qi", allowed, file), 0)
            os.close(file)
    done = _libc.syscall(restrict, ruleset, 0) == 0
    os.close(ruleset)
    return done


# --- seccomp: which system calls --------------------------------------------------------------------------

# Forbidden on x86_64 and on aarch64: programs, other processes, the network, memory that no limit counts,
# and whatever a function on numbers has no use for.
FORBIDDEN = {
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "fork": (57, None), "vfork": (58, None),
    "execve": (59, 221), "execveat": (322, 281), "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438), "ptrace": (101, 117), "kcmp": (312, 272),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "setns": (308, 268),
    "unshare": (272, 97), "bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "io_uring_setup": (425, 425),
    "personality": (135, 92), "init_module": (175, 105), "finit_module": (313, 273), "kexec_load": (246, 104),
    "reboot": (169, 142), "memfd_create": (319, 279), "shmget": (29, 194), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180), "sched_setaffinity": (203, 122), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "sched_setattr": (314, 274), "setpriority": (141, 140),
    "ioprio_set": (251, 30), "migrate_pages": (256, 238), "move_pages": (279, 239),
}  # fmt: skip
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
CLONE, CLONE3, PRLIMIT, FCNTL = (56, 220), (435, 435), (302, 261), (72, 25)

LOAD, EQUAL, ATLEAST, ANYBIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # of the packet filter's instructions
ALLOW, REFUSE, ABSENT, KILL = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 0x80000000


def restrict_calls() -> bool:
    """Forbid the system calls in `FORBIDDEN` and new processes (threads are allowed); say whether it holds."""
    if platform.machine() not in MACHINES:
        return False
    column, architecture = MACHINES[platform.machine()]
    low = [16 + 8 * i for i in range(3)]  # the lower halves of the arguments
    program = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    program += [(ATLEAST, 0, 1, 0x40000000), (RETURN, 0, 0, REFUSE)]  # the calls of a second, smaller ABI
    for numbers in FORBIDDEN.values():
        if numbers[column] is not None:
            program += [(EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, REFUSE)]
    program += [(EQUAL, 0, 1, CLONE3[column]), (RETURN, 0, 0, ABSENT)]  # the C library then uses clone
    # A clone that is no thread; another process's limits; signals by way of a file's owner.
    program += [(EQUAL, 0, 3, CLONE[column]), (LOAD, 0, 0, low[0]), (ANYBIT, 1, 0, 0x10000), (RETURN, 0, 0, REFUSE)]
    program += [(LOAD, 0, 0, 0), (EQUAL, 0, 3, PRLIMIT[column]), (LOAD, 0, 0, low[0])]
    program += [(EQUAL, 1, 0, 0), (RETURN, 0, 0, REFUSE), (LOAD, 0, 0, 0), (EQUAL, 0, 4, FCNTL[column])]
    program += [(LOAD, 0, 0, low[1]), (EQUAL, 1, 0, 8), (EQUAL, 0, 1, 15), (RETURN, 0, 0, REFUSE)]
    program += [(RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return _libc.prctl(PR_SET_SECCOMP, 2, header, 0, 0) == 0

"""What Linux can take away from a process: files (Landlock), system calls (seccomp), its view (namespaces).

Every step needs no privilege, cannot be undone by the process, and says whether this system has it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import resource
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
REMOUNT, BIND, RECURSIVE = 0x20, 0x1000, 0x4000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
MIB = 2**20


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    _libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)


def leave_namespaces() -> bool:
    """Move into new user, mount, network, process and IPC namespaces; say whether this system permits it.

    Processes that are forked from now on see no other processes and have no network.
    """
    return permits_namespaces() and _leave()


def permits_namespaces() -> bool:
    """Try it in a process of its own: some systems let one leave that can then do nothing any more."""
    child = os.fork()
    if not child:
        with contextlib.suppress(OSError):
            os._exit(0 if _leave() else 1)
        os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _leave() -> bool:
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


def show_only(readable: Iterable[Path], folder: Path) -> bool:
    """Make ``folder``, a private file system, all that this process sees, with ``readable`` in it.

    What is readable cannot be written. For systems that have namespaces and no Landlock.
    """
    for path in sorted({*readable, Path(os.devnull)}):
        if not path.exists():
            continue
        here = folder / path.relative_to("/")
        if path.is_dir():
            here.mkdir(parents=True, exist_ok=True)
        elif not here.exists():
            here.parent.mkdir(parents=True, exist_ok=True)
            here.touch()
        flags = os.statvfs(path).f_flag  # of a mount as it is: what it forbids, as no set-uid, stays forbidden
        flags = BIND | REMOUNT | (flags & 0xC0F) | (flags & 0x1000) << 9 | (path != Path(os.devnull))  # 1: read only
        if _libc.mount(os.fsencode(path), os.fsencode(here), None, BIND | RECURSIVE, None):
            return False
        if _libc.mount(None, os.fsencode(here), None, flags, None):
            return False
    (folder / folder.relative_to("/")).mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    if _libc.pivot_root(b".", b".") or _libc.umount2(b".", 2):  # 2: when nothing uses it any more
        return False
    os.chdir(folder)
    return True


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
    with contextlib.suppress(OSError):  # where memory runs out, it is this process that must end
        Path("/proc/self/oom_score_adj").write_text("1000")
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # a core dump that is piped to a program knows no limit


def drop_capabilities() -> None:
    """Give up all capabilities, those of a namespace's root too."""
    header, none = struct.pack("<Ii", 0x20080522, 0), struct.pack("<6I", *[0] * 6)
    _libc.capset(header, none)
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


# --- Landlock: which files --------------------------------------------------------------------------------

READ = 1 << 0 | 1 << 2 | 1 << 3  # execute (as a library), read a file, list a folder
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # version of Landlock -> how many rights it knows


def landlock_version() -> int:
    """Return what Landlock can do here; less than 1 where there is none."""
    return _libc.syscall(444, None, 0, 1)


def restrict_files(readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Allow nothing but reading beneath ``readable``, and everything beneath ``writable``; say whether it holds.

    Landlock: https://docs.kernel.org/userspace-api/landlock.html. Where it is new enough, TCP connections and
    signals to other processes are forbidden as well.
    """
    create, add_rule, restrict = 444, 445, 446
    version = landlock_version()
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

# Forbidden on x86_64 and on aarch64: programs, processes and threads, the network, memory that no limit counts,
# the modes and times of files (which Landlock lets pass), and whatever a function on numbers has no use for.
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
    "ioprio_set": (251, 30), "migrate_pages": (256, 238), "move_pages": (279, 239), "clone": (56, 220),
    "socketpair": (53, 199), "memfd_secret": (447, 447), "truncate": (76, 45), "chmod": (90, None),
    "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None), "lchown": (94, None),
    "fchown": (93, 55), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None), "futimesat": (261, None),
    "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "setxattrat": (463, 463),
    "removexattrat": (466, 466), "file_setattr": (469, 469), "inotify_init": (253, None), "inotify_init1": (294, 26),
    "fanotify_init": (300, 262), "mknod": (133, None), "mknodat": (259, 33), "splice": (275, 76),
    "tee": (276, 77), "vmsplice": (278, 75),
}  # fmt: skip
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
UNKNOWN = ((435, 435), (437, 437))  # clone3, openat2: their arguments cannot be seen; the C library has others
# Forbidden if the argument with this number is, as far as the mask goes, one of these values: signals by way of
# a file's owner (fcntl, ioctl); outliving the grader, and core dumps (prctl); emptying a file that one may only
# read (open, openat).
SOMETIMES = (
    ((72, 25), 1, 0xFFFFFFFF, (8, 10, 15)), ((16, 29), 1, 0xFFFFFFFF, (0x8901, 0x8902)),
    ((157, 167), 0, 0xFFFFFFFF, (1, 4)), ((2, None), 1, 0x203, (0x200,)), ((257, 56), 2, 0x203, (0x200,)),
)  # fmt: skip
PRLIMIT = (302, 261)

LOAD, AND, EQUAL, ATLEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06  # of the packet filter's instructions
ALLOW, REFUSE, ABSENT, KILL = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 0x80000000


def restrict_calls() -> bool:
    """Forbid the system calls in `FORBIDDEN`, and those in `SOMETIMES` then; say whether it holds."""
    if platform.machine() not in MACHINES:
        return False
    column, architecture = MACHINES[platform.machine()]
    low = [16 + 8 * i for i in range(3)]  # the lower halves of the arguments
    program = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    program += [(ATLEAST, 0, 1, 0x40000000), (RETURN, 0, 0, REFUSE)]  # the calls of a second, smaller ABI
    for numbers in FORBIDDEN.values():
        if numbers[column] is not None:
            program += [(EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, REFUSE)]
    program += [step for one in UNKNOWN for step in ((EQUAL, 0, 1, one[column]), (RETURN, 0, 0, ABSENT))]
    for numbers, argument, mask, values in SOMETIMES:
        if numbers[column] is not None:
            test = [(LOAD, 0, 0, low[argument]), (AND, 0, 0, mask)]
            test += [step for value in values for step in ((EQUAL, 0, 1, value), (RETURN, 0, 0, REFUSE))]
            program += [(EQUAL, 0, len(test) + 1, numbers[column]), *test, (LOAD, 0, 0, 0)]
    program += [(EQUAL, 0, 3, PRLIMIT[column]), (LOAD, 0, 0, low[0])]  # limits of another process than this
    program += [(EQUAL, 1, 0, 0), (RETURN, 0, 0, REFUSE)]
    return filter_calls([*program, (RETURN, 0, 0, ALLOW)])


def filter_calls(program: Sequence[tuple[int, int, int, int]]) -> bool:
    """Let this program of the kernel's packet filter decide on every system call from now on."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return _libc.prctl(PR_SET_SECCOMP, 2, header, 0, 0) == 0

"""The hostile zoo: what a student who knows the grader's source might hand in, for test_hostile.py.

Each attack stands in the cell of exercise 07.3, of a notebook that solves 07.2; where it falls through, it
returns its input, which is a wrong answer. $SUBMISSIONS and the like are paths of the class it is handed in to.
"""

import copy
import json
import os
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Member:
    """says: words of its feedback; points: what its student gets."""

    name: str
    says: str
    points: float
    write: Callable[[Path, dict], None]  # hands it in, made from a notebook that solves 07.2 and 07.3


HELPERS = """
def send(data, size=None):
    import os, stat
    for number in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                os.write(number, (len(data) if size is None else size).to_bytes(4, "big") + data)
        except OSError:
            pass

def forge(*row):
    from course_lib.grading.plain import encode
    send(encode(list(row)))

def everything():
    import gc
    for thing in gc.get_objects():
        yield thing
        yield from gc.get_referents(thing)
"""

ATTACKS = """
## a loop without end | longer than 10 seconds
while True:
    pass
## a loop that swallows every interrupt | longer than 10 seconds
import time
while True:
    try:
        time.sleep(1)
    except BaseException:
        pass
## a loop in C with all signals blocked | longer than 10 seconds
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
signal.alarm(0)
sum(iter(int, 1))
## an answer that comes in drips | longer than 10 seconds
import time
send(b"", size=1_000_000)
while True:
    send(b"", size=0)
    time.sleep(0.01)
## an answer that is announced and never comes | longer than 10 seconds
import time
send(b"", size=60_000_000)
time.sleep(1000)
## os._exit | exit status 7
import os
os._exit(7)
## sys.exit | SystemExit
import sys
sys.exit(0)
## KeyboardInterrupt | KeyboardInterrupt
raise KeyboardInterrupt
## a fork bomb | Operation not permitted
import os
while True:
    os.fork()
## a thread bomb | can&#x27;t start new thread
import _thread
_thread.stack_size(32768)
lock = _thread.allocate_lock()
lock.acquire()
while True:
    _thread.start_new_thread(lock.acquire, ())
## 50 GB at once | MemoryError
bytearray(50 << 30)
## 50 GB bit by bit | emory
held = []
while True:
    held.append(bytearray(1 << 20))
## 50 GB as a tensor | allocate memory
torch.ones(50 << 28)
## gigabytes of output | printed more than 1,000,000 characters
while True:
    print("x" * 1000)
## gigabytes of output past Python | all written
import os
for _ in range(3000):
    os.write(1, bytes(1 << 20)), os.write(2, bytes(1 << 20))
raise SystemError("all written")
## a file that fills the disk | File too large
with open("big", "wb") as file:
    while True:
        file.write(bytes(1 << 20))
## files that fill the disk | No space left
for i in range(10_000):
    with open(f"big{i}", "wb") as file:
        file.write(bytes(1 << 20))
## a syntax error | is not Python
return q return
## parentheses without end | is not Python
return BRACKETS
## an answer that equals everything | an object of type Equal
class Equal:
    __hash__ = None
    __eq__ = __lt__ = __gt__ = __bool__ = lambda *_: True
return Equal()
## patched comparisons | the numbers are not yet
import doctest, math, numpy, torch
import course_lib.grading.judge as judge
from course_lib.grading import check
for thing, name in ((numpy, "allclose"), (torch, "allclose"), (torch, "equal"), (math, "isclose"), (check, "points"),
                    (judge, "find_fault"), (judge, "judge"), (doctest, "testmod"), (numpy, "isfinite")):
    setattr(thing, name, lambda *a, **k: True)
## a patched child that claims to have passed | interfered
import course_lib.grading.child as child
child._row = lambda outcome: ["passed", 4.0, "", 0, False]
## a patched json | interfered
import json
json.dumps = lambda *a, **k: "passed"
## a forged answer before the true one | must be
forge("answer", q, "", 0, False)
## forged garbage | interfered
send(b"garbage")
## a forged count of infinity | interfered
forge("answer", q, "", float("inf"), False)
## a forged tensor for yes or no | interfered
forge("answer", q, "", 0, torch.ones(3))
## a forged whole number without end | interfered
import json
text = json.dumps(["answer", 10**400, "", 0, False]).replace("[", '{"list": [').replace("]", "]}").encode()
send(len(text).to_bytes(8, "little") + text)
## a forged message of 60 MB of lists | interfered
text = b"[" + b"[]," * 20_000_000 + b"[]]"
send(len(text).to_bytes(8, "little") + text)
## a forged length below zero | interfered
send(b"", size=2**32 - 5)
## the connection closed | ended its process
import os
os.closerange(3, 64)
## its points as the answer | it must return
return {"status": "passed", "points": 4.0, "maximum": 1e9}
## full marks as nbgrader takes them | one number
import numpy
return numpy.float64(1.0)
## a generator | an object of type generator
return (weight for weight in q)
## NaN | There is NaN
return q * float("nan")
## a huge array | MiB are allowed
return torch.ones(2**26)
## a bomb for pickle | an object of type Bomb
class Bomb:
    def __reduce__(self):
        return __import__("os").system, ("touch $HOME/marker",)
return Bomb()
## an object that says it is a tensor | it must return
class Spoof:
    __class__ = torch.Tensor
    __len__ = __iter__ = __array__ = __torch_function__ = lambda *a: 1 / 0
return Spoof()
## a tensor of a class of its own | exit status 5
class Own(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *a, **k):
        import os
        os._exit(5)
return q.as_subclass(Own)
## a tensor without numbers | that cannot be read
return q.to("meta")
## a whole number without end | whole number of more than 18 digits
return 10**5000
## lists in lists without end | lists in lists without end
lists = []
lists.append(lists)
return lists
## a list without end | more than 20,000 items
return [0] * 10**6
## the input changed | changes its input
answer = q.clone()
losses.zero_()
return answer
## other students by ../ | Permission denied
import os
os.listdir("..")
## a neighbour's notebook | Permission denied
return open("$SUBMISSIONS/a_honest/07_bias_mitigation.ipynb").read()
## the secret of the release | Permission denied
return open("$TEACHER/release.json").read()
## the solutions by import | ModuleNotFoundError
from course_lib.mitigation.exercises import weights
return weights.update_weights(q, losses, group)
## the solutions by path | Permission denied
import runpy
return runpy.run_path("$ROOT/course_lib/mitigation/exercises/weights.py")["update_weights"](q, losses, group)
## the solutions in the teacher's checkout | ModuleNotFoundError
import importlib, sys
sys.path.insert(0, "$ROOT")
for name in [name for name in sys.modules if name.startswith("course_lib")]:
    del sys.modules[name]
importlib.invalidate_caches()
return importlib.import_module("course_lib.mitigation.exercises.weights").update_weights(q, losses, group)
## the memory searched for answers | nothing to be found
from course_lib.grading.sheet import Answer, Sheet
secret = "$TERCES"[::-1]
for thing in everything():
    if isinstance(thing, (Answer, Sheet)) or (type(thing) is str and secret in thing and thing is not secret):
        raise SystemError("found")
raise LookupError("nothing to be found")
## the stack searched for answers | nothing to be found
import sys
frame, names = sys._getframe(), set()
sys.settrace(lambda frame, *_: names.update(frame.f_locals))
while frame := frame.f_back:
    names |= frame.f_locals.keys() | frame.f_globals.keys()
sys.settrace(None)
raise LookupError("nothing to be found" if not names & {"expected", "sheet", "want", "secret", "key"} else names)
## the grader's memory | Permission denied
import os
return open(f"/proc/{os.getppid()}/mem", "rb").read(1)
## a socket | Operation not permitted
import socket
socket.create_connection(("127.0.0.1", 80), timeout=1)
## a pair of sockets, to write to a service's own | Operation not permitted
import socket
socket.socketpair(type=socket.SOCK_DGRAM)[0].sendto(b"x", "/run/systemd/notify")
## the grade book | Permission denied
open("$OUT/grades.csv", "a").write("me,4,4,4,4,5\\n")
## files everywhere | nowhere
import os
for folder in ("$SUBMISSIONS", "$OUT", "$TEACHER", "$HOME", "$ROOT", "/tmp", "/var/tmp", "/dev/shm", "/"):
    for make in (lambda path: open(path, "w"), os.mkdir, lambda path: os.symlink("/", path), os.mkfifo):
        try:
            make(f"{folder}/marker-$TERCES")
        except OSError:
            continue
        raise SystemError(folder)
raise OSError("nowhere")
## the neighbours removed | Permission denied
import os
os.remove("$SUBMISSIONS/a_honest/07_bias_mitigation.ipynb")
## the neighbours made unreadable | Operation not permitted
import os
os.chmod("$SUBMISSIONS/z_honest/07_bias_mitigation.ipynb", 0)
## the results made unwritable | Operation not permitted
import os
os.chmod("$OUT/records", 0)
## the neighbours cut to nothing | Operation not permitted
import os
os.truncate("$SUBMISSIONS/z_honest/07_bias_mitigation.ipynb", 0)
## the grader's Python emptied | not permitted
import os, torch
os.open(torch.__file__, os.O_RDONLY | os.O_TRUNC)
## the grader killed | Operation not permitted
import os, signal
os.kill(os.getppid(), signal.SIGKILL)
## everybody killed | Operation not permitted
import os, signal
os.kill(-1, signal.SIGKILL)
## the grader killed by its limits | Operation not permitted
import os, resource
resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))
## the grader killed by a signal for input | Operation not permitted
import errno, fcntl, os, stat, struct
for number in range(3, 64):
    for own in (lambda n: fcntl.fcntl(n, fcntl.F_SETOWN, os.getppid()),
                lambda n: fcntl.ioctl(n, 0x8901, struct.pack("i", os.getppid()))):
        try:
            own(number)
        except OSError as error:
            if error.errno == errno.EPERM:
                refused = error
        else:
            raise SystemError("it is set")
raise refused
## a program | Operation not permitted
import subprocess
subprocess.run(["touch", "$HOME/marker"])
## memory that no limit counts | Operation not permitted
import os
os.memfd_create("x")
## limits lifted | not allowed to raise
import resource
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
## a segmentation fault | segmentation fault
import ctypes
ctypes.string_at(0)
## recursion without a limit | process crashed
import sys
sys.setrecursionlimit(10**9)
one = other = []
for _ in range(5 * 10**5):
    one, other = [one], [other]
one == other
## an error that is a web page | &lt;script&gt;
raise ValueError("<script>alert(1)</script>")
## an error without a text | cannot be shown
class Silent(Exception):
    def __str__(self):
        raise SystemExit
raise Silent
## an error with a text without end | ValueError: xxx
raise ValueError("x" * 10**8)
## no function any more | is not a function
update_weights = type("Weights", (), {"def": None})()
## a process that ends when it is loaded | exit status 9
END = __import__("os")._exit(9)
def update_weights(q, losses, group):
    return END
"""


def _attack(text: str) -> Member:
    heading, _, body = text.partition("\n")
    name, _, says = heading.partition(" | ")
    whole = re.search(r"^(def )?update_weights\b", body, re.MULTILINE)
    body = body.replace("BRACKETS", "(" * 5000 + ")" * 5000)
    source = body if whole else f"def update_weights(q, losses, group):\n{textwrap.indent(body, '    ')}\n    return q"

    def write(path: Path, notebook: dict) -> None:
        stub = cell_of(notebook, "07.3")
        stub["source"] = source
        notebook["cells"].insert(notebook["cells"].index(stub), code(HELPERS))
        save(path, notebook)

    return Member(name, says.strip(), 4.0, write)


def cell_of(notebook: dict, id: str) -> dict:
    """Return the cell of an exercise."""
    return next(c for c in notebook["cells"] if c["metadata"].get("course_lib", {}).get("exercise") == id)


def at(data: bytes, places: dict[str, object]) -> bytes:
    """Return a notebook with the class's own paths in it."""
    for key, path in places.items():
        data = data.replace(f"${key}".encode(), str(path).encode())
    return data


def code(source: object) -> dict:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None, "id": "x"}


def save(path: Path, notebook: object) -> None:
    path.write_text(json.dumps(notebook), "utf-8")


ZOO: list[Member] = [_attack(text.strip("\n")) for text in ("\n" + ATTACKS).split("\n## ")[1:]]


def member(name: str, says: str, points: float = 0.0) -> Callable:
    """Add a function that writes a file to the zoo; a notebook that can be read keeps what it solves."""

    def add(write: Callable[[Path, dict], None]) -> Callable:
        ZOO.append(Member(name, says, points, lambda path, notebook: write(path, copy.deepcopy(notebook))))
        return write

    return add


@member("not JSON", "not JSON")
def _(path, notebook):
    path.write_text("print('hello')")


@member("an empty file", "is empty")
def _(path, notebook):
    path.touch()


@member("cut off", "cut off")
def _(path, notebook):
    path.write_text(json.dumps(notebook)[:5000])


@member("JSON in JSON without end", "cut off or not JSON")
def _(path, notebook):
    path.write_text('{"cells": ' + "[" * 10**6 + "]" * 10**6 + "}")


@member("200 MB", "200 MiB")
def _(path, notebook):
    save(path, notebook)
    os.truncate(path, 200 * 2**20)


@member("a link to a neighbour", "is a link")
def _(path, notebook):
    path.symlink_to(path.parents[1] / "a_honest" / path.name)


@member("a link to /etc/passwd", "is a link")
def _(path, notebook):
    path.symlink_to("/etc/passwd")


@member("a link to a neighbour's folder", "is a link")
def _(path, notebook):
    path.symlink_to(path.parents[1] / "a_honest", target_is_directory=True)


@member("a pipe", "no file")
def _(path, notebook):
    os.mkfifo(path)


@member("no UTF-8", "not UTF-8")
def _(path, notebook):
    path.write_bytes(b'{"cells": "\xff\xfe\xfd"}')


@member("cells that are no list", "has no cells")
def _(path, notebook):
    save(path, {**notebook, "cells": {"0": notebook["cells"]}})


@member("none of the functions", "none of the functions")
def _(path, notebook):
    save(path, {"cells": [code("print(1)")], "metadata": {"course_lib": [1]}})


@member("cells and sources of any type", "passed", points=8)
def _(path, notebook):
    strange = [*map(code, (5, [1, None, ["x"]], {"a": 1}, "\ud800")), 7, None, "cell", {}, {"cell_type": "code"}]
    save(path, {**notebook, "cells": strange + notebook["cells"] + strange, "nbformat": "4"})


@member("20,000 cells", "passed", points=8)
def _(path, notebook):
    save(path, {**notebook, "cells": [code(f"x{i} = {i}") for i in range(20_000)] + notebook["cells"]})


@member("names that need each other without end", "cannot be read")
def _(path, notebook):
    chain = "\n".join(f"x{i} = x{i + 1}" for i in range(30_000))
    cell_of(notebook, "07.3")["source"] += f"\n{chain}\nx30000 = update_weights\nupdate_weights = x0"
    save(path, notebook)


@member("checks deleted", "passed", points=8)
def _(path, notebook):
    save(path, {**notebook, "cells": [c for c in notebook["cells"] if not str(c["source"]).startswith("check(")]})


@member("checks edited", "passed", points=8)
def _(path, notebook):
    for cell in notebook["cells"]:
        if str(cell["source"]).startswith("check("):
            cell["source"] = 'check = lambda *a: print("4 of 4 points")\nimport os; os._exit(0)'
    save(path, notebook)


@member("every cell twice", "passed", points=8)
def _(path, notebook):
    save(path, {**notebook, "cells": [cell for cell in notebook["cells"] for _ in range(2)]})


@member("the right function and then a wrong one", "the numbers are not yet", points=4)
def _(path, notebook):
    save(path, {**notebook, "cells": [*notebook["cells"], code("def update_weights(q, losses, group):\n    return q")]})


@member("the function renamed", "There is no function update_weights", points=4)
def _(path, notebook):
    cell = cell_of(notebook, "07.3")
    cell["source"] = cell["source"].replace("update_weights", "new_weights")
    save(path, notebook)


@member("a syntax error in another cell", "passed", points=8)
def _(path, notebook):
    save(path, {**notebook, "cells": [code("def ("), *notebook["cells"], code("x = = 1")]})


@member("the notebook's own language", "passed", points=8)
def _(path, notebook):
    cell = cell_of(notebook, "07.3")
    cell["source"] = "%time\n!rm -rf $HOME\n" + cell["source"] + "\n?update_weights"
    save(path, {**notebook, "cells": [code("%%bash\nrm -rf ~"), *notebook["cells"]]})


@member("an input transformer", "passed", points=8)
def _(path, notebook):
    hook = "ip = get_ipython()\nip.input_transformers_cleanup.append(lambda lines: ['check = print'])\n%load_ext x"
    save(path, {**notebook, "cells": [code(hook), *notebook["cells"]]})


@member("the release of somebody else", "another edition", points=8)
def _(path, notebook):
    save(path, {**notebook, "metadata": {"course_lib": {"release": "<b>" * 10**6, "points": 100}}})

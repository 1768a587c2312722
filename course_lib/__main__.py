"""``python -m course_lib <command>``: starts with nothing but Python, and says so if that is too old.

Only this file and the package's ``__init__`` are read by an old Python, so both must parse there.
"""

import sys

if sys.version_info < (3, 11):
    sys.stderr.write(
        "The course needs Python 3.11 or later, and this is Python %d.%d: install a newer one from "
        "https://www.python.org/downloads/ and start the same command with it.\n" % sys.version_info[:2]
    )
    sys.exit(1)

if not __package__:  # started as a folder: python /path/to/course_lib
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from course_lib.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

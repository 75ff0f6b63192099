"""The program `tme`, which comes with the package: `tme` and `python -m tme` are replaced by it."""

import os
import signal
import sys

from . import _core


def main() -> None:
    program = os.path.join(os.path.dirname(_core.__file__), "bin", "tme")
    # The interpreter ignores these, and what is ignored stays so in the program.
    for name in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(name, signal.SIG_DFL)
    os.execv(program, ["tme", *sys.argv[1:]])


if __name__ == "__main__":
    main()

"""The command line as a machine of a fleet calls it: it ends, as by Ctrl-C, with the process that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from harness.cli import main

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def _end_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it has died before
        sys.exit(1)


if __name__ == "__main__":
    _end_with(int(sys.argv.pop(1)))
    sys.argv[0] = "harness"
    main()

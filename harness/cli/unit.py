"""The command line as a machine of a fleet calls it: it ends with the process that started it."""

from __future__ import annotations

import sys

from harness.cli import main
from harness.fleet.lifetime import end_with

if __name__ == "__main__":
    end_with(int(sys.argv.pop(1)))
    sys.argv[0] = "harness"
    main()

"""How long `harness --help` takes, beside programs that people know, interleaved in one run.

    python -m tests.benchmarks.startup

Prints the median of each, and the ratio to `pytest --version` within a round. `llm --help` takes part where it is
installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "harness --help": ["-m", "harness", "--help"],
    "pytest --version": ["-m", "pytest", "--version"],
    "llm --help": ["-m", "llm", "--help"],
}
UNIT = "pytest --version"


def seconds(arguments: list[str]) -> float:
    """Of one run."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    wanted = {
        name: arguments
        for name, arguments in COMMANDS.items()
        if arguments[0] != "-m" or importlib.util.find_spec(arguments[1])
    }
    taken: dict[str, list[float]] = {name: [] for name in wanted}
    generator = random.Random(0)
    for turn in range(asked.rounds + 1):
        for name in generator.sample(sorted(wanted), len(wanted)):
            took = seconds(wanted[name])
            if turn:  # the first round fills the caches of the system
                taken[name].append(took)
    for name, each in taken.items():
        ratio = statistics.median(one / unit for one, unit in zip(each, taken[UNIT], strict=True))
        print(f"{name:18} {statistics.median(each) * 1e3:6.0f} ms   {ratio:.2f} times as long as {UNIT}")


if __name__ == "__main__":
    main()

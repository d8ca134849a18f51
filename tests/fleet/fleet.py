"""A fleet on this machine: a Dask scheduler and workers as processes of their own, each with a cache and a lock of its own."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import yaml

from tests import vega_script, warm

if TYPE_CHECKING:
    from pathlib import Path

RACE = """
def looped(n):
    total = 0
    for each in range(n + 200):
        total += each & 1
    return total


def jumping(n):
    total = 0
    for each in range(4 * n):
        total += each & 1
    return (n + 200) // 2
"""
HOW = {"launches": 2, "rounds": 2, "min_sample_seconds": 0.0002, "latency_calls": 3, "max_warm_up_seconds": 0.05}


def written(folder: Path, **more) -> Path:
    """A suite of two functions in a file beside it, which takes a few seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pair.py").write_text(RACE)
    suite = {
        "name": "pair",
        "sizes": {"from": 24, "to": 240, "points": 2},
        "contenders": {
            "looped": {"function": "pair.py:looped"},
            "jumping": {"function": "pair.py:jumping"},
        },
        "races": [{"name": "pair", "baseline": "looped", "challenger": "jumping"}],
        "measurement": {**HOW, "self_check": False},
        "search": {"budget_samples": 24, "regret": False},
        **more,
    }
    path = folder / "pair.yaml"
    path.write_text(yaml.safe_dump(suite))
    return path


def started(words, environment, until):
    """A command as a process of its own, once it has printed what the pattern finds; and what that is."""
    process = warm.opened(
        [sys.executable, "-P", "-u", "-m", "harness", "fleet", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    printed = ""
    for line in process.stdout:
        printed += line
        if found := re.search(until, line):
            return process, found[1]
    process.wait()
    raise AssertionError(f"{words} left with {process.returncode}: {printed}")


class Fleet:
    """A scheduler and its workers, which can be killed and started again. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.workers, self.port = folder, {}, 0
        self.start_scheduler()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def environment(self, name: str) -> dict[str, str]:
        """Of a worker: what makes one machine two."""
        return {**self.environment_in(self.folder, name), "MALLOC_TRIM_THRESHOLD_": "65536"}

    @staticmethod
    def environment_in(folder: Path, name: str) -> dict[str, str]:
        """Where a machine keeps what is its own."""
        return {"HARNESS_CACHE": str(folder / name / "cache"), "HARNESS_LOCK": str(folder / name / "turn.lock")}

    def start_scheduler(self) -> None:
        self.scheduler, port = started(["up", "--port", str(self.port)], {}, r"scheduler at tcp://\S+?:(\d+)")
        self.port = int(port)

    def start_worker(self, name: str) -> None:
        vega_script.put(self.folder / name / "cache")
        words = ["worker", self.address, "--name", name]
        self.workers[name], _ = started(words, self.environment(name), "(is lent to)")

    def runs(self, name: str) -> list[Path]:
        """The folders of runs on a machine."""
        return sorted(self.folder.glob(f"{name}/cache/fleet/runs/*/run"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in (*self.workers.values(), self.scheduler):
            with contextlib.suppress(ProcessLookupError):
                each.kill()
            each.wait()
            each.stdout.close()

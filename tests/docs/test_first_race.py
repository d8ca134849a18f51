"""A newcomer's first race, as it stands in the tutorial, says where numpy.sum begins to lead.

It is typed as it stands, with a budget of samples and a launch less, which every machine is through with in seconds: then it
says between which n.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

from tests import warm

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## A first race") : PAGE.index("## Inputs off the clock")]


SHORTER = {"launches": 2, "budget": 160}


def assert_it_is_told(printed):
    answered = r"numpy\.sum is faster above about n = ([\d,]+) \(95 % CI ([\d,]+) to ([\d,]+)\)"
    bounded = (
        r"the budget of 160 samples (?:is spent|leaves nothing to confirm with); a crossover, if any, lies between "
    )
    text = " ".join(printed.split())
    told = re.search(answered, text) or re.search(bounded + r"(?:N|n) = ([\d,]+) and ([\d,]+)", text)
    assert told, printed
    assert all(1 <= int(each.replace(",", "")) <= 300 for each in told.groups()), told[0]


def test_one_line_for_the_shell(tmp_path):
    (line,) = re.findall(r"```console\n(.*)\n```", SECTION)
    program, *arguments = shlex.split(line)
    assert program == "harness"
    place = arguments.index("--seconds") + 1
    assert float(arguments[place]) <= 60  # bounds all of it, which tests/run/test_failures.py holds it to
    shorter = [word for name, count in SHORTER.items() for word in (f"--{name}", str(count))]
    done = warm.ran([sys.executable, "-m", "harness", *arguments, *shorter], cwd=tmp_path, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_it_is_told(done.stdout)


def test_five_lines_for_a_notebook(tmp_path):
    (code,) = re.findall(r"```py\n(.*?)```", SECTION, flags=re.DOTALL)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 5
    assert "launches=3" in code
    assert "seconds=60" in code
    shorter = code.replace("launches=3", ", ".join(f"{name}={count}" for name, count in SHORTER.items()))
    done = warm.ran([sys.executable, "-c", shorter], cwd=tmp_path, timeout=170)
    assert done.returncode == 0, done.stderr
    assert_it_is_told(done.stdout)

"""A newcomer's first race, as it stands in the tutorial, says in the time that it is given where numpy.sum begins to lead.

Beside other tests the minute may be over before the interval is as narrow as was asked for: then it says between which n.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

from tests import warm

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## A first race") : PAGE.index("## Inputs off the clock")]


def assert_it_is_told(printed):
    answered = r"numpy\.sum is faster above about n = ([\d,]+) \(95 % CI ([\d,]+) to ([\d,]+)\)"
    bounded = r"the budget of 60 s is spent; a crossover, if any, lies between (?:N|n) = ([\d,]+) and ([\d,]+)"
    text = " ".join(printed.split())
    told = re.search(answered, text) or re.search(bounded, text)
    assert told, printed
    assert all(2 <= int(each.replace(",", "")) <= 300 for each in told.groups()), told[0]


def test_one_line_for_the_shell(tmp_path):
    (line,) = re.findall(r"```console\n(.*)\n```", SECTION)
    program, *arguments = shlex.split(line)
    assert program == "harness"
    place = arguments.index("--seconds") + 1
    assert float(arguments[place]) <= 60  # bounds all of it, which tests/run/test_failures.py holds it to
    done = warm.ran([sys.executable, "-m", "harness", *arguments], cwd=tmp_path, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_it_is_told(done.stdout)


def test_five_lines_for_a_notebook(tmp_path):
    (code,) = re.findall(r"```py\n(.*?)```", SECTION, flags=re.DOTALL)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 5
    assert "seconds=60" in code
    done = warm.ran([sys.executable, "-c", code], cwd=tmp_path, timeout=170)
    assert done.returncode == 0, done.stderr
    assert_it_is_told(done.stdout)

"""A newcomer's first race, as it stands in the tutorial, answers in the time that it is given."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

from tests import warm

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## A first race") : PAGE.index("## Inputs off the clock")]


def test_one_line_for_the_shell(tmp_path):
    (line,) = re.findall(r"```console\n(.*)\n```", SECTION)
    program, *arguments = shlex.split(line)
    assert program == "harness"
    place = arguments.index("--seconds") + 1
    assert float(arguments[place]) <= 60  # bounds all of it, which tests/run/test_failures.py holds it to
    done = warm.ran([sys.executable, "-m", "harness", *arguments], cwd=tmp_path, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.search(r"numpy\.sum is faster above about n = ([\d,]+) \(95 % CI", " ".join(done.stdout.split()))
    assert told, done.stdout
    assert 5 <= int(told[1].replace(",", "")) <= 300


def test_five_lines_for_a_notebook(tmp_path):
    (code,) = re.findall(r"```py\n(.*?)```", SECTION, flags=re.DOTALL)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 5
    assert "seconds=60" in code
    done = warm.ran([sys.executable, "-c", code], cwd=tmp_path, timeout=170)
    assert done.returncode == 0, done.stderr
    told = re.match(r"numpy\.sum is faster above about n = ([\d,]+) \(95 % CI [\d,]+ to [\d,]+\)", done.stdout)
    assert told, done.stdout
    assert 5 <= int(told[1].replace(",", "")) <= 300

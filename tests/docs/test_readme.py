"""The examples of the README do what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
OWN = re.sub(r"<!-- include .*?<!-- /include -->", "", TEXT, flags=re.DOTALL)  # included files have tests of their own
EXAMPLES = re.findall(r"```python\n(.*?)```", OWN, flags=re.DOTALL)
PLUGIN = ROOT / "tests" / "fixtures" / "plugins" / "faulty.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a finished run in it."""
    folder = tmp_path_factory.mktemp("readme")
    suite = {
        "name": "readme",
        "plugins": [str(PLUGIN)],
        "source": {"use": "small"},
        "heads": {"values": [4, 16]},
        "batch_sizes": [2],
        "contenders": {name: {"projector": "product", "runtime": "faulty"} for name in ("one", "two")},
        "measurement": {"launches": 2, "rounds": 2, "self_check": False},
    }
    (folder / "readme.yaml").write_text(yaml.safe_dump(suite))
    (folder / "mine.py").write_text(next(re.finditer(r"```py\n(.*?)```", OWN, flags=re.DOTALL))[1])
    command = [sys.executable, "-m", "harness", "run", "readme.yaml", "--output", "RUN"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("code", EXAMPLES, ids=[code.split("\n")[1][:40] for code in EXAMPLES])
def test_an_example_runs(code, folder):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False, timeout=170
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_five_lines_find_the_crossing():
    scope = {}
    exec(next(code for code in EXAMPLES if "harness.locate" in code), scope)
    found = scope["found"]
    assert found.status == "crossing"
    assert found.crossings[0].low <= 411 <= found.crossings[0].high


def test_every_local_link_leads_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_named_command_exists():
    import typer

    from harness.cli import app

    known = set(typer.main.get_command(app).commands)
    named = set(re.findall(r"`harness ([a-z]+)", TEXT))
    assert named <= known

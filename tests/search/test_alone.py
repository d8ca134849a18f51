"""The search is a library of its own: it runs from a copy of its folder, where nothing else of the harness is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import harness.search

ALONE = """
import sys
from harness.search import Pair, locate
def measure(heads, rounds, launch):
    return [Pair(1e-6 * (5.0 + 0.28 * heads), 1e-6 * 60.0) for _ in range(rounds)]
found = locate(measure, 1, 10_000)
print(found.status, found.crossings[0].heads)
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"torch", "pydantic", "yaml", "rich", "numpy", "scipy"}))
"""


def test_locate_runs_from_a_copy_of_the_folder_alone(tmp_path):
    shutil.copytree(Path(harness.search.__file__).parent, tmp_path / "harness" / "search")
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{ALONE}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answer, libraries = done.stdout.splitlines()
    status, heads = answer.split()
    assert status == "crossing"
    assert abs(int(heads) - 197) <= 3  # 5 + 0.28 N = 60 at N = 196.4
    assert libraries == "['numpy', 'scipy']"


def test_importing_the_search_loads_numpy_and_scipy_only():
    code = "import sys, harness.search; print(sorted(name for name in sys.modules if name.startswith('harness.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert "harness.search.crossover" in done.stdout
    assert "harness.errors" not in done.stdout

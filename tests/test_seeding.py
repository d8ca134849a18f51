"""One seed, one result, whatever is imported when."""

from __future__ import annotations

import subprocess
import sys

DRAWN = """
import random, sys
import importlib.util
import numpy
from harness.seeding import seed_everything
{before}
seed_everything(1)
seed_everything(7)
assert importlib.util.find_spec("torch") is not None  # a plugin may look before it imports
import torch
print(random.random(), numpy.random.random(), torch.rand(1).item(), torch.__spec__.loader is torch.__loader__)
"""


def drawn(before: str) -> str:
    command = [sys.executable, "-c", DRAWN.format(before=before)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_torch_that_is_imported_after_the_seeds_were_set_draws_what_it_would_have_drawn():
    late = drawn("assert 'torch' not in sys.modules")
    assert late == drawn("import torch; torch.rand(3)")
    assert late.endswith("True\n")

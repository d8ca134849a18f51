"""Whether the tests of a room notice when its code is wrong.

    python -m tests.mutation [--rooms search analysis suite records] [--sample 200]

A seeded sample of mutants is made of the modules: a comparison turned, + for -, and for or, a constant plus one, a
condition negated. Each is tried against the tests of its own room in a copy of the checkout. Prints what became of each
and the share that was noticed, and leaves with 1 where that is below 85 %.
"""

from __future__ import annotations

import argparse
import ast
import copy
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
ROOMS = ("search", "analysis", "suite", "records")
ENOUGH = 0.85
_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_SWAPPED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    room: str
    module: Path  # relative to the checkout
    number: int  # of the node, as `ast.walk` counts them
    line: int
    what: str


def mutants(room: str, module: Path) -> Iterator[Mutant]:
    """Every change that is tried in one module; docstrings and annotations are left alone."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    idle = {id(inner) for each in ast.walk(tree) for part in _annotations(each) for inner in ast.walk(part)}
    for number, node in enumerate(ast.walk(tree)):
        what = _change(node) if id(node) not in idle else ""
        if what:
            yield Mutant(room, module, number, getattr(node, "lineno", 0), what)


def _annotations(node: ast.AST) -> Iterator[ast.AST]:
    for name in ("annotation", "returns"):
        part = getattr(node, name, None)
        if part is not None:
            yield part
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        yield node


def _change(node: ast.AST) -> str:
    """Changes a node in place, and says how; empty where it is of no kind that is changed."""
    before = ast.unparse(node) if isinstance(node, ast.expr) else ""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _TURNED:
        node.ops[0] = _TURNED[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp) and type(node.op) in _SWAPPED:
        node.op = _SWAPPED[type(node.op)]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        node.value = node.value + 1
    elif isinstance(node, ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    else:
        return ""
    return f"{before} -> {ast.unparse(node)}"


def survives(mutant: Mutant, checkout: Path) -> bool:
    """Whether the tests of its room pass in spite of it; one that makes them hang is noticed."""
    file = checkout / mutant.module
    original = file.read_text(encoding="utf-8")
    tree = copy.deepcopy(ast.parse(original))
    _change(list(ast.walk(tree))[mutant.number])
    file.write_text(ast.unparse(tree), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        f"tests/{mutant.room}",
    ]
    try:
        done = subprocess.run(command, cwd=checkout, capture_output=True, timeout=900, check=False)
    except subprocess.TimeoutExpired:
        return False
    finally:
        file.write_text(original, encoding="utf-8")
    return done.returncode == 0


def main() -> int:
    """Tries the sample, one copy of the checkout for each process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", nargs="+", default=ROOMS, choices=ROOMS)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    every = [
        mutant
        for room in asked.rooms
        for module in sorted((ROOT / "harness" / room).rglob("*.py"))
        for mutant in mutants(room, module.relative_to(ROOT))
    ]
    chosen = random.Random(asked.seed).sample(every, min(asked.sample, len(every)))
    alive: list[Mutant] = []
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(folder) / str(number) for number in range(asked.processes)]
        for each in copies:
            shutil.copytree(ROOT, each, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache"))

        def try_out(number: int) -> None:
            for mutant in chosen[number :: asked.processes]:
                survived = survives(mutant, copies[number])
                alive.extend([mutant] * survived)
                print(
                    "survived" if survived else "noticed ", f"{mutant.module}:{mutant.line}: {mutant.what}", flush=True
                )

        with ThreadPoolExecutor(asked.processes) as pool:
            list(pool.map(try_out, range(asked.processes)))
    share = 1 - len(alive) / len(chosen)
    print(f"{len(chosen) - len(alive)} of {len(chosen)} mutants noticed ({share:.0%})")
    return int(share < ENOUGH)


if __name__ == "__main__":
    sys.exit(main())

"""The sentences that users see: literals of the code, docstrings of public names, and the pages."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
BANNED = re.compile(
    r"\b(told|tells?|telling|nobody|somebody|all the same|(?<!there )is none|wherever it counts"
    r"|mend(s|ed)?|surely|rubbish|riddles?|hopeless|doubtful|whom|shall|stays? unseen|that could be told"
    r"|if it does|quieten|stands? here"
    r"|is no (assignment|contender|file of|kind|linear map|list|multiple|number|path|plain file|range|student|text)"  # is not a
    r"|what cannot be used|what a run writes|not as it was|machines? not seen|was cut off|to the base of|other guests"
    r"|takes? part at no|is its own unit|counts from|by the limits|looked at alone|(is|are) of (a fleet|one run))\b",
    re.IGNORECASE,
)
OF = re.compile(r'(help|description)="(of|that|at which|on which|by which|as|about) ')  # a phrase that lacks its noun


def sentences() -> Iterator[tuple[str, int, str]]:
    """File, line and text of everything that a user may read."""
    for folder in ("harness", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            yield from ((name, line, text) for line, text in _code(ast.parse(path.read_text(encoding="utf-8"))))
    pages = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
        ROOT / "suites" / "README.md",
    ]
    for path in pages:
        for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield str(path.relative_to(ROOT)), line, text


def _code(tree: ast.AST) -> Iterator[tuple[int, str]]:
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docstrings.add(first.value)
                hidden = isinstance(node, ast.Module) or node.name.startswith("_")
                if not hidden and isinstance(first.value.value, str):
                    yield first.lineno, first.value.value
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and node not in docstrings
            and isinstance(node.value, str)
            and " " in node.value
        ):
            yield node.lineno, node.value

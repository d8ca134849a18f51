"""Fills the marked parts of the pages from what they show: `python -m tests.docs.includes`."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from harness import hookspecs
from tests.docs import figures

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "plugins.md"
PAGES = (PAGE, ROOT / "README.md")
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".toml": "toml"}


def filled(text: str) -> str:
    """The page with every marked part as it should be."""
    text = re.sub(r"(<!-- include (\S+?)(?: (\[.*?\]))? -->\n).*?(<!-- /include -->)", _include, text, flags=re.DOTALL)
    text = re.sub(
        r"(<!-- figures (\S+) -->\n).*?(<!-- /figures -->)",
        lambda match: match[1] + figures.TABLES[match[2]]() + match[3],
        text,
        flags=re.DOTALL,
    )
    return re.sub(
        r"(<!-- hooks -->\n).*?(<!-- /hooks -->)", lambda match: match[1] + hooks() + match[2], text, flags=re.DOTALL
    )


def hooks() -> str:
    """A table of all hooks."""
    rows = [
        f"| `{name}({', '.join(inspect.signature(hook).parameters)})` | {inspect.getdoc(hook)} |"
        for name, hook in vars(hookspecs).items()
        if name.startswith("harness_")
    ]
    return "\n".join(["| hook | |", "|---|---|", *rows]) + "\n"


def _include(match: re.Match[str]) -> str:
    path, table = ROOT / match[2], match[3]
    content = path.read_text(encoding="utf-8")
    if table:
        start = content.index(table)
        content = content[start : content.index("\n\n", start) + 1]
    return f"{match[1]}```{_LANGUAGES[path.suffix]}\n{content}```\n{match[4]}"


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")

"""Fills the marked parts of the pages, and makes what is made from code or results: `python -m tests.docs.includes`."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import vl_convert

from harness.plugin import hookspecs
from harness.report.plots.leadmap import lead_map
from tests.baselines import baseline
from tests.docs import figures

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "plugins.md"
PAGES = (PAGE, *(ROOT / each for each in ("README.md", "docs/results.md", "docs/everyday.md")))
PICTURE = ROOT / "docs" / "lead-map.svg"
COMMANDS = ROOT / "docs" / "cli.md"
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


def picture() -> str:
    """The lead map of the committed run of the main suite, as SVG."""
    plot = lead_map(baseline("crossover"))
    assert plot is not None
    drawn = vl_convert.vegalite_to_svg(plot.chart.properties(width=640, background="white").to_dict())
    counted: dict[str, str] = {}  # identifiers count all pictures that the process has drawn
    return re.sub(
        r"\b(gradient|clip)_?\d+", lambda found: counted.setdefault(found[0], f"{found[1]}{len(counted)}"), drawn
    )


def commands() -> str:
    """The reference of the command line, from its own help."""
    arguments = [
        sys.executable,
        "-m",
        "typer",
        "harness.cli",
        "utils",
        "docs",
        "--name",
        "harness",
        "--title",
        "Command line",
    ]
    plain = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT, env=plain).stdout


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    COMMANDS.write_text(commands(), encoding="utf-8")
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")

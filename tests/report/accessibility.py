"""What axe-core finds on a page; it comes with the package axe-core-python, or from the file that HARNESS_AXE names."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.report.browser import Browser

BY_LOOKS = ("color-contrast", "scrollable-region-focusable")  # the rules that ask how the page is shown
_LOOK = """
const [where, rules] = arguments, wanted = rules.length ? { runOnly: rules } : {};
return axe.run(where, { resultTypes: ["violations"], ...wanted }).then((found) => found.violations.map(
  (each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 120)).slice(0, 3).join(" | ")}`));
"""


def engine() -> str | None:
    """Its source; None where it is not installed."""
    package = find_spec("axe_core_python")
    bundled = Path(package.origin).parent / "axe.min.js" if package and package.origin else None
    path = Path(os.environ["HARNESS_AXE"]) if "HARNESS_AXE" in os.environ else bundled
    return path.read_text(encoding="utf-8") if path else None


def violations(window: Browser, where: str = "html", rules: Sequence[str] = ()) -> list[str]:
    """The rules that the page breaks as it is shown now, or a part of it, with the elements; all rules if none is named."""
    return list(window.run(f"{engine()};{_LOOK}", where, list(rules)))

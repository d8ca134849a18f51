"""Runs as other tools read them: a file for each format, written from the same quantities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.records.writer import write_atomically, writing
from harness.report.exports import asv, bencher, github_action, openmetrics, parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.records.reader import Evidence

__all__ = ["TEXTS", "asv", "bencher", "github_action", "openmetrics", "parquet", "written"]

TEXTS: Mapping[str, Callable[[Evidence], str]] = {
    "github-action": github_action.render,
    "bencher": bencher.render,
    "openmetrics": openmetrics.render,
}


def written(text: str, path: Path) -> Path:
    """Writes a text whole or not at all, into a folder that is made where it is not there.

    Raises:
        ResourceError: where it cannot be written.
    """
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)
    return path

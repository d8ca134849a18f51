"""Vega's script, which takes five seconds to put together: made once for all the caches that tests begin."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

from harness import cache
from harness.report import vega

if TYPE_CHECKING:
    from pathlib import Path

_MADE, _PLACE = vega._made, cache.folder()  # before a test names a cache of its own


def share() -> None:
    """A cache that lacks the script takes it from the user's, from now on, in this process and its forks."""
    vega._made = kept


def kept() -> str:
    """The script, from the user's cache where it is there."""
    with mock.patch.object(vega, "_made", _MADE), mock.patch.object(vega, "cache_folder", return_value=_PLACE):
        return vega.bundle()


def put(folder: Path) -> None:
    """Puts it into a cache of processes that do not share it."""
    with mock.patch.object(vega, "_made", kept), mock.patch.object(vega, "cache_folder", return_value=folder):
        vega.bundle()

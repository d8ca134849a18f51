"""The functions of a workload, found again in another process by the name of its plugin."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from harness.errors import ContenderError
from harness.plugin.manager import Catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.plugin.interfaces import Workload

PREPARE, EQUAL = "prepare", "equal"


def part(
    *, plugin: str, name: str, options: Mapping[str, Any], digest: str = "", function: str = "", what: str = ""
) -> Any:
    """A function of a workload: one of its functions, its `prepare` or its `equal`.

    Raises:
        ContenderError: where the file has changed, or the workload has no such function.
        OfferError: where the plugin does not offer the workload.
    """
    if digest and digest != digest_of(plugin):
        raise ContenderError(
            f"{plugin.removeprefix('file:')} has changed since the functions were tried",
            next_step="start the race again",
        )
    workload = _workload(plugin, name, json.dumps(dict(options), sort_keys=True))
    if what:
        return getattr(workload, what)
    found: Mapping[str, Callable[..., Any]] = workload.rivals()
    if function not in found:
        raise ContenderError(f"the workload {name!r} has no function {function!r}; it has {', '.join(map(str, found))}")
    return found[function]


def digest_of(plugin: str) -> str:
    """SHA-256 of a local plugin file; empty for an installed plugin."""
    file = plugin.removeprefix("file:")
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file != plugin else ""


@functools.cache
def _workload(plugin: str, name: str, options: str) -> Workload:
    files = [Path(plugin.removeprefix("file:"))] if plugin.startswith("file:") else []
    offered = Catalog.load(files, only={plugin}).get("workload", name)
    return cast("Workload", offered.with_options(json.loads(options)))

"""What an offer is, as far as artifacts depend on it: its name, its options, and the source of its plugin."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.discovery import declared
from harness.measure.construction import offer

if TYPE_CHECKING:
    from harness.measure.specification import OfferReference


def identity(reference: OfferReference | None) -> list[Any] | None:
    """An offer by name, the options that it really has, and a digest of its plugin's source."""
    if reference is None:
        return None
    options = offer(reference).options.model_dump(mode="json")
    return [reference.kind, reference.name, options, plugin_digest(reference.plugin)]


@functools.cache
def plugin_digest(plugin: str) -> str:
    """SHA-256 over the source of a plugin, named by its identity: its file, or all modules of its package."""
    if plugin.startswith("file:"):
        path = Path(plugin.removeprefix("file:"))
    else:
        module = next(
            (each.entry.module for each in declared() if f"{each.distribution}:{each.entry.name}" == plugin), plugin
        )
        found = importlib.util.find_spec(module.partition(".")[0])
        if found is None or found.origin is None:
            return ""
        path = Path(found.origin)
    files = sorted(path.parent.rglob("*.py"))[:200] if path.name == "__init__.py" else [path]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]

"""Finds the executor that `--on` means, and loads its plugin alone: the process that coordinates measures nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import OfferError
from harness.plugin.execution import Executor
from harness.plugin.inspection import inspect_plugins
from harness.plugin.manager import Catalog
from harness.validation import suggestion

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def executor(on: str, plugin_files: Sequence[Path] = ()) -> Executor:
    """The executor that is named, or whose scheme an address has.

    Args:
        on: `NAME`, `NAME:REST`, or an address such as `tcp://scheduler:8786`.
        plugin_files: local plugins that may offer it.

    Raises:
        OfferError: where no plugin offers it, or it needs what is not installed.
    """
    head, _, rest = on.partition(":")
    offers = [each for each in inspect_plugins(plugin_files).offers if each.kind == "executor"]
    found = next((each for each in offers if head == each.name or head in each.schemes), None)
    if found is None:
        names = sorted({name for each in offers for name in (each.name, *(f"{one}://…" for one in each.schemes))})
        hint = f"write tcp://{on}" if rest.isdecimal() else suggestion(head, names)
        raise OfferError(f"no executor {head!r}", next_step=hint)
    if found.missing:
        missing = ", ".join(found.missing)
        raise OfferError(
            f"the executor {found.name!r} needs {missing}, which is not installed", next_step=found.install
        )
    offer = Catalog.load(plugin_files, only=[found.plugin]).get("executor", found.name)
    assert isinstance(offer, Executor)
    return offer.with_options({"at": rest if head == found.name else on})

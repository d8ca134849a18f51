"""Finds plugins without importing them: built-in modules, entry points of installed distributions, local files."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import os
import re
import sys
from dataclasses import dataclass
from functools import partial
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from harness.plugin.hookspecs import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import ModuleType


Kind: TypeAlias = Literal["source", "projector", "trainer", "runtime", "workload", "embedder", "executor"]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a plugin comes from."""

    plugin: str  # its identity: a built-in's module, `distribution:entry point`, or `file:` and a path
    label: str  # as a message names it
    distribution: str = ""
    version: str = ""
    entry_point: str = ""
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A plugin that has been found and not yet imported."""

    origin: Origin
    load: Callable[[], Any]


@dataclass(frozen=True, kw_only=True)
class Declared:
    """An entry point of an installed distribution."""

    distribution: str
    version: str
    entry: EntryPoint


def candidates(built_in: Sequence[str], plugin_files: Sequence[Path], warnings: list[str]) -> Iterator[Candidate]:
    """All plugins in the order in which they claim names: built-ins, distributions by name, local files as given.

    Args:
        built_in: names of modules.
        plugin_files: Python files.
        warnings: receives a line where two distributions declare one entry-point name.
    """
    for module in built_in:
        yield Candidate(
            origin=Origin(plugin=module, label=f"built-in {module}"), load=partial(importlib.import_module, module)
        )
    entries = declared()
    owners: dict[str, list[str]] = {}
    for each in entries:
        owners.setdefault(each.entry.name, []).append(each.distribution)
    warnings.extend(
        f"the entry point {name!r} is declared by {' and '.join(names)}; both are loaded"
        for name, names in owners.items()
        if len(names) > 1
    )
    for each in entries:
        origin = Origin(
            plugin=f"{each.distribution}:{each.entry.name}",
            label=f"{each.distribution} {each.version} ({each.entry.name} = {each.entry.value})",
            distribution=each.distribution, version=each.version, entry_point=each.entry.name,
        )  # fmt: skip
        yield Candidate(origin=origin, load=each.entry.load)
    for path in plugin_files:
        origin = Origin(plugin=file_identity(path), label=str(path), file=str(path.resolve()))
        yield Candidate(origin=origin, load=partial(module_of, path.resolve()))


def declared() -> list[Declared]:
    """Entry points of the plugin group, by distribution and name; of a distribution found twice the first counts."""
    return list(_declared(entry_points, tuple(_state(each) for each in sys.path)))


@functools.lru_cache(maxsize=4)
def _declared(
    entry_points: Callable[..., Iterable[EntryPoint]],
    path: tuple[object, ...],  # noqa: ARG001 - what the answer depends on: reading the entry points of all takes a while
) -> list[Declared]:
    found = [
        Declared(distribution=each.dist.metadata["Name"] or "unnamed", version=each.dist.version, entry=each)
        for each in entry_points(group=PROJECT)
        if each.dist is not None
    ]
    return sorted(found, key=lambda each: (normalised(each.distribution), each.entry.name))


def normalised(distribution: str) -> str:
    """The one spelling of a distribution's name (PEP 503): `My_Plugin`, `my.plugin` and `my-plugin` are the same."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _state(place: str) -> tuple[str, int]:
    """A folder of the path, and when something was last installed into it or removed."""
    try:
        return place, Path(place or ".").stat().st_mtime_ns
    except OSError:
        return place, 0


def file_identity(path: Path) -> str:
    """The identity of a local plugin file."""
    return f"file:{path.resolve()}"


def module_of(path: Path) -> ModuleType:
    """Imports a file under a name that stays the same for the same path, so that what it defines can be found again.

    Raises:
        ImportError: where it is no Python file; and whatever the file raises.
    """
    name = f"harness_local_{path.stem}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def files(plugin: str) -> list[tuple[str, Path]]:
    """The files that a plugin, named by its identity, consists of: (name, path), sorted by name; nothing is imported.

    They are those of the package that holds its module, with all of its data, and those that its distribution installed
    beside it. Below a namespace, which many distributions share, it is the first package inside that counts, or the
    folder of the module where there is none. A local plugin is its file. Hidden files and bytecode are left out.
    """
    if plugin.startswith("file:"):
        path = Path(plugin.removeprefix("file:"))
        return [(path.name, path)]
    wanted, _, entry = plugin.partition(":")
    same = [
        each for each in declared() if normalised(each.distribution) == normalised(wanted) and each.entry.name == entry
    ]
    owner = next(iter(same), None)
    found = dict(_of_module(owner.entry.module if owner else plugin))
    if owner is not None:
        with contextlib.suppress(PackageNotFoundError):
            listed = Distribution.from_name(owner.distribution).files or ()
            found |= {each.as_posix(): Path(str(each.locate())) for each in listed if _counts(each.parts)}
    return sorted((name, path) for name, path in found.items() if path.is_file())


def _of_module(module: str) -> Iterator[tuple[str, Path]]:
    """(name below the folder that is on the path, path) of what lies in a module's package; namespaces run no code."""
    parts = module.split(".")
    depth, origin, folders = 0, None, list[Path]()
    while depth < len(parts) and origin is None:
        depth += 1
        spec = importlib.util.find_spec(".".join(parts[:depth]))
        if spec is None:
            return
        origin, folders = spec.origin, [Path(each) for each in spec.submodule_search_locations or ()]
    if (
        origin is not None and not folders
    ):  # a module alone, on the path or in a namespace; an archive stands for its own
        single = next((each for each in (Path(origin), *Path(origin).parents) if each.is_file()), Path(origin))
        yield single.name, single
        folders, depth = ([single.parent], depth - 1) if depth > 1 else ([], depth)
    for folder in folders:
        for path in folder.rglob("*"):
            if _counts(path.relative_to(folder).parts):
                yield "/".join([*parts[:depth], *path.relative_to(folder).parts]), path


def _counts(parts: Sequence[str]) -> bool:
    """Whether a file may decide what a plugin does."""
    idle = (".pyc", ".dist-info", ".egg-info")
    return not any(part in ("__pycache__", "..") or part.startswith(".") or part.endswith(idle) for part in parts)

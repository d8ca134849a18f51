"""The project that a suite belongs to: its root as pytest finds it, its name, branch and commit, for readers elsewhere.

As in `checkout`, nothing that a repository itself names is run, and its configuration is read as the text that it is.
"""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from harness import plain_file
from harness.records import checkout

if TYPE_CHECKING:
    from collections.abc import Iterator

_INI = {"pytest.ini": "", ".pytest.ini": "", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}  # and their sections
_LARGEST = 2**20  # bytes of a configuration


def describe(suite: Path) -> dict[str, str]:
    """What run.json says about the project of a suite: `suite`, `name`, and of a checkout `branch` and `id`."""
    file = suite.absolute()
    root, top = rootdir(file.parent), checkout.root(file.parent)
    facts = {"suite": file.relative_to(root).as_posix(), "name": _named(top) or (top or root).name}
    if top is not None:
        facts |= {name: value for name, value in checkout.head(top).items() if value}
    return facts


def rootdir(folder: Path) -> Path:
    """The folder that pytest's node ids are relative to, where it is started in the project with a file of this folder.

    That is the nearest folder with a configuration of pytest, else with a pyproject.toml, else with a setup.py, else the
    top of the checkout, else the present folder where it holds this one.
    """
    places = [folder, *folder.parents]
    found = next((place for place in places if _configures_pytest(place)), None)
    for name in ("pyproject.toml", "setup.py"):
        found = found or next((place for place in places if (place / name).is_file()), None)
    found = found or checkout.root(folder)
    if found is None:
        here = Path.cwd()
        found = here if folder.is_relative_to(here) else folder
    return found


def _configures_pytest(place: Path) -> bool:
    if _text(place / "pyproject.toml") is not None:
        try:
            tool = tomllib.loads(_text(place / "pyproject.toml") or "").get("tool", {})
        except (tomllib.TOMLDecodeError, RecursionError):
            tool = {}
        if isinstance(tool, dict) and "pytest" in tool:
            return True
    return any(
        text is not None and (not section or re.search(rf"(?m)^\[{re.escape(section)}\]", text))
        for text, section in _configurations(place)
    )


def _configurations(place: Path) -> Iterator[tuple[str | None, str]]:
    for name, section in _INI.items():
        yield _text(place / name), section


def _named(top: Path | None) -> str:
    """The name of a repository by its remote `origin`, as pytest-benchmark writes it; empty where there is none."""
    text = checkout.configuration(top) if top is not None else ""
    parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        parser.read_string("\n".join(line.strip() for line in text.splitlines()))
        address = parser.get('remote "origin"', "url", fallback="") or ""
    except configparser.Error:
        return ""
    parts = [each for each in re.split(r"[/:\s\\]|\.git", address) if each]
    return parts[-1] if parts else ""


def _text(path: Path) -> str | None:
    try:
        return plain_file.content(path, _LARGEST).decode(errors="replace")
    except OSError:
        return None

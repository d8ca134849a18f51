"""Starts a plugin project that installs, passes its own conformance test, and runs."""

from __future__ import annotations

import keyword
import re
import sys
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

import harness
from harness.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

KINDS = ("projector", "runtime", "trainer", "source", "workload", "embedder")
_TRY = (  # without an installation
    "name the file in a suite, `plugins: [./{module}.py]`",
    "name the file, `harness heads build --plugin {module}.py …`",
)
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


def write(name: str, kind: str, folder: Path, *, taken: Collection[str] = ()) -> tuple[Path, ...]:
    """Writes the files of a plugin project.

    Args:
        name: of the offer, such as `low-rank`; the distribution is `harness-low-rank`, its module `harness_low_rank`.
        kind: projector, runtime, trainer, source, workload or embedder.
        folder: of the project; new or empty.
        taken: names that offers of this kind already have.

    Raises:
        UserError: where the name or the kind cannot be used, or the folder is not empty.
    """
    _require(name, kind, folder, taken)
    module = f"harness_{name.replace('-', '_')}"
    words = {
        "name": name, "kind": kind, "Kind": kind.capitalize(), "module": module, "distribution": f"harness-{name}",
        "use": _use(name, kind), "try": _TRY[kind == "embedder"].format(module=module),
        "prefix": "".join(part.capitalize() for part in name.split("-")), "version": harness.__version__,
    }  # fmt: skip
    files = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        f"{module}.py": f"{kind}.py",
        f"test_{module}.py": "test.py",
        **({"questions.csv": "questions.csv"} if kind == "embedder" else {"suite.yaml": f"{kind}.yaml"}),
    }
    templates = resources.files("harness") / "templates" / "plugin"
    folder.mkdir(parents=True, exist_ok=True)
    for target, source in files.items():
        text = Template((templates / f"{source}.txt").read_text(encoding="utf-8")).substitute(words)
        (folder / target).write_text(text, encoding="utf-8")
    return tuple(folder / target for target in files)


def next_steps(folder: Path, name: str = "", kind: str = "projector") -> str:
    """What to do with a project that was just written."""
    return "\n".join([
        f"pip install -e {folder}        # beside the harness",
        f"pytest {folder}                # check it against the rules",
        _use(name, kind, folder),
    ])  # fmt: skip


def _use(name: str, kind: str, folder: Path | None = None) -> str:
    """The command that uses the offer, seen from its folder or from here."""
    table, suite = (str(folder / each) if folder else each for each in ("questions.csv", "suite.yaml"))
    if kind == "embedder":
        return f"harness heads build {table} --text question --topic topic --embedder {name} --output heads.npz"
    return f"harness run {suite}"


def _require(name: str, kind: str, folder: Path, taken: Collection[str]) -> None:
    if kind not in KINDS:
        raise UserError(f"{kind!r} is not a kind of component", next_step=f"choose from {', '.join(KINDS)}")
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} cannot name a plugin",
            next_step="use lower-case letters, digits and hyphens, starting with a letter",
        )
    if keyword.iskeyword(name) or name in sys.stdlib_module_names or name in {"plugins", "testing"}:
        raise UserError(f"{name!r} is taken by Python or by the harness", next_step="choose another name")
    if name in taken:
        raise UserError(
            f"there is a {kind} {name!r} already, and the first keeps its name", next_step="choose another name"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty", next_step="name a new folder")

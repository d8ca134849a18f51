"""From a table of texts to heads: read, embed, build; an interrupted build continues where it was."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from harness.commands import embedding, texts
from harness.errors import DataError, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_SUFFIXES = (".npz", ".db")


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """What `harness heads build` was asked for."""

    table: Path
    text: str
    output: Path
    embedder: str
    topic: str | None = None
    answer: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # of the embedder
    clusters: str | None = None  # `8`, or `2:64`
    temperature: float | None = None
    held_out: float = 0.2
    seed: int = 0
    threads: int = 1
    files: Sequence[Path] = ()  # of local plugins

    @property
    def work(self) -> Path:
        """Where vectors are kept until the heads are written."""
        return self.output.with_name(f"{self.output.name}.building")


def build(asked: BuildOptions, progress: embedding.Progress) -> int:
    """Builds heads; the exit code of the part that writes them, 0 where all is well.

    Raises:
        UserError: where an option makes no sense.
        DataError: where the table or its vectors cannot be used.
    """
    clusters = _checked(asked)
    table = texts.read(asked.table, text=asked.text, topic=asked.topic, answer=asked.answer)
    if table.topics is not None and len(set(table.topics)) < 2:
        raise DataError(
            f"all questions have one topic in the column {asked.topic!r}",
            where=str(asked.table),
            next_step="name another column with --topic, or let topics be made with --clusters",
        )
    for note in table.notes:
        progress.say(f"note: {note}")
    wanted = embedding.Wanted(name=asked.embedder, options=asked.options, files=asked.files, threads=asked.threads)
    embedding.embed(table, wanted, asked.work, progress)
    progress.stage("building heads")
    command = [sys.executable, "-m", "harness_plugins.heads_building", str(asked.work), "--output", str(asked.output)]
    command += ["--embedder", asked.embedder, "--held-out", str(asked.held_out), "--seed", str(asked.seed)]
    if clusters is not None:
        command += ["--clusters", clusters]
    if asked.temperature is not None:
        command += ["--temperature", str(asked.temperature)]
    # In a process of its own: the core imports no plugin.
    code = subprocess.run(command, check=False).returncode
    if code == 0:
        shutil.rmtree(asked.work)
    return code


def parsed(options: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` as options of an embedder; a value is read as in a suite.

    Raises:
        UserError: where one has no `=`.
    """
    found = {}
    for each in options:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise UserError(f"--embedder-option {each!r} is not NAME=VALUE", next_step="such as batch_size=64")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            found[name] = value
    return found


def _checked(asked: BuildOptions) -> str | None:
    """The clusters as `LOW:HIGH`, once every option makes sense."""
    if asked.output.suffix.lower() not in _SUFFIXES:
        raise UserError(f"--output {asked.output} is neither .npz nor .db", next_step="such as --output heads.npz")
    if asked.output.exists():
        raise UserError(f"--output {asked.output} exists already", next_step="give another name, or remove it")
    if asked.topic is not None and asked.clusters is not None:
        raise UserError("--topic and --clusters exclude each other", next_step="leave one of them out")
    if not 0 < asked.held_out < 1:
        raise UserError(f"--held-out {asked.held_out:g} is not between 0 and 1", next_step="0.2 holds out a fifth")
    if asked.temperature is not None and not 0 < asked.temperature < float("inf"):
        raise UserError(
            f"--temperature {asked.temperature:g} is not positive", next_step="leave it out to have it chosen"
        )
    if asked.clusters is None:
        return None
    low, _, high = asked.clusters.partition(":")
    try:
        numbers = int(low), int(high or low)
    except ValueError:
        numbers = 0, 0
    if not 2 <= numbers[0] <= numbers[1]:
        raise UserError(
            f"--clusters {asked.clusters} is neither a number from 2 nor a range", next_step="such as 12, or 2:64"
        )
    return f"{numbers[0]}:{numbers[1]}"

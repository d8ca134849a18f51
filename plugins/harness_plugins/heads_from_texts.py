"""From a table of texts to heads: read, embed, build; an interrupted build continues where it was."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

import harness
from harness_plugins import heads_building

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


def build(asked: BuildOptions) -> list[str]:
    """Builds heads and writes them; what was built, in lines.

    Raises:
        UserError: where an option makes no sense.
        DataError: where the table or its vectors cannot be used.
    """
    clusters = _checked(asked)
    table = harness.read_texts(asked.table, text=asked.text, topic=asked.topic, answer=asked.answer)
    if table.topics is not None and len(set(table.topics)) < 2:
        raise harness.DataError(
            f"all questions have one topic in the column {asked.topic!r}",
            where=str(asked.table),
            next_step="name another column with --topic, or let topics be made with --clusters",
        )
    harness.embed_texts(
        table, asked.embedder, asked.work, options=asked.options, plugin_files=asked.files, threads=asked.threads
    )
    lines = heads_building.write(
        asked.work,
        asked.output,
        embedder=asked.embedder,
        clusters=clusters,
        temperature=asked.temperature,
        held_out=asked.held_out,
        seed=asked.seed,
    )
    shutil.rmtree(asked.work)
    return lines


def parsed(options: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` as options of an embedder; a value is read as in a suite.

    Raises:
        UserError: where one has no `=`.
    """
    found = {}
    for each in options:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise harness.UserError(f"--embedder-option {each!r} is not NAME=VALUE", next_step="such as batch_size=64")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            found[name] = value
    return found


def _checked(asked: BuildOptions) -> tuple[int, int] | None:
    """The range of clusters, once every option makes sense."""
    if asked.output.suffix.lower() not in _SUFFIXES:
        raise harness.UserError(
            f"--output {asked.output} is neither .npz nor .db", next_step="such as --output heads.npz"
        )
    if asked.output.exists():
        raise harness.UserError(f"--output {asked.output} exists already", next_step="give another name, or remove it")
    if asked.topic is not None and asked.clusters is not None:
        raise harness.UserError("--topic and --clusters exclude each other", next_step="leave one of them out")
    if not 0 < asked.held_out < 1:
        raise harness.UserError(
            f"--held-out {asked.held_out:g} is not between 0 and 1", next_step="0.2 holds out a fifth"
        )
    if asked.temperature is not None and not 0 < asked.temperature < float("inf"):
        raise harness.UserError(
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
        raise harness.UserError(
            f"--clusters {asked.clusters} is neither a number from 2 nor a range", next_step="such as 12, or 2:64"
        )
    return numbers

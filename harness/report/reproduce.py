"""The commands that make a run again, check it, and compare the two."""

from __future__ import annotations

import itertools
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.analysis.summary import Summary

_MEASURE = ("run", "locate", "distill")
_OF_THAT_RUN = ("--output", "--resume", "--save", "--scores")  # options that name a folder or a file of that run
_ONLY_THEN = ("--force", "--retry-failed", "--verbose")


def commands(summary: Summary) -> tuple[str, ...]:
    """In their order, ready to be pasted into a shell."""
    run = summary.run
    words = shlex.split(run.command)
    before = _folder(words) or f"results/{summary.folder}"
    again = f"{before.rstrip('/')}-again"
    arguments = list(_arguments(words))
    if arguments[:1] != ["harness"] or arguments[1:2] not in [[each] for each in _MEASURE]:
        arguments = ["harness", "run", run.suite_path, *(["--quick"] if run.quick else [])]
    checkout = [f"git checkout {shlex.quote(run.commit)}"] if run.commit else []
    folder = shlex.quote(before)
    return (
        *checkout,
        shlex.join([*arguments, "--output", again]),
        f"harness compare {folder} {shlex.quote(again)}",
        f"harness verify {folder}",
    )


def _folder(words: list[str]) -> str:
    """Where the run went, as far as its command says."""
    for word, following in itertools.zip_longest(words, words[1:], fillvalue=""):
        name, _, value = word.partition("=")
        if name in ("--output", "--resume"):
            return value or following
    return ""


def _arguments(words: list[str]) -> Iterator[str]:
    """What was asked for, without where it went and how it was continued."""
    left = iter(words)
    for word in left:
        if word in _OF_THAT_RUN:
            next(left, "")
        elif word.partition("=")[0] not in _OF_THAT_RUN and word not in _ONLY_THEN:
            yield word

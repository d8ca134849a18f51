"""Errors of a suite that a command has made, in the words that were typed: options and files, not keys of a suite."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.errors import HarnessError

SOURCE = "source.options"  # where errors of the suite's source are
_OPTION = re.compile(r"the option `(\w+)`(?: \(`--[\w-]+` of `harness [\w-]+`\))?")


def as_typed(error: HarnessError, typed: Mapping[str, str]) -> HarnessError:
    """The same error for a user who has typed a command and has no suite.

    Args:
        error: of the suite.
        typed: what was typed for each option of the source, such as `{"path": "--db my.db", "temperature": "--temperature"}`.
    """
    names = {option: words.partition(" ")[0] for option, words in typed.items()}
    files = {str(Path(file).resolve()): words for words in typed.values() if (file := words.partition(" ")[2])}

    def reworded(text: str, *, whole: bool = True) -> str:
        text = _OPTION.sub(lambda found: f"`{names[found[1]]}`" if found[1] in names else found[0], text)
        for resolved, words in files.items():
            before, found, after = text.partition(resolved)
            if found and after[:1] in ("", ":", ";") and not (before and whole):
                return words + after
        return text

    of_source = error.where == SOURCE  # then what stands before the file's name is about the suite
    option = error.where.removeprefix(f"{SOURCE}.")
    where = "" if of_source else names.get(option, reworded(error.where))
    return type(error)(reworded(error.what, whole=not of_source), where=where, next_step=reworded(error.next_step))

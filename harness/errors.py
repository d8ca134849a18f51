"""The tree of errors, and the sentence that each of them says.

HarnessError                what went wrong, where, and what to do next; exit code 1
├── UserError               the user can correct it by changing what was asked; exit code 2
│   ├── SuiteError          one or more problems in a suite file, each with file:line
│   ├── OfferError          a projector, trainer, runtime or source that is not there or not usable
│   ├── DataError           a database, array or model file that cannot be used
│   └── RecordsError        a results folder that cannot be read, resumed or compared
├── ContenderError          a contender cannot be built, exported, loaded or called
│   ├── ArtifactChanged     a file of it is another than the one that was built
│   ├── ParityError         its output differs from the float64 reference: it has no latency
│   └── TrainingError       its training diverged or could not start
├── ResourceError           memory, disk or time that the run needs is not there
└── ChildError              a child process died, hung, or sent an invalid response
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.printable import printable

_MOST_PROBLEMS = 20  # that a message shows
PATH, _SENTENCE = 200, 2000  # characters that a message takes of a key, and of a sentence about a value


def cut(text: str, most: int = _SENTENCE) -> str:
    """The start of a text that may be of any length."""
    return text if len(text) <= most else f"{text[:most]}…"


class HarnessError(Exception):
    """Anything the harness says instead of a traceback.

    Args:
        what: what is wrong, a sentence without its full stop.
        where: `file:line`, a folder, or a contender's name; empty where there is no place.
        next_step: what to do about it; empty where `what` says it.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.next_step = next_step

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"; {self.next_step}" if self.next_step else ""
        return printable(f"{place}{self.what}{advice}")


class UserError(HarnessError):
    """A mistake in what was asked."""

    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing wrong in a suite file."""

    file: str
    line: int  # 1-based; 0 where the file as a whole is meant
    path: str  # dotted path inside the file, such as races[0].baseline
    what: str
    hint: str = ""  # "did you mean …", or what to write instead

    def __str__(self) -> str:
        advice = f"; {self.hint}" if self.hint else ""
        where = f"{self.file}:{self.line}: {cut(self.path, PATH)}" if self.line else self.file
        return printable(f"{where}: {cut(self.what)}{cut(advice)}")


class SuiteError(UserError):
    """All the problems of a suite file at once."""

    def __init__(self, problems: list[Problem]) -> None:
        rest = len(problems) - _MOST_PROBLEMS
        more = [f"and {rest:,} more problem{'' if rest == 1 else 's'}; correct these first"] if rest > 0 else []
        super().__init__("\n".join([*(cut(str(each)) for each in problems[:_MOST_PROBLEMS]), *more]))
        self.problems = tuple(problems)


class OfferError(UserError):
    """A named offer does not exist or cannot be used here."""


class DataError(UserError):
    """A data file is missing, of another format, or holds unusable values."""


class RecordsError(UserError):
    """A results folder cannot be used as asked."""


class ContenderError(HarnessError):
    """A contender failed while it was built, exported, loaded or called."""


class ArtifactChanged(ContenderError):  # noqa: N818 - what happened
    """A file is another than the one that was built, and is not loaded; whoever asked can have it built again."""


class ParityError(ContenderError):
    """A contender's output is not the output of its own definition."""


class TrainingError(ContenderError):
    """Training diverged or could not start."""


class ResourceError(HarnessError):
    """The run would need more memory, disk or time than there is."""


class ChildError(HarnessError):
    """A child process crashed, hung, exited, or sent an invalid response."""

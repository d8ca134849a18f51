"""Which commit brought a new level of a quantity: bisects over git, and measures commits with a command of the user's.

Each commit is checked out into a worktree of its own, below a temporary folder; the user's working tree stays as it is.
A commit at which the command fails is passed over, as `git bisect skip` does.
"""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness import units
from harness.analysis.compare.history import history
from harness.errors import HarnessError, UserError
from harness.records import checkout
from harness.records.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.analysis.compare.history import Series
    from harness.analysis.statistics import Interval

OUTPUT = "{output}"  # what a command calls the folder that its run goes to
_SHOWN = 12  # digits of a commit
_ENDS = 2  # of a range


@dataclass(frozen=True, kw_only=True)
class QuantityFilter:
    """Which quantity is looked for."""

    text: str = ""  # that its name holds
    race: str | None = None
    suite: str | None = None

    def matches(self, series: Series) -> bool:
        """Whether a series is meant."""
        return self.text in series.name and self.race in (None, series.race) and self.suite in (None, series.suite)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the search came to."""

    found: bool
    sentence: str


@dataclass(kw_only=True)
class _Search:
    """A range of commits, oldest first, of which the first has the old level and the last the new one."""

    commits: Sequence[str]
    measure: Callable[[str], Interval | None]
    known: dict[int, Interval | None] = field(default_factory=dict)

    def value(self, place: int) -> Interval | None:
        """At a commit, measured once; None where the command failed."""
        if place not in self.known:
            self.known[place] = self.measure(self.commits[place])
        return self.known[place]


def find(
    command: str,
    series: Sequence[Series],
    wanted: QuantityFilter,
    *,
    between: str | None,
    say: Callable[[str], None],
    here: Path | None = None,
) -> Answer:
    """The commit at which a quantity came to its new level.

    Args:
        command: measures a checkout; `{output}` in it is the folder that a run is to be written into.
        series: quantities over the runs that there are.
        wanted: which of them; one with a new level, the last of which is looked for, unless `between` names commits.
        between: `OLD..NEW`: both are measured first.
        say: hears of every commit.
        here: a folder of the checkout, in which the command is run in every worktree; the present one if None.

    Raises:
        UserError: where there is no such quantity, level, commit or checkout.
    """
    folder = (here or Path.cwd()).resolve()
    root = checkout.root(folder)
    if root is None:
        raise UserError("--find needs a git checkout", where=str(folder), next_step="run it in the project's checkout")
    if OUTPUT not in command:
        raise UserError(
            f"the command has no {OUTPUT}", next_step=f"write --find 'harness run suites/smoke.yaml --output {OUTPUT}'"
        )
    levels: tuple[Interval | None, Interval | None] = (None, None)
    if between is not None:
        name, ends = "", _named(between)
    else:
        name, ends, levels = _stepped_quantity(series)
    commits = _commits(root, *ends)
    with tempfile.TemporaryDirectory(prefix="harness-find-") as place:

        def measure(commit: str) -> Interval | None:
            return _measure_commit(root, folder, commit, command, Path(place), wanted, name, say)

        search = _Search(commits=commits, measure=measure)
        old, new = (
            level if level is not None else search.value(at)
            for level, at in zip(levels, (0, len(commits) - 1), strict=True)
        )
        if old is None or new is None:
            raise UserError("the command fails at an end of the range", next_step="name others with --between OLD..NEW")
        if old.value == new.value or (old.known and new.known and old.low <= new.high and new.low <= old.high):
            return Answer(found=False, sentence=f"the two ends do not differ: {_value(old)} and {_value(new)}")
        low, high = _bisect(search, math.sqrt(old.value * new.value), rising=new.value > old.value)
    return _result(root, search, low, high, (old, new))


def _bisect(search: _Search, middle: float, *, rising: bool) -> tuple[int, int]:
    """The last commit known to have the old level, and the first one known to have the new one."""
    low, high = 0, len(search.commits) - 1
    passed: set[int] = set()
    while True:
        left = [place for place in range(low + 1, high) if place not in passed]
        if not left:
            return low, high
        place = min(left, key=lambda each: abs(each - (low + high) / 2))
        value = search.value(place)
        if value is None:
            passed.add(place)
        elif (value.value > middle) is rising:
            high = place
        else:
            low = place


def _result(root: Path, search: _Search, low: int, high: int, levels: tuple[Interval, Interval]) -> Answer:
    old, new = levels
    moved = f"from {_value(old)} to {_value(new)}, {new.value / old.value:.2f} times as much"
    subject = _git(root, "log", "-1", "--format=%h %s (%an, %as)", search.commits[high]).strip()
    if high == low + 1:
        return Answer(found=True, sentence=f"{subject} changed it {moved}")
    skipped = high - low - 1
    plural = "commits" if skipped > 1 else "commit"
    what = f"one of {skipped + 1} commits up to {subject} changed it {moved}: the command fails at {skipped} {plural} before it"
    return Answer(found=False, sentence=what)


def _stepped_quantity(series: Sequence[Series]) -> tuple[str, tuple[str, str], tuple[Interval, Interval]]:
    """The one quantity that has a new level: its name, the commits around the last one, and the two levels."""
    stepped = [each for each in series if each.steps]
    if len(stepped) != 1:
        names = "; ".join(each.name for each in stepped) or "; ".join(each.name for each in series[:5]) or "none"
        if stepped:
            raise UserError(
                f"{len(stepped)} quantities changed level: {names}", next_step="choose one with --only or --race"
            )
        raise UserError(f"no quantity changed level, of {names}", next_step="name two commits with --between OLD..NEW")
    (one,) = stepped
    place = one.steps[-1]
    commits = [(each.commit or "").partition("-")[0] for each in one.readings]
    if not commits[place - 1] or not commits[place]:
        raise UserError(
            "the runs around the change have no recorded commit", next_step="name two with --between OLD..NEW"
        )
    if commits[place - 1] == commits[place]:
        raise UserError(
            f"both runs around the change are of commit {commits[place]}: it has another cause",
            next_step="`harness history` lists versions that changed",
        )
    return one.name, (commits[place - 1], commits[place]), (one.readings[place - 1].value, one.readings[place].value)


def _named(between: str) -> tuple[str, str]:
    ends = between.split("..")
    if len(ends) != _ENDS or not all(ends):
        raise UserError(f"--between {between!r} is not a range", next_step="write OLD..NEW, such as v1.2..HEAD")
    return ends[0], ends[1]


def _commits(root: Path, old: str, new: str) -> list[str]:
    """From the old commit to the new one, oldest first, along first parents: merges count as one."""
    first, last = (
        _git(root, "rev-parse", "--verify", "--end-of-options", f"{each}^{{commit}}").strip() for each in (old, new)
    )
    between = _git(root, "rev-list", "--first-parent", "--reverse", "--ancestry-path", f"{first}..{last}").split()
    if not between:
        raise UserError(f"{new} does not come after {old}", next_step="name the older commit first")
    return [first, *between]


def _measure_commit(
    root: Path, folder: Path, commit: str, command: str, place: Path, wanted: QuantityFilter, name: str, say: Callable[[str], None],
) -> Interval | None:  # fmt: skip
    """The quantity at a commit; None where the command fails, or what it measured has no such quantity."""
    short, output = commit[:_SHOWN], place / f"run-{commit[:_SHOWN]}"
    with _worktree(root, commit, place / f"tree-{short}") as tree:
        asked = [part.replace(OUTPUT, str(output)) for part in shlex.split(command)]
        try:
            done = subprocess.run(
                asked, cwd=tree / folder.relative_to(root), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                errors="replace", check=False,
            )  # fmt: skip
        except OSError as error:
            raise UserError(f"the command cannot be started: {error}", next_step="check --find") from error
    try:
        found = [each for each in history([read(output)]) if wanted.matches(each) and name in ("", each.name)]
    except HarnessError as error:
        last = (done.stderr.strip() or done.stdout.strip() or str(error)).splitlines()[-1]
        say(f"{short}: skipped, the command exited with code {done.returncode}: {last}")
        return None
    if len(found) > 1:
        names = "; ".join(each.name for each in found)
        raise UserError(f"several quantities match: {names}", next_step="choose one with --only or --race")
    if not found:
        say(f"{short}: skipped, its run has no such quantity")
        return None
    value = found[0].readings[0].value
    say(f"{short}: {found[0].name}: {_value(value)}")
    return value


@contextlib.contextmanager
def _worktree(root: Path, commit: str, place: Path) -> Iterator[Path]:
    """A checkout of a commit beside the user's own; the repository's hooks are not run."""
    _git(root, "worktree", "add", "--quiet", "--detach", str(place), commit)
    try:
        yield place
    finally:
        with contextlib.suppress(UserError):
            _git(root, "worktree", "remove", "--force", str(place))


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-c", f"core.hooksPath={os.devnull}", *arguments],  # noqa: S607 - on the path
            cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
    except OSError as error:
        raise UserError(f"git cannot be started: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or f"git exited with code {done.returncode}").splitlines()[-1]
        raise UserError(f"git {arguments[0]}: {said}", where=str(root))
    return done.stdout


def _value(found: Interval) -> str:
    """A time in words where it is less than 1, as no N* is; else the number."""
    if found.value < 1:
        return units.seconds(found.value)
    return f"{found.value:,.0f} ({found.low:,.0f} to {found.high:,.0f})" if found.known else f"{found.value:,.0f}"

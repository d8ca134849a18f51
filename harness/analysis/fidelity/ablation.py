"""What one option of a projector changes, read from contenders that differ in it alone."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.analysis.fidelity.table import FidelityRow
    from harness.suite.schema import Contender, Suite

_SCORES = ("mean_cosine", "top1_agreement", "recall_at_10")
_SAME = 1e-4  # scores closer than this are the same: training rounds differently in another order of sums
_FEWEST_VALUES = 3  # of an option whose largest gain means something
_FEWEST_SIZES = 2  # of N, to say that it stays or moves


@dataclass(frozen=True)
class _Group:
    """Contenders at one N and temperature that differ in one option, by its value."""

    projector: str
    option: str
    heads: int
    temperature: float
    rows: Mapping[Any, FidelityRow]

    @property
    def difference(self) -> float:
        """The largest difference of any score between any two."""
        return max(
            abs(one.scores[score] - other.scores[score])
            for one, other in itertools.combinations(self.rows.values(), 2)
            for score in _SCORES
            if score in one.scores and score in other.scores
        )

    @property
    def seeds(self) -> float:
        """By how much the mean cosine of one of them differs between training seeds, at most; 0 where it has one."""
        spreads = (row.spread.get("mean_cosine") for row in self.rows.values())
        return max((ends[1] - ends[0] for ends in spreads if ends), default=0.0)

    @property
    def same(self) -> bool:
        """The scores are the same but for rounding."""
        return self.difference < _SAME


def ablations(table: Sequence[FidelityRow], suite: Suite) -> tuple[str, ...]:
    """One sentence for each option that makes no difference, and for each in whose values fidelity grows."""
    by_option: dict[tuple[str, str], list[_Group]] = defaultdict(list)
    for group in _groups(table, suite):
        by_option[group.projector, group.option].append(group)
    found = (_sentence(option, groups) for option, groups in by_option.items())
    return tuple(sentence for sentence in found if sentence)


def _groups(table: Sequence[FidelityRow], suite: Suite) -> Iterator[_Group]:
    rows = [row for row in table if "mean_cosine" in row.scores and row.contender in suite.contenders]
    alike: dict[tuple[int, float, str, str, str], dict[Any, FidelityRow]] = defaultdict(dict)
    for row in rows:
        contender = suite.contenders[row.contender]
        for option, value in contender.options.items():
            rest = _other_settings(contender, option)
            alike[row.heads, row.temperature, contender.projector, option, rest].setdefault(_key(value), row)
    for (heads, temperature, projector, option, _), by_value in alike.items():
        if len(by_value) > 1:
            yield _Group(projector, option, heads, temperature, by_value)


def _other_settings(contender: Contender, option: str) -> str:
    """Everything else that decides what a contender answers."""
    said = contender.model_dump(mode="json", exclude={"heads", "batch_sizes", "scored"})
    said["options"] = {name: value for name, value in said["options"].items() if name != option}
    return repr(sorted(said.items()))


def _key(value: Any) -> Any:
    return value if isinstance(value, (int, float, str)) else repr(value)


def _sentence(place: tuple[str, str], groups: Sequence[_Group]) -> str:
    projector, option = place
    values = list(dict.fromkeys(value for group in groups for value in group.rows))
    same = [group for group in groups if group.same]
    if same and all(group.same or group.difference < group.seeds for group in groups):
        largest = max(group.difference for group in same)
        within = f"to within {largest:.0e}" if largest else "to the last digit"
        return (
            f"{option} makes no difference to {projector}: at N = {_listed(same)} contenders that differ in it alone "
            f"({', '.join(map(str, values))}) have the same scores {within}{_less_than_seeds(groups)}"
        )
    if any(isinstance(value, (str, bool)) for value in values):
        return ""
    steps = {(group.heads, group.temperature): step for group in groups for step in [_largest_gain(group)] if step}
    if len({heads for heads, _ in steps}) < _FEWEST_SIZES:
        return ""
    ends = {(low, high) for low, high, _ in steps.values()}
    gains = ", ".join(f"from {low} to {high} ({gain:+.4f}) at N = {n:,}" for (n, _), (low, high, gain) in steps.items())
    moral = "at the same value for every N" if len(ends) == 1 else "not at the same value for every N"
    return f"the largest gain of {projector} in mean cosine by one more {option} is {gains}: {moral}"


def _less_than_seeds(groups: Sequence[_Group]) -> str:
    """Where scores differ, and training seeds by more: a training that amplifies its rounding."""
    apart = [group for group in groups if not group.same]
    if not apart:
        return ""
    widest = max(apart, key=lambda group: group.difference)
    return (
        f"; at N = {_listed(apart)} some differ by up to {widest.difference:.4f}, where training seeds differ by "
        f"{widest.seeds:.4f}: training amplifies its rounding there"
    )


def _largest_gain(group: _Group) -> tuple[Any, Any, float] | None:
    """Between which neighbouring values of a number the mean cosine grows most, and by how much."""
    values = sorted(group.rows)
    if len(values) < _FEWEST_VALUES:
        return None
    gains = [
        (low, high, group.rows[high].scores["mean_cosine"] - group.rows[low].scores["mean_cosine"])
        for low, high in itertools.pairwise(values)
    ]
    return max(gains, key=lambda gain: gain[2])


def _listed(groups: Sequence[_Group]) -> str:
    return ", ".join(f"{heads:,}" for heads in sorted({group.heads for group in groups}))

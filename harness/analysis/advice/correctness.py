"""Whether a contender is known to do its teacher's job: exactly, by its scores, or not at all."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from harness.errors import UserError
from harness.suite.schema import Requires
from harness.validation import did_you_mean, validation_issues

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.analysis.fidelity.table import FidelityRow
    from harness.analysis.summary import Summary

_EXACT = 1e-3  # a parity that tolerates more, relative to the largest value, is no proof of being the same projection
_SCORE_OF = {"cosine": "mean_cosine"}  # what is asked for, where the record calls it otherwise
_ERRORS = ("norm_error",)  # bounded from above
_NO_SKILL = 1e-4  # of a mean cosine over that of a constant
_TOLD = (("mean_cosine", "mean cosine"), ("top1_agreement", "top-1 agreement"), ("skill", "skill"))


@dataclass(frozen=True, kw_only=True)
class Correctness:
    """What is known of one contender."""

    kind: Literal["exact", "scored", "unscored"]
    scores: Mapping[str, float] = field(default_factory=dict)  # means over training seeds
    worst: Mapping[str, float] = field(default_factory=dict)  # of the worst seed
    scored_at: int | None = None
    seeds: int = 0
    error: float = math.nan  # of parity, the largest that was seen; NaN where none was recorded
    training_seconds: float | None = None
    failed: str = ""  # why training failed, with any seed

    @property
    def no_better_than_constant(self) -> str:
        """Why scores do not speak for it: it does no better than a constant; empty where they do."""
        skill, constant = self.scores.get("skill"), self.scores.get("constant_cosine")
        if skill is None and constant is not None and constant < 1.0 and "mean_cosine" in self.scores:
            skill = 1.0 - (1.0 - self.scores["mean_cosine"]) / (1.0 - constant)
        if skill is None or skill > _NO_SKILL:
            return ""
        return f"by its scores no better than a constant, skill {skill:.2f}".replace("-0.00", "0.00")

    def describe(self) -> str:
        """`mean cosine 0.970, top-1 agreement 0.900`, the worst seed where there are several."""
        return ", ".join(
            f"{word} {self.scores[key]:.3f}"
            + (f" ({self.worst[key]:.3f} with the worst of {self.seeds} seeds)" if self.seeds > 1 else "")
            for key, word in _TOLD
            if key in self.scores
        )


def rightness(summary: Summary, contender: str, heads: int) -> Correctness:
    """What the run says about a contender; its scores are those of the nearest N that was scored."""
    parities = [
        record.parity
        for (name, _, _), records in summary.visits.items()
        if name == contender
        for record in records
        if record.parity is not None
    ]
    error = max((each.error for each in parities), default=math.nan)
    own = summary.suite.contenders[contender]
    proven = parities and all(each.against in ("formula", None) for each in parities)  # None: an earlier version's
    exact = proven and max(each.tolerance for each in parities) <= _EXACT
    if exact and summary.families.computes_teacher(own):
        return Correctness(kind="exact", error=error)
    row = min(
        (each for each in summary.fidelity if each.contender == contender and (each.scores or each.failure)),
        key=lambda each: abs(math.log(each.heads / heads)),
        default=None,
    )
    if row is None:
        return Correctness(kind="unscored", error=error)
    return Correctness(
        kind="scored" if row.scores else "unscored",
        scores=row.scores,
        worst={name: _worst(row, name) for name in row.scores},
        scored_at=row.heads,
        seeds=row.seeds,
        error=error,
        training_seconds=row.training_seconds if row.trained else None,
        failed=row.failure,
    )


def misses(found: Correctness, require: Mapping[str, float], heads: int) -> Iterator[str]:
    """Each requirement that it does not reach with every training seed; an exact contender reaches all."""
    if found.kind == "exact":
        return
    if found.failed:
        yield f"training failed at N = {found.scored_at:,}: {found.failed}"
        if not found.scores:
            return
    for wanted, bound in require.items():
        value = found.worst.get(_SCORE_OF.get(wanted, wanted))
        seed = f" with the worst of {found.seeds} seeds" if found.seeds > 1 else ""
        place = "" if found.scored_at in (None, heads) else f" at N = {found.scored_at:,}"
        if value is None:
            yield f"{wanted} was not measured"
        elif value > bound if wanted in _ERRORS else value < bound:
            yield f"{wanted} is {_distinct_text(value, bound)} {'>' if wanted in _ERRORS else '<'} {bound:g}{seed}{place}"


def parsed(texts: Sequence[str]) -> dict[str, float]:
    """`top1_agreement=0.95` as a requirement.

    Raises:
        UserError: where one is no score and a number, or `checked` refuses it.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise UserError(
                f"--require {text!r} is not a score and a number" + ("" if equals else ", `=` is missing"),
                next_step="write SCORE=VALUE, such as top1_agreement=0.95",
            ) from None
    return checked(found)


def checked(require: Mapping[str, float]) -> dict[str, float]:
    """The same, where every name is one that a race may require, or an error, and every number one that it can have.

    Raises:
        UserError: where it is not.
    """
    known = list(dict.fromkeys([*Requires.model_fields, *_ERRORS]))
    for name, bound in require.items():
        if name not in known:
            longer = next((f"did you mean {each!r}?" for each in known if name and each.startswith(name)), "")
            hint = did_you_mean(name, known) or longer or f"choose from {', '.join(known)}"
            raise UserError(f"unknown score {name!r}", next_step=hint)
        if not math.isfinite(bound) or (name in _ERRORS and bound < 0):
            raise UserError(f"{name} cannot be required to be {bound:g}", next_step="give a number such as 0.95")
        if name in Requires.model_fields:
            try:
                Requires.model_validate({name: bound})
            except ValidationError as error:
                what = validation_issues(error, Requires)[0].what
                raise UserError(f"{name} cannot be required to be {bound:g}: {what}") from None
    return dict(require)


def _worst(row: FidelityRow, name: str) -> float:
    ends = row.spread.get(name, (row.scores[name], row.scores[name]))
    return ends[1] if name in _ERRORS or name.startswith("std") else ends[0]


def _distinct_text(value: float, bound: float) -> str:
    """With as many digits as it takes to tell the two apart."""
    return next((text for digits in (2, 3, 4) if float(text := f"{value:.{digits}f}") != bound), f"{value:.6g}")

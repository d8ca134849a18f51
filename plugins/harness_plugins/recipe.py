"""A training recipe that learns norm and direction, from as many queries as it wants."""

from __future__ import annotations

import copy
import math
import time
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import torch
import torch.nn.functional as functional
from pydantic import Field

import harness
from harness_plugins.distillation import Teacher, checked_targets, refuse_divergence

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHECKS = 20  # how often a training looks at its validation queries
_FEWEST = 10  # queries of which some can be spared for validation
_MOST_ANSWERS = 4096  # that a ranking loss ranks
_WARM_UP = 0.1  # the share of a training in which the learning rate rises


class RecipeOptions(harness.Options):
    """The recipe."""

    steps: Annotated[int, Field(ge=1, description="steps of the optimiser")] = 800
    batch_size: Annotated[int, Field(ge=1, description="queries that are drawn for each step")] = 128
    learning_rate: Annotated[float, Field(gt=0, description="peak learning rate of AdamW")] = 1e-3
    cosine_weight: Annotated[
        float, Field(ge=0, le=1, description="λ in (1-λ)·relative squared error + λ·(1 - cosine)")
    ] = 0.5
    spread: Annotated[
        float,
        Field(ge=0, description="distance of drawn queries from training queries; 0 draws training queries themselves"),
    ] = 1.0
    ranking: Annotated[
        float,
        Field(
            ge=0, description="weight of the divergence between the teacher's ranking of the answers and the student's"
        ),
    ] = 0.0
    ranking_temperature: Annotated[
        float,
        Field(
            gt=0,
            description="temperature of the softmax over cosines to the answers; the lower, the more the first answers count",
        ),
    ] = 0.02
    weight_decay: Annotated[float, Field(ge=0, description="weight decay of AdamW")] = 0.01
    validation: Annotated[
        float, Field(ge=0, lt=1, description="share of the training queries that decides when to stop")
    ] = 0.1
    seconds: Annotated[
        float | None,
        Field(gt=0, description="time limit in seconds, to compare recipes at equal times; none: no limit"),
    ] = None


class RecipeTrainer(harness.Trainer):
    """Ours: queries drawn around the training queries and answered by the teacher, and a loss that weighs the norm.

    - A teacher is a function, so it answers any query: for each step, `q + s (q' - q'')` of three training queries, a
      random s in [0, spread], scaled to the length of q. Differences of real queries have the real covariance.
    - The squared error is relative to the mean square of the teacher's outputs, so it weighs as much as the cosine.
    - With `ranking`, the loss also holds the divergence between two distributions over the heads' answers: softmax of the
      cosines of the teacher's output to them, and of the student's. It sees which answer comes first; cosines do not.
    - The learning rate rises for a tenth of the training and falls to zero like a cosine; where `seconds` ends the
      training before `steps` do, it follows the time.
    - A part of the training queries is never drawn from, nor is anything fitted to it: the weights that imitate the
      teacher best on it are kept, those before the first step among them.
    - A student may say how fast which of its weights should move (it has a method `paces`).
    - A student that starts in closed form (it has a method `start`) is started on the part that is drawn from. Where no
      step has made it better, it is started again, on all training queries.
    """

    name = "distillation-scaled"
    Options = RecipeOptions

    def fit(
        self, student: torch.nn.Module, teacher: Teacher, queries: torch.Tensor, context: harness.TrainContext
    ) -> harness.TrainingReport:
        """Trains `student` in place on `queries` [Q, D].

        Raises:
            TrainingError: where the queries cannot be trained on, none is left to draw from, or the loss diverges.
        """
        started = time.perf_counter()
        student.to(context.device)
        queries = queries.to(context.device)
        targets = checked_targets(student, teacher, queries)
        torch.manual_seed(context.seed)
        parts = self._split(queries, targets)._replace(ranking=self._ranking(context))
        _start(student, parts.queries, parts.targets)
        was_training = student.training
        student.train()
        training = _Training(student, teacher, parts, self.options, context, started)
        try:
            kept = training.run()
        finally:
            student.train(was_training)
        if kept == 0:
            _start(student, queries, targets)
        return harness.TrainingReport(
            losses=training.history,
            seconds=time.perf_counter() - started,
            steps=training.steps,
            notes=(f"kept the weights after step {kept} of {training.steps}", *self._limit()),
        )

    def _ranking(self, context: harness.TrainContext) -> _Ranking | None:
        """The answers that are ranked; evenly spaced ones where there are many."""
        if not self.options.ranking:
            return None
        if context.answers is None:
            raise harness.TrainingError(
                "ranking needs the answers of the heads, and there are none",
                where=self.name,
                next_step="set ranking: 0",
            )
        chosen = np.linspace(0, len(context.answers) - 1, min(len(context.answers), _MOST_ANSWERS)).astype(int)
        answers = torch.from_numpy(np.ascontiguousarray(context.answers[chosen])).to(context.device)
        return _Ranking(functional.normalize(answers, dim=1), self.options.ranking, self.options.ranking_temperature)

    def _limit(self) -> tuple[str, ...]:
        return (f"at most {self.options.seconds:g} s",) if self.options.seconds else ()

    def _split(self, queries: torch.Tensor, targets: torch.Tensor) -> _Parts:
        """The queries to draw from and those that validate; fewer than ten queries are all drawn from."""
        share, count = self.options.validation, len(queries)
        held_back = round(share * count) if count >= _FEWEST else 0
        if held_back == count:
            raise harness.TrainingError(
                f"validation: {share:g} holds back all {count} training queries, so none is left to draw from",
                where=self.name,
                next_step="lower validation, or give more queries",
            )
        order = torch.randperm(count).to(queries.device)
        back, rest = order[:held_back], order[held_back:]
        scale = targets.square().sum(dim=1).mean().clamp_min(1e-12)
        return _Parts(queries[rest], targets[rest], queries[back], targets[back], scale)


class _Parts(NamedTuple):
    """What is drawn from [Q, D], what validates [V, D], and the mean square of the teacher's outputs."""

    queries: torch.Tensor
    targets: torch.Tensor
    validation_queries: torch.Tensor
    validation_targets: torch.Tensor
    scale: torch.Tensor
    ranking: _Ranking | None = None


class _Ranking(NamedTuple):
    """What a student's ranking of the answers is held to."""

    answers: torch.Tensor  # [N, K] of unit length
    weight: float
    temperature: float

    def divergence(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The Kullback-Leibler divergence of the student's distribution over the answers from the teacher's."""
        logarithms = [
            functional.log_softmax(functional.normalize(each, dim=1) @ self.answers.t() / self.temperature, dim=1)
            for each in (outputs, targets)
        ]
        return functional.kl_div(logarithms[0], logarithms[1], log_target=True, reduction="batchmean")


class _Training:
    """One training: its losses so far, and the best weights so far."""

    def __init__(
        self,
        student: torch.nn.Module,
        teacher: Teacher,
        parts: _Parts,
        options: RecipeOptions,
        context: harness.TrainContext,
        started: float,
    ) -> None:
        self.student, self.teacher, self.parts, self.options, self.context = student, teacher, parts, options, context
        self.started = started
        self.history: dict[str, list[float]] = {name: [] for name in ("loss", "mse", "cosine", "validation")}
        self.steps = 0
        self._best, self._kept = math.inf, 0
        self._state: dict[str, torch.Tensor] | None = None

    def run(self) -> int:
        """Trains, and gives the step whose weights the student has now."""
        options = self.options
        self._keep_if_best()
        groups = [{"params": list(moved), "pace": pace} for moved, pace in _paces(self.student)]
        optimizer = torch.optim.AdamW(groups, weight_decay=options.weight_decay, fused=True)
        untrained, checks = math.nan, 0
        while (progress := self._progress()) < 1:
            rate = options.learning_rate * _schedule(progress, 1 / options.steps)
            for group in optimizer.param_groups:
                group["lr"] = group["pace"] * rate
            drawn = _drawn(self.parts.queries, options.batch_size, options.spread)
            with torch.no_grad():
                wanted = self.teacher(drawn)
            losses = _losses(self.student(drawn), wanted, self.parts, options.cosine_weight)
            if self.steps == 0:
                untrained = losses[0].item()
            optimizer.zero_grad(set_to_none=True)
            losses[0].backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
            optimizer.step()
            self.steps += 1
            if self._progress() * _CHECKS >= checks + 1:
                checks = min(_CHECKS, math.floor(self._progress() * _CHECKS))
                self._check(torch.stack(losses).tolist(), untrained, checks)
        if self._state is None:  # nothing to validate with: the last step is as good as any
            return self.steps
        self.student.load_state_dict(self._state)
        return self._kept

    def _progress(self) -> float:
        """How much of the training is over, by steps or by time, whichever is further; from 0."""
        by_steps = self.steps / self.options.steps
        if self.options.seconds is None or self.steps == 0:  # one step is taken in any case
            return by_steps
        return max(by_steps, (time.perf_counter() - self.started) / self.options.seconds)

    def _check(self, losses: Sequence[float], untrained: float, check: int) -> None:
        figures = dict(zip(self.history, losses, strict=False))
        refuse_divergence(figures["loss"], untrained, f"step {self.steps} of {self.options.steps}")
        figures["validation"] = self._keep_if_best(figures["loss"])
        refuse_divergence(figures["validation"], untrained, f"step {self.steps} of {self.options.steps}")
        for name, value in figures.items():
            self.history[name].append(value)
        if self.context.on_progress is not None:
            self.context.on_progress(check, _CHECKS, figures)

    def _keep_if_best(self, otherwise: float = math.nan) -> float:
        """The loss on the validation queries, after the weights were kept where it is the least so far."""
        if not len(self.parts.validation_queries):
            return otherwise
        loss = validated(self.student, self.parts, self.options.cosine_weight)
        if loss < self._best:
            self._best, self._kept = loss, self.steps
            self._state = copy.deepcopy(self.student.state_dict())
        return loss


def validated(student: torch.nn.Module, parts: _Parts, cosine_weight: float) -> float:
    """The loss on the queries that are never drawn from."""
    student.eval()
    with torch.no_grad():
        losses = _losses(student(parts.validation_queries), parts.validation_targets, parts, cosine_weight)
    student.train()
    return float(losses[0])


def _paces(student: torch.nn.Module) -> Sequence[tuple[Sequence[torch.nn.Parameter], float]]:
    """Weights, and the learning rates that each of them moves by: all at one, unless the student knows better."""
    paces = getattr(student, "paces", None)
    found: Sequence[tuple[Sequence[torch.nn.Parameter], float]] = (
        ((tuple(student.parameters()), 1.0),) if paces is None else paces()
    )
    return found


def _start(student: torch.nn.Module, queries: torch.Tensor, targets: torch.Tensor) -> None:
    start = getattr(student, "start", None)
    if start is not None:
        start(queries, targets)


def _drawn(queries: torch.Tensor, count: int, spread: float) -> torch.Tensor:
    """Queries [count, D] around training queries, as long as the one they lie around."""
    first, second, third = (queries[torch.randint(len(queries), (count,)).to(queries.device)] for _ in range(3))
    moved = first + spread * torch.rand(count, 1).to(queries.device) * (second - third)
    # A fifth stays where it is: what is asked in earnest looks like the training queries themselves.
    drawn = torch.where(torch.rand(count, 1).to(queries.device) < 0.2, first, moved)
    scaled: torch.Tensor = functional.normalize(drawn, dim=1) * first.norm(dim=1, keepdim=True)
    return scaled


def _losses(
    outputs: torch.Tensor, targets: torch.Tensor, parts: _Parts, cosine_weight: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(1-λ)·relative squared error + λ·(1 - cosine), perhaps a ranking's divergence, and the first two parts."""
    error = (outputs - targets).square().sum(dim=1).mean() / parts.scale
    cosine = 1 - functional.cosine_similarity(outputs, targets, dim=1).mean()
    total = (1 - cosine_weight) * error + cosine_weight * cosine
    if parts.ranking is not None:
        total = total + parts.ranking.weight * parts.ranking.divergence(outputs, targets)
    return total, error, cosine


def _schedule(progress: float, step: float) -> float:
    """The share of the learning rate: up in the first tenth, then down like half a cosine.

    Args:
        progress: how much of the training is over.
        step: what one step adds to that, so that the first one moves.
    """
    if progress < _WARM_UP:
        return min(1.0, (progress + step) / _WARM_UP)
    return 0.5 * (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP)))


@harness.hookimpl
def harness_trainers() -> Sequence[harness.Trainer]:
    """Our recipe."""
    return [RecipeTrainer()]

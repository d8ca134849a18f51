"""A training recipe that learns norm and direction, from as many queries as it wants."""

from __future__ import annotations

import copy
import math
import time
from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as functional
from pydantic import Field

import harness
from harness_plugins.distillation import Teacher, checked_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHECKS = 20  # how often a training looks at its validation queries


class RecipeOptions(harness.Options):
    """The recipe."""

    steps: Annotated[int, Field(ge=1, description="of the optimiser")] = 400
    batch_size: Annotated[int, Field(ge=1, description="queries that are drawn for each step")] = 256
    learning_rate: Annotated[float, Field(gt=0, description="of AdamW, at its highest")] = 1e-3
    cosine_weight: Annotated[
        float, Field(ge=0, le=1, description="λ in (1-λ)·relative squared error + λ·(1 - cosine)")
    ] = 0.5
    spread: Annotated[
        float, Field(ge=0, description="how far drawn queries lie from training queries; 0: not at all")
    ] = 1.0
    weight_decay: Annotated[float, Field(ge=0, description="of AdamW")] = 0.01
    validation: Annotated[
        float, Field(ge=0, lt=1, description="share of the training queries that decides when to stop")
    ] = 0.1


class RecipeTrainer(harness.Trainer):
    """Ours: queries drawn around the training queries and answered by the teacher, and a loss that weighs the norm.

    - A teacher is a function, so it answers any query: for each step, `q + s (q' - q'')` of three training queries, a
      random s in [0, spread], scaled to the length of q. Differences of real queries have the real covariance.
    - The squared error is relative to the mean square of the teacher's outputs, so it weighs as much as the cosine.
    - The learning rate rises for a tenth of the steps and falls to zero like a cosine.
    - A part of the training queries is never drawn from: the weights that imitate the teacher best on it are kept.
    """

    name = "distillation-scaled"
    Options = RecipeOptions

    def fit(
        self, student: torch.nn.Module, teacher: Teacher, queries: torch.Tensor, context: harness.TrainContext
    ) -> harness.TrainingReport:
        """Trains `student` in place on `queries` [Q, D].

        Raises:
            TrainingError: where the queries cannot be trained on, or the loss is not finite.
        """
        started = time.perf_counter()
        student.to(context.device)
        queries = queries.to(context.device)
        targets = checked_targets(student, teacher, queries)
        torch.manual_seed(context.seed)
        held_back = round(self.options.validation * len(queries)) if len(queries) >= 10 else 0
        order = torch.randperm(len(queries)).to(context.device)
        validation, drawn_from = order[:held_back], queries[order[held_back:]]
        scale = targets.square().sum(dim=1).mean().clamp_min(1e-12)
        was_training = student.training
        student.train()
        losses, kept = self._steps(
            student, teacher, drawn_from, (queries[validation], targets[validation], scale), context
        )
        student.train(was_training)
        return harness.TrainingReport(
            losses=losses,
            seconds=time.perf_counter() - started,
            steps=self.options.steps,
            notes=(f"kept the weights after step {kept} of {self.options.steps}",),
        )

    def _steps(
        self,
        student: torch.nn.Module,
        teacher: Teacher,
        queries: torch.Tensor,
        validation: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        context: harness.TrainContext,
    ) -> tuple[dict[str, list[float]], int]:
        """The losses after each twentieth of the steps, and the step whose weights were kept."""
        options, scale = self.options, validation[2]
        optimizer = torch.optim.AdamW(
            student.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _schedule(step, options.steps))
        names = ("loss", "mse", "cosine")
        history: dict[str, list[float]] = {name: [] for name in (*names, "validation")}
        best, kept, state = math.inf, options.steps, None
        checks = sorted({max(1, round(options.steps * part / _CHECKS)) for part in range(1, _CHECKS + 1)})
        for step in range(1, options.steps + 1):
            drawn = _drawn(queries, options.batch_size, options.spread)
            with torch.no_grad():
                wanted = teacher(drawn)
            losses = _losses(student(drawn), wanted, scale, options.cosine_weight)
            optimizer.zero_grad(set_to_none=True)
            losses[0].backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            if step not in checks:
                continue
            told = dict(zip(names, torch.stack(losses).tolist(), strict=True))
            told["validation"] = self._validated(student, validation) if len(validation[0]) else told["loss"]
            if not math.isfinite(told["loss"]):
                raise harness.TrainingError(
                    f"the loss diverged in step {step} of {options.steps}", next_step="lower learning_rate"
                )
            for name, value in told.items():
                history[name].append(value)
            if context.on_progress is not None:
                context.on_progress(len(history["loss"]), len(checks), told)
            if len(validation[0]) and told["validation"] < best:
                best, kept, state = told["validation"], step, copy.deepcopy(student.state_dict())
        if state is not None:
            student.load_state_dict(state)
        return history, kept

    def _validated(
        self, student: torch.nn.Module, validation: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    ) -> float:
        queries, targets, scale = validation
        student.eval()
        with torch.no_grad():
            loss = float(_losses(student(queries), targets, scale, self.options.cosine_weight)[0])
        student.train()
        return loss


def _drawn(queries: torch.Tensor, count: int, spread: float) -> torch.Tensor:
    """Queries [count, D] around training queries, as long as the one they lie around."""
    first, second, third = (queries[torch.randint(len(queries), (count,)).to(queries.device)] for _ in range(3))
    moved = first + spread * torch.rand(count, 1).to(queries.device) * (second - third)
    # A fifth stays where it is: what is asked in earnest looks like the training queries themselves.
    drawn = torch.where(torch.rand(count, 1).to(queries.device) < 0.2, first, moved)
    scaled: torch.Tensor = functional.normalize(drawn, dim=1) * first.norm(dim=1, keepdim=True)
    return scaled


def _losses(
    outputs: torch.Tensor, targets: torch.Tensor, scale: torch.Tensor, cosine_weight: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(1-λ)·relative squared error + λ·(1 - cosine), and its two parts."""
    error = (outputs - targets).square().sum(dim=1).mean() / scale
    cosine = 1 - functional.cosine_similarity(outputs, targets, dim=1).mean()
    return (1 - cosine_weight) * error + cosine_weight * cosine, error, cosine


def _schedule(step: int, steps: int) -> float:
    """The share of the learning rate: up in the first tenth, then down like half a cosine."""
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


@harness.hookimpl
def harness_trainers() -> Sequence[harness.Trainer]:
    """Our recipe."""
    return [RecipeTrainer()]

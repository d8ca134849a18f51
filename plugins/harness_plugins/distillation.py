"""Distillation: a student learns to imitate a teacher's projections."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, cast

import torch
import torch.nn.functional as functional
from pydantic import Field

import harness
from harness_plugins.processor import has_bfloat16

if TYPE_CHECKING:
    from harness_plugins.folded_training import FoldedTraining
    from harness_plugins.transformer import ProjectionTransformer

Teacher = Callable[[torch.Tensor], torch.Tensor]
Progress = Callable[[int, int, Mapping[str, float]], None]
Precision = Literal["float32", "bfloat16"]

_DIVERGED = 1e4  # a loss this many times the untrained student's does not come back


def train_distillation(
    transformer: torch.nn.Module,
    lda_projection: Teacher,
    query_embeddings: torch.Tensor,
    num_epochs: int = 200,
    cosine_weight: float = 0.7,
    learning_rate: float = 1e-4,
    batch_size: int | None = None,
    seed: int | None = None,
    on_progress: Progress | None = None,
    precision: Precision = "float32",
    seconds: float | None = None,
) -> dict[str, list[float]]:
    """Trains `transformer` in place until it imitates `lda_projection`; the loss is (1-λ)·MSE + λ·(1 - cosine).

    Args:
        transformer: the student, [B, D] -> [B, K].
        lda_projection: the teacher, called once for all queries.
        query_embeddings: [Q, D], a tensor or anything that `torch.as_tensor` takes, such as a NumPy array.
        num_epochs: passes over the queries.
        cosine_weight: λ, in [0, 1].
        learning_rate: of AdamW.
        batch_size: rows of a shuffled mini-batch; None, the documented loop, takes all queries at once.
        seed: of shuffling and dropout; None leaves torch's generator alone.
        on_progress: called after each epoch with its number from 1, the number of epochs, and the losses.
        precision: of matrix products; weights, losses and steps are float32 in any case.
        seconds: after which no further step is begun; None sets no limit.

    Returns:
        `loss`, `mse` and `cosine` (which is 1 - mean cosine similarity), one mean for each epoch that was begun.

    Raises:
        ValueError: where a parameter is out of its range.
        TrainingError: where the queries are not a finite [Q, D] with rows, or the loss diverges.
    """
    if not 0 <= cosine_weight <= 1:
        raise ValueError(f"cosine_weight must be between 0 and 1, not {cosine_weight}")
    if num_epochs < 1 or (batch_size is not None and batch_size < 1) or not learning_rate > 0:
        raise ValueError("num_epochs and batch_size must be at least 1, learning_rate positive")
    if seconds is not None and not seconds > 0:
        raise ValueError(f"seconds must be positive, not {seconds}")
    deadline = math.inf if seconds is None else time.perf_counter() + seconds
    query_embeddings = _as_queries(query_embeddings, transformer)
    targets = checked_targets(transformer, lda_projection, query_embeddings)
    plan = _Plan(num_epochs, cosine_weight, learning_rate, batch_size, seed, precision, deadline)
    return _stepped(transformer, query_embeddings, targets, plan, on_progress)[0]


def evaluate_distillation(
    transformer: torch.nn.Module, lda_projection: Teacher, test_data: torch.Tensor
) -> dict[str, float]:
    """Cosine similarity of student and teacher over test queries [Q, D]: mean, minimum, maximum, standard deviation.

    Raises:
        TrainingError: where the queries are not a finite [Q, D] with rows.
    """
    test_data = _as_queries(test_data, transformer)
    targets = checked_targets(transformer, lda_projection, test_data)
    was_training = transformer.training
    transformer.eval()
    with torch.no_grad():
        cosines = functional.cosine_similarity(transformer(test_data), targets, dim=-1)
    transformer.train(was_training)
    return {
        "mean_cosine": cosines.mean().item(),
        "min_cosine": cosines.min().item(),
        "max_cosine": cosines.max().item(),
        "std_cosine": cosines.std().item() if len(cosines) > 1 else 0.0,
    }


def _as_queries(queries: torch.Tensor, student: torch.nn.Module) -> torch.Tensor:
    """Queries in the student's precision: saved embeddings are often float64 or float16, or a NumPy array."""
    weight = next(student.parameters(), None)
    return torch.as_tensor(queries, dtype=torch.float32 if weight is None else weight.dtype).detach()


def checked_targets(student: torch.nn.Module, teacher: Teacher, queries: torch.Tensor) -> torch.Tensor:
    """The teacher's projections of the queries, without gradient, once everything about them is known to be usable."""
    if queries.ndim != 2 or 0 in queries.shape:
        raise harness.TrainingError(
            f"the queries have shape {list(queries.shape)}",
            next_step="give a matrix [queries, width] with at least one row",
        )
    if not torch.isfinite(queries).all():
        row = int((~torch.isfinite(queries).all(dim=1)).nonzero()[0])
        raise harness.TrainingError(f"query {row} holds NaN or infinity", next_step="embed it again, or leave it out")
    try:
        with torch.no_grad():
            targets = teacher(queries).detach().clone()
            outputs = student(queries[:1])
    except (RuntimeError, ValueError, harness.DataError) as problem:
        raise harness.TrainingError(
            f"queries of width {queries.shape[1]} do not fit the teacher or the student ({problem})",
            next_step="embed them with the model that the heads were made with",
        ) from problem
    if outputs.shape[1:] != targets.shape[1:]:
        raise harness.TrainingError(
            f"the student's projections have width {outputs.shape[-1]}, the teacher's {targets.shape[-1]}",
            next_step="build the student with output_dim set to the teacher's",
        )
    return targets


def distillation_losses(
    outputs: torch.Tensor, targets: torch.Tensor, cosine_weight: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(1-λ)·MSE + λ·(1 - cosine), and its two parts, of projections [B, K]."""
    mse = functional.mse_loss(outputs, targets)
    cosine = 1 - functional.cosine_similarity(outputs, targets, dim=-1).mean()
    return (1 - cosine_weight) * mse + cosine_weight * cosine, mse, cosine


class _Plan(NamedTuple):
    epochs: int
    cosine_weight: float
    learning_rate: float
    batch_size: int | None
    seed: int | None
    precision: Precision
    deadline: float  # on time.perf_counter


def _stepped(
    student: torch.nn.Module,
    queries: torch.Tensor,
    targets: torch.Tensor,
    plan: _Plan,
    on_progress: Progress | None,
) -> tuple[dict[str, list[float]], int]:
    """The losses of each epoch, and how many steps were taken."""
    if plan.seed is not None:
        torch.manual_seed(plan.seed)
    optimizer = torch.optim.AdamW(student.parameters(), lr=plan.learning_rate, fused=True)
    history: dict[str, list[float]] = {"loss": [], "mse": [], "cosine": []}
    untrained: torch.Tensor | None = None  # the loss of the first batch, before any step
    steps = 0
    was_training = student.training
    student.train()
    try:
        for epoch in range(1, plan.epochs + 1):
            totals = torch.zeros(3, device=targets.device)  # read once per epoch: no host copy for each step
            seen = 0
            for rows in _batches(len(targets), plan.batch_size, targets.device):
                optimizer.zero_grad(set_to_none=True)
                batch, wanted = (queries, targets) if rows is None else (queries[rows], targets[rows])
                with torch.autocast(targets.device.type, torch.bfloat16, enabled=plan.precision == "bfloat16"):
                    outputs = student(batch)
                losses = distillation_losses(outputs.to(targets), wanted, plan.cosine_weight)
                losses[0].backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                steps += 1
                now = torch.stack(losses).detach()
                untrained = now[0] if untrained is None else untrained
                totals += now * len(wanted)
                seen += len(wanted)
                if time.perf_counter() >= plan.deadline:
                    break
            assert untrained is not None
            _record(history, totals / seen, untrained, epoch, plan.epochs, on_progress)
            if time.perf_counter() >= plan.deadline:
                break
    finally:
        student.train(was_training)
    return history, steps


def _batches(count: int, size: int | None, device: torch.device) -> Iterator[torch.Tensor | None]:
    if size is None:
        yield None
    else:
        yield from torch.split(torch.randperm(count).to(device), size)


def _record(
    history: dict[str, list[float]],
    means: torch.Tensor,
    untrained: torch.Tensor,
    epoch: int,
    epochs: int,
    on_progress: Progress | None,
) -> None:
    losses = dict(zip(history, means.tolist(), strict=True))
    refuse_divergence(losses["loss"], float(untrained), f"epoch {epoch} of {epochs}")
    for name, value in losses.items():
        history[name].append(value)
    if on_progress is not None:
        on_progress(epoch, epochs, losses)


def refuse_divergence(loss: float, untrained: float, when: str) -> None:
    """Ends a training whose loss has left all reason.

    Args:
        loss: now.
        untrained: of the first batch, before any step: a mean over a first epoch would hold what broke within it.
        when: in which epoch or step, for the message.

    Raises:
        TrainingError: where the loss is NaN, infinite or far above the untrained student's.
    """
    if not abs(loss) <= _DIVERGED * max(abs(untrained), 1e-6):  # NaN fails every comparison
        raise harness.TrainingError(
            f"the loss diverged in {when}: {loss:g} after {untrained:g} before the first step",
            next_step="lower learning_rate",
        )


class DistillationOptions(harness.Options):
    """The documented recipe."""

    epochs: Annotated[int, Field(ge=1, description="passes over the training queries")] = 200
    cosine_weight: Annotated[float, Field(ge=0, le=1, description="λ in (1-λ)·MSE + λ·(1 - cosine)")] = 0.7
    learning_rate: Annotated[float, Field(gt=0, description="learning rate of AdamW")] = 1e-4
    batch_size: Annotated[int | None, Field(ge=1, description="rows of a mini-batch; none takes all at once")] = None
    parametrisation: Annotated[
        Literal["plain", "folded"], Field(description="folded trains each attention as the one matrix that it is")
    ] = "plain"
    precision: Annotated[
        Precision,
        Field(description="precision of matrix products; bfloat16 is faster where the processor has it"),
    ] = "float32"
    seconds: Annotated[
        float | None,
        Field(gt=0, description="time limit in seconds, to compare recipes at equal times; none: no limit"),
    ] = None


class DistillationTrainer(harness.Trainer):
    """The documented training: AdamW on a weighted sum of squared error and cosine distance to the teacher."""

    name = "distillation"
    Options = DistillationOptions

    def fit(
        self,
        student: torch.nn.Module,
        teacher: Teacher,
        queries: torch.Tensor,
        context: harness.TrainContext,
    ) -> harness.TrainingReport:
        """Trains `student` in place on `queries` [Q, D].

        Raises:
            TrainingError: where the queries cannot be trained on, the loss diverges, or the device lacks the precision.
        """
        options = self.options
        if options.precision == "bfloat16" and not _multiplies_bfloat16(context.device):
            raise harness.TrainingError(
                "this device has no bfloat16 arithmetic",
                where=self.name,
                next_step="leave out precision: training in float32 is faster here than emulating it",
            )
        started = time.perf_counter()
        student.to(context.device)
        form = student
        if options.parametrisation == "folded":
            from harness_plugins.folded_training import FoldedTraining, pace_for

            form = FoldedTraining(cast("ProjectionTransformer", student), pace_for(options.batch_size))
        queries = queries.to(context.device)
        plan = _Plan(
            epochs=options.epochs,
            cosine_weight=options.cosine_weight,
            learning_rate=options.learning_rate,
            batch_size=options.batch_size,
            seed=context.seed,
            precision=options.precision,
            deadline=math.inf if options.seconds is None else started + options.seconds,
        )
        history, steps = _stepped(form, queries, checked_targets(form, teacher, queries), plan, context.on_progress)
        if form is not student:
            cast("FoldedTraining", form).write_back(cast("ProjectionTransformer", student))
        epochs = len(history["loss"])
        limit = f", at most {options.seconds:g} s" if options.seconds else ""
        return harness.TrainingReport(
            losses=history,
            seconds=time.perf_counter() - started,
            steps=steps,
            notes=(f"{epochs} of {options.epochs} epochs{limit}",),
        )


def _multiplies_bfloat16(device: str) -> bool:
    return has_bfloat16() if torch.device(device).type == "cpu" else torch.cuda.is_bf16_supported()


@harness.hookimpl
def harness_trainers() -> Sequence[harness.Trainer]:
    """The documented trainer."""
    return [DistillationTrainer()]

"""One offer of each kind, with options: sparse routing, a runtime in float64, a trainer with SGD, heads on a circle."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import harness
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch

MOST = 1024  # heads on the circle


class SparseOptions(harness.Options):
    """How many heads answer."""

    k: int = 4


class SparseProjector(harness.Projector):
    """Routes each query over the k nearest heads only."""

    name = "sparse"
    forms = ("numpy",)
    Options = SparseOptions

    def build(self, heads: harness.Heads, context: harness.BuildContext) -> Callable[[Any], Any]:
        """[B, D] -> [B, K]."""
        k = min(self.options.k, heads.count)
        centroids = heads.centroids / np.linalg.norm(heads.centroids, axis=1, keepdims=True)
        answers, temperature = heads.answers, np.float32(heads.temperature)

        def project(batch: Any) -> Any:
            scores = (batch / np.linalg.norm(batch, axis=1, keepdims=True)) @ centroids.T
            nearest = np.argpartition(-scores, k - 1, axis=1)[:, :k]
            near = np.take_along_axis(scores, nearest, axis=1) / temperature
            weights = np.exp(near - near.max(axis=1, keepdims=True))
            weights /= weights.sum(axis=1, keepdims=True)
            return np.einsum("bk,bkd->bd", weights, answers[nearest])

        return project

    def reference(self, heads: harness.Heads, queries: Any) -> Any:
        """The same, row by row in float64."""
        rows = []
        for query in queries.astype(np.float64):
            scores = [
                float(query @ c / np.linalg.norm(c) / np.linalg.norm(query)) for c in heads.centroids.astype(np.float64)
            ]
            nearest = sorted(range(heads.count), key=lambda head: -scores[head])[: self.options.k]
            weights = np.exp(np.array([scores[head] - scores[nearest[0]] for head in nearest]) / heads.temperature)
            rows.append(weights @ heads.answers[nearest].astype(np.float64) / weights.sum())
        return np.stack(rows)


class DoubleCompiled(harness.Compiled):
    """A callable that is fed float64."""

    def __init__(self, projection: Any) -> None:
        self._projection = projection

    def prepare(self, batch: Any) -> Any:
        """Converts off the clock."""
        return batch.astype(np.float64)

    def __call__(self, prepared: Any) -> Any:
        """The only thing on the clock."""
        return self._projection(prepared)


class DoubleRuntime(harness.Runtime):
    """NumPy, fed in double precision."""

    name = "double"
    forms = ("numpy",)

    def export(self, projection: Any, example: Any, folder: Path, context: harness.ExportContext) -> None:
        """Keeps nothing."""

    def load(self, folder: Path, context: harness.LoadContext) -> harness.Compiled:
        """Builds the projection again."""
        if context.rebuild is None:
            raise harness.ContenderError("the NumPy form cannot be built here", where=self.name)
        return DoubleCompiled(context.rebuild("numpy", True))


class SgdOptions(harness.Options):
    """How long, and how fast."""

    steps: int = 30
    learning_rate: float = 0.5


class SgdTrainer(harness.Trainer):
    """Plain gradient descent."""

    name = "sgd"
    Options = SgdOptions

    def fit(
        self,
        student: torch.nn.Module,
        teacher: Callable[[torch.Tensor], torch.Tensor],
        queries: torch.Tensor,
        context: harness.TrainContext,
    ) -> harness.TrainingReport:
        """Trains in place."""
        import torch

        started = time.perf_counter()
        targets = teacher(queries).detach()
        optimizer = torch.optim.SGD(student.parameters(), lr=self.options.learning_rate)
        losses = []
        for _ in range(self.options.steps):
            loss = (student(queries) - targets).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return harness.TrainingReport(losses={"loss": losses}, seconds=time.perf_counter() - started, steps=len(losses))


class CircleOptions(harness.Options):
    """Width of the vectors, and temperature."""

    width: int = 16
    temperature: float = 0.1


class CircleSource(harness.Source):
    """Heads that are spread over a circle."""

    name = "circle"
    Options = CircleOptions

    def limit(self, context: harness.SourceContext) -> int:
        """The largest N."""
        return MOST

    def load(self, heads: int | None, context: harness.SourceContext) -> harness.Dataset:
        """The first heads on the circle, by the golden angle; queries lie between them."""
        count = MOST if heads is None else heads
        if count > MOST:
            raise harness.DataError(f"the circle has {MOST} heads, {count} were asked for", where=self.name)
        about = f"circle-{count}-{self.options.width}-{self.options.temperature}"
        return harness.Dataset(
            heads=harness.Heads(
                centroids=self._points(0.0, count),
                answers=self._points(0.5, count),
                temperature=self.options.temperature,
            ),
            train_queries=self._points(0.1, 64),
            held_out_queries=self._points(0.2, 32),
            provenance=harness.Provenance(kind="synthetic", description="heads on a circle", digest=about),
        )

    def _points(self, start: float, count: int) -> Any:
        """Points by the golden angle, [count, width], so that fewer are the first of more."""
        angles = start + np.arange(count) * 2.399963
        harmonics = np.arange(1, self.options.width + 1)
        return np.cos(np.outer(angles, harmonics)).astype(np.float32)


class CountOptions(harness.Options):
    """What a suite may say under a contender's `options:`."""

    distinct: int = 100


class CountWorkload(harness.Workload):
    """How often each of n numbers occurs."""

    name = "count"
    Options = CountOptions

    def prepare(self, n: int, batch: int, seed: int) -> list[int]:
        """n numbers."""
        return np.random.default_rng(seed).integers(0, self.options.distinct, n).tolist()

    def rivals(self) -> dict[str, Any]:
        """By a loop, or by NumPy."""
        return {"loop": self.by_loop, "numpy": self.by_numpy}

    def by_loop(self, numbers: list[int]) -> list[int]:
        """One after the other."""
        found = [0] * self.options.distinct
        for number in numbers:
            found[number] += 1
        return found

    def by_numpy(self, numbers: list[int]) -> list[int]:
        """All at once."""
        return np.bincount(numbers, minlength=self.options.distinct).tolist()


@harness.hookimpl
def harness_workloads() -> Sequence[harness.Workload]:
    """Workloads."""
    return [CountWorkload()]


@harness.hookimpl
def harness_projectors() -> Sequence[harness.Projector]:
    """Projectors."""
    return [SparseProjector()]


@harness.hookimpl
def harness_runtimes() -> Sequence[harness.Runtime]:
    """Runtimes."""
    return [DoubleRuntime()]


@harness.hookimpl
def harness_trainers() -> Sequence[harness.Trainer]:
    """Trainers."""
    return [SgdTrainer()]


@harness.hookimpl
def harness_sources() -> Sequence[harness.Source]:
    """Sources."""
    return [CircleSource()]


@harness.hookimpl
def harness_versions() -> dict[str, str]:
    """What results depend on."""
    return {"harness-random": "0.3.0"}

"""A student that routes over few places in place of all heads, beside a linear map; fitted in closed form."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from pydantic import Field
from scipy.cluster.vq import kmeans2

import harness
from harness_plugins import ridge

if TYPE_CHECKING:
    from collections.abc import Sequence

Float32 = NDArray[np.float32]

_FIT_OPERATIONS = 6e10  # what the teacher's answers may cost: seconds, whatever N is
_FEWEST = 256  # queries that are fitted to at least
_CENTROIDS = 4096  # that the places are chosen among
_STEPS = 10  # of k-means


class RoutedStudent(torch.nn.Module):
    """`q M + softmax(cos(q, c) / T) A + b`, with few places c.

    Args:
        places: [M, D] of unit length.
        width: D.
        output_width: K.
        temperature: T.

    Attributes:
        drawn: queries around those that it is fitted to, with the teacher's answers, which every fit uses as well.
        penalty: of the fit; None chooses it by leave-one-out.
    """

    def __init__(self, places: Float32, width: int, output_width: int, temperature: float) -> None:
        super().__init__()
        self.places = torch.nn.Parameter(torch.from_numpy(places))
        self.answers = torch.nn.Parameter(torch.zeros(len(places), output_width))
        self.matrix = torch.nn.Parameter(torch.zeros(width, output_width))
        self.bias = torch.nn.Parameter(torch.zeros(output_width))
        self.register_buffer("scale", torch.tensor(1.0 / temperature, dtype=torch.float32))
        self.drawn: tuple[Float32, NDArray[np.floating[Any]]] | None = None
        self.penalty: float | None = None

    scale: torch.Tensor

    def start(self, queries: torch.Tensor, targets: torch.Tensor) -> None:
        """Fits all but the places to queries [Q, D] and the teacher's projections of them [Q, K], in closed form.

        A trainer that validates on some of its queries calls this with the others: what was fitted to them in `build`
        would know the answers.
        """
        self.fit(queries.detach().cpu().numpy(), targets.detach().cpu().numpy())

    def fit(self, queries: Float32, targets: NDArray[np.floating[Any]]) -> None:
        """The same, for arrays."""
        if self.drawn is not None:
            queries, targets = (np.concatenate(pair) for pair in zip((queries, targets), self.drawn, strict=True))
        width = queries.shape[1]
        places = self.places.detach().cpu().numpy()
        weights = _weights(queries, places, 1.0 / float(self.scale))
        # Both kinds of inputs vary as much, so that one penalty suits them.
        scale = np.float32(np.sqrt(queries.var(axis=0).mean() / max(float(weights.var(axis=0).mean()), 1e-12)))
        inputs = np.concatenate([queries, weights * scale], axis=1)
        both, bias = ridge.fit(inputs, targets, self.penalty)
        with torch.no_grad():
            self.matrix.copy_(torch.from_numpy(both[:width]))
            self.answers.copy_(torch.from_numpy(both[width:] * scale))
            self.bias.copy_(torch.from_numpy(bias))

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        """Projections [B, K] of queries [B, D]."""
        directions = functional.normalize(queries, dim=1)
        weights = torch.softmax(directions @ self.places.t() * self.scale, dim=1)
        result: torch.Tensor = torch.addmm(self.bias, queries, self.matrix) + weights @ self.answers
        return result


class RoutedOptions(harness.Options):
    """How many places, and how they are fitted."""

    places: Annotated[int, Field(ge=1, description="M, at most half of the heads")] = 128
    penalty: Annotated[
        float | None,
        Field(
            ge=0, description="penalty of the fit, relative to the mean eigenvalue; none chooses it by leave-one-out"
        ),
    ] = None
    drawn: Annotated[
        int, Field(ge=0, description="queries drawn around the training queries, which the teacher answers for the fit")
    ] = 4096


class RoutedProjector(harness.Projector):
    """A linear map plus routing over M places, fitted in closed form; its cost does not grow with N."""

    name = "routed"
    takes_matrices = True
    forms: ClassVar[tuple[Literal["module", "numpy"], ...]] = ("module",)
    Options = RoutedOptions

    def build(self, heads: harness.Heads, context: harness.BuildContext) -> torch.nn.Module:
        """The student fitted to the teacher's answers; zeros where there are none."""
        count = self._count(heads.count)
        known = context.train_queries if context.weights and context.teacher is not None else None
        places = np.zeros((count, heads.width), dtype=np.float32)
        if known is not None:
            places = _places(heads.centroids, count, context.seed)
        student = RoutedStudent(places, heads.width, heads.output_width, heads.temperature)
        if known is not None and context.teacher is not None:
            student.penalty = self.options.penalty
            own, drawn = self._queries(heads, known, context.seed)
            if len(drawn):
                student.drawn = drawn, context.teacher(drawn)
            student.fit(own, context.teacher(own))
        return student.eval()

    def variant(self, heads: int) -> int:
        """The number of places; the fit is made for each N."""
        return heads

    def cost(self, heads: int, batch: int, width: int, output_width: int) -> harness.Cost:
        """Three matrix products."""
        count = self._count(heads)
        weights = width * output_width + count * (width + output_width)
        return harness.Cost(
            flops=2.0 * batch * weights,
            bytes=4.0 * (weights + batch * (width + output_width)),
            products=[(batch, width, count), (batch, count, output_width), (batch, width, output_width)],
        )

    def _count(self, heads: int) -> int:
        return max(1, min(int(self.options.places), heads // 2))

    def _queries(self, heads: harness.Heads, train: Float32, seed: int) -> tuple[Float32, Float32]:
        """The training queries, and others drawn around them: as many as the teacher answers in seconds."""
        each = 2.0 * heads.count * (heads.width + heads.output_width)
        most = max(_FEWEST, int(_FIT_OPERATIONS / each))
        generator = np.random.default_rng([seed, 5])
        own = np.asarray(train)[np.linspace(0, len(train) - 1, min(len(train), most)).astype(int)]
        count = max(0, min(int(self.options.drawn), most - len(own)))
        first, second, third = (np.asarray(train)[generator.integers(len(train), size=count)] for _ in range(3))
        moved = first + generator.uniform(size=(count, 1)) * (second - third)
        drawn = _units(moved) * np.linalg.norm(first, axis=1, keepdims=True)
        return np.ascontiguousarray(own, dtype=np.float32), drawn.astype(np.float32)


def _places(centroids: Float32, count: int, seed: int) -> Float32:
    """M directions among those of the centroids, by k-means; evenly spaced centroids where there are many."""
    chosen = np.linspace(0, len(centroids) - 1, min(len(centroids), max(_CENTROIDS, count))).astype(int)
    directions = _units(np.asarray(centroids)[chosen])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a cluster without a centroid keeps its place, which does no harm
        found, _ = kmeans2(directions, count, iter=_STEPS, minit="++", seed=np.random.default_rng([seed, 6]))
    return _units(found).astype(np.float32)


def _weights(queries: Float32, places: Float32, temperature: float) -> Float32:
    scores = _units(queries) @ places.T / temperature
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights: Float32 = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
    return weights


def _units(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    rows = rows.astype(np.float64)
    units: NDArray[np.float64] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return units


@harness.hookimpl
def harness_projectors() -> Sequence[harness.Projector]:
    """The student that routes over few places."""
    return [RoutedProjector()]

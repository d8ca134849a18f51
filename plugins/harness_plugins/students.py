"""Trivial students: what a projection is worth is read beside a constant, the query itself, a linear map and an MLP."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import harness
from harness_plugins import ridge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    Student: TypeAlias = torch.nn.Module | Callable[[NDArray[np.float32]], NDArray[np.float32]]

Float32 = NDArray[np.float32]
Forms = tuple[Literal["module", "numpy"], ...]

_FIT_OPERATIONS = 6e10  # what the teacher's targets of a fit may cost: seconds, whatever N is
_FIT_ROWS = 256  # and how many of them there are at least


def fit_targets(heads: harness.Heads, context: harness.BuildContext) -> tuple[Float32, NDArray[np.float64]] | None:
    """Queries to fit to and the teacher's projections of them; evenly spaced ones where all would take minutes.

    None where nothing can be fitted: the state is loaded afterwards, or there are no queries, or there is no teacher.
    """
    queries = context.train_queries
    if not context.weights or queries is None or context.teacher is None:
        return None
    each = 2.0 * heads.count * (heads.width + heads.output_width)
    rows = min(len(queries), max(_FIT_ROWS, int(_FIT_OPERATIONS / each)))
    chosen = np.ascontiguousarray(queries[np.linspace(0, len(queries) - 1, rows).astype(int)])
    return chosen, context.teacher(chosen)


class ConstantProjector(harness.Projector):
    """The mean of the teacher's outputs, whatever the query is."""

    name = "constant"
    takes_matrices = True
    forms: ClassVar[Forms] = ("module", "numpy")

    def build(
        self, heads: harness.Heads, context: harness.BuildContext
    ) -> torch.nn.Module | Callable[[Float32], Float32]:
        """The mean over the training queries."""
        mean = np.zeros(heads.output_width, dtype=np.float32)
        if (fitted := fit_targets(heads, context)) is not None:
            mean = fitted[1].mean(axis=0).astype(np.float32)
        if context.form == "numpy":
            return lambda queries: np.tile(mean, (len(queries), 1))
        from harness_plugins.student_modules import Constant

        return Constant(mean)

    def cost(self, heads: int, batch: int, width: int, output_width: int) -> harness.Cost:  # noqa: ARG002
        """No operation; the result is written."""
        return harness.Cost(flops=0.0, bytes=4.0 * (batch + 1) * output_width)


class IdentityProjector(harness.Projector):
    """The query itself, as if questions lay where their answers are."""

    name = "identity"
    takes_matrices = True
    forms: ClassVar[Forms] = ("module", "numpy")

    def build(
        self, heads: harness.Heads, context: harness.BuildContext
    ) -> torch.nn.Module | Callable[[Float32], Float32]:
        """A copy of the query.

        Raises:
            ContenderError: where projections have another width than queries.
        """
        if heads.width != heads.output_width:
            raise harness.ContenderError(
                f"queries of width {heads.width} are no projections of width {heads.output_width}",
                where=self.name,
                next_step="leave this contender out",
            )
        if context.form == "numpy":
            return np.copy
        from harness_plugins.student_modules import Identity

        return Identity()

    def variant(self, heads: int) -> int:  # noqa: ARG002 - there is but one
        """Always the same."""
        return 1

    def cost(self, heads: int, batch: int, width: int, output_width: int) -> harness.Cost:  # noqa: ARG002
        """No operation; the query is read and written."""
        return harness.Cost(flops=0.0, bytes=8.0 * batch * width)


class LinearOptions(harness.Options):
    """How the linear map is fitted."""

    ridge: Annotated[
        float | None,
        Field(ge=0, description="penalty relative to the mean eigenvalue; none chooses it by leave-one-out"),
    ] = None


class LinearProjector(harness.Projector):
    """Ridge regression on the query: one matrix, fitted in closed form, that costs the same whatever N is."""

    name = "linear"
    takes_matrices = True
    forms: ClassVar[Forms] = ("module", "numpy")
    Options = LinearOptions

    def build(
        self, heads: harness.Heads, context: harness.BuildContext
    ) -> torch.nn.Module | Callable[[Float32], Float32]:
        """The map fitted to the teacher's outputs on the training queries; zeros where there are none."""
        matrix = np.zeros((heads.width, heads.output_width), dtype=np.float32)
        bias = np.zeros(heads.output_width, dtype=np.float32)
        if (fitted := fit_targets(heads, context)) is not None:
            matrix, bias = ridge.fit(*fitted, self.options.ridge)
        if context.form == "numpy":
            return _Affine(matrix, bias)
        from harness_plugins.student_modules import Affine

        return Affine(matrix, bias)

    def cost(self, heads: int, batch: int, width: int, output_width: int) -> harness.Cost:  # noqa: ARG002
        """One matrix product."""
        return harness.Cost(
            flops=2.0 * batch * width * output_width,
            bytes=4.0 * (width * output_width + batch * (width + output_width)),
            products=[(batch, width, output_width)],
        )


class _Affine:
    """`q M + b` in NumPy."""

    def __init__(self, matrix: Float32, bias: Float32) -> None:
        self._matrix = matrix
        self._bias = bias

    def __call__(self, queries: Float32) -> Float32:
        projections: Float32 = queries @ self._matrix
        projections += self._bias
        return projections


class MLPOptions(harness.Options):
    """Which documented student it is as large as."""

    prefer_h: Annotated[int, Field(ge=2, description="prefer_h of the student whose size it matches")] = 4
    num_layers: Annotated[
        int | None, Field(ge=1, description="num_layers of that student, in place of the sizing by N")
    ] = None
    ff_dim: Annotated[int, Field(ge=1, description="ff_dim of that student")] = 512


class MLPProjector(harness.Projector):
    """Two hidden layers with GELU, as many parameters as the documented student."""

    name = "mlp"
    needs_training = True
    Options = MLPOptions

    def build(self, heads: harness.Heads, context: harness.BuildContext) -> torch.nn.Module:  # noqa: ARG002
        """A network with random weights."""
        from harness_plugins.student_modules import mlp

        return mlp(heads.width, self._hidden(heads.count, heads.width, heads.output_width), heads.output_width)

    def _hidden(self, heads: int, width: int, output_width: int) -> int:
        """The hidden width h with h² + (D + K + 2) h + K nearest to the student's parameters."""
        layers = self.variant(heads)
        feed_forward = 2 * width * self.options.ff_dim + self.options.ff_dim + width
        layer = 4 * width * (width + 1) + feed_forward + 4 * width
        student = width * (width + 1) + layers * layer + (width + 1) * output_width
        linear = width + output_width + 2
        return max(1, round((math.sqrt(linear**2 + 4 * (student - output_width)) - linear) / 2))

    def steps(self, low: int, high: int) -> Sequence[int]:
        """Where the student that it is as large as gains a layer."""
        return self._student().steps(low, high)

    def variant(self, heads: int) -> int:
        """The layers of the student that it is as large as."""
        return self._student().variant(heads)

    def _student(self) -> harness.Projector:
        from harness_plugins.transformer import TransformerProjector

        return TransformerProjector().with_options(
            {"prefer_h": self.options.prefer_h, "num_layers": self.options.num_layers, "ff_dim": self.options.ff_dim}
        )

    def cost(self, heads: int, batch: int, width: int, output_width: int) -> harness.Cost:
        """Three matrix products."""
        hidden = self._hidden(heads, width, output_width)
        weights = hidden * (width + hidden + output_width)
        return harness.Cost(
            flops=2.0 * batch * weights,
            bytes=4.0 * (weights + batch * (width + output_width)),
            products=[(batch, width, hidden), (batch, hidden, hidden), (batch, hidden, output_width)],
        )


@harness.hookimpl
def harness_projectors() -> Sequence[harness.Projector]:
    """Students that every other one should beat."""
    return [ConstantProjector(), IdentityProjector(), LinearProjector(), MLPProjector()]

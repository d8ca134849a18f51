"""A student that starts as the best linear map, and learns what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field

import harness
from harness_plugins import ridge
from harness_plugins.affine import affine
from harness_plugins.folding import FoldedTransformer, fold
from harness_plugins.students import fit_targets
from harness_plugins.transformer import ProjectionTransformer, TransformerProjector

if TYPE_CHECKING:
    from collections.abc import Sequence


class ResidualStudent(torch.nn.Module):
    """`q M + b` and a folded transformer whose last matrix is zero before it is trained.

    Args:
        matrix: [D, K], from ridge regression.
        bias: [K].
        correction: the folded transformer, D to K.
    """

    def __init__(self, matrix: torch.Tensor, bias: torch.Tensor, correction: FoldedTransformer) -> None:
        super().__init__()
        self.matrix = torch.nn.Parameter(matrix)
        self.bias = torch.nn.Parameter(bias)
        self.correction = correction
        torch.nn.init.zeros_(correction.output_matrix)
        torch.nn.init.zeros_(correction.output_bias)

    def start(self, queries: torch.Tensor, targets: torch.Tensor) -> None:
        """Fits the linear map to queries [Q, D] and the teacher's projections of them [Q, K], with no correction.

        A trainer that validates on some of its queries calls this with the others: what was fitted to them in `build`
        would know the answers.
        """
        matrix, bias = ridge.fit(queries.detach().cpu().numpy(), targets.detach().cpu().numpy())
        with torch.no_grad():
            self.matrix.copy_(torch.from_numpy(matrix))
            self.bias.copy_(torch.from_numpy(bias))
            self.correction.output_matrix.zero_()
            self.correction.output_bias.zero_()

    def paces(self) -> Sequence[tuple[Sequence[torch.nn.Parameter], float]]:
        """How far a trainer should move which weights, in its learning rates.

        The linear map is right from the start, and what is added to it begins at zero. Moved as fast as the weights
        within the correction, both overshoot, and the student spends its training on learning the linear map again.
        """
        correction = self.correction
        last = (correction.output_matrix, correction.output_bias)
        return (
            (tuple(correction.layers.parameters()), 1.0),
            (last, 0.03),
            ((self.matrix, self.bias), 0.01),
        )

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        """Projections [B, K] of queries [B, D]."""
        linear = (
            affine(queries, self.matrix.t(), self.bias)
            if self.training
            else torch.addmm(self.bias, queries, self.matrix)
        )
        result: torch.Tensor = linear + self.correction(queries)
        return result


class ResidualOptions(harness.Options):
    """Sizes of the correction; what is left out follows from N as the documented student's does."""

    prefer_h: Annotated[int, Field(ge=2, description="heads per layer that the sizing assumes")] = 4
    num_layers: Annotated[int | None, Field(ge=1, description="L, in place of the sizing by N")] = None
    ff_dim: Annotated[int, Field(ge=1, description="width of the feed-forward layers")] = 512


class ResidualProjector(harness.Projector):
    """Ridge regression plus a folded student that learns the rest; fewer parameters than the documented student."""

    name = "residual"
    needs_training = True
    Options = ResidualOptions

    def build(self, heads: harness.Heads, context: harness.BuildContext) -> torch.nn.Module:
        """The linear map, fitted where there are training queries, and a correction that is zero as yet."""
        layers = self.variant(heads.count)
        transformer = ProjectionTransformer(
            heads.width, 1, layers, self.options.ff_dim, dropout=0.0, output_dim=heads.output_width
        )
        matrix = np.zeros((heads.width, heads.output_width), dtype=np.float32)
        bias = np.zeros(heads.output_width, dtype=np.float32)
        if (fitted := fit_targets(heads, context)) is not None:
            matrix, bias = ridge.fit(*fitted)
        return ResidualStudent(torch.from_numpy(matrix), torch.from_numpy(bias), fold(transformer)).eval()

    def steps(self, low: int, high: int) -> Sequence[int]:
        """The largest N before each additional layer."""
        return self._sizing().steps(low, high)

    def variant(self, heads: int) -> int:
        """L: untrained, it is of interest for its latency alone, which depends on nothing else."""
        return self._sizing().variant(heads)

    def cost(self, heads: int, batch: int, width: int, output_width: int) -> harness.Cost:
        """The folded student and one matrix product more."""
        correction = self._sizing().cost(heads, batch, width, output_width)
        assert correction is not None
        return harness.Cost(
            flops=correction.flops + 2.0 * batch * width * output_width,
            bytes=correction.bytes + 4.0 * width * output_width,
        )

    def _sizing(self) -> harness.Projector:
        return TransformerProjector().with_options(
            {
                "prefer_h": self.options.prefer_h,
                "num_layers": self.options.num_layers,
                "ff_dim": self.options.ff_dim,
                "deploy": "folded",
            }
        )


@harness.hookimpl
def harness_projectors() -> Sequence[harness.Projector]:
    """The student worth having."""
    return [ResidualProjector()]

"""The teacher as attention: softmax(q·C/T)·A is one head of scaled dot-product attention, with keys C and values A."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

import harness
from harness_plugins.lda import LDAProjector, keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


class AttentionProjector(LDAProjector):
    """The teacher in PyTorch's fused attention: unit queries attend to the centroids, over T, and read the answers."""

    name = "lda-attention"
    takes_matrices = False
    forms: ClassVar[tuple[Literal["module", "numpy"], ...]] = ("module",)

    def build(self, heads: harness.Heads, context: harness.BuildContext) -> torch.nn.Module:
        """The module; an export holds the operator `Attention`, or what it is made of.

        Raises:
            ContenderError: where heads have matrices.
        """
        if heads.matrices:
            raise harness.ContenderError(
                f"{len(heads.matrices)} of {heads.count} heads have a matrix, which attention does not apply",
                where=self.name,
                next_step="use the projector 'lda'",
            )
        from harness_plugins.lda_module import AttentionLDAModule

        rows = keys(heads) if context.weights else np.zeros(heads.centroids.shape, dtype=np.float32)
        return AttentionLDAModule(rows, heads.answers)


@harness.hookimpl
def harness_projectors() -> Sequence[harness.Projector]:
    """The teacher as attention."""
    return [AttentionProjector()]

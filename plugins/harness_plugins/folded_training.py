"""The documented student with each attention as the one matrix that it is, for training several times faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as functional

from harness_plugins.affine import affine
from harness_plugins.folding import attention_map, refuse_others

if TYPE_CHECKING:
    from harness_plugins.transformer import ProjectionTransformer

FULL_BATCH_PACE, MINI_BATCH_PACE = 2.0, 3.0


def pace_for(batch_size: int | None) -> float:
    """How far C moves for a step of AdamW, in steps of a single matrix, so that training ends as the documented loop.

    AdamW moves each weight by about the learning rate, and a product of two matrices that both move goes further than
    one matrix would: how much further depends on how far they move in all, so on the number of steps. These are the
    paces that come closest on a part of the training queries that was not trained on (tests/experiments/pace.py).
    """
    return FULL_BATCH_PACE if batch_size is None else MINI_BATCH_PACE


class FoldedTraining(torch.nn.Module):
    """Computes what a `ProjectionTransformer` computes, and hands its weights back when it is trained.

    Attention over one position is `x -> C x + c`. Trained are C and c in place of four matrices, of which two have no
    effect; all other weights are the student's own. Dropout is that of a student with H = 1: the attention's own
    silences `C x` for whole rows, where more heads would silence parts of it.

    Args:
        student: whose function it starts as; its weights are copied.
        pace: C is trained as a multiple of this; all other weights move at their own.

    Raises:
        ContenderError: where folding would change the function.
    """

    def __init__(self, student: ProjectionTransformer, pace: float = FULL_BATCH_PACE) -> None:
        super().__init__()
        refuse_others(student, instead="parametrisation: plain")
        self.pace = pace
        self.input_proj = _copied(student.input_proj)
        self.layers = torch.nn.ModuleList(_Layer(layer, pace) for layer in student.encoder.layers)
        self.output_proj = _copied(student.output_proj)

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        """Projections [B, K] of queries [B, D]."""
        hidden = _applied(self.input_proj, queries)
        for layer in self.layers:
            hidden = layer(hidden)
        return _applied(self.output_proj, hidden)

    def write_back(self, student: ProjectionTransformer) -> None:
        """Gives the student weights with which it computes the same: values `C x`, put out as they are."""
        with torch.no_grad():
            student.input_proj.load_state_dict(self.input_proj.state_dict())
            student.output_proj.load_state_dict(self.output_proj.state_dict())
            for own, layer in zip(self.layers, student.encoder.layers, strict=True):
                assert isinstance(own, _Layer)
                assert isinstance(layer, torch.nn.TransformerEncoderLayer)
                attention = layer.self_attn
                attention.in_proj_weight[2 * attention.embed_dim :].copy_(own.attention.weight * self.pace)
                attention.in_proj_bias[2 * attention.embed_dim :].copy_(own.attention.bias * self.pace)
                attention.out_proj.weight.copy_(torch.eye(attention.embed_dim))
                attention.out_proj.bias.copy_(own.attention_bias)
                for name in ("norm1", "norm2", "linear1", "linear2"):
                    getattr(layer, name).load_state_dict(getattr(own, name).state_dict())


class _Layer(torch.nn.Module):
    def __init__(self, layer: torch.nn.Module, pace: float) -> None:
        super().__init__()
        self.pace = pace
        assert isinstance(layer, torch.nn.TransformerEncoderLayer)
        matrix, bias = attention_map(layer)
        self.attention = torch.nn.Linear(matrix.shape[1], matrix.shape[0])
        self.attention.to(layer.linear1.weight)
        with torch.no_grad():
            self.attention.weight.copy_(matrix / pace)
            self.attention.bias.copy_((bias - layer.self_attn.out_proj.bias) / pace)
        self.attention_bias = torch.nn.Parameter(layer.self_attn.out_proj.bias.detach().clone())
        self.linear1, self.linear2 = _copied(layer.linear1), _copied(layer.linear2)
        self.norm1, self.norm2 = (_copied_norm(norm) for norm in (layer.norm1, layer.norm2))
        self.dropouts = (layer.self_attn.dropout, layer.dropout1.p, layer.dropout.p, layer.dropout2.p)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        rows, after_attention, inside, after = self.dropouts if self.training else (0.0, 0.0, 0.0, 0.0)
        attended = _applied(self.attention, hidden)
        attended = attended * dropout(attended.new_full((len(attended), 1), self.pace), rows)
        hidden = self.norm1(hidden + dropout(attended + self.attention_bias, after_attention))
        raised = dropout(functional.gelu(_applied(self.linear1, hidden)), inside)
        result: torch.Tensor = self.norm2(hidden + dropout(_applied(self.linear2, raised), after))
        return result


def dropout(values: torch.Tensor, probability: float) -> torch.Tensor:
    """Sets values to zero with this probability (to 16 bits) and scales the rest.

    PyTorch's own takes as long as the matrix product before it on a CPU: it draws one number for each value. Here a
    number of 64 bits decides over four.
    """
    if probability == 0:
        return values
    if values.is_cuda:
        return functional.dropout(values, probability)
    words = torch.empty(-(-values.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    chances = words.view(torch.int16)[: values.numel()].view(values.shape)
    kept = (chances >= round(probability * 2**16) - 2**15).to(values.dtype)
    return values * kept.mul_(1 / (1 - probability))


def _applied(linear: torch.nn.Linear, inputs: torch.Tensor) -> torch.Tensor:
    return affine(inputs, linear.weight, linear.bias)


def _copied(linear: torch.nn.Linear) -> torch.nn.Linear:
    copy = torch.nn.Linear(linear.in_features, linear.out_features).to(linear.weight)
    copy.load_state_dict(linear.state_dict())
    return copy


def _copied_norm(norm: torch.nn.LayerNorm) -> torch.nn.LayerNorm:
    copy = torch.nn.LayerNorm(norm.normalized_shape, eps=norm.eps).to(norm.weight)
    copy.load_state_dict(norm.state_dict())
    return copy

"""Exact folding of the documented student: attention over one position is a linear map, and linear maps multiply.

Softmax over a single key is 1, so attention is `x -> Wo (Wv x + bv) + bo` whatever queries, keys and the number of
heads are. With the residual it is one matrix, `I + Wo Wv`; the input projection and the affine part of each second
norm are absorbed by the matrix that follows, and the bias of each feed-forward layer by the norm before it.
"""

from __future__ import annotations

import torch

import harness
from harness_plugins.affine import affine
from harness_plugins.transformer import ProjectionTransformer


class FoldedTransformer(torch.nn.Module):
    """What remains of a `ProjectionTransformer`: three matrices for each layer and one at the end.

    A layer computes `r = norm(x M + m)`, then `x = standardise(r + gelu(r U + u) V)`; the end is `x P + p`.
    Matrices are stored as [inputs, outputs], the way a product with rows of queries reads them.

    Args:
        width: D of the queries.
        layers: L.
        ff_dim: width of the feed-forward layers.
        output_dim: K.
    """

    def __init__(self, width: int, layers: int, ff_dim: int, output_dim: int) -> None:
        super().__init__()
        self.width = width
        self.layers = torch.nn.ModuleList(_FoldedLayer(width, ff_dim) for _ in range(layers))
        self.output_matrix = torch.nn.Parameter(torch.empty(width, output_dim))
        self.output_bias = torch.nn.Parameter(torch.empty(output_dim))

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        """Projections [B, K] of queries [B, D].

        Raises:
            ValueError: where the queries have a sequence dimension: folding holds for one position.
        """
        if queries.ndim != 2:
            raise ValueError(f"a folded transformer takes queries [B, D], not {queries.ndim} dimensions")
        hidden = queries
        for layer in self.layers:
            hidden = layer(hidden)
        if self.training:
            return affine(hidden, self.output_matrix.t(), self.output_bias)
        return torch.addmm(self.output_bias, hidden, self.output_matrix)


class _FoldedLayer(torch.nn.Module):
    def __init__(self, width: int, ff_dim: int) -> None:
        super().__init__()
        self.shape = (width,)
        self.mixing_matrix = torch.nn.Parameter(torch.empty(width, width))
        self.mixing_bias = torch.nn.Parameter(torch.empty(width))
        self.norm_scale = torch.nn.Parameter(torch.empty(width))
        self.norm_shift = torch.nn.Parameter(torch.empty(width))
        self.up_matrix = torch.nn.Parameter(torch.empty(width, ff_dim))
        self.up_bias = torch.nn.Parameter(torch.empty(ff_dim))
        self.down_matrix = torch.nn.Parameter(torch.empty(ff_dim, width))
        self.epsilons = (1e-5, 1e-5)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        first, second = self.epsilons
        if self.training:  # the same, by the product that is fastest both ways
            mixed = affine(hidden, self.mixing_matrix.t(), self.mixing_bias)
            residual = torch.nn.functional.layer_norm(mixed, self.shape, self.norm_scale, self.norm_shift, first)
            raised = torch.nn.functional.gelu(affine(residual, self.up_matrix.t(), self.up_bias))
            return torch.nn.functional.layer_norm(
                residual + affine(raised, self.down_matrix.t()), self.shape, eps=second
            )
        mixed = torch.addmm(self.mixing_bias, hidden, self.mixing_matrix)
        residual = torch.nn.functional.layer_norm(mixed, self.shape, self.norm_scale, self.norm_shift, first)
        raised = torch.nn.functional.gelu(torch.addmm(self.up_bias, residual, self.up_matrix))
        return torch.nn.functional.layer_norm(torch.addmm(residual, raised, self.down_matrix), self.shape, eps=second)


def fold(student: torch.nn.Module, sequence_length: int = 1) -> FoldedTransformer:
    """The same function with about half the weights, in evaluation mode; computed in float64, stored as the student is.

    Raises:
        ContenderError: where folding would change the function: more than one position, or a module of another kind.
    """
    if sequence_length != 1:
        raise harness.ContenderError(
            f"attention over {sequence_length} positions is not a linear map, so it cannot be folded",
            next_step="set deploy: plain",
        )
    refuse_others(student)
    assert isinstance(student, ProjectionTransformer)
    sizes = student.configuration
    folded = FoldedTransformer(
        int(sizes["embed_dim"]), int(sizes["num_layers"]), int(sizes["ff_dim"]), int(sizes["output_dim"])
    )
    folded.to(student.output_proj.weight.dtype)
    with torch.no_grad():
        # What stands before the next matrix: hidden = absorbed_matrix · x + absorbed_bias, as columns.
        absorbed_matrix, absorbed_bias = _double(student.input_proj.weight), _double(student.input_proj.bias)
        for layer, target in zip(student.encoder.layers, folded.layers, strict=True):
            assert isinstance(layer, torch.nn.TransformerEncoderLayer)
            assert isinstance(target, _FoldedLayer)
            attention, bias = attention_map(layer)
            mixing = torch.eye(len(attention), dtype=torch.float64, device=attention.device) + attention
            target.mixing_matrix.copy_((mixing @ absorbed_matrix).T)
            target.mixing_bias.copy_(mixing @ absorbed_bias + bias)
            up, down_bias = _double(layer.linear1.weight), _double(layer.linear2.bias)
            # The second bias moves into the norm before it, the residual takes it along, the first makes up for it.
            target.norm_scale.copy_(layer.norm1.weight)
            target.norm_shift.copy_(_double(layer.norm1.bias) + down_bias)
            target.up_matrix.copy_(up.T)
            target.up_bias.copy_(_double(layer.linear1.bias) - up @ down_bias)
            target.down_matrix.copy_(layer.linear2.weight.T)
            target.epsilons = (layer.norm1.eps, layer.norm2.eps)
            absorbed_matrix, absorbed_bias = torch.diag(_double(layer.norm2.weight)), _double(layer.norm2.bias)
        last = _double(student.output_proj.weight)
        folded.output_matrix.copy_((last @ absorbed_matrix).T)
        folded.output_bias.copy_(last @ absorbed_bias + _double(student.output_proj.bias))
    return folded.eval()


def attention_map(layer: torch.nn.TransformerEncoderLayer) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention over one position as one matrix [D, D] and bias [D], in float64."""
    attention = layer.self_attn
    width = attention.embed_dim
    value, value_bias = _double(attention.in_proj_weight)[2 * width :], _double(attention.in_proj_bias)[2 * width :]
    out, out_bias = _double(attention.out_proj.weight), _double(attention.out_proj.bias)
    return out @ value, out @ value_bias + out_bias


def refuse_others(student: torch.nn.Module, instead: str = "deploy: plain") -> None:
    """Refuses every module that computes something other than what is folded here.

    Args:
        student: to be folded.
        instead: the option and its value with which nothing would be folded.

    Raises:
        ContenderError: which says what is different.
    """
    reason = ""
    if type(student) is not ProjectionTransformer:  # a subclass may compute something else
        reason = f"a {type(student).__name__} is not known to be a ProjectionTransformer"
    elif student.encoder.norm is not None:
        reason = "its encoder ends with a norm of its own"
    else:
        for index, layer in enumerate(student.encoder.layers):
            if type(layer) is not torch.nn.TransformerEncoderLayer:
                reason = f"layer {index} is a {type(layer).__name__}"
            elif layer.norm_first:
                reason = f"layer {index} normalises before attention"
            elif layer.activation is not torch.nn.functional.gelu:
                reason = f"the activation of layer {index} is not GELU"
            elif layer.self_attn.in_proj_bias is None or layer.self_attn.bias_k is not None:
                reason = f"the attention of layer {index} has other biases"
            elif layer.self_attn.add_zero_attn:
                reason = f"layer {index} attends to an added position"
    if reason:
        raise harness.ContenderError(f"{reason}, so folding might change what it computes", next_step=f"set {instead}")


def _double(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to(torch.float64)

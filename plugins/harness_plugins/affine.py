"""An affine map in training, with the fastest matrix product in float32 that PyTorch was built with."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as functional
from torch.autograd.function import once_differentiable


def affine(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """`inputs` [B, D] times `weight` [K, D] transposed, plus `bias` [K]: what a torch.nn.Linear computes.

    On a CPU PyTorch asks BLAS for products in float32. oneDNN, which it is built with too, does the same product in the
    same precision, on AMD processors with AVX-512 more than twice as fast; tests/benchmarks/training.py shows it.
    """
    if not _is_for_onednn(inputs, weight):
        return functional.linear(inputs, weight, bias)
    result: torch.Tensor = _Affine.apply(inputs, weight, bias)  # type: ignore[no-untyped-call]
    return result


def _is_for_onednn(inputs: torch.Tensor, weight: torch.Tensor) -> bool:
    """Autocast is left alone: it would choose another precision, and PyTorch asks oneDNN for that by itself."""
    return (
        inputs.ndim == 2
        and inputs.dtype == weight.dtype == torch.float32
        and inputs.device.type == weight.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def _product(left: torch.Tensor, right: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """`left` [B, D] times `right` [K, D] transposed, by the operator that torch.compile calls for a torch.nn.Linear."""
    operator = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001 - it has no public name
    result: torch.Tensor = operator(left, right, bias, "none", [], "")
    return result


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        context.save_for_backward(inputs, weight)
        return _product(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        inputs, weight = context.saved_tensors
        wants_inputs, wants_weight, wants_bias = context.needs_input_grad
        return (
            _product(gradient, weight.t()) if wants_inputs else None,
            _product(gradient.t(), inputs.t()) if wants_weight else None,
            gradient.sum(dim=0) if wants_bias else None,
        )

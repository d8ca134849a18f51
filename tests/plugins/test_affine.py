from __future__ import annotations

import pytest
import torch
import torch.nn.functional as functional

from harness_plugins import affine as module
from harness_plugins.affine import affine


def made(dtype=torch.float32):
    torch.manual_seed(0)
    return [torch.randn(*shape, dtype=dtype, requires_grad=True) for shape in ((9, 24), (16, 24), (16,))]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("with_bias", [True, False])
def test_values_and_gradients_are_those_of_a_linear_layer(dtype, tolerance, with_bias):
    inputs = made(dtype) if with_bias else made(dtype)[:2]
    wanted = functional.linear(*inputs)
    got = affine(*inputs)
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=tolerance)
    gradient = torch.randn(9, 16, dtype=dtype)
    for mine, theirs in zip(
        torch.autograd.grad(got, inputs, gradient), torch.autograd.grad(wanted, inputs, gradient), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=10 * tolerance)


def test_a_transposed_matrix_will_do():
    inputs, weight, bias = made()
    stored = weight.detach().t().contiguous().requires_grad_()
    affine(inputs, stored.t(), bias).sum().backward()
    torch.testing.assert_close(stored.grad, inputs.detach().sum(0)[:, None].expand(24, 16), rtol=1e-5, atol=1e-5)


def test_what_needs_no_gradient_gets_none():
    inputs, weight, bias = made()
    affine(inputs.detach(), weight, bias).sum().backward()
    assert inputs.grad is None
    assert weight.grad is not None


def test_products_are_in_float32_not_in_less():
    torch.manual_seed(1)
    inputs, weight = torch.randn(64, 384), torch.randn(512, 384)
    exact = inputs.double() @ weight.double().t()
    assert float((affine(inputs, weight) - exact).abs().max()) < 2e-4  # in bfloat16 it is above 0.1


def test_autocast_and_other_types_are_left_to_pytorch(monkeypatch):
    monkeypatch.setattr(module, "_product", lambda *_: pytest.fail("oneDNN was asked"))
    inputs, weight, bias = made(torch.float64)
    affine(inputs, weight, bias)
    inputs, weight, bias = made()
    with torch.autocast("cpu", torch.bfloat16):
        assert affine(inputs, weight, bias).dtype == torch.bfloat16
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    torch.testing.assert_close(affine(inputs, weight, bias), functional.linear(inputs, weight, bias))

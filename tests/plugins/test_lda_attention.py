"""The teacher as attention: the same function, in PyTorch's fused kernel and in ONNX Runtime's operator."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

import harness
from harness.testing import check_projector
from harness_plugins.eager import EagerRuntime
from harness_plugins.lda import LDAProjector
from harness_plugins.lda_attention import AttentionProjector
from harness_plugins.onnxruntime import OnnxRuntime
from tests.plugins.test_lda_blocked import Watched


def test_it_keeps_the_rules_of_projectors():
    check_projector(AttentionProjector())


@pytest.mark.parametrize("output_width", [24, 32])
@pytest.mark.parametrize("temperature", [1.0, 0.02])
def test_attention_over_centroids_is_the_teacher(output_width, temperature, make_heads, queries):
    heads = make_heads(300, output_width=output_width, temperature=temperature)
    module = AttentionProjector().build(heads, harness.BuildContext(form="module"))
    wanted = LDAProjector().reference(heads, queries)
    np.testing.assert_allclose(module(torch.from_numpy(queries)).numpy(), wanted, atol=1e-5 * np.abs(wanted).max())


def test_it_is_one_operation_where_widths_agree(make_heads, queries):
    module = AttentionProjector().build(make_heads(300, output_width=32), harness.BuildContext(form="module"))
    with Watched() as watched:
        module(torch.from_numpy(queries))
    assert "_scaled_dot_product_flash_attention_for_cpu" in watched.largest


def test_onnx_runtime_is_given_its_operator_for_attention(make_heads, queries, tmp_path):
    heads = make_heads(300, output_width=32)
    module = AttentionProjector().build(heads, harness.BuildContext(form="module"))
    OnnxRuntime().export(module, queries, tmp_path, harness.ExportContext(heads=300, batch_sizes=(1, len(queries))))
    assert "Attention" in {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    ready = OnnxRuntime().load(tmp_path, harness.LoadContext(heads=300))
    wanted = LDAProjector().reference(heads, queries)
    for rows in (queries, queries[:1]):
        found = ready.result(ready(ready.prepare(rows)))
        np.testing.assert_allclose(found, wanted[: len(rows)], atol=1e-5 * np.abs(wanted).max())


def test_heads_with_matrices_are_refused(make_mapped):
    with pytest.raises(harness.ContenderError, match="use the projector 'lda'"):
        AttentionProjector().build(make_mapped(4, [1]), harness.BuildContext(form="module"))


@pytest.mark.parametrize("runtime", [EagerRuntime(), OnnxRuntime()], ids=lambda each: each.name)
def test_the_limits_know_the_product_of_each_library(runtime):
    generator = np.random.default_rng(0)
    left, right = (generator.standard_normal(shape, dtype=np.float32) for shape in ((3, 32), (32, 50)))
    call = runtime.product(left, right, 1)
    output = call()
    if output is not None:  # ONNX Runtime keeps it in its binding
        np.testing.assert_allclose(np.asarray(output), left @ right, rtol=1e-4, atol=1e-4)
    call()

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import harness
from harness_plugins.lda import LDAProjector
from harness_plugins.lda_blocked import BlockedLDA, BlockedProjector


@pytest.mark.parametrize("block", [1, 7, 100, 300, 4096])
@pytest.mark.parametrize("temperature", [1.0, 0.02])
def test_blocks_change_nothing(block, temperature, make_heads, queries):
    heads = make_heads(300, temperature=temperature)
    wanted = LDAProjector().reference(heads, queries)
    got = BlockedLDA(heads, block, weights=0)(queries)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, atol=1e-5 * np.abs(wanted).max())


class Watched(TorchDispatchMode):
    """Notes the largest result of every operation."""

    def __init__(self):
        super().__init__()
        self.largest: dict[str, int] = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        given = {each.untyped_storage().data_ptr() for each in args if torch.is_tensor(each)}
        made = [each for each in (result if isinstance(result, tuple) else (result,)) if torch.is_tensor(each)]
        fresh = [each.numel() for each in made if each.untyped_storage().data_ptr() not in given]
        name = function.overloadpacket.__name__
        self.largest[name] = max([self.largest.get(name, 0), *fresh])
        return result


@pytest.mark.parametrize("rows", [2, 33])
@pytest.mark.parametrize("output_width", [24, 32])
def test_the_fused_module_never_holds_all_weights(rows, output_width, make_heads, queries):
    heads = make_heads(1500, output_width=output_width)
    module = BlockedProjector().with_options({"weights": 0}).build(heads, harness.BuildContext(form="module"))
    with Watched() as watched:
        got = module(torch.from_numpy(queries[:rows])).numpy()
    assert max(watched.largest.values()) < rows * 1500
    fused = "_scaled_dot_product_flash_attention_for_cpu" in watched.largest
    assert fused == (output_width == 32 and rows <= 32)  # its kernel needs one width, and is slower for many queries
    wanted = LDAProjector().reference(heads, queries[:rows])
    np.testing.assert_allclose(got, wanted, atol=1e-5 * np.abs(wanted).max())


def test_the_module_takes_few_weights_at_once(make_heads, queries):
    module = (
        BlockedProjector()
        .with_options({"weights": 40 * 300})
        .build(make_heads(300, output_width=32), harness.BuildContext(form="module"))
    )
    for rows, at_once in ((40, True), (41, False)):
        with Watched() as watched:
            module(torch.from_numpy(np.resize(queries, (rows, 32))))
        assert ("_softmax" in watched.largest) == at_once


def test_a_recorded_graph_serves_other_batch_sizes(make_heads, queries):
    heads = make_heads(300, output_width=32)
    module = BlockedProjector().build(heads, harness.BuildContext(form="module"))
    traced = torch.jit.trace(module, (torch.from_numpy(queries[:2]),), check_trace=False)
    wanted = LDAProjector().reference(heads, queries)
    np.testing.assert_allclose(traced(torch.from_numpy(queries)).numpy(), wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("weights", [0, None])
@pytest.mark.parametrize("rows", [1, 2, 33])
@pytest.mark.parametrize("output_width", [24, 32])
def test_the_fused_module_computes_the_same(rows, output_width, weights, make_heads, queries):
    heads = make_heads(300, output_width=output_width)
    projector = BlockedProjector().with_options({"weights": weights})
    module = projector.build(heads, harness.BuildContext(form="module"))
    wanted = projector.reference(heads, queries[:rows])
    got = module(torch.from_numpy(queries[:rows])).numpy()
    np.testing.assert_allclose(got, wanted, atol=1e-5 * np.abs(wanted).max())


def test_few_weights_are_taken_at_once(make_heads, queries):
    projector = BlockedProjector().with_options({"weights": 40 * 300})
    blocked = projector.build(make_heads(300), harness.BuildContext(form="numpy"))
    blocked._block = None  # would fail if it were asked for
    assert blocked(queries).shape == (40, 24)
    with pytest.raises(TypeError):
        blocked(np.concatenate([queries, queries[:1]]))


def test_a_module_without_weights_has_the_shapes_of_one_with_them(make_heads):
    full, empty = (
        BlockedProjector().build(make_heads(9), harness.BuildContext(form="module", weights=weights))
        for weights in (True, False)
    )
    empty.load_state_dict(full.state_dict())
    torch.testing.assert_close(empty.keys, full.keys)


@pytest.mark.parametrize("form", ["module", "numpy"])
def test_heads_with_matrices_are_refused(form, make_mapped):
    with pytest.raises(
        harness.ContenderError, match="2 of 6 heads have a matrix, which is not computed in blocks; use"
    ):
        BlockedProjector().build(make_mapped(6, (1, 4)), harness.BuildContext(form=form))

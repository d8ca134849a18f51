from __future__ import annotations

import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize("rows", [1, 2, 33])
@pytest.mark.parametrize("output_width", [24, 32])
def test_the_fused_module_computes_the_same(rows, output_width, make_heads, queries):
    heads = make_heads(300, output_width=output_width)
    projector = BlockedProjector()
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

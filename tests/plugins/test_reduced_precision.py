from __future__ import annotations

import numpy as np
import pytest
import torch

import harness
from harness_plugins import reduced_precision
from harness_plugins.folding import fold
from harness_plugins.lda import LDAProjector
from harness_plugins.reduced_precision import EagerBFloat16Runtime, OnnxInt8Runtime
from harness_plugins.transformer import ProjectionTransformer


def modules(make_heads):
    torch.manual_seed(0)
    return {
        "lda": LDAProjector().build(make_heads(40), harness.BuildContext(form="module")),
        "folded": fold(ProjectionTransformer(32, 4, 2, 48, output_dim=24)),
    }


def run(runtime, module, folder, queries):
    runtime.export(module, queries[:1], folder, harness.ExportContext(heads=40))
    ready = runtime.load(folder, harness.LoadContext(heads=40, rebuild=lambda form, weights: module))
    outputs = [ready.result(ready(ready.prepare(queries[:rows]))) for rows in (1, len(queries))]
    assert outputs[0].shape == (1, 24)
    return outputs[1]


@pytest.mark.parametrize("name", ["lda", "folded"])
@pytest.mark.parametrize("runtime", [OnnxInt8Runtime(), EagerBFloat16Runtime().with_options({"emulate": True})])
def test_it_is_near_but_not_exact(name, runtime, make_heads, queries, tmp_path):
    module = modules(make_heads)[name]
    with torch.no_grad():
        wanted = module(torch.from_numpy(queries)).numpy()
    got = run(runtime, module, tmp_path, queries)
    error = np.abs(got - wanted).max() / np.abs(wanted).max()
    assert 1e-4 < error < runtime.tolerance  # fewer bits are really in use, and it is what the runtime promises
    assert got.dtype == np.float32


def test_eight_bits_are_a_quarter_of_the_weights(make_heads, queries, tmp_path):
    module = modules(make_heads)["folded"]
    run(OnnxInt8Runtime(), module, tmp_path, queries)
    weights = 4 * sum(p.numel() for p in module.parameters() if p.ndim == 2)
    assert not list(tmp_path.glob("exact*"))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 0.8 * weights


def test_a_processor_without_bfloat16_is_refused(make_heads, queries, tmp_path, monkeypatch):
    monkeypatch.setattr(reduced_precision, "has_bfloat16", lambda: False)
    sentence = "eager-bfloat16: this processor has no bfloat16 arithmetic; leave it out here, or set emulate: true"
    with pytest.raises(harness.ContenderError, match=sentence):
        run(EagerBFloat16Runtime(), modules(make_heads)["lda"], tmp_path, queries)

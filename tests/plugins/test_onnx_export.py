from __future__ import annotations

import numpy as np
import pytest
import torch

from harness_plugins import onnx_export
from harness_plugins.lda import LDAProjector
from harness_plugins.onnx_export import INPUT, OnnxExporter


@pytest.fixture
def exports(monkeypatch):
    """The modules that PyTorch's exporter was asked for."""
    asked = []
    exported = onnx_export._exported
    monkeypatch.setattr(
        onnx_export, "_exported", lambda module, rows, **how: asked.append(module) or exported(module, rows, **how)
    )
    return asked


def run(path, batch):
    import onnxruntime

    return onnxruntime.InferenceSession(path).run(None, {INPUT: batch})[0]


def write(exporter, module, queries, folder):
    folder.mkdir()
    exporter.write(module.eval(), queries, folder / "model.onnx")
    with torch.no_grad():
        wanted = module(torch.from_numpy(queries)).numpy()
    np.testing.assert_allclose(run(folder / "model.onnx", queries), wanted, atol=1e-5)
    np.testing.assert_allclose(run(folder / "model.onnx", queries[:1]), wanted[:1], atol=1e-5)


class Scaled(torch.nn.Module):
    """Shares its structure with others of its class, and bakes a constant into the graph that is no plain attribute."""

    def __init__(self, width, scale):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(32, width))
        self.scale = [scale]

    def forward(self, queries):
        return (queries @ self.weight) * self.scale[0]


def test_the_same_structure_is_exported_once(exports, make_heads, queries, tmp_path):
    import harness

    exporter = OnnxExporter(1e-4)
    for count in (18, 7, 300):
        module = LDAProjector().build(make_heads(count), harness.BuildContext(form="module"))
        write(exporter, module, queries, tmp_path / str(count))
    assert len(exports) == 1


def test_a_graph_that_does_not_fit_is_exported_again(exports, queries, tmp_path):
    exporter = OnnxExporter(1e-4)
    write(exporter, Scaled(6, 2.0), queries, tmp_path / "first")
    write(exporter, Scaled(9, 2.0), queries, tmp_path / "filled")
    assert len(exports) == 1
    write(exporter, Scaled(9, 3.0), queries, tmp_path / "second")
    assert len(exports) == 2


def test_another_plain_attribute_is_another_structure(exports, queries, tmp_path):
    exporter = OnnxExporter(1e-4)
    write(exporter, torch.nn.Sequential(torch.nn.Linear(32, 8), torch.nn.LeakyReLU(0.1)), queries, tmp_path / "first")
    write(exporter, torch.nn.Sequential(torch.nn.Linear(32, 8), torch.nn.LeakyReLU(0.2)), queries, tmp_path / "second")
    assert len(exports) == 2


def test_the_exporter_says_nothing(capfd, queries, tmp_path):
    write(OnnxExporter(1e-4), torch.nn.Linear(32, 3), queries, tmp_path / "a")
    assert capfd.readouterr() == ("", "")

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
import torch

import harness
from harness_plugins.inductor import AOTInductorRuntime, TorchCompileRuntime

pytestmark = [
    pytest.mark.skipif(shutil.which("g++") is None, reason="TorchInductor needs a C++ compiler"),
    pytest.mark.skipif(
        "HARNESS_TEST_COMPILERS" not in os.environ, reason="compiles for a minute: set HARNESS_TEST_COMPILERS"
    ),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Shared, since Inductor first compiles programs that find out what the processor can do."""
    return tmp_path_factory.mktemp("inductor")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("runtime", [TorchCompileRuntime(), AOTInductorRuntime()])
def test_what_is_compiled_computes_the_same(runtime, queries, tmp_path, monkeypatch, cache):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(cache))
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(32, 24), torch.nn.GELU()).eval()
    folder = tmp_path / "artifact"
    folder.mkdir()
    runtime.export(module, queries[:1], folder, harness.ExportContext(heads=4))
    ready = runtime.load(folder, harness.LoadContext(heads=4, rebuild=lambda form, weights: module))
    with torch.no_grad():
        wanted = module(torch.from_numpy(queries)).numpy()
    for rows in (1, 5, 40):
        np.testing.assert_allclose(ready.result(ready(ready.prepare(queries[:rows]))), wanted[:rows], atol=1e-5)
    assert ready.threads() == 1

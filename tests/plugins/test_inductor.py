from __future__ import annotations

import os
import shutil
import zipfile

import numpy as np
import pytest
import torch

import harness
from harness_plugins.inductor import AOTInductorRuntime, TorchCompileRuntime
from harness_plugins.lda import LDAProjector
from harness_plugins.transformer import ProjectionTransformer

compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="TorchInductor needs a C++ compiler")
thorough = pytest.mark.skipif(
    "HARNESS_TEST_COMPILERS" not in os.environ, reason="compiles for a minute: set HARNESS_TEST_COMPILERS"
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Shared, since Inductor first compiles programs that find out what the processor can do."""
    return tmp_path_factory.mktemp("inductor")


def teacher():
    generator = np.random.default_rng(0)
    centroids, answers = (generator.standard_normal((18, width), dtype="f4") for width in (32, 24))
    heads = harness.Heads(centroids=centroids, answers=answers, temperature=0.1)
    return LDAProjector().build(heads, harness.BuildContext(form="module")).eval()


def student():
    torch.manual_seed(0)
    return ProjectionTransformer(32, 4, 1, 16, output_dim=24).eval()


def proved(runtime, module, queries, folder, threads=1):
    """What is loaded after an export, once it has computed the same as the module."""
    folder.mkdir()
    runtime.export(module, queries[:1], folder, harness.ExportContext(heads=18, threads=threads))
    context = harness.LoadContext(heads=18, threads=threads, rebuild=lambda form, weights: module)
    ready = runtime.load(folder, context)
    with torch.no_grad():
        wanted = module(torch.from_numpy(queries)).numpy()
    for rows in (1, 5, 40):
        np.testing.assert_allclose(ready.result(ready(ready.prepare(queries[:rows]))), wanted[:rows], atol=1e-5)
    return ready


@compiler
@thorough
@pytest.mark.timeout(300)
def test_the_teacher_is_compiled_while_it_is_loaded(queries, tmp_path, monkeypatch, cache):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(cache))
    ready = proved(TorchCompileRuntime(), teacher(), queries, tmp_path / "artifact")
    assert ready.threads() == 1
    spent = ready.compile_seconds
    assert spent > 0
    ready.prepare(queries[:5])
    assert ready.compile_seconds == spent  # nothing is compiled twice


@compiler
@thorough
@pytest.mark.timeout(300)
@pytest.mark.parametrize("module", [teacher(), student()], ids=["teacher", "student"])
def test_what_is_compiled_ahead_of_time_has_its_own_threads(module, queries, tmp_path, monkeypatch, cache):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(cache))
    before = torch.get_num_threads()
    torch.set_num_threads(3)  # of the process that compiles, which has nothing to do with it
    try:
        ready = proved(AOTInductorRuntime(), module, queries, tmp_path / "artifact")
    finally:
        torch.set_num_threads(before)
    assert ready.threads() == 1
    with zipfile.ZipFile(tmp_path / "artifact" / "module.pt2") as package:
        sources = [package.read(name).decode() for name in package.namelist() if name.endswith(".cpp")]
    assert any("extern" in each for each in sources)
    assert not any("num_threads(3)" in each for each in sources)


def test_dynamo_compiles_for_every_n(queries, tmp_path, monkeypatch):
    """With a backend that compiles nothing, so that it takes no time."""
    plain = torch.compile
    monkeypatch.setattr(torch, "compile", lambda module, **how: plain(module, backend="eager", **how))
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    runtime = TorchCompileRuntime()
    for count in range(2, 14):
        module = torch.nn.Sequential(torch.nn.Linear(32, count))
        folder = tmp_path / str(count)
        folder.mkdir()
        runtime.export(module, queries[:1], folder, harness.ExportContext(heads=count))
        context = harness.LoadContext(heads=count, rebuild=lambda form, weights, module=module: module)
        ready = runtime.load(folder, context)
        for rows in (1, 5):
            ready(ready.prepare(queries[:rows]))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 24

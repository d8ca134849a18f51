from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import onnx
import pytest
import torch

import harness
from harness.measure.operations import by_batch_size
from harness.plugin.manager import available
from harness.testing import sample_heads, sample_queries
from harness_plugins.eager import EagerRuntime, TorchCompiled
from harness_plugins.lda import LDAProjector, LoopProjector
from harness_plugins.onnxruntime import OnnxRuntime
from harness_plugins.openvino import OpenVinoRuntime
from harness_plugins.python import PythonRuntime
from harness_plugins.torchscript import TorchScriptRuntime
from harness_plugins.transformer import TransformerProjector

RUNTIMES = {
    runtime.name: runtime
    for runtime in (PythonRuntime(), EagerRuntime(), TorchScriptRuntime(), OnnxRuntime(), OpenVinoRuntime())
    if available(runtime).here
}
PROJECTORS = {
    projector.name: projector
    for projector in (LDAProjector(), LoopProjector(), TransformerProjector().with_options({"ff_dim": 16}))
}
PAIRS = [
    (projector, runtime)
    for projector in PROJECTORS
    for runtime in RUNTIMES
    if set(PROJECTORS[projector].forms) & set(RUNTIMES[runtime].forms)
]


def build(projector, heads, form, weights=True):
    torch.manual_seed(0)
    return projector.build(heads, harness.BuildContext(form=form, weights=weights))


def compiled(projector, runtime, heads, folder, example, **context):
    form = next(form for form in runtime.forms if form in projector.forms)
    folder.mkdir()
    runtime.export(build(projector, heads, form), example, folder, harness.ExportContext(heads=heads.count))

    def rebuild(form, weights):
        torch.manual_seed(0)
        return projector.build(heads, harness.BuildContext(form=form, weights=weights))

    return runtime.load(folder, harness.LoadContext(heads=heads.count, rebuild=rebuild, **context))


def reference(projector, heads, queries):
    wanted = projector.reference(heads, queries)
    if wanted is None:
        with torch.no_grad():
            wanted = build(projector, heads, "module").double()(torch.from_numpy(queries).double()).numpy()
    return wanted


@pytest.mark.parametrize(("projector", "runtime"), PAIRS)
def test_every_runtime_computes_every_projector(projector, runtime, make_heads, queries, tmp_path):
    projector, runtime, heads = PROJECTORS[projector], RUNTIMES[runtime], make_heads(18)
    ready = compiled(projector, runtime, heads, tmp_path / "artifact", queries[:1])
    wanted = reference(projector, heads, queries)
    for rows in (1, 2, 33):  # traced or exported with one query, and yet with any batch
        output = ready.result(ready(ready.prepare(queries[:rows])))
        assert (output.dtype, output.shape, output.flags.c_contiguous) == (np.float32, (rows, 24), True)
        np.testing.assert_allclose(output, wanted[:rows], rtol=0, atol=1e-5 * np.abs(wanted).max())
    ready.close()
    ready.close()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_prepared_batch_outlives_the_array_that_it_came_from(runtime, make_heads, queries, tmp_path):
    ready = compiled(PROJECTORS["lda"], RUNTIMES[runtime], make_heads(18), tmp_path / "artifact", queries[:1])
    batch = np.array(queries[:4])
    prepared = ready.prepare(batch)
    before = ready.result(ready(prepared)).copy()
    shape = batch.shape
    del batch
    others = [np.full(shape, 7.0, dtype=np.float32) for _ in range(500)]  # where it was, if nobody holds it
    np.testing.assert_array_equal(ready.result(ready(prepared)), before)
    assert len(others) == 500


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_threads_are_set_and_read_back(runtime, make_heads, queries, tmp_path):
    ready = compiled(LDAProjector(), RUNTIMES[runtime], make_heads(4), tmp_path / "artifact", queries, threads=1)
    assert ready.threads() == 1
    ready.close()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_prepared_batches_can_be_called_in_turn(runtime, make_heads, queries, tmp_path):
    ready = compiled(LDAProjector(), RUNTIMES[runtime], make_heads(4), tmp_path / "artifact", queries)
    first, second = ready.prepare(queries[:3]), ready.prepare(queries[3:6])
    wanted = LDAProjector().reference(make_heads(4), queries[:6])
    ready(second)
    np.testing.assert_allclose(ready.result(ready(first)), wanted[:3], atol=1e-5)
    np.testing.assert_allclose(ready.result(ready(second)), wanted[3:], atol=1e-5)


def test_the_worker_of_onnx_runtime_imports_no_torch(make_heads, queries, tmp_path):
    heads = make_heads(4)
    runtime = RUNTIMES["onnxruntime"]
    runtime.export(build(LDAProjector(), heads, "module"), queries, tmp_path, harness.ExportContext(heads=4))
    np.save(tmp_path / "queries.npy", queries)
    code = (
        "import sys, pathlib, numpy as np, harness; from harness_plugins.onnxruntime import OnnxRuntime\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "ready = OnnxRuntime().load(folder, harness.LoadContext(heads=4))\n"
        "np.save(folder / 'out.npy', ready.result(ready(ready.prepare(np.load(folder / 'queries.npy')))))\n"
        "assert 'torch' not in sys.modules and 'onnx' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), LDAProjector().reference(heads, queries), atol=1e-5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens where there is no GPU")
@pytest.mark.parametrize(
    ("runtime", "sentence"),
    [
        ("eager", "eager: PyTorch finds no CUDA device here; use the device cpu"),
        ("torchscript", "torchscript: PyTorch finds no CUDA device here; use the device cpu"),
        ("onnxruntime", "onnxruntime: ONNX Runtime has no CUDAExecutionProvider here; install onnxruntime-gpu"),
    ],
)
def test_a_device_that_is_not_there(runtime, sentence, make_heads, queries, tmp_path):
    with pytest.raises(harness.ContenderError, match=sentence):
        compiled(LDAProjector(), RUNTIMES[runtime], make_heads(4), tmp_path / "artifact", queries, device="cuda")


class FakeEvent:
    """An event of CUDA that notes when it is recorded."""

    diary: list[str] = []  # noqa: RUF012 - emptied by each test

    def __init__(self, *, enable_timing):
        assert enable_timing

    def record(self):
        self.diary.append("event")

    def elapsed_time(self, other):
        assert self.diary[-1] == "synchronise"  # before that, the times are not known
        return 2.5


def test_on_a_gpu_the_clock_stops_when_the_result_exists_and_events_tell_what_the_device_took(monkeypatch):
    diary = FakeEvent.diary
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: diary.append("synchronise"))
    monkeypatch.setattr(torch.cuda, "Event", FakeEvent)
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: diary.append("busy" if cycles >= 2e5 else "too short"))

    def module(prepared):
        diary.append("launch")
        return prepared

    ready = TorchCompiled(module, harness.LoadContext(heads=4, device="cuda"))
    batch = torch.ones(2, 3)  # as if it lay on the device
    diary.clear()
    ready(batch)
    assert diary == ["launch", "synchronise"]
    diary.clear()
    assert ready.device_seconds(batch) == pytest.approx(2.5e-3)
    # The stream is busy while everything between the events is launched, so that gaps between launches do not count.
    assert diary == ["synchronise", "launch", "synchronise", "busy", "event", "launch", "event", "synchronise"]


def test_a_cpu_has_no_clock_of_its_own(make_heads, queries, tmp_path):
    ready = compiled(LDAProjector(), RUNTIMES["eager"], make_heads(4), tmp_path / "artifact", queries)
    assert ready.device_seconds(ready.prepare(queries)) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
@pytest.mark.parametrize("runtime", ["eager", "torchscript", "onnxruntime"])
def test_every_runtime_computes_on_a_gpu(runtime, make_heads, queries, tmp_path):
    heads = make_heads(18)
    ready = compiled(LDAProjector(), RUNTIMES[runtime], heads, tmp_path / "artifact", queries[:1], device="cuda")
    prepared = ready.prepare(queries)
    wanted = LDAProjector().reference(heads, queries)
    np.testing.assert_allclose(ready.result(ready(prepared)), wanted, atol=1e-3)
    if runtime != "onnxruntime":
        assert prepared.device.type == "cuda"
        assert 0 < ready.device_seconds(prepared) < 1


def test_state_that_shares_memory_is_written(tmp_path):
    from harness_plugins.eager import save_state

    module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    module[1].weight = module[0].weight
    save_state(module, tmp_path / "state.safetensors")
    import safetensors.torch

    assert set(safetensors.torch.load_file(tmp_path / "state.safetensors")) == set(module.state_dict())


class Loops(torch.nn.Module):
    """Takes more steps for a single query, and other ones for sixteen or more; the answer tells which."""

    def forward(self, queries):
        answer = queries[:, :4]
        if queries.shape[0] == 1:
            for _ in range(3):
                answer = answer + 1
        if queries.shape[0] >= 16:
            answer = answer - 1
        return answer


@pytest.mark.parametrize("raced", [(1,), (4,), (1, 4, 32)])
@pytest.mark.parametrize("name", [name for name in RUNTIMES if name not in ("python", "eager")])
def test_what_depends_on_the_batch_size_is_exported_at_each_that_is_raced(name, raced, tmp_path):
    queries = np.random.default_rng(0).standard_normal((32, 8)).astype(np.float32)
    example, module = queries[: max(raced)], Loops().eval()
    known = by_batch_size(module, example, {1, 2, *raced})
    context = harness.ExportContext(heads=4, batch_sizes=raced, operations=known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        RUNTIMES[name].export(module, example, tmp_path, context)
    compiled = RUNTIMES[name].load(tmp_path, harness.LoadContext(heads=4))
    for size in raced:
        batch = queries[:size].copy()
        found = compiled.result(compiled(compiled.prepare(batch)))
        assert np.allclose(found, module(torch.from_numpy(batch)).numpy(), atol=1e-6)
    if compiled.batch_sizes is not None:
        assert set(raced) <= set(compiled.batch_sizes)
        with pytest.raises(harness.ContenderError, match="and not of 7"):
            compiled.prepare(queries[:7].copy())


def test_one_trace_serves_all_batch_sizes_where_they_are_alike(tmp_path):
    projector = PROJECTORS["transformer"]
    module = build(projector, sample_heads(8, width=16, output_width=16), "module").eval()
    example = sample_queries(4, width=16)
    known = by_batch_size(module, example, {1, 2, 4})
    context = harness.ExportContext(heads=8, batch_sizes=(1, 4), operations=known)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RUNTIMES["torchscript"].export(module, example, tmp_path, context)
    assert [each.name for each in tmp_path.iterdir()] == ["module.pt"]


def test_a_graph_is_not_filled_with_the_weights_of_a_module_that_does_something_else(tmp_path):
    """Two N of one structure, of which the larger takes another branch, with the same answer."""

    class ByHeads(torch.nn.Module):
        def __init__(self, heads):
            super().__init__()
            self.register_buffer("keys", torch.ones(heads, 8))

        def forward(self, queries):
            if len(self.keys) > 4:
                return queries @ self.keys.T[:, :1]
            return (queries[:, None] * self.keys[:1]).sum(dim=2)

    example, operators = sample_queries(4, width=8), []
    for heads in (2, 9):
        module, folder = ByHeads(heads).eval(), tmp_path / str(heads)
        folder.mkdir()
        known = by_batch_size(module, example, {1, 2, 4})
        RUNTIMES["onnxruntime"].export(
            module, example, folder, harness.ExportContext(heads=heads, batch_sizes=(4,), operations=known)
        )
        operators.append({node.op_type for node in onnx.load(folder / "model.onnx").graph.node})
    assert "MatMul" not in operators[0]
    assert "MatMul" in operators[1]

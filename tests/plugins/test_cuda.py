"""What is done on a GPU, with libraries that are made up where there is none; the rest is skipped with that reason."""

from __future__ import annotations

from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import harness
from harness.measure import worker as workers
from harness.process.server import _failure_of
from harness_plugins import onnxruntime as plugin
from harness_plugins.eager import EagerGraphRuntime, EagerRuntime, TorchCompiled, torch_absent
from harness_plugins.inductor import TorchCompileRuntime
from harness_plugins.lda import LDAProjector
from harness_plugins.onnxruntime import OnnxCompiled, OnnxOptions, OnnxRuntime, provider_options
from harness_plugins.reduced_precision import BFloat16Compiled

ON_A_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="only a GPU can tell, and there is none here")
CONTEXT = harness.LoadContext(heads=4, device="cuda")


@pytest.fixture
def cuda(monkeypatch):
    """PyTorch's CUDA, as if it were there: it notes what it is asked."""
    diary: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: diary.append("synchronise"))
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: diary.append("busy"))
    event = SimpleNamespace(record=lambda: diary.append("event"), elapsed_time=lambda other: 2.5)
    monkeypatch.setattr(torch.cuda, "Event", lambda *, enable_timing: event)
    return diary


# ------------------------------------------------------------------------------------------------------------ PyTorch


def test_bfloat16_is_given_bfloat16_by_the_clock_of_the_device_too(cuda):
    seen = []

    def module(queries):
        seen.append(queries.dtype)
        return queries

    ready = BFloat16Compiled(module, CONTEXT)
    batch = torch.ones(2, 3)
    ready(batch)
    assert ready.device_seconds(batch) == pytest.approx(2.5e-3)
    ready.enqueue(batch)
    assert set(seen) == {torch.bfloat16}


def test_queued_calls_are_not_waited_for(cuda):
    ready = TorchCompiled(lambda queries: queries, CONTEXT)
    ready.enqueue(torch.ones(1, 2))
    assert cuda == []
    ready.synchronise()
    assert cuda == ["synchronise"]


@pytest.mark.parametrize("tf32", [False, True])
def test_products_are_in_float32_unless_the_option_says_tf32(tf32, cuda, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    torch.backends.cuda.matmul.allow_tf32 = not tf32
    told = TorchCompiled(lambda queries: queries, CONTEXT, tf32=tf32).settings()
    assert told == {"device": "a card", "host_memory": "pinned", "tf32": str(tf32)}
    assert torch.backends.cudnn.allow_tf32 == tf32
    torch.backends.cuda.matmul.allow_tf32 = False


@pytest.mark.parametrize(("size", "evicts"), [(2**20, True), (0, False)])
def test_the_second_cache_of_a_gpu_is_filled_twice_over_or_cold_is_refused(size, evicts, cuda, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(L2_cache_size=size))
    made = []
    ready = TorchCompiled(lambda queries: queries, CONTEXT)
    zeros = SimpleNamespace(zero_=lambda: cuda.append("filled"))
    monkeypatch.setattr(torch, "empty", lambda count, **_: made.append(count) or zeros)
    assert ready.evict() == evicts
    assert made == ([2 * size] if evicts else [])
    assert cuda == (["filled", "synchronise"] if evicts else [])
    one = SimpleNamespace(
        _cold=True, _elsewhere=True, _specification=SimpleNamespace(device="cuda", contender="student")
    )
    if evicts:
        workers.Worker._check_cold(one, ready)
    else:
        with pytest.raises(harness.ContenderError, match=r"the caches of cuda cannot be emptied .*cache: warm"):
            workers.Worker._check_cold(one, ready)


def test_a_runtime_that_cannot_empty_a_devices_caches_says_so():
    assert not OnnxCompiled.evict(SimpleNamespace())


def test_the_clocks_of_a_device_are_brought_up_before_each_sample():
    for elsewhere, wanted in ((True, workers._DEVICE_UNTIMED_SECONDS), (False, 0.002)):
        one = SimpleNamespace(_elsewhere=elsewhere)
        assert workers.Worker._untimed_seconds(one, {"untimed_seconds": 0.002}) == wanted
    assert workers._DEVICE_WARM_UP_SECONDS >= 0.15


@pytest.mark.parametrize(
    "what",
    [
        "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.10 GiB",
        "CUDNN failure: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)",
        "[ONNXRuntimeError] : 1 : FAIL : Failed to allocate memory for requested buffer of size 8589934592",
    ],
)
def test_memory_of_a_gpu_that_ran_out_is_recognised(what):
    assert _failure_of(RuntimeError(what))["kind"] == "memory"


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens where there is no GPU")
@pytest.mark.parametrize(
    "runtime", [EagerRuntime(), EagerGraphRuntime(), TorchCompileRuntime()], ids=lambda each: each.name
)
def test_a_gpu_that_is_absent_is_told_by_pytorch(runtime):
    assert runtime.absent("cuda", 0) == "PyTorch finds no CUDA device here"


def test_a_gpu_of_a_number_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert torch_absent("cuda", 0) == ""
    assert torch_absent("cuda", 1) == "PyTorch finds 1 CUDA device here, and none of number 1"


def test_modes_of_torch_compile_are_options_and_checked():
    assert TorchCompileRuntime().with_options({"mode": "reduce-overhead"}).options.mode == "reduce-overhead"
    with pytest.raises(ValueError, match="reduce-overhead"):
        TorchCompileRuntime().with_options({"mode": "fast"})


# ------------------------------------------------------------------------------------------------------- ONNX Runtime


class Session:
    """A session of ONNX Runtime on a GPU that does not exist."""

    def __init__(self, path, options, providers):
        self.providers = providers
        self.ran: list[object] = []

    def get_providers(self):
        return [each if isinstance(each, str) else each[0] for each in self.providers]

    def get_provider_options(self):
        return dict(self.providers)

    def get_outputs(self):
        return [SimpleNamespace(shape=["batch", 7])]

    def io_binding(self):
        return Binding()

    def run_with_iobinding(self, binding, run_options=None):
        binding.diary.append("run")
        self.ran.append(run_options)


class Binding:
    def __init__(self):
        self.diary: list[object] = []

    def bind_ortvalue_input(self, name, value):
        self.diary.append(("input", value.device))

    def bind_ortvalue_output(self, name, value):
        self.diary.append(("output", value.device, value.shape))

    def synchronize_outputs(self):
        self.diary.append("synchronise")


class Value:
    def __init__(self, device, shape):
        self.device, self.shape = device, shape

    @classmethod
    def ortvalue_from_numpy(cls, array, device="cpu", number=0):
        if number:
            raise RuntimeError("CUDA failure 101: invalid device ordinal\nmore of it")
        return cls(device, list(array.shape))

    @classmethod
    def ortvalue_from_shape_and_type(cls, shape, kind, device, number):
        return cls(device, shape)

    def update_inplace(self, array):
        self.updated = array

    def numpy(self):
        return np.zeros(self.shape, dtype=np.float32)


@pytest.fixture
def sessions(monkeypatch):
    """ONNX Runtime with the provider for CUDA, as if it were there."""
    library = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(library, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(library, "InferenceSession", Session)
    monkeypatch.setattr(library, "OrtValue", Value)


def session(**options):
    return OnnxCompiled(None, CONTEXT, "onnxruntime", OnnxOptions(**options))


def test_arithmetic_is_float32_by_default_and_read_back(sessions):
    assert provider_options(OnnxOptions()) == {"device_id": "0", "use_tf32": "0", "enable_cuda_graph": "0"}
    assert session().settings()["use_tf32"] == "0"
    assert session(use_tf32=True).settings()["use_tf32"] == "1"
    assert session(provider={"cudnn_conv_algo_search": "HEURISTIC"}).settings()["provider"] == "CUDAExecutionProvider"


def test_outputs_lie_on_the_device_before_the_clock_starts_and_a_call_waits_once(sessions):
    ready = session()
    prepared = ready.prepare(np.ones((5, 3), dtype=np.float32))
    assert prepared.binding.diary == [("input", "cuda"), ("output", "cuda", [5, 7])]
    ready(prepared)
    assert prepared.binding.diary[2:] == ["run", "synchronise"]
    assert prepared.run_options.get_run_config_entry("disable_synchronize_execution_providers") == "1"
    ready.enqueue(prepared)
    assert prepared.binding.diary[4:] == ["run"]
    ready.synchronise()
    assert prepared.binding.diary[5:] == ["synchronise"]


def test_transfers_of_onnx_runtime_begin_and_end_in_host_memory(sessions):
    ready = session()
    batch = np.full((5, 3), 2, dtype=np.float32)
    staged = ready.stage(batch)
    assert ready.enqueue_staged(staged).shape == (5, 7)
    np.testing.assert_array_equal(staged.input.updated, batch)


def test_a_graph_is_captured_for_each_batch_off_the_clock(sessions):
    ready = session(cuda_graph=True)
    assert ready.settings()["enable_cuda_graph"] == "1"
    bound = [ready.prepare(np.ones((5, 3), dtype=np.float32)) for _ in range(2)]
    assert [each.run_options.get_run_config_entry("gpu_graph_id") for each in bound] == ["0", "1"]
    assert all("run" in each.binding.diary for each in bound)


def test_a_device_that_onnx_runtime_cannot_use_is_absent(sessions):
    assert OnnxRuntime().absent("cuda", 0) == ""
    assert (
        OnnxRuntime().absent("cuda", 1) == "ONNX Runtime cannot use cuda:1 (CUDA failure 101: invalid device ordinal)"
    )


@pytest.mark.parametrize(
    ("installed", "told"),
    [({"onnxruntime": "1.23"}, "1.23"), ({"onnxruntime-gpu": "1.24"}, "1.24 (onnxruntime-gpu)")],
)
def test_the_version_is_that_of_whichever_distribution_is_installed(installed, told, monkeypatch):
    def version(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(plugin.metadata, "version", version)
    assert plugin.installed_version() == told


def test_the_version_is_that_of_the_module_where_no_distribution_is_known(monkeypatch):
    library = pytest.importorskip("onnxruntime")

    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(plugin.metadata, "version", version)
    assert plugin.installed_version() == library.__version__


@pytest.mark.parametrize("spinning", [False, True])
def test_how_threads_wait_is_an_option_and_read_back(spinning, make_heads, queries, tmp_path):
    runtime = OnnxRuntime().with_options({"spinning": spinning})
    module = LDAProjector().build(make_heads(4), harness.BuildContext(form="module"))
    runtime.export(module, queries, tmp_path, harness.ExportContext(heads=4))
    ready = runtime.load(tmp_path, harness.LoadContext(heads=4, threads=2))
    assert ready.settings()["waiting"] == ("spinning" if spinning else "passive")
    assert ready.threads() == 2


# -------------------------------------------------------------------------------------------------- on a GPU alone


@ON_A_GPU
@pytest.mark.parametrize(
    "runtime", [EagerRuntime(), EagerGraphRuntime(), TorchCompileRuntime()], ids=lambda each: each.name
)
@pytest.mark.parametrize("transfers", ["excluded", "included"])
@pytest.mark.parametrize("mode", ["latency", "pipelined"])
def test_every_way_of_calling_gives_the_same_on_a_gpu(runtime, transfers, mode, make_heads, queries, tmp_path):
    from harness.measure.timed_projection import TimedProjection

    heads = make_heads(18)
    module = LDAProjector().build(heads, harness.BuildContext(form="module"))
    runtime.export(module, queries, tmp_path, harness.ExportContext(heads=18, device="cuda"))
    rebuilt = LDAProjector().build(heads, harness.BuildContext(form="module"))
    context = harness.LoadContext(heads=18, device="cuda", rebuild=lambda form, weights: rebuilt)
    calling = TimedProjection(runtime.load(tmp_path, context), transfers, mode)
    wanted = LDAProjector().reference(heads, queries)
    np.testing.assert_allclose(calling.answer(calling.prepare(queries)), wanted, atol=1e-4 * np.abs(wanted).max())


@ON_A_GPU
def test_what_the_device_took_holds_no_gaps_between_launches():
    size, operations = 64, 200
    ready = TorchCompiled(lambda x: [x := x + 1 for _ in range(operations)][-1], CONTEXT)
    prepared = ready.prepare(np.ones((size, size), dtype=np.float32))
    ready(prepared)
    taken = ready.device_seconds(prepared)
    assert taken is not None
    assert 0 < taken < operations * 5e-6  # launching alone takes longer


@ON_A_GPU
def test_memory_of_the_device_is_told():
    ready = TorchCompiled(lambda queries: queries * 2, CONTEXT)
    ready(ready.prepare(np.ones((1024, 1024), dtype=np.float32)))
    assert ready.device_memory()["allocated"] >= 4 * 2**20

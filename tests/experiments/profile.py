"""Where the time of the teacher in ONNX Runtime goes, operation by operation, beside NumPy's products of its shapes.

    python -m tests.experiments.profile [N,B ...]

What an empty call costs is that of a graph which only hands its input on. Operations are timed by ONNX Runtime's own
profiler in a second session, in whole microseconds and with the time that being watched takes: where operations take a
few of them, they add up to more than the call.
"""

from __future__ import annotations

import collections
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from tabulate import tabulate

import harness
from harness.measure.roofline import rates
from harness_plugins.lda import LDAProjector
from harness_plugins.onnx_export import INPUT, OUTPUT, OnnxExporter

WIDTH = 384
POINTS = ((18, 32), (18, 256), (16384, 32))
_SECONDS = 0.005  # of a series: short, so that some of them pass undisturbed
_SERIES = 200


def main(points=POINTS):
    """Prints one table for each point."""
    import threadpoolctl

    threadpoolctl.threadpool_limits(1)
    for heads, batch in points:
        with tempfile.TemporaryDirectory() as folder:
            print(tabulate(rows(heads, batch, Path(folder)), ("what", "us", "GFLOP/s"), floatfmt=".1f", missingval=""))
        print()


def rows(heads, batch, folder):
    """What takes how many microseconds of a call, and at which rate."""
    generator = np.random.default_rng(0)
    centroids, answers, queries = (
        generator.standard_normal((count, WIDTH), dtype=np.float32) for count in (heads, heads, batch)
    )
    teacher = LDAProjector().build(
        harness.Heads(centroids=centroids, answers=answers, temperature=0.1), harness.BuildContext(form="module")
    )
    OnnxExporter(1e-3).write(teacher, queries[:2], folder / "teacher.onnx")
    empty(folder / "empty.onnx")
    call, nothing = (timed(session(folder / f"{name}.onnx"), queries) for name in ("teacher", "empty"))
    operations = profiled(session(folder / "teacher.onnx", folder / "profile"), queries)
    products = ((batch, WIDTH, heads), (batch, heads, WIDTH))
    flops = [2.0 * rows * inner * columns for rows, inner, columns in products]
    of_numpy = {tuple(each[:3]): each[3] for each in rates(products, [2**20])["products"]}
    found = [(f"the call, N = {heads:,}, B = {batch}", 1e6 * call, sum(flops) / call / 1e9)]
    multiplications = iter(flops)
    for name, seconds in operations:
        rate = next(multiplications) / seconds / 1e9 if name.startswith("MatMul") else None
        found.append((f"  {name}", 1e6 * seconds, rate))
    rest = call - sum(seconds for _, seconds in operations)
    found.append(("  the call less these", 1e6 * rest, None))
    found.append(("an empty call", 1e6 * nothing, None))
    for shape, size in zip(products, flops, strict=True):
        rate = of_numpy[shape]
        found.append((f"NumPy, {shape[0]} x {shape[1]} x {shape[2]}", 1e6 * size / rate, rate / 1e9))
    return found


def session(path, profile=None):
    """A session with one thread, as contenders have it; one that is watched where a profile is wanted."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def bound(ready, queries):
    """Inputs and outputs bound off the clock."""
    binding = ready.io_binding()
    binding.bind_ortvalue_input(INPUT, onnxruntime.OrtValue.ortvalue_from_numpy(queries))
    binding.bind_output(OUTPUT, "cpu", 0)
    return binding


def timed(ready, queries):
    """Seconds of a call, the fastest of many series: where time goes is asked of a machine that is left alone."""
    binding = bound(ready, queries)
    loops = 1
    means = []
    for _ in range(_SERIES + 1):  # the first one warms up and says how many fit
        started = time.perf_counter()
        for _ in range(loops):
            ready.run_with_iobinding(binding)
        means.append((time.perf_counter() - started) / loops)
        loops = max(1, int(_SECONDS / means[-1]))
    return min(means[1:])


def profiled(ready, queries):
    """(operation, mean seconds of the fastest tenth) in the order of the graph."""
    binding = bound(ready, queries)
    for _ in range(400):
        ready.run_with_iobinding(binding)
    events = json.loads(Path(ready.end_profiling()).read_text())
    times = collections.defaultdict(list)
    names = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times[event["name"]].append(event["dur"] * 1e-6)
            names[event["name"]] = event["args"]["op_name"]
    return [(names[key], statistics.mean(sorted(seconds)[: len(seconds) // 10])) for key, seconds in times.items()]


def empty(path):
    """A graph that hands its input on."""
    kind = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", WIDTH]) for name in (INPUT, OUTPUT)]
    graph = helper.make_graph([helper.make_node("Identity", [INPUT], [OUTPUT])], "empty", kind[:1], kind[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main([tuple(int(each) for each in place.split(",")) for place in sys.argv[1:]] or POINTS)

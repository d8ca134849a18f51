"""What the machine could do at best, measured like a contender: float32 matrix products and reading memory.

A limit is the best of the libraries at hand: NumPy, and whatever the runtimes of a suite multiply with, each in a
process of its own.

Williams, Waterman and Patterson 2009, "Roofline": a call that needs F operations and M bytes takes at least the larger
of F over the arithmetic rate and M over the bandwidth. Both depend on shape and size, so products are timed at the
shapes that the contenders state, and reading at many sizes.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from harness.measure.clock import monotonic
from harness.measure.construction import offer
from harness.plan.specification import OfferReference
from harness.process.server import Operation, pin, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from harness.plugin.interfaces import Device, Float32, Runtime

Shape = tuple[int, int, int]  # rows, inner, columns of a matrix product
Multiply: TypeAlias = "Callable[[Float32, Float32], Sequence[Callable[[], object]]]"

_SECONDS = 0.006  # of each mean
_REPEATS = 3
_PASSES = 2  # over all shapes: what disturbs one of them is gone by the next
_PRODUCTS_SECONDS = 5.0  # of a pass: shapes that come later are not timed
_LARGE: Shape = (512, 384, 1024)  # near the best rate, and still in the caches
_MOST_OPERATIONS = 2**32  # of a product that is timed; wider ones run at the same rate
_WIDE = 2048  # columns of what is read: of narrow matrices a core reads half as much in the same time


def operations(settings: Mapping[str, Any]) -> Mapping[str, Operation]:
    """What can be asked: `rates` for shapes and working sets."""
    import threadpoolctl

    threadpoolctl.threadpool_limits(int(settings.get("threads", 1)))
    pin(settings.get("core") or [])
    threads = int(settings.get("threads", 1))
    multiply = numpy_products
    if named := settings.get("runtime"):
        multiply = functools.partial(library_products, cast("Runtime", offer(OfferReference(**named))), threads)
    if device := settings.get("device"):
        runtime = cast("Runtime", offer(OfferReference(**settings["runtime"])))
        return {"rates": lambda request: device_rates(runtime, device, request["shapes"], request["sizes"])}
    return {"rates": lambda request: rates([_shape(each) for each in request["shapes"]], request["sizes"], multiply)}


def shapes_to_time(exact: Iterable[Shape], others: Iterable[Shape] = ()) -> list[Shape]:
    """The shapes to time, each once: a large one, the exact ones, and the others rounded to powers of two."""
    rounded = [(rows, _power(inner), _power(columns)) for rows, inner, columns in others]
    return list(dict.fromkeys([_LARGE, *map(_cut_to_time, exact), *map(_cut_to_time, rounded)]))


def best_rates(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The best rate of each shape and size over several libraries, each as `rates` gives it."""
    products: dict[Shape, float] = {}
    memory: dict[str, float] = {}
    for each in found:
        for *sides, rate in each.get("products", ()):
            shape = _shape(sides)
            products[shape] = max(float(rate), products.get(shape, 0.0))
        for size, rate in each.get("bytes_per_second", {}).items():
            memory[size] = max(float(rate), memory.get(size, 0.0))
    return {**_by_rows(products), "bytes_per_second": memory}


def best_device_rates(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The best of several libraries on one device, each as `device_rates` gives it; empty where there is none."""
    if not found:
        return {}
    costs = {name: min(float(each[name]) for each in found) for name in ("launch_seconds", "synchronise_seconds")}
    return {**best_rates(found), **costs}


def rates(shapes: Sequence[Shape], sizes: Sequence[int], multiply: Multiply | None = None) -> dict[str, Any]:
    """The best rates that were seen.

    Args:
        shapes: of matrix products.
        sizes: bytes that are read over and over.
        multiply: the calls that compute a product, of which the fastest counts; NumPy's if absent.

    Returns:
        `products` (rows, inner, columns, operations per second), `flops_per_second` (the best by rows, as text), and
        `bytes_per_second` by size, as text.
    """
    products: dict[Shape, float] = {}
    for _ in range(_PASSES):
        ends = monotonic() + _PRODUCTS_SECONDS
        for shape in shapes:
            if products and monotonic() > ends:
                break
            rate = _products(shape, multiply or numpy_products)
            if rate is None:  # this library multiplies nothing for us
                return {**_by_rows({}), "bytes_per_second": {}}
            products[shape] = max(rate, products.get(shape, 0.0))
    return {**_by_rows(products), "bytes_per_second": {str(size): _reads(size) for size in sizes}}


def device_rates(
    runtime: Runtime, device: Device, shapes: Sequence[Sequence[int]], sizes: Sequence[int]
) -> dict[str, Any]:
    """The same of a device other than the processor, with what starting work on it and waiting for it costs.

    Empty where the runtime does not measure it.
    """
    found = runtime.device_rates(device, [_shape(each) for each in shapes], list(sizes))
    if found is None:
        return {}
    return {
        **_by_rows(found.products),
        "bytes_per_second": {str(size): rate for size, rate in found.bytes_per_second.items()},
        "launch_seconds": found.launch_seconds,
        "synchronise_seconds": found.synchronise_seconds,
    }


def numpy_products(left: Float32, right: Float32) -> list[Callable[[], object]]:
    """NumPy's products of two matrices, the right one laid out either way."""
    output = np.empty((left.shape[0], right.shape[1]), dtype=np.float32)
    other = np.ascontiguousarray(right.T).T
    return [lambda: np.matmul(left, right, out=output), lambda: np.matmul(left, other, out=output)]


def library_products(runtime: Runtime, threads: int, left: Float32, right: Float32) -> list[Callable[[], object]]:
    """The product as a runtime's library computes it; empty where it has none to offer."""
    found = runtime.product(left, right, threads)
    return [found] if found is not None else []


def _by_rows(products: Mapping[Shape, float]) -> dict[str, Any]:
    """The products as plain data, and the best rate for each number of rows."""
    by_rows: dict[str, float] = {}
    for shape, rate in products.items():
        by_rows[str(shape[0])] = max(rate, by_rows.get(str(shape[0]), 0.0))
    return {"products": [(*shape, rate) for shape, rate in products.items()], "flops_per_second": by_rows}


def _shape(values: Sequence[int]) -> Shape:
    rows, inner, columns = (int(each) for each in values)
    return rows, inner, columns


def _power(count: int) -> int:
    return int(2 ** round(math.log2(max(1, count))))


def _cut_to_time(shape: Shape) -> Shape:
    """The same shape with the longer side of the right matrix cut to what can be timed."""
    rows, inner, columns = shape
    most = max(1, int(_MOST_OPERATIONS / (2 * rows * min(inner, columns))))
    return (rows, inner, min(columns, most)) if columns >= inner else (rows, min(inner, most), columns)


def _products(shape: Shape, multiply: Multiply) -> float | None:
    """Operations per second of the fastest way; None where there is none."""
    rows, inner, columns = shape
    generator = np.random.default_rng(0)
    left = generator.standard_normal((rows, inner), dtype=np.float32)
    right = generator.standard_normal((inner, columns), dtype=np.float32)
    ways = multiply(left, right)
    return 2.0 * rows * inner * columns / min(map(_fastest, ways)) if ways else None


def _reads(size: int) -> float:
    """Reading memory over and over, by three kernels that write little: which one is fastest depends on the size."""
    count = size // 4
    matrix = np.ones((max(1, count // _WIDE), min(_WIDE, count)), dtype=np.float32)
    row, column = np.ones(matrix.shape[1], dtype=np.float32), np.ones(matrix.shape[0], dtype=np.float32)
    per_row, per_column = np.empty_like(column), np.empty_like(row)
    one, other = np.array_split(matrix.reshape(-1), 2)
    shorter = min(one.size, other.size)
    kernels: list[Callable[[], object]] = [
        lambda: np.matmul(matrix, row, out=per_row),
        lambda: np.matmul(column, matrix, out=per_column),
        lambda: np.dot(one[:shorter], other[:shorter]),
    ]
    return float(matrix.nbytes) / min(_fastest(kernel) for kernel in kernels)


def _fastest(call: Callable[[], object]) -> float:
    """Seconds of a call: the fastest of a few means, since a limit is what can be reached."""
    call()
    started = monotonic()
    call()
    loops = max(1, int(_SECONDS / max(monotonic() - started, 1e-7)))
    means = []
    for _ in range(_REPEATS):
        started = monotonic()
        for _ in range(loops):
            call()
        means.append((monotonic() - started) / loops)
    return min(means)


if __name__ == "__main__":
    serve(operations)

"""What the machine could do at best, measured like a contender: float32 matrix products and reading memory.

Williams, Waterman and Patterson 2009, "Roofline": a call that needs F operations and M bytes takes at least the larger
of F over the arithmetic rate and M over the bandwidth. Both depend on shape and size, so both are measured at several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.measure.clock import monotonic
from harness.measure.serving import Operation, pin, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SECONDS = 0.02  # of each measurement
_REPEATS = 5
_INNER, _COLUMNS = 384, 1024  # of the matrix products: [B, 384] x [384, 1024] stays in the caches
_WIDE = 2048  # columns of what is read: of narrow matrices a core reads half as much in the same time


def operations(settings: Mapping[str, Any]) -> Mapping[str, Operation]:
    """What can be asked: `rates` for batch sizes and working sets."""
    import threadpoolctl

    threadpoolctl.threadpool_limits(int(settings.get("threads", 1)))
    pin(settings.get("core") or [])
    return {"rates": lambda request: rates(request["batch_sizes"], request["sizes"])}


def rates(batch_sizes: list[int], sizes: list[int]) -> dict[str, dict[str, float]]:
    """The best rates that were seen.

    Args:
        batch_sizes: rows of the left matrix.
        sizes: bytes that are read over and over.

    Returns:
        `flops_per_second` by batch size and `bytes_per_second` by size, keys as text.
    """
    return {
        "flops_per_second": {str(batch): _products(batch) for batch in batch_sizes},
        "bytes_per_second": {str(size): _reads(size) for size in sizes},
    }


def _products(batch: int) -> float:
    generator = np.random.default_rng(0)
    left = generator.standard_normal((batch, _INNER), dtype=np.float32)
    right = generator.standard_normal((_INNER, _COLUMNS), dtype=np.float32)
    output = np.empty((batch, _COLUMNS), dtype=np.float32)
    return 2.0 * batch * _INNER * _COLUMNS / _fastest(lambda: np.matmul(left, right, out=output))


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

"""What a device could do at best, as PyTorch runs it: matrix products, moving memory, starting work, waiting for it."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

import harness

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SECONDS = 0.02  # of each mean
REPEATS = 3
WARM_UP_SECONDS = 0.15  # until clocks are up
LAUNCHES = 200
SHORTEST = 4.0  # launches that moving memory must last, or its time is that of starting it
WIDE = 2048  # columns of what is read


def device_rates(
    device: str, shapes: Sequence[tuple[int, int, int]], sizes: Sequence[int], *, tf32: bool = False
) -> harness.DeviceRates:
    """The best rates of the first device of a kind.

    Args:
        device: its kind: cuda, xpu, mps, or cpu.
        shapes: rows, inner, columns of matrix products in float32.
        sizes: bytes that are moved; sizes that do not fit, and those that take no longer than to start, are left out.
        tf32: products in TF32.
    """
    import torch

    place = torch.device(device)
    library: Any = getattr(torch, place.type)
    wait = library.synchronize
    if place.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = tf32
    with torch.inference_mode():
        one = torch.ones(1, device=place)
        _for_seconds(lambda: one.add_(0.0), wait, WARM_UP_SECONDS)
        launch = min(_mean(lambda: one.add_(0.0), wait, LAUNCHES) for _ in range(REPEATS))
        waited = min(_mean(lambda: (one.add_(0.0), wait()), wait, LAUNCHES) for _ in range(REPEATS))
        products = {}
        for rows, inner, columns in shapes:
            left, right = torch.randn(rows, inner, device=place), torch.randn(columns, inner, device=place)
            output = torch.empty(rows, columns, device=place)
            seconds = _fastest(functools.partial(torch.mm, left, right.T, out=output), wait)
            products[rows, inner, columns] = 2.0 * rows * inner * columns / seconds
        moved = {}
        for size in sizes:
            try:
                seconds = min(_fastest(kernel, wait) for kernel in _kernels(torch, place, size))
            except RuntimeError as error:  # PyTorch's OutOfMemoryError is one
                if "memory" not in str(error).lower():
                    raise
                break
            if seconds > SHORTEST * launch:
                moved[size] = size / seconds
    return harness.DeviceRates(
        products=products, bytes_per_second=moved, launch_seconds=launch, synchronise_seconds=max(0.0, waited - launch)
    )


def _kernels(torch: Any, place: Any, size: int) -> list[Callable[[], object]]:
    """Ways to read or move so many bytes: which one is fastest depends on the size and the device."""
    matrix = torch.ones(max(1, size // 4 // WIDE), min(WIDE, size // 4), device=place)
    row, column = torch.ones(matrix.shape[1], device=place), torch.empty(matrix.shape[0], device=place)
    source, target = matrix.view(-1)[: matrix.numel() // 2], torch.empty(matrix.numel() // 2, device=place)
    return [
        lambda: torch.mv(matrix, row, out=column),
        lambda: torch.sum(matrix),
        lambda: target.copy_(source),  # half is read, half written
    ]


def _fastest(call: Callable[[], object], wait: Callable[[], object]) -> float:
    """Seconds of a call, queued many times: the fastest of a few means, since a limit is what can be reached."""
    call()
    wait()
    once = _mean(call, wait, 1)
    return min(_mean(call, wait, max(1, int(SECONDS / max(once, 1e-7)))) for _ in range(REPEATS))


def _mean(call: Callable[[], object], wait: Callable[[], object], count: int) -> float:
    wait()
    started = time.perf_counter()
    for _ in range(count):
        call()
    wait()
    return (time.perf_counter() - started) / count


def _for_seconds(call: Callable[[], object], wait: Callable[[], object], seconds: float) -> None:
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        call()
        wait()

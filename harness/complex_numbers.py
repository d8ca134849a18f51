"""Complex numbers, of which a conversion to real ones would leave half out without a word."""

from __future__ import annotations

from typing import Any

from harness.errors import HarnessError, ParityError


def refuse(
    values: Any, what: str = "the output", expected: str = "float32", error: type[HarnessError] = ParityError
) -> None:
    """Refuses an array or a tensor of complex numbers.

    Args:
        values: anything; what has no type of its elements passes.
        what: it is, in words.
        expected: the type that it should have.
        error: what is raised.

    Raises:
        HarnessError: of that kind, where it is complex.
    """
    kind = getattr(values, "dtype", None)
    if getattr(kind, "kind", "") == "c" or getattr(kind, "is_complex", False):
        raise error(
            f"{what} is {str(kind).removeprefix('torch.')}, expected {expected}",
            next_step="give real numbers, such as real and imaginary parts side by side",
        )

"""A projection as its own definition: what it computes in float64."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import complex_numbers
from harness.errors import ContenderError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def call64(projection: Any, *queries: NDArray[np.float32]) -> NDArray[np.float64]:
    """A projection evaluated in float64 where it is a module, in its own precision where it is a callable.

    Args:
        projection: of queries [B, D].
        queries: batches [Q, D], each for a call of its own; the answers follow each other, [sum of Q, K].

    Raises:
        ContenderError: where a module returns something else than a tensor.
        ParityError: where the output is complex.
    """
    if not hasattr(projection, "state_dict"):
        return np.concatenate([_real(np.asarray(projection(each))) for each in queries])
    import torch

    module = copy.deepcopy(projection).double().eval()
    with torch.no_grad():
        outputs = [module(torch.from_numpy(np.array(each)).double()) for each in queries]
    if strange := next((each for each in outputs if not isinstance(each, torch.Tensor)), None):
        raise ContenderError(f"the module returned a {type(strange).__name__}, expected a tensor [B, K]")
    return np.concatenate([_real(each.numpy()) for each in outputs])


def _real(output: NDArray[Any]) -> NDArray[np.float64]:
    complex_numbers.refuse(output)
    return np.asarray(output, dtype=np.float64)

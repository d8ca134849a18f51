"""A projection as its own definition: what it computes in float64."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ContenderError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def call64(projection: Any, queries: NDArray[np.float32]) -> NDArray[np.float64]:
    """A projection evaluated in float64 where it is a module, in its own precision where it is a callable."""
    if not hasattr(projection, "state_dict"):
        return np.asarray(projection(queries), dtype=np.float64)
    import torch

    module = copy.deepcopy(projection).double().eval()
    with torch.no_grad():
        output = module(torch.from_numpy(np.array(queries)).double())
    if not isinstance(output, torch.Tensor):
        raise ContenderError(f"the module returned a {type(output).__name__}, expected a tensor [B, K]")
    return np.asarray(output.numpy(), dtype=np.float64)

"""A projection as its own definition: what it computes in float64."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def call64(projection: Any, queries: NDArray[np.float32]) -> NDArray[np.float64]:
    """A projection evaluated in float64 where it is a module, in its own precision where it is a callable."""
    if not hasattr(projection, "state_dict"):
        return np.asarray(projection(queries), dtype=np.float64)
    import torch

    module = copy.deepcopy(projection).double().eval()
    with torch.no_grad():
        output: NDArray[np.float64] = module(torch.from_numpy(np.array(queries)).double()).numpy()
    return output

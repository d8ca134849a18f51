"""The environment that a run on a machine has: without what biases timings, and the rest of it written down."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_BIASING = ("MALLOC_", "LD_PRELOAD")  # set by Dask's nanny, and by whoever exchanges the allocator
_VALUES = ("OMP_", "MKL_", "OPENBLAS_", "KMP_", "GOMP_", "NUMEXPR_", "GLIBC_TUNABLES", "CUDA_", "PYTHON", "HARNESS_",
           "DASK_", "SLURM_JOB_ID", "SLURM_CPU")  # fmt: skip


def scrubbed(given: Mapping[str, str] | None = None) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables that a run sees, and the names of those that it does not see."""
    given = dict(os.environ if given is None else given)
    removed = tuple(sorted(name for name in given if name.startswith(_BIASING)))
    return {name: value for name, value in given.items() if name not in removed}, removed


def recorded(seen: Mapping[str, str]) -> dict[str, str]:
    """What is written down: values of variables that change how fast things are, and only the names of others.

    The values of others may be secrets.
    """
    return {name: value if name.startswith(_VALUES) else "(set)" for name, value in sorted(seen.items())}

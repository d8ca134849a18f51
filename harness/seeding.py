"""The generators of Python, NumPy and torch, seeded together."""

from __future__ import annotations

import importlib.util
import random
import sys
from importlib.abc import Loader, MetaPathFinder
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def seed_everything(seed: int) -> None:
    """Seeds Python's and NumPy's generators, and torch's: at once where torch is loaded, else when it is imported.

    A process that runs NumPy alone must not pay for torch, and torch seeds itself from the system's entropy.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - plugins may draw from the legacy generator
    sys.meta_path[:] = [each for each in sys.meta_path if not isinstance(each, _SeedsTorch)]
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)
    else:
        sys.meta_path.insert(0, _SeedsTorch(seed))


class _SeedsTorch(MetaPathFinder):
    """Waits for the first import of torch."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._asking = False

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - a finder's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Torch as the other finders find it, with a loader that seeds it; nothing for any other module."""
        if fullname != "torch" or self._asking:
            return None
        self._asking = True
        try:
            spec = importlib.util.find_spec("torch")
        finally:
            self._asking = False
        if spec is not None and spec.loader is not None:
            spec.loader = _SeedingLoader(spec.loader, self._seed)
        return spec


class _SeedingLoader(Loader):
    """Loads a module as another loader does, and seeds its generator."""

    def __init__(self, loader: Loader, seed: int) -> None:
        self._loader, self._seed = loader, seed

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the other loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As the other loader does, then seeded."""
        if module.__spec__ is not None:
            module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        module.manual_seed(self._seed)

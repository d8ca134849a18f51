"""The projection over a query's nearest heads alone, found by an index: with the extra `crossover-harness[faiss]`."""

from __future__ import annotations

import math
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import harness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Float32 = NDArray[np.float32]

_TINY = np.float32(1e-12)  # the smallest norm that is divided by
_TRAINING = 39  # heads a list, below which faiss warns that there are too few to place its lists well
_LINKS = 32  # of a centroid in the graph of `hnsw`
_CONSTRUCTION = 80  # candidates that are kept while that graph is built


class NearestOptions(harness.Options):
    """How many heads a query is routed over, and how they are found."""

    nearest: Annotated[int, Field(ge=1, description="heads that the weights are shared among")] = 128
    index: Annotated[
        Literal["flat", "ivf", "hnsw"],
        Field(description="flat compares with every head; ivf with those of the nearest lists; hnsw walks a graph"),
    ] = "ivf"
    probes: Annotated[
        int, Field(ge=1, description="ivf: lists that are searched; hnsw: candidates, at least `nearest`")
    ] = 16


class NearestLDA:
    """`w = softmax(s / T)` over the k heads of the largest cosine s alone, and `p = Σ w a` over them.

    Where the temperature is low, the other heads weigh nothing, and nothing is lost; where it is high, all of them
    weigh something, and no small k is enough.
    """

    def __init__(self, heads: harness.Heads, options: NearestOptions, threads: int, seed: int) -> None:
        import faiss

        faiss.omp_set_num_threads(1)  # several threads would build another graph, and other lists, every time
        self._index = _index(heads, options, seed)
        faiss.omp_set_num_threads(threads)
        self._answers = np.ascontiguousarray(heads.answers, dtype=np.float32)
        self._nearest = min(options.nearest, heads.count)
        self._scale = np.float32(1.0 / heads.temperature)

    def __call__(self, queries: Float32) -> Float32:
        """[B, D] -> [B, K]."""
        lengths = np.sqrt(np.einsum("bd,bd->b", queries, queries))
        units = np.ascontiguousarray(queries / np.maximum(lengths, _TINY)[:, None])
        weights, found = self._index.search(units, self._nearest)  # [B, k]: cosines, and whose they are
        missing = found < 0
        if missing.any():  # fewer heads in the lists that were searched than were asked for; none for a NaN
            weights[missing] = -np.inf
            weights[missing.all(axis=1)] = np.nan
        weights *= self._scale
        weights -= weights.max(axis=1, keepdims=True)
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=1, keepdims=True)
        projections: Float32 = np.matmul(weights[:, None, :], self._answers[found])[:, 0]
        return projections


class NearestProjector(harness.Projector):
    """The teacher over a query's nearest heads alone, found by an index of faiss."""

    name = "lda-nearest"
    forms: ClassVar[tuple[Literal["module", "numpy"], ...]] = ("numpy",)
    approximates = "lda"
    requires: ClassVar[Mapping[str, str]] = {"faiss": "crossover-harness[faiss]"}
    Options = NearestOptions

    def build(self, heads: harness.Heads, context: harness.BuildContext) -> Callable[[Float32], Float32]:
        """The index with the heads in it."""
        return NearestLDA(heads, self.options, context.threads, context.seed)

    def cost(self, heads: int, batch: int, width: int, output_width: int) -> harness.Cost | None:
        """Comparisons of `flat` and `ivf`, with lists of equal length, and a sum over the nearest; none for `hnsw`."""
        options: NearestOptions = self.options
        if options.index == "hnsw":
            return None
        lists = _lists(heads) if options.index == "ivf" else 0
        compared = lists + heads * min(1.0, options.probes / lists) if lists else float(heads)
        nearest = min(options.nearest, heads)
        return harness.Cost(
            flops=2.0 * batch * (compared * width + nearest * output_width),
            bytes=4.0 * (min(heads, batch * compared) * width + min(heads, batch * nearest) * output_width),
        )


def _lists(heads: int) -> int:
    """As many lists as a list has heads, where there are enough to place them."""
    return max(1, min(math.isqrt(heads), heads // _TRAINING))


def _index(heads: harness.Heads, options: NearestOptions, seed: int) -> Any:
    """An index of the centroids by cosine."""
    import faiss

    lengths = np.linalg.norm(heads.centroids, axis=1, keepdims=True)
    units = np.ascontiguousarray(heads.centroids / np.maximum(lengths, _TINY), dtype=np.float32)
    index: Any
    if options.index == "hnsw":
        index = faiss.IndexHNSWFlat(heads.width, _LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = _CONSTRUCTION
        index.hnsw.efSearch = max(options.probes, options.nearest)
    elif options.index == "ivf":
        lists = _lists(heads.count)
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(heads.width), heads.width, lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed = seed
        index.nprobe = min(options.probes, lists)
        index.train(units)
    else:
        index = faiss.IndexFlatIP(heads.width)
    index.add(units)
    return index


@harness.hookimpl
def harness_projectors() -> Sequence[harness.Projector]:
    """The teacher over the nearest heads."""
    return [NearestProjector()]


@harness.hookimpl
def harness_versions() -> Mapping[str, str]:
    """The version of faiss, where it is installed."""
    try:
        return {"faiss-cpu": metadata.version("faiss-cpu")}
    except metadata.PackageNotFoundError:
        return {}

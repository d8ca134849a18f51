"""Multi-head LDA projection: the teacher, as a Python loop over its heads and as two matrix products."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

import harness
from harness_plugins import database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias, TypeGuard

    import torch

    Queries: TypeAlias = NDArray[Any] | torch.Tensor | Sequence[float] | Sequence[Sequence[float]]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_TINY = 1e-12  # the smallest norm that is divided by: a zero query has cosine 0 with every centroid


class MultiHeadLDA:
    """Routes a query over N heads: `s = cos(q, c)`, `w = softmax(s / T)`, `p = Σ w a`.

    A head with a matrix W contributes `W q` in place of its answer a.

    Args:
        centroids: [N, D], of any length.
        answers: [N, K].
        temperature: T > 0.
        matrices: W [K, D] by head, of those that map the query in place of giving an answer.
        name: what the projection is called where it is saved.
        notes: what a user should know about how it was read.
    """

    def __init__(
        self,
        centroids: NDArray[Any],
        answers: NDArray[Any],
        temperature: float = 1.0,
        *,
        matrices: Mapping[int, NDArray[Any]] | None = None,
        name: str = "multi-head projection",
        notes: Sequence[str] = (),
    ) -> None:
        self.heads = harness.Heads(
            centroids=np.ascontiguousarray(centroids, dtype=np.float32),
            answers=np.ascontiguousarray(answers, dtype=np.float32),
            temperature=float(temperature),
            matrices={
                head: np.ascontiguousarray(values, dtype=np.float32) for head, values in (matrices or {}).items()
            },
        )
        self.name = name
        self.notes = tuple(notes)
        self._project = vectorised(self.heads)
        self._modules: dict[torch.device, torch.nn.Module] = {}

    @classmethod
    def load(
        cls, path: str | Path, projection: int | str | None = None, temperature: float | None = None
    ) -> MultiHeadLDA:
        """The projection of an `lda.db` database or an `.npz` archive; `name` and `notes` say which one was read.

        Args:
            path: the file.
            projection: id or name of a projection; needed where a database holds several.
            temperature: in place of the stored one; needed where an archive has none.

        Raises:
            DataError: where the file cannot be used, or it is not clear which projection is meant.
        """
        stored = database.read(Path(path), projection, temperature)
        return cls(
            stored.centroids,
            stored.answers,
            stored.temperature,
            matrices=stored.matrices,
            name=stored.projection,
            notes=stored.notes,
        )

    def save(self, path: str | Path) -> None:
        """Writes an `.npz` archive, or, for any other suffix, an `lda.db` with its vectors in a new folder below `embeddings/`.

        Raises:
            DataError: where a database of that name exists.
        """
        path = Path(path)
        if path.suffix == ".npz":
            database.write_archive(path, self.heads)
        else:
            database.write_database(path, self.heads, self.name)

    @property
    def num_heads(self) -> int:
        """N."""
        return self.heads.count

    def project(self, queries: Queries) -> Float32:
        """Projections [B, K] of queries [B, D], or [K] of one query [D], in NumPy.

        Args:
            queries: an array, a tensor on any device, or nested lists of numbers.

        Raises:
            DataError: where they are something else, or of another width than the centroids.
        """
        rows = queries.detach().cpu().numpy() if _is_tensor(queries) else queries
        checked = self._checked(rows)
        if not checked.size:
            return np.zeros((len(checked), self.heads.output_width), dtype=np.float32)
        projected = self._project(np.atleast_2d(checked))
        return projected if checked.ndim == 2 else projected[0]

    def __call__(self, queries: Queries) -> torch.Tensor:
        """Projections [B, K] of queries [B, D], or [K] of one query [D], on the device of the queries.

        No gradient passes. What is no tensor is projected on the CPU.

        Raises:
            DataError: where they are no numbers, or of another width than the centroids.
        """
        import torch

        tensor: torch.Tensor = queries if _is_tensor(queries) else torch.from_numpy(self._checked(queries))
        self._refuse_complex(tensor.is_complex())
        self._refuse_shape(tuple(tensor.shape))
        if tensor.device not in self._modules:
            self._modules[tensor.device] = _module(self.heads).to(tensor.device)
        with torch.no_grad():
            rows = tensor.to(torch.float32).reshape(-1, self.heads.width)
            result: torch.Tensor = self._modules[tensor.device](rows)
        return result if tensor.ndim == 2 else result[0]

    def _checked(self, queries: Any) -> Float32:
        """Queries as float32, [B, D] or [D]."""
        try:
            self._refuse_complex(np.iscomplexobj(queries))
            rows = np.asarray(queries, dtype=np.float32, order="C")
        except (TypeError, ValueError) as problem:
            raise harness.DataError(
                f"the queries are not numbers in rows of one width ({problem})", next_step=self._shapes_wanted
            ) from problem
        self._refuse_shape(rows.shape)
        return rows

    def _refuse_complex(self, found: bool) -> None:
        """As float32 half of them would be left out."""
        if found:
            raise harness.DataError("the queries are complex numbers", next_step=self._shapes_wanted)

    def _refuse_shape(self, shape: tuple[int, ...]) -> None:
        if len(shape) not in (1, 2) or shape[-1] != self.heads.width:
            what = f"the queries have the shape {list(shape)}, and {self.name} takes width {self.heads.width}"
            raise harness.DataError(what, next_step=self._shapes_wanted)

    @property
    def _shapes_wanted(self) -> str:
        return f"pass one query [{self.heads.width}] or several [B, {self.heads.width}]"


class LoopedLDA:
    """The teacher as the documented figures timed it: Python loops over queries and heads, one `np.dot` each."""

    def __init__(self, heads: harness.Heads) -> None:
        self._centroids = list(heads.centroids)
        self._answers = list(heads.answers)
        self._matrices = dict(heads.matrices)
        self._temperature = heads.temperature

    def __call__(self, queries: Float32) -> Float32:
        """[B, D] -> [B, K]."""
        return np.stack([self._one(query) for query in queries])

    def _one(self, query: Float32) -> Float32:
        unit = query / max(float(np.linalg.norm(query)), _TINY)
        scores = np.empty(len(self._centroids), dtype=np.float32)
        for index, centroid in enumerate(self._centroids):
            scores[index] = np.dot(unit, centroid / np.linalg.norm(centroid))  # normalised on every call, as it was
        scores = np.exp((scores - scores.max()) / self._temperature)
        weights = scores / scores.sum()
        projection = np.zeros(len(self._answers[0]), dtype=np.float32)
        if self._matrices:
            return self._mapped(projection, weights, query)
        for weight, answer in zip(weights, self._answers, strict=True):
            projection += weight * answer
        return projection

    def _mapped(self, projection: Float32, weights: Float32, query: Float32) -> Float32:
        """The sum where some heads map the query, which is taken as it is and not at unit length."""
        for head, weight in enumerate(weights):
            matrix = self._matrices.get(head)
            projection += weight * (self._answers[head] if matrix is None else matrix @ query)
        return projection


class VectorisedLDA:
    """The teacher as two matrix products; centroids are normalised and divided by the temperature once.

    Attributes:
        keys: centroids of unit length divided by the temperature, [N, D].
        answers: [N, K].
    """

    def __init__(self, heads: harness.Heads) -> None:
        if heads.matrices:
            raise harness.ContenderError("heads with matrices are more than two matrix products: call `vectorised`")
        self.keys = keys(heads)  # [N, D]
        self._columns = self.keys.T
        self.answers = np.ascontiguousarray(heads.answers, dtype=np.float32)

    def __call__(self, queries: Float32) -> Float32:
        """[B, D] -> [B, K]."""
        if len(queries) == 1:
            return self._one(queries[0])
        norms = np.sqrt(np.einsum("bd,bd->b", queries, queries))
        lengths = np.maximum(norms, np.float32(_TINY))[:, None]
        fewer = len(self.keys) <= queries.shape[1]  # one pass more over whichever is smaller: weights or queries
        weights: Float32 = queries @ self._columns if fewer else (queries / lengths) @ self._columns
        if fewer:
            weights /= lengths
        weights -= weights.max(axis=1, keepdims=True)
        np.exp(weights, out=weights)
        projections: Float32 = np.matmul(weights, self.answers)
        projections /= weights.sum(axis=1)[:, None]
        return projections

    def _one(self, query: Float32) -> Float32:
        """The same for one query: matrix-vector products, and scalars in place of columns."""
        weights = self.keys.dot(query)
        weights *= np.float32(1 / max(math.sqrt(query.dot(query)), _TINY))
        weights -= weights.max()
        np.exp(weights, out=weights)
        projection: Float32 = weights.dot(self.answers)
        projection *= np.float32(1) / weights.sum()
        return projection.reshape(1, -1)


class LDAProjector(harness.Projector):
    """The teacher as two matrix products: what the same mathematics costs without the loop."""

    name = "lda"
    takes_matrices = True
    teaches = True
    family = "lda"
    forms: ClassVar[tuple[Literal["module", "numpy"], ...]] = ("module", "numpy")

    def build(
        self, heads: harness.Heads, context: harness.BuildContext
    ) -> torch.nn.Module | Callable[[Float32], Float32]:
        """The module or the NumPy form of the teacher."""
        if context.form == "numpy":
            return vectorised(heads)
        return _module(heads) if context.weights else _shapes(heads)

    def reference(self, heads: harness.Heads, queries: Float32) -> Float64:
        """The formula of the class `MultiHeadLDA` in float64."""
        return formula(heads, queries)

    def cost(self, heads: int, batch: int, width: int, output_width: int) -> harness.Cost:
        """Two matrix products, and the heads read once."""
        return harness.Cost(
            flops=2.0 * heads * batch * (width + output_width) + 4.0 * heads * batch,
            bytes=4.0 * (heads + batch) * (width + output_width),
            products=((batch, width, heads), (batch, heads, output_width)),
        )

    def cost_of(self, heads: harness.Heads, batch: int) -> harness.Cost:
        """The same, and the product with all matrices where heads have some."""
        cost, entries = (
            self.cost(heads.count, batch, heads.width, heads.output_width),
            len(heads.matrices) * heads.width,
        )
        if not heads.matrices:
            return cost
        return harness.Cost(
            flops=cost.flops + 2.0 * batch * entries * heads.output_width,
            bytes=cost.bytes + 4.0 * entries * heads.output_width,
            products=(*cost.products, (batch, entries, heads.output_width)),
        )


class LoopProjector(LDAProjector):
    """The teacher as it was timed for the documented figures: a Python loop over the heads."""

    name = "lda-loop"
    forms = ("numpy",)

    def build(self, heads: harness.Heads, context: harness.BuildContext) -> Callable[[Float32], Float32]:  # noqa: ARG002
        """The loop."""
        return LoopedLDA(heads)


def vectorised(heads: harness.Heads) -> Callable[[Float32], Float32]:
    """The NumPy form that fits the heads: two matrix products, or three where some have matrices."""
    if not heads.matrices:
        return VectorisedLDA(heads)
    from harness_plugins.lda_matrices import MappedLDA

    return MappedLDA(heads, keys(heads))


def keys(heads: harness.Heads) -> Float32:
    """Centroids of unit length divided by the temperature, [N, D]; rounded once, from float64, block by block."""
    result = np.empty(heads.centroids.shape, dtype=np.float32)
    for block in _blocks(heads.count):
        rows = heads.centroids[block].astype(np.float64)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY) * heads.temperature
        result[block] = rows
    return result


def formula(heads: harness.Heads, queries: Float32) -> Float64:
    """`Σ softmax(cos(q, c) / T) a` in float64, [B, D] -> [B, K], with `W q` for `a` where a head has a matrix W.

    Blocks bound the memory for millions of heads.
    """
    blocks = list(_blocks(heads.count))
    result = np.empty((len(queries), heads.output_width), dtype=np.float64)
    for start in range(0, len(queries), 32):
        rows = np.asarray(queries[start : start + 32], dtype=np.float64)
        lengths = np.linalg.norm(rows, axis=1)
        cosines = np.empty((len(rows), heads.count))
        for block in blocks:
            centroids = np.asarray(heads.centroids[block], dtype=np.float64)
            products = np.outer(lengths, np.linalg.norm(centroids, axis=1))
            cosines[:, block] = rows @ centroids.T / np.where(products > 0, products, 1.0)
        exponentials = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / heads.temperature)
        shares = exponentials / exponentials.sum(axis=1, keepdims=True)
        total = np.zeros((len(rows), heads.output_width))
        for block in blocks:
            total += shares[:, block] @ np.asarray(heads.answers[block], dtype=np.float64)
        for head, matrix in heads.matrices.items():  # in place of its answer
            mapped = rows @ np.asarray(matrix, dtype=np.float64).T
            total += shares[:, [head]] * (mapped - np.asarray(heads.answers[head], dtype=np.float64))
        result[start : start + 32] = total
    return result


def _is_tensor(queries: Any) -> TypeGuard[torch.Tensor]:
    """Whether it is a tensor, without importing torch: where it is one, torch is there already."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(queries, torch.Tensor)


def _module(heads: harness.Heads) -> torch.nn.Module:
    from harness_plugins.lda_module import LDAModule, MappedLDAModule

    if not heads.matrices:
        return LDAModule(keys(heads), heads.answers)
    from harness_plugins.lda_matrices import answers_alone, maps

    return MappedLDAModule(keys(heads), answers_alone(heads), *maps(heads))


def _shapes(heads: harness.Heads) -> torch.nn.Module:
    """The module before its state is loaded: zeros, which no memory is touched for."""
    from harness_plugins.lda_module import LDAModule, MappedLDAModule

    centroids, answers = np.zeros(heads.centroids.shape, np.float32), np.zeros(heads.answers.shape, np.float32)
    if not heads.matrices:
        return LDAModule(centroids, answers)
    mapped = np.array(sorted(heads.matrices), dtype=np.int64)
    empty = np.zeros((len(mapped) * heads.width, heads.output_width), np.float32)
    return MappedLDAModule(centroids, answers, mapped, empty)


def _blocks(count: int, rows: int = 16_384) -> Iterator[slice]:
    return (slice(start, min(start + rows, count)) for start in range(0, count, rows))


@harness.hookimpl
def harness_projectors() -> Sequence[harness.Projector]:
    """The teacher's two forms."""
    return [LDAProjector(), LoopProjector()]

"""A source of as many heads as wanted, drawn from a mixture that is fitted to real ones."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from threadpoolctl import threadpool_limits

import harness

Float32 = NDArray[np.float32]

_BLOCK = 4096  # rows that are drawn with one seed
_MOST = 2**20


class ResampledOptions(harness.Options):
    """What is resampled, and how."""

    of: Annotated[str, Field(min_length=1, description="the source of the real heads")] = "playbook"
    options: Annotated[Mapping[str, Any], Field(description="options of that source")] = {}
    temperature: Annotated[float | None, Field(gt=0, description="T, in place of that source's")] = None
    rank: Annotated[int, Field(ge=1, description="dimensions in which a head differs from the one it came from")] = 64
    spread: Annotated[
        float, Field(gt=0, lt=1, description="share of the variance inside a topic that lies between its new heads")
    ] = 0.25
    train_queries: Annotated[int, Field(ge=2, description="queries to train on")] = 2048
    held_out_queries: Annotated[int, Field(ge=2, description="queries that are never trained on")] = 512


@dataclass(frozen=True, kw_only=True)
class _Mixture:
    """One component for each real head; all of them share a low-rank covariance.

    A new head has the direction of `c + r`, where r takes a share of the variance that real queries have around their
    centroid c, in the few directions where they have most; its answer is moved along by the linear map that fits the
    real heads best. A new query lies around a new head likewise, with all the rest of the variance, so that it is
    as far from the real centroid as real queries are.
    """

    centroids: Float32  # [M, D] of unit length
    answers: Float32  # [M, K]
    directions: Float32  # [rank, D]: from a head's latent normals to its r
    moved: Float32  # [rank, K]: and to what they do to its answer
    remaining: Float32  # [min(Q, D), D]: from a query's latent normals to its r

    def heads(self, block: int, seed: int) -> tuple[Float32, Float32]:
        """A block of centroids and answers."""
        components, latent = self._drawn(block, seed)
        centroids = _units(self.centroids[components] + latent @ self.directions)
        answers = self.answers[components]
        lengths = np.linalg.norm(answers, axis=1, keepdims=True)
        return centroids, _units(answers + latent @ self.moved) * lengths

    def queries(self, centroids: Float32, count: int, seed: Sequence[int]) -> Float32:
        """Queries around the given heads, which take turns, [count, D]."""
        generator = np.random.default_rng(seed)
        latent = generator.standard_normal((count, len(self.remaining)), dtype=np.float32)
        return _units(np.asarray(centroids[np.arange(count) % len(centroids)]) + latent @ self.remaining)

    def _drawn(self, block: int, seed: int) -> tuple[NDArray[np.int64], Float32]:
        generator = np.random.default_rng((seed, block))
        # Components take turns in each round of them, in a random order, so that few heads cover all topics too.
        rounds = -(-_BLOCK // len(self.centroids))
        order = np.concatenate([generator.permutation(len(self.centroids)) for _ in range(rounds)])[:_BLOCK]
        return order, generator.standard_normal((_BLOCK, len(self.directions)), dtype=np.float32)


class ResampledSource(harness.Source):
    """Any number of heads up to a million, drawn from a mixture fitted to a real source."""

    name = "resampled"
    Options = ResampledOptions

    def limit(self, context: harness.SourceContext) -> int | None:  # noqa: ARG002 - a contract
        """2^20, about a million."""
        return _MOST

    def load(self, heads: int | None, context: harness.SourceContext) -> harness.Dataset:
        """The first `heads` heads of an endless row; the arrays are mapped from files that all processes share.

        Raises:
            DataError: where more heads are asked for than there may be, or the other source cannot be used.
        """
        real = self._real(context)
        count = real.heads.count if heads is None else heads
        if not 1 <= count <= _MOST:
            raise harness.DataError(
                f"{count} heads are asked for, {self.name} draws 1 to {_MOST}", next_step="lower the range of heads"
            )
        options = self.options
        mixture = _mixture_from_cache(context.cache, real, options.rank, options.spread)
        # What decides the heads, but not the temperature or the number of queries: those share the files.
        drawn = repr((real.heads.count, _content(real), options.rank, options.spread, context.seed))
        identity = hashlib.sha256(drawn.encode()).hexdigest()
        centroids, answers = (
            array[:count] for array in _stored(context.cache, identity[:16], count, mixture, context.seed)
        )
        temperature = options.temperature or real.heads.temperature
        words = repr((identity, count, temperature, options.train_queries, options.held_out_queries))
        return harness.Dataset(
            heads=harness.Heads(centroids=centroids, answers=answers, temperature=temperature),
            train_queries=mixture.queries(centroids, options.train_queries, (context.seed, count, 1)),
            held_out_queries=mixture.queries(centroids, options.held_out_queries, (context.seed, count, 2)),
            provenance=harness.Provenance(
                kind="resampled",
                description=(
                    f"{count} {'head' if count == 1 else 'heads'} at T = {temperature:g}, "
                    f"resampled from {real.provenance.description}"
                ),
                digest=hashlib.sha256(words.encode()).hexdigest(),
                notes=real.provenance.notes,
            ),
        )

    def _real(self, context: harness.SourceContext) -> harness.Dataset:
        if context.load is None:
            raise harness.DataError(
                "another source cannot be loaded from here", where=self.name, next_step="run it through the harness"
            )
        real = context.load(self.options.of, self.options.options, None)
        if real.heads.matrices:
            raise harness.DataError(
                f"{len(real.heads.matrices)} of the {real.heads.count} heads have matrices, which cannot be resampled",
                where=self.options.of,
                next_step=f"use the source {self.options.of!r} itself, or heads without matrices",
            )
        return real


def _content(real: harness.Dataset) -> str:
    result = hashlib.sha256()
    for array in (real.heads.centroids, real.heads.answers, real.train_queries):
        result.update(np.ascontiguousarray(array).data)
    return result.hexdigest()


def _mixture_from_cache(folder: Path, real: harness.Dataset, rank: int, spread: float) -> _Mixture:
    """The fitted mixture, from a file where it was fitted before: every process of a run needs it at every N."""
    name = hashlib.sha256(repr((_content(real), rank, spread)).encode()).hexdigest()[:16]
    path = folder / f"mixture-{name}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError), np.load(path, allow_pickle=False) as stored:
        return _Mixture(**{field.name: stored[field.name] for field in dataclasses.fields(_Mixture)})
    with threadpool_limits(1):  # the last bits of a decomposition depend on the number of threads
        mixture = _fitted(real, rank, spread)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="fitting-") as workshop:
        draft = Path(workshop) / path.name
        np.savez(draft, **vars(mixture))
        os.replace(draft, path)  # noqa: PTH105 - the atomic one, by its name
    return mixture


def _fitted(real: harness.Dataset, rank: int, spread: float) -> _Mixture:
    """The mixture: how train queries lie around their nearest centroid, and what moves answers along with centroids."""
    centroids = _units(np.asarray(real.heads.centroids, dtype=np.float32)).astype(np.float64)
    queries = _units(np.asarray(real.train_queries, dtype=np.float32)).astype(np.float64)
    cosines = queries @ centroids.T
    nearest = cosines.argmax(axis=1)
    along = cosines[np.arange(len(queries)), nearest]
    # Perpendicular to the centroid and in units of the part along it, since a sum is scaled back to unit length.
    residuals = (queries - along[:, None] * centroids[nearest]) / max(float(along.mean()), 0.1)
    _, values, vectors = np.linalg.svd(residuals, full_matrices=False)
    deviations = values / np.sqrt(len(queries))
    shared = np.where(np.arange(len(values)) < rank, spread, 0.0)  # of each direction's variance, what heads take
    directions = (vectors * (np.sqrt(shared) * deviations)[:, None])[:rank]
    answers = np.asarray(real.heads.answers, dtype=np.float64)
    from_mean, towards = centroids - centroids.mean(axis=0), answers - answers.mean(axis=0)
    gram = from_mean @ from_mean.T  # ridge in its dual form: heads are fewer than dimensions
    ridge = 0.1 * max(float(np.trace(gram)) / len(gram), 1e-12)
    linear = from_mean.T @ np.linalg.solve(gram + ridge * np.eye(len(gram)), towards)  # [D, K]
    return _Mixture(
        centroids=centroids.astype(np.float32),
        answers=answers.astype(np.float32),
        directions=directions.astype(np.float32),
        moved=(directions @ linear).astype(np.float32),
        remaining=(vectors * (np.sqrt(1 - shared) * deviations)[:, None]).astype(np.float32),
    )


def _stored(folder: Path, identity: str, count: int, mixture: _Mixture, seed: int) -> tuple[Float32, Float32]:
    """Centroids and answers with at least `count` rows, from files that are drawn where they do not exist yet."""
    size = max(_BLOCK, 1 << (count - 1).bit_length())  # a power of two, so that a search over N writes few files
    paths = [folder / f"resampled-{identity}-{size}-{part}.npy" for part in ("centroids", "answers")]
    if not all(path.is_file() for path in paths):
        _draw(folder, paths, size, mixture, seed)
    centroids, answers = (np.load(path, mmap_mode="r", allow_pickle=False) for path in paths)
    return centroids, answers


def _draw(folder: Path, paths: Sequence[Path], size: int, mixture: _Mixture, seed: int) -> None:
    """Writes both files block by block, and renames them when whole; another process may do the same meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    widths = (mixture.centroids.shape[1], mixture.answers.shape[1])
    with tempfile.TemporaryDirectory(dir=folder, prefix="drawing-") as workshop:
        drafts = [Path(workshop) / path.name for path in paths]
        arrays = [
            np.lib.format.open_memmap(draft, mode="w+", dtype=np.float32, shape=(size, width))
            for draft, width in zip(drafts, widths, strict=True)
        ]
        for block in range(size // _BLOCK):
            for array, rows in zip(arrays, mixture.heads(block, seed), strict=True):
                array[block * _BLOCK : (block + 1) * _BLOCK] = rows
        for array in arrays:
            array.flush()
        for draft, path in zip(drafts, paths, strict=True):
            os.replace(draft, path)  # noqa: PTH105 - the atomic one, by its name


def _units(rows: Float32) -> Float32:
    """Rows of unit length; a zero row stays."""
    units: Float32 = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12))
    return units


@harness.hookimpl
def harness_sources() -> Sequence[harness.Source]:
    """Resampled heads."""
    return [ResampledSource()]

"""Sources of real heads and queries: a user's database, and the embedded playbook."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import harness
from harness_plugins import database
from harness_plugins.arrays import StoredQueries, read_queries, refuse_zero_rows
from harness_plugins.playbook import load_playbook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Float32 = NDArray[np.float32]


class DatabaseOptions(harness.Options):
    """Which database, and how its queries are split."""

    path: Annotated[str, Field(min_length=1, description="an lda.db, .npz or .parquet file, relative to the suite")]
    projection: Annotated[
        int | str | None, Field(description="id or name of a projection; needed where the database holds several")
    ] = None
    temperature: Annotated[
        float | None,
        Field(gt=0, allow_inf_nan=False, description="T, in place of the stored one or where none is stored"),
    ] = None
    queries: Annotated[
        str | None,
        Field(
            description="file of query embeddings, relative to the suite: .npy, or .npz with queries, or train and test; "
            "a .parquet column of vectors, or a .faiss index"
        ),
    ] = None
    held_out: Annotated[
        float, Field(gt=0, lt=1, description="share of the queries that is never trained on, where no file splits them")
    ] = 0.2
    split_seed: Annotated[int, Field(ge=0, description="seed of the split into train and held-out queries")] = 0


class DatabaseSource(harness.Source):
    """Heads and queries of an LDA database or an archive."""

    name = "database"
    Options = DatabaseOptions

    def limit(self, context: harness.SourceContext) -> int | None:
        """The heads that the file holds."""
        return len(self._read(context).centroids)

    def load(self, heads: int | None, context: harness.SourceContext) -> harness.Dataset:
        """The first `heads` heads, and the queries that belong to them.

        Raises:
            DataError: where the file cannot be used, has fewer heads, or no queries.
        """
        stored = self._read(context)
        path = self._path(context)
        count = len(stored.centroids) if heads is None else heads
        if not 1 <= count <= len(stored.centroids):
            raise harness.DataError(
                f"{count} heads are asked for, {stored.projection} has {len(stored.centroids)}",
                where=str(path),
                next_step="ask for fewer, or use the source `resampled` for more",
            )
        queries = self._queries(stored, context)
        held_out, chosen = queries.held_out, stored.heads.first(count)
        groups = np.zeros(len(queries.rows), dtype=np.int64) if queries.heads is None else queries.heads
        if held_out is None:
            held_out = split(groups, self.options.held_out, self.options.split_seed)
            if not held_out.any():  # one query for each head: hold out a share of the heads' queries
                held_out = split(np.zeros_like(groups), self.options.held_out, self.options.split_seed)
        kept = groups < count
        train, tested = (np.ascontiguousarray(queries.rows[kept & part]) for part in (~held_out, held_out))
        known = queries.heads is not None
        return harness.Dataset(
            heads=chosen,
            train_queries=train,
            held_out_queries=tested,
            provenance=harness.Provenance(
                kind="real",
                description=f"{stored.projection}, first {count} of {len(stored.centroids)} heads",
                digest=digest(*_content(chosen), train, tested),
                notes=(*stored.notes, *queries.notes),
            ),
            train_heads=groups[kept & ~held_out] if known else None,
            held_out_heads=groups[kept & held_out] if known else None,
        )

    def _path(self, context: harness.SourceContext) -> Path:
        return context.folder / str(self.options.path)

    def _read(self, context: harness.SourceContext) -> database.StoredHeads:
        return database.read(self._path(context), self.options.projection, self.options.temperature)

    def _queries(self, stored: database.StoredHeads, context: harness.SourceContext) -> StoredQueries:
        """The queries, each vector once."""
        where, found = self._path(context), stored.own_queries
        if self.options.queries is not None:
            where = context.folder / self.options.queries
            found = read_queries(where, width=stored.centroids.shape[1], heads=len(stored.centroids))
        if found is not None:
            refuse_zero_rows(where, found)
        distinct = None if found is None else once(found)
        if distinct is None or len(distinct.rows) < 2:
            copies = f": {stored.unassigned}" if stored.unassigned else ""
            if found is not None:
                copies = f": all of its {len(found.rows)} are one vector"
            raise harness.DataError(
                f"there are no query embeddings to train on and to hold out{copies}",
                where=str(where),
                next_step="name a .npy file of them, [queries, width], in the option `queries`",
            )
        return distinct


class PlaybookOptions(harness.Options):
    """How the playbook's heads are used."""

    temperature: Annotated[float, Field(gt=0, description="T of the teacher")] = 0.1
    split_seed: Annotated[int, Field(ge=0, description="seed of the split into train and held-out questions")] = 0


class PlaybookSource(harness.Source):
    """The embedded playbook: real questions and answers, one head for each topic."""

    name = "playbook"
    Options = PlaybookOptions

    def limit(self, context: harness.SourceContext) -> int | None:  # noqa: ARG002 - it lies in the package
        """The number of topics."""
        return len(load_playbook().topic_names)

    def load(self, heads: int | None, context: harness.SourceContext) -> harness.Dataset:  # noqa: ARG002
        """The first `heads` topics with their questions.

        Raises:
            DataError: where there are fewer topics, or the package lacks its data.
        """
        try:
            playbook = load_playbook(heads, self.options.split_seed)
        except (ValueError, FileNotFoundError) as problem:
            raise harness.DataError(
                str(problem), where="playbook", next_step="ask for fewer heads, or use the source `resampled` for more"
            ) from problem
        count = len(playbook.topic_names)
        return harness.Dataset(
            heads=harness.Heads(
                centroids=playbook.centroids, answers=playbook.answers, temperature=self.options.temperature
            ),
            train_queries=playbook.train_queries,
            held_out_queries=playbook.held_out_queries,
            provenance=harness.Provenance(
                kind="real",
                description=f"the first {count} topics of the playbook at T = {self.options.temperature:g}",
                digest=hashlib.sha256(repr((playbook.digest, count, self.options)).encode()).hexdigest(),
            ),
        )


def once(queries: StoredQueries) -> StoredQueries:
    """Each vector once, with the first of its heads, and held out where any of its copies is.

    A question that belongs to several clusters, or is stored several times, would be trained on and held out.
    """
    first = harness.first_equal(queries.rows)
    kept, place = np.unique(first, return_inverse=True)
    dropped = len(first) - len(kept)
    heads, held_out = queries.heads, queries.held_out
    if heads is not None:
        lowest = np.full(len(kept), np.iinfo(np.int64).max)
        np.minimum.at(lowest, place, heads)
        heads = lowest
    if held_out is not None:
        any_held_out = np.zeros(len(kept), dtype=bool)
        np.logical_or.at(any_held_out, place, held_out)
        held_out = any_held_out
    dropped_note = [
        f"{dropped} of {len(first)} queries repeat another one and were dropped: each vector counts once"
    ] * bool(dropped)
    return StoredQueries(rows=queries.rows[kept], heads=heads, held_out=held_out, notes=(*queries.notes, *dropped_note))


def split(groups: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Which queries are held out: a share of each group, of which one at least where it has two, drawn with the seed.

    What happens to a group depends on nothing but itself, so the split of fewer heads is part of the split of more.
    """
    held_out = np.zeros(len(groups), dtype=bool)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        count = min(max(round(share * len(rows)), 1), len(rows) - 1)
        held_out[np.random.default_rng((seed, int(group))).permutation(rows)[:count]] = True
    return held_out


def _content(heads: harness.Heads) -> Iterator[NDArray[np.float32] | str]:
    """All that heads are."""
    yield heads.centroids
    yield heads.answers
    yield repr((heads.temperature, sorted(heads.matrices)))
    yield from (heads.matrices[head] for head in sorted(heads.matrices))


def digest(*parts: NDArray[np.float32] | str) -> str:
    """SHA-256 over arrays, with their shapes, and words."""
    result = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            result.update(part.encode())
        else:
            result.update(repr(part.shape).encode())
            result.update(np.ascontiguousarray(part).data)
    return result.hexdigest()


@harness.hookimpl
def harness_sources() -> Sequence[harness.Source]:
    """Real heads."""
    return [DatabaseSource(), PlaybookSource()]

"""From a specification to offers, data and projections: what builder and worker both do."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from harness import complex_numbers, units
from harness.errors import ContenderError, DataError
from harness.measure.float64_call import call64
from harness.measure.query_split import without_held_out
from harness.plan.specification import OfferReference, Specification
from harness.plugin.interfaces import (
    BuildContext,
    Dataset,
    Form,
    Offer,
    Projection,
    Projector,
    Runtime,
    Source,
    SourceContext,
    Trainer,
    Workload,
)
from harness.plugin.manager import Catalog
from harness.seeding import seed_everything

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

_ANSWERS = 16  # of teachers that are remembered: one data set is asked for by every student and seed


def offer(reference: OfferReference) -> Offer:
    """The configured offer, importing its plugin and no other.

    Raises:
        OfferError: where the plugin cannot be imported or does not offer it.
    """
    return _catalog(reference.plugin).get(reference.kind, reference.name).with_options(reference.options)


@functools.cache
def _catalog(plugin: str) -> Catalog:
    """The catalog of one plugin alone."""
    files = [Path(plugin.removeprefix("file:"))] if plugin.startswith("file:") else []
    return Catalog.load(files, only={plugin})


class Construction:
    """Builds what specifications describe, and remembers the last data set.

    Args:
        plugins: for a source by name, the plugin that offers it, for sources made of other sources.
    """

    def __init__(self, plugins: Mapping[str, str]) -> None:
        self._plugins = plugins
        self._datasets = functools.lru_cache(maxsize=8)(self._load)
        self._specifications: dict[str, Specification] = {}
        self._answers: dict[str, NDArray[np.float64]] = {}

    def projector(self, specification: Specification) -> Projector:
        """The projector of a contender."""
        return cast("Projector", offer(_require_reference(specification.projector)))

    def runtime(self, specification: Specification) -> Runtime:
        """The runtime of a contender."""
        return cast("Runtime", offer(_require_reference(specification.runtime)))

    def trainer(self, specification: Specification) -> Trainer | None:
        """The trainer of a contender, where it has one."""
        return cast("Trainer", offer(specification.trainer)) if specification.trainer else None

    def teacher(self, specification: Specification) -> Projector:
        """The projector that a contender imitates."""
        return cast("Projector", offer(_require_reference(specification.teacher)))

    def costs(self, specification: Specification, sizes: Sequence[int], batch_sizes: Sequence[int]) -> list[list[Any]]:
        """What a function's workload states at each n and batch size: (n, B, operations, bytes, products)."""
        workload = cast("Workload", offer(_require_reference(specification.workload)))
        asked = [
            (n, batch, workload.cost(specification.workload_function, n, batch)) for n in sizes for batch in batch_sizes
        ]
        return [
            [n, batch, cost.flops, cost.bytes, [list(map(int, shape)) for shape in cost.products]]
            for n, batch, cost in asked
            if cost is not None
        ]

    def source_data(self, specification: Specification, heads: int | None) -> Dataset:
        """What a contender's source gives at this N, from memory where it was the last asked for."""
        key = repr((specification.source, specification.folder, specification.seed))
        self._specifications[key] = specification
        return self._datasets(key, heads)

    def dataset(self, specification: Specification, heads: int | None) -> Dataset:
        """The same, for a contender that is built on it.

        Raises:
            ContenderError: where heads have matrices, which the contender's projector or its teacher would pass over.
        """
        data = self.source_data(specification, heads)
        if data.heads.matrices:
            own = [] if specification.trainer else [self.projector(specification)]
            for each in (*own, *([self.teacher(specification)] if specification.teacher else [])):
                if not (each.takes_matrices or each.needs_training):
                    raise ContenderError(
                        f"{len(data.heads.matrices)} of {units.counted(data.heads.count, 'head')} have a matrix, "
                        f"and the projector {each.name!r} does not compute those",
                        where=specification.contender,
                        next_step="leave this contender out, or use a projector that sets `takes_matrices`",
                    )
        return data

    def projection(
        self, specification: Specification, form: Form, data: Dataset, *, weights: bool = True
    ) -> Projection:
        """The undeployed projection, seeded."""
        projector = self.projector(specification)
        context = BuildContext(
            form=form,
            seed=specification.seed,
            threads=specification.threads,
            train_queries=data.train_queries,
            weights=weights,
            teacher=functools.partial(self.answers, specification, data) if specification.teacher else None,
        )
        seed_everything(specification.training_seed if specification.trainer else specification.seed)
        return projector.build(data.heads, context)

    def answers(self, specification: Specification, data: Dataset, queries: NDArray[np.float32]) -> NDArray[np.float64]:
        """What the teacher of a contender answers to queries [Q, D], in float64 [Q, K]; remembered."""
        heads, asked = data.heads, hashlib.sha256(np.ascontiguousarray(queries).data).hexdigest()
        about = [specification.teacher, specification.seed, data.provenance.digest, heads.count, heads.temperature]
        key = repr([*about, asked])
        if key not in self._answers:
            while len(self._answers) >= _ANSWERS:
                self._answers.pop(next(iter(self._answers)))
            teacher = self.teacher(specification)
            known = teacher.reference(heads, queries)
            if known is None:
                known = call64(self.projection(teacher_of(specification), teacher.forms[0], data), queries)
            complex_numbers.refuse(known, f"the reference of the teacher {teacher.name!r}", "float64")
            known.flags.writeable = False  # it is given to every plugin that asks again
            self._answers[key] = known
        return self._answers[key]

    def rebuild(self, specification: Specification, heads: int) -> Callable[[Form, bool], Projection]:
        """What a runtime calls in the worker to have the deployed projection again."""

        def again(form: Form, weights: bool) -> Projection:
            if weights and specification.trainer:
                raise ContenderError(
                    f"{specification.contender}: a trained projection cannot be built again",
                    next_step="its runtime must export what was trained",
                )
            data = self.dataset(specification, heads)
            built = self.projection(specification, form, data, weights=weights)
            return self.projector(specification).deploy(built)

        return again

    def _load(self, key: str, heads: int | None) -> Dataset:
        specification = self._specifications[key]
        return self._load_source(_require_reference(specification.source), specification, heads)

    def _load_source(self, reference: OfferReference, specification: Specification, heads: int | None) -> Dataset:
        def other(name: str, options: Mapping[str, Any], count: int | None) -> Dataset:
            nested = OfferReference(
                kind="source", name=name, plugin=self._plugins.get(name, reference.plugin), options=options
            )
            return self._load_source(nested, specification, count)

        context = SourceContext(
            folder=Path(specification.folder), cache=Path(specification.cache), seed=specification.seed, load=other
        )
        data = cast("Source", offer(reference)).load(heads, context)
        _refuse_complex(data, reference.name)
        return without_held_out(data)


def _refuse_complex(data: Dataset, source: str) -> None:
    """Raises DataError where an array of a source is complex, of which float32 would hold half."""
    named = {name: getattr(data.heads, name) for name in ("centroids", "answers")}
    named |= {name: getattr(data, name) for name in ("train_queries", "held_out_queries")}
    named |= {f"of the matrix of head {head}": matrix for head, matrix in data.heads.matrices.items()}
    for name, array in named.items():
        complex_numbers.refuse(array, f"the array {name} of the source {source!r}", error=DataError)


def teacher_of(specification: Specification) -> Specification:
    """The teacher as an untrained contender of its own, which imitates no other."""
    return replace(specification, projector=specification.teacher, trainer=None, teacher=None)


def shared_form(projector: Projector, runtime: Runtime) -> Form:
    """The form that the runtime likes best among those the projector has.

    Raises:
        ContenderError: where there is none.
    """
    for form in runtime.forms:
        if form in projector.forms:
            return form
    raise ContenderError(
        f"the runtime {runtime.name!r} takes {' or '.join(runtime.forms)}, the projector {projector.name!r} "
        f"is built as {' or '.join(projector.forms)}"
    )


def _require_reference(reference: OfferReference | None) -> OfferReference:
    if reference is None:
        raise ContenderError("the contender is a plain function, without components")
    return reference

"""The process that builds, trains, exports and scores; torch may be imported here, and nothing here is timed."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import complex_numbers
from harness.causes import plain
from harness.errors import HarnessError, ParityError, ResourceError, TrainingError
from harness.measure import fidelity, parity, parity_queries, saving
from harness.measure.artifact_digests import digests, unchanged
from harness.measure.artifacts import Artifacts
from harness.measure.construction import Construction, shared_form
from harness.measure.fingerprint import identity
from harness.measure.float64_call import call64
from harness.measure.operations import by_batch_size
from harness.measure.training import Students, evict_oldest
from harness.plan.specification import Specification
from harness.plugin.interfaces import Dataset, ExportContext, Form, Heads, Projection, Projector
from harness.process.server import Operation, serve
from harness.seeding import seed_everything
from harness.system_errors import advice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

_REFERENCE_ELEMENTS = 2**23  # rows x heads up to which every rotating batch is proved, not only the first
_NO_DOUBT = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning)
_MOST_WARNINGS = 4  # of one export
_FREE_OF_BRANCHES = "make forward the same for all queries and batch sizes, or measure it with the runtime eager"
_KNOWN = 4096  # heads among which matrices are looked for: so many take gigabytes
_LISTED = "digests-{}.json"  # of the inputs and references of a batch size
_FORMULAS = 16  # references that are remembered: one projector in many runtimes is asked for its formula once


@dataclass(frozen=True, kw_only=True)
class _Exported:
    """A contender at one N as it is loaded, and what it was made of."""

    place: Path
    about: Mapping[str, Any]
    cached: bool
    data: Dataset  # of the N at which it was built: one that is the same at many N is built, and proved, at one of them
    projector: Projector
    form: Form
    undeployed: Callable[[], Projection]


class Builder:
    """The operations of the builder.

    Args:
        settings: `cache` (folder), `versions` (of the libraries that results depend on), `plugins` (of sources, by
            name), `input_batches` (how many distinct batches the calls rotate among).
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._artifacts = Artifacts(Path(settings["cache"]))
        self._artifacts.occupy(settings.get("needed", ()))
        self._versions = dict(settings.get("versions", {}))
        self._input_batches = int(settings.get("input_batches", 4))
        self._construction = Construction(settings.get("plugins", {}))
        self._students = Students(self._artifacts, self._construction, self._versions)
        self._formulas: dict[str, NDArray[np.float64] | None] = {}

    def operations(self) -> Mapping[str, Operation]:
        """What can be asked."""
        operations = {"describe": self.describe, "build": self.build, "hold_out": self.hold_out, "costs": self.costs}
        return {**operations, "train": self.train, "score": self.score, "save": self.save}

    def describe(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What the source gives at this N."""
        data = self._construction.source_data(Specification.from_json(request["specification"]), request.get("heads"))
        return {
            "kind": data.provenance.kind,
            "description": data.provenance.description,
            "digest": data.provenance.digest,
            "heads": data.heads.count,
            "width": data.heads.width,
            "output_width": data.heads.output_width,
            "temperature": data.heads.temperature,
            "train_queries": len(data.train_queries),
            "held_out_queries": len(data.held_out_queries),
            "matrices": len(data.heads.matrices),
            "notes": list(data.provenance.notes),
        }

    def build(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Exports a contender at one N, with inputs and float64 references for its batch sizes."""
        specification = Specification.from_json(request["specification"])
        if specification.function:
            return {
                "place": f"{specification.contender}/{request['heads']}",
                "heads": int(request["heads"]),
                "costs": {},
                "bytes": 0,
                "build_seconds": 0.0,
                "cached": None,
                "proofs": {},
                "warnings": [],
                "files": {},
            }
        heads, batches = int(request["heads"]), [int(each) for each in request["batch_sizes"]]
        made = self._export(specification, heads, batches)
        held = made.data.heads
        arrays = (held.centroids, held.answers, *held.matrices.values())
        carried = sum(each.nbytes for each in arrays) if made.projector.variant(heads) == heads else 0
        proofs = {str(batch): self._refer(made, batch, specification) for batch in batches}
        return {
            "place": str(made.place),
            "heads": int(made.about["heads"]),
            "costs": self._costs(made.projector, heads, batches, made.data),
            "bytes": max(int(made.about["bytes"]), carried),
            "cached": made.cached,
            "build_seconds": made.about.get("seconds"),
            "proofs": proofs,
            "warnings": list(made.about.get("warnings", ())),
            "files": {**made.about["files"], **_batch_files(made.place, batches)},
        }

    def train(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Trains a contender and exports nothing: where its weights lie, which any machine may load."""
        specification = Specification.from_json(request["specification"])
        data = self._construction.dataset(specification, int(request["heads"]))
        return {"place": str(self._students.place(specification, data))}

    def hold_out(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Exports a contender as it is raced, trained where it is to be, and writes the queries to score it on."""
        specification, heads = Specification.from_json(request["specification"]), int(request["heads"])
        queries = self._construction.dataset(specification, heads).held_out_queries
        if not len(queries):
            raise TrainingError("the source has no held-out queries to score on")
        made = self._export(specification, heads, [int(each) for each in request["batch_sizes"]])
        _write(Path(request["queries"]), queries)
        parameters = made.about.get("parameters")
        if parameters is None and "module" in made.projector.forms:  # of a NumPy form: its module's
            parameters = _parameters(self._students.trained(specification, "module", made.data)[0])
        training = made.about.get("training") or {}
        return {
            "place": str(made.place),
            "heads": int(made.about["heads"]),
            "batch_size": _batch_size(request["batch_sizes"], len(queries)),
            "parameters": parameters,
            **{name: training.get(name) for name in ("training_seconds", "training_steps")},
            "notes": training.get("notes") or (),
            "files": dict(made.about["files"]),
            "cached": bool(specification.trainer) and (made.cached or bool(training.get("cached"))),
        }

    def score(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What a contender answered to the held-out queries, against its teacher; `prove`: and against its float64 reference.

        Raises:
            ParityError: where it differs from its float64 reference by more than its tolerance.
        """
        specification, heads = Specification.from_json(request["specification"]), int(request["heads"])
        data = self._construction.dataset(specification, heads)
        output = np.load(request["outputs"], allow_pickle=False).astype(np.float64)
        if request.get("prove"):
            made = self._export(specification, heads, [int(each) for each in request["batch_sizes"]])
            reference, _ = self._reference(made, specification, len(output), data.held_out_queries, [])
            parity.prove(output, reference, specification.tolerance)
        target = self._students.target(specification, data)
        measured = fidelity.measure(
            output, target.teacher, data.heads.answers, target.constant, seed=specification.seed
        )
        return {
            "scores": dict(measured.scores),
            "intervals": dict(measured.intervals),
            "per_query": dict(measured.per_query),
            "data": data.provenance.digest,
            "temperature": data.heads.temperature,
            "queries": len(output),
            "effective_heads": target.effective_heads,
        }

    def save(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Saves a trained contender's module where the user wants it."""
        specification = Specification.from_json(request["specification"])
        data = self._construction.dataset(specification, int(request["heads"]))
        student, _ = self._students.student(specification, data)
        return {"card": saving.save(student, specification, data, Path(request["path"]))}

    def _export(self, specification: Specification, heads: int, batches: Sequence[int]) -> _Exported:
        """The contender at this N in a folder that its runtime can load, from the cache where it lies there."""
        data = self._construction.dataset(specification, heads)
        projector = self._construction.projector(specification)
        runtime = self._construction.runtime(specification)
        form = shared_form(projector, runtime)
        built: list[tuple[Projection, dict[str, Any]]] = []

        def undeployed() -> Projection:
            if not built:
                built.append(self._students.trained(specification, form, data))
            return built[0][0]

        def fill(folder: Path) -> dict[str, Any]:
            begun = time.perf_counter()
            original = undeployed()
            if specification.trainer:
                begun = time.perf_counter()  # what training takes is told apart
            deployed = projector.deploy(copy.deepcopy(original) if form == "module" else original)
            (folder / "artifact").mkdir()
            seed_everything(specification.seed)
            example = self._inputs(data, max(batches), specification.seed)[0]
            context = ExportContext(
                heads=heads,
                batch_sizes=tuple(batches),
                seed=specification.seed,
                calibration_queries=data.train_queries,
                device=specification.device_kind,
                threads=specification.threads,
                operations=by_batch_size(deployed, example, {1, 2, *batches}) if form == "module" else {},
            )
            with warnings.catch_warnings(record=True) as caught:
                runtime.export(deployed, example, folder / "artifact", context)
            return {
                "contender": specification.contender,
                "heads": heads,
                "what": f"{projector.name} for {runtime.name}",
                "seconds": time.perf_counter() - begun,
                "parameters": _parameters(original),
                "training": built[0][1],
                "warnings": _warning_texts(caught),
            }

        place, about, cached = self._artifacts.obtain(self._parts(specification, projector, data, form, batches), fill)
        if int(about["heads"]) != heads:
            data = self._construction.dataset(specification, int(about["heads"]))
            built.clear()
        return _Exported(
            place=place,
            about=about,
            cached=cached,
            data=data,
            projector=projector,
            form=form,
            undeployed=undeployed,
        )

    def costs(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What a contender's projector states at each N and batch size: (N, B, operations, bytes, products)."""
        specification = Specification.from_json(request["specification"])
        if specification.workload is not None:
            return {"costs": self._construction.costs(specification, request["heads"], request["batch_sizes"])}
        projector = self._construction.projector(specification)
        widths = int(request["width"]), int(request["output_width"])
        rows = []
        tried = (self._heads(specification, n) for n in sorted(request["heads"], reverse=True) if n <= _KNOWN)
        largest = next((each for each in tried if each is not None), None)
        for heads in request["heads"]:  # where heads have matrices, what a call costs depends on which of them do
            own = self._heads(specification, heads) if largest is not None and largest.matrices else None
            for batch in request["batch_sizes"]:
                cost = projector.cost_of(own, batch) if own else projector.cost(heads, batch, *widths)
                if cost is not None:
                    products = [[int(side) for side in shape] for shape in cost.products]
                    rows.append([heads, batch, cost.flops, cost.bytes, products])
        return {"costs": rows}

    def _heads(self, specification: Specification, heads: int) -> Heads | None:
        """The heads of a contender's source; None where it has fewer."""
        try:
            return self._construction.source_data(specification, heads).heads
        except HarnessError:
            return None

    # --------------------------------------------------------------------------------------- inputs and references

    def _inputs(self, data: Dataset, batch: int, seed: int) -> NDArray[np.float32]:
        """[R, B, D]: batches drawn from all queries, without repetition as long as there are enough."""
        pool = np.concatenate([data.held_out_queries, data.train_queries])
        wanted = self._input_batches * batch
        generator = np.random.default_rng([seed, batch])
        picked = np.concatenate([generator.permutation(len(pool)) for _ in range(-(-wanted // len(pool)))])[:wanted]
        return np.ascontiguousarray(pool[picked].reshape(self._input_batches, batch, -1), dtype=np.float32)

    def _refer(self, made: _Exported, batch: int, specification: Specification) -> str:
        """Writes inputs [R, B, D], their float64 reference [R', B, K] and probes beside the artifact, once for each B.

        Returns:
            what the reference is: `formula`, `float64` (the projection's module in that precision), `itself`, or
            `approximation`, itself where it does not claim to be the formula.

        Raises:
            ParityError: where what should be proved has another shape than [B, K], or is zero whatever the queries are.
        """
        place, data = made.place, made.data
        inputs, reference, proved = (place / f"{name}-{batch}" for name in ("inputs", "reference", "proof"))
        listed = place / _LISTED.format(batch)
        if proved.exists() and unchanged(place, _listed(listed)):
            return proved.read_text()
        batches = self._inputs(data, batch, specification.seed)
        _write(inputs.with_suffix(".npy"), batches)
        if batches.shape[0] * batch * data.heads.count > _REFERENCE_ELEMENTS:
            batches = batches[:1]
        timed = batches.reshape(-1, batches.shape[-1])
        few = parity_queries.rows_of(batches[0], data.heads.count)
        further = parity_queries.scaled(few) if made.form == "module" else []
        output, proof = self._reference(made, specification, batch, timed, further)
        if proof != "formula" and timed.any() and not output[: len(timed)].any():
            raise ParityError(
                "the output is all zeros for every query", next_step="it proves nothing, so it is not timed"
            )
        _write(reference.with_suffix(".npy"), output[: len(timed)].reshape(*batches.shape[:2], -1))
        if further:
            zero, continuous = parity_queries.answer_to_zeros(made.undeployed(), few[0])
            scaled = output[len(timed) :].reshape(len(further), len(few), -1)
            parity_queries.ParityQueries(rows=few, scaled=scaled, zero=zero, continuous=continuous).save(
                place / f"probes-{batch}.npz"
            )
        _write_text(proved, proof)
        beside = [
            f"{inputs.name}.npy",
            f"{reference.name}.npy",
            proved.name,
            *([f"probes-{batch}.npz"] if further else []),
        ]
        _write_text(listed, json.dumps(digests(place, beside)))
        return proof

    def _reference(
        self,
        made: _Exported,
        specification: Specification,
        batch: int,
        timed: NDArray[np.float32],
        further: Sequence[NDArray[np.float32]],
    ) -> tuple[NDArray[np.float64], str]:
        """What a contender should answer to timed rows and to further ones, all [Q, D], and how that is known."""
        heads = made.data.heads
        rows = np.concatenate([timed, *further])
        wanted = batch, (len(rows), heads.output_width)
        if not specification.trainer and not made.projector.approximates:
            where = [identity(specification.projector), made.data.provenance.digest, heads.count]
            content = hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()
            key = repr([*where, heads.temperature, specification.seed, content])
            if key not in self._formulas:
                evict_oldest(self._formulas, _FORMULAS)
                self._formulas[key] = made.projector.reference(heads, rows)
            known = self._formulas[key]
            if known is not None:
                _expect(known, *wanted, "the reference of its projector")
                if not np.isfinite(known[: len(timed)]).all():
                    raise ParityError("the reference of its projector is not finite for the queries that are timed")
                if not np.isfinite(known[len(timed) :]).all():  # it ends at the queries that it was written for
                    known = np.concatenate([known[: len(timed)], call64(made.undeployed(), *further)])
                return known, "formula"
        projection: Any = made.undeployed()
        if not hasattr(projection, "state_dict") and "module" in made.projector.forms:
            projection = self._students.trained(specification, "module", made.data)[0]
        output = call64(projection, timed, *further)
        _expect(output, *wanted, "the output")
        own = "approximation" if made.projector.approximates and not specification.trainer else "itself"
        return output, "float64" if hasattr(projection, "state_dict") else own

    def _costs(
        self, projector: Projector, heads: int, batches: Sequence[int], data: Dataset
    ) -> dict[str, tuple[float, float]]:
        """(operations, bytes) of one call by batch size, where the projector states them."""
        own = data.heads if heads == data.heads.count else None
        widths = data.heads.width, data.heads.output_width
        stated = {
            batch: projector.cost_of(own, batch) if own else projector.cost(heads, batch, *widths) for batch in batches
        }
        return {str(batch): (cost.flops, cost.bytes) for batch, cost in stated.items() if cost is not None}

    # ------------------------------------------------------------------------------------------------- identities

    def _parts(
        self, specification: Specification, projector: Projector, data: Dataset, form: Form, batches: Sequence[int]
    ) -> dict[str, Any]:
        """All that an exported artifact depends on, and the queries and references beside it."""
        heads = data.heads
        same_for_all = not specification.trainer and projector.variant(heads.count) != heads.count
        content: Any = [data.provenance.digest, heads.count, heads.temperature]
        if (
            same_for_all
        ):  # for all N of this source, that is: it is proved at one of them, and others may not have that N
            content = [projector.variant(heads.count), identity(specification.source)]
        return {
            "projector": identity(specification.projector),
            "runtime": identity(specification.runtime),
            "form": form,
            "trainer": identity(specification.trainer),
            "teacher": identity(specification.teacher),  # also of what is not trained: it may be fitted to its answers
            "content": content,
            "shape": [heads.width, heads.output_width],
            "device": specification.device_kind,
            "threads": specification.threads,
            "seed": specification.seed,
            "training_seed": specification.training_seed if specification.trainer else None,
            "versions": self._versions,
            "batch_sizes": sorted(batches),
            "input_batches": self._input_batches,
        }


def _batch_size(batch_sizes: Sequence[int], queries: int) -> int:
    """The largest batch that is raced and not larger than there are queries; the smallest where all are."""
    return max((int(each) for each in batch_sizes if each <= queries), default=min(int(each) for each in batch_sizes))


def _parameters(projection: Any) -> int | None:
    """How many numbers a module holds, whether they were trained or fitted in closed form."""
    if not hasattr(projection, "state_dict"):
        return None
    return int(sum(each.numel() for each in projection.state_dict().values()))


def _expect(output: NDArray[Any], batch: int, shape: tuple[int, int], what: str) -> None:
    """Refuses complex numbers, and another shape than [Q, K]: in words of a batch, where it has the rows of several."""
    complex_numbers.refuse(output, what, "float64")
    if output.shape != shape:
        found = [batch, *output.shape[1:]] if output.shape[:1] == shape[:1] else list(output.shape)
        raise ParityError(f"{what} has the shape {found}, expected {[batch, shape[1]]}")


def _warning_texts(caught: Sequence[warnings.WarningMessage]) -> list[str]:
    """What an export warned of and its runtime did not silence, each place once; not what libraries plan to change."""
    places: dict[tuple[str, int], str] = {}
    for each in caught:
        if not issubclass(each.category, _NO_DOUBT):
            text = plain(str(each.message)).strip().partition("\n")[0].partition(". ")[0]
            places.setdefault((each.filename, each.lineno), f"{text} ({each.filename}:{each.lineno})")
    return [f"its export warns, {text}: {_FREE_OF_BRANCHES}" for text in list(places.values())[:_MOST_WARNINGS]]


def _write(path: Path, array: NDArray[Any]) -> None:
    """Writes an array so that no reader sees half of it.

    Raises:
        ResourceError: where the disk is full, or files may not be so large.
    """
    draft = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        np.save(draft, array)
        draft.replace(path)
    except OSError as error:
        raise ResourceError(f"it cannot be written: {error}", where=str(path), next_step=advice(error)) from error
    finally:
        draft.unlink(missing_ok=True)


def _write_text(path: Path, text: str) -> None:
    draft = path.with_name(f".{os.getpid()}-{path.name}")
    draft.write_text(text)
    draft.replace(path)


def _listed(path: Path) -> Any:
    """The digests in a file; None where there are none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None


def _batch_files(place: Path, batches: Sequence[int]) -> dict[str, str]:
    """Digests of the inputs, references and probes that lie beside an artifact."""
    return {name: each for batch in batches for name, each in (_listed(place / _LISTED.format(batch)) or {}).items()}


if __name__ == "__main__":
    serve(lambda settings: Builder(settings).operations())

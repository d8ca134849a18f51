"""The process that builds, trains, exports and scores; torch may be imported here, and nothing here is timed."""

from __future__ import annotations

import copy
import functools
import hashlib
import importlib.util
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis import fidelity
from harness.contracts import Dataset, ExportContext, Form, Projection, Projector, TrainContext
from harness.discovery import declared
from harness.errors import ContenderError, TrainingError
from harness.measure.artifacts import Artifacts
from harness.measure.construction import Construction, offer, seed_everything, shared_form
from harness.measure.serving import Operation, serve
from harness.measure.specification import OfferReference, Specification

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

_REFERENCE_ELEMENTS = 2**23  # rows x heads up to which every rotating batch is proved, not only the first
_FORMULAS = 16  # references that are remembered: one projector in many runtimes is asked for its formula once
_TARGETS = 32  # of scoring, by data and N


@dataclass(frozen=True, kw_only=True)
class _Exported:
    """A contender at one N as it is loaded, and what it was made of."""

    place: Path
    about: Mapping[str, Any]
    cached: bool
    data: Dataset  # of the N at which it was built: one that is the same at many N is built, and proved, at one of them
    projector: Projector
    undeployed: Callable[[], Projection]


@dataclass(frozen=True, kw_only=True)
class _Target:
    """What contenders are scored against."""

    teacher: NDArray[np.float64]  # its outputs for the held-out queries [Q, K]
    constant: NDArray[np.float64]  # the mean of those for the training queries [K]
    effective_heads: float


class Builder:
    """The operations of the builder.

    Args:
        settings: `cache` (folder), `versions` (of the libraries that results depend on), `plugins` (of sources, by
            name), `input_batches` (how many distinct batches the calls rotate among).
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._artifacts = Artifacts(Path(settings["cache"]))
        self._artifacts.occupy()
        self._versions = dict(settings.get("versions", {}))
        self._input_batches = int(settings.get("input_batches", 4))
        self._construction = Construction(settings.get("plugins", {}))
        self._formulas: dict[str, NDArray[np.float64] | None] = {}
        self._targets: dict[str, _Target] = {}

    def operations(self) -> Mapping[str, Operation]:
        """What can be asked."""
        operations = {"describe": self.describe, "build": self.build, "hold_out": self.hold_out, "costs": self.costs}
        return {**operations, "score": self.score, "save": self.save}

    def describe(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What the source gives at this N."""
        data = self._construction.dataset(Specification.from_json(request["specification"]), request.get("heads"))
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
        }

    def build(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Exports a contender at one N, with inputs and float64 references for its batch sizes."""
        specification = Specification.from_json(request["specification"])
        if specification.function:
            return {
                "place": f"{specification.function}/{request['heads']}",
                "heads": int(request["heads"]),
                "costs": {},
                "bytes": 0,
                "build_seconds": 0.0,
                "cached": None,
                "proofs": {},
            }
        heads, batches = int(request["heads"]), [int(each) for each in request["batch_sizes"]]
        made = self._export(specification, heads, batches)
        held = made.data.heads
        carried = held.centroids.nbytes + held.answers.nbytes if made.projector.variant(heads) == heads else 0
        return {
            "place": str(made.place),
            "heads": int(made.about["heads"]),
            "costs": self._costs(made.projector, heads, batches, made.data),
            "bytes": max(int(made.about["bytes"]), carried),
            "cached": made.cached,
            "build_seconds": made.about.get("seconds"),
            "proofs": {str(batch): self._refer(made, batch, specification) for batch in batches},
        }

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
            parameters = _parameters(self._trained(specification, "module", made.data)[0])
        training = made.about.get("training") or {}
        return {
            "place": str(made.place),
            "heads": int(made.about["heads"]),
            "batch_size": _batch_size(request["batch_sizes"], len(queries)),
            "parameters": parameters,
            **{name: training.get(name) for name in ("training_seconds", "training_steps")},
            "notes": training.get("notes") or (),
            "cached": bool(specification.trainer) and (made.cached or bool(training.get("cached"))),
        }

    def score(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What a contender answered to the held-out queries, against its teacher."""
        specification = Specification.from_json(request["specification"])
        data = self._construction.dataset(specification, int(request["heads"]))
        output = np.load(request["outputs"], allow_pickle=False).astype(np.float64)
        target = self._target(specification, data)
        measured = fidelity.measure(
            output, target.teacher, data.heads.answers, target.constant, seed=specification.seed
        )
        return {
            "scores": dict(measured.scores),
            "intervals": dict(measured.intervals),
            "temperature": data.heads.temperature,
            "queries": len(output),
            "effective_heads": target.effective_heads,
        }

    def save(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Saves a trained contender's module where the user wants it."""
        specification = Specification.from_json(request["specification"])
        student, _ = self._student(specification, self._construction.dataset(specification, int(request["heads"])))
        keep = getattr(student, "save", None)
        if keep is None:
            raise ContenderError(f"{specification.contender}: this projection has no `save`")
        keep(request["path"])
        return {"path": request["path"]}

    def _export(self, specification: Specification, heads: int, batches: Sequence[int]) -> _Exported:
        """The contender at this N in a folder that its runtime can load, from the cache where it lies there."""
        data = self._construction.dataset(specification, heads)
        projector = self._construction.projector(specification)
        runtime = self._construction.runtime(specification)
        form = shared_form(projector, runtime)
        built: list[tuple[Projection, dict[str, Any]]] = []

        def undeployed() -> Projection:
            if not built:
                built.append(self._trained(specification, form, data))
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
                device=specification.device,
                threads=specification.threads,
            )
            runtime.export(deployed, example, folder / "artifact", context)
            return {
                "contender": specification.contender,
                "heads": heads,
                "what": f"{projector.name} for {runtime.name}",
                "seconds": time.perf_counter() - begun,
                "parameters": _parameters(original),
                "training": built[0][1],
            }

        place, about, cached = self._artifacts.obtain(self._parts(specification, projector, data, form), fill)
        if int(about["heads"]) != heads:
            data = self._construction.dataset(specification, int(about["heads"]))
            built.clear()
        return _Exported(place=place, about=about, cached=cached, data=data, projector=projector, undeployed=undeployed)

    def costs(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What a contender's projector states at each N and batch size: (N, B, operations, bytes, products)."""
        projector = self._construction.projector(Specification.from_json(request["specification"]))
        widths = int(request["width"]), int(request["output_width"])
        rows = []
        for heads in request["heads"]:
            for batch in request["batch_sizes"]:
                cost = projector.cost(heads, batch, *widths)
                if cost is not None:
                    products = [[int(side) for side in shape] for shape in cost.products]
                    rows.append([heads, batch, cost.flops, cost.bytes, products])
        return {"costs": rows}

    # ------------------------------------------------------------------------------------------------ the student

    def _trained(self, specification: Specification, form: Form, data: Dataset) -> tuple[Projection, dict[str, Any]]:
        """The undeployed projection, trained where it is to be, and how its training went."""
        if specification.trainer:
            return self._student(specification, data)
        built: Any = self._construction.projection(specification, form, data.heads, queries=data.train_queries)
        return (built.eval() if hasattr(built, "eval") else built), {}

    def _student(self, specification: Specification, data: Dataset) -> tuple[Any, dict[str, Any]]:
        """The trained module, from the cache where it was trained before, and how its training went."""
        projector = self._construction.projector(specification)
        trainer = self._construction.trainer(specification)
        form: Form = "module" if "module" in projector.forms else projector.forms[0]
        started = time.perf_counter()
        module: Any = self._construction.projection(specification, form, data.heads, queries=data.train_queries)
        fitted = time.perf_counter() - started  # what is fitted in closed form is part of the training
        if trainer is None:
            return (module.eval() if hasattr(module, "eval") else module), {"cached": False}
        import safetensors.torch
        import torch

        def fill(folder: Path) -> dict[str, Any]:
            teacher = self._construction.teacher(specification)
            outputs = self._outputs_of_teacher(specification, data, data.train_queries)
            known = torch.from_numpy(outputs.astype(np.float32))
            seen = torch.from_numpy(np.array(data.train_queries))
            reference: Any = (
                self._construction.projection(
                    _only(specification, teacher_of=True), "module", data.heads, queries=data.train_queries
                )
                if "module" in teacher.forms
                else None
            )

            def teach(queries: torch.Tensor) -> torch.Tensor:
                if queries.shape == seen.shape and torch.equal(queries.cpu(), seen):
                    return known.to(queries.device)
                if reference is not None:
                    with torch.no_grad():
                        answer: torch.Tensor = reference(queries)
                        return answer
                outputs = self._outputs_of_teacher(specification, data, queries.cpu().numpy())
                return torch.from_numpy(outputs.astype(np.float32)).to(queries.device)

            seed_everything(specification.training_seed)
            context = TrainContext(
                seed=specification.training_seed, threads=specification.threads, device=specification.device
            )
            report = trainer.fit(module, teach, seen, context)
            state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
            safetensors.torch.save_file(state, folder / "student.safetensors")
            return {
                "contender": specification.contender,
                "heads": data.heads.count,
                "what": f"{projector.name} trained by {trainer.name}",
                "training_seconds": fitted + report.seconds,
                "training_steps": report.steps,
                "notes": list(report.notes),
                "losses": {name: [float(value) for value in values] for name, values in report.losses.items()},
            }

        parts = {
            "student": self._identity(specification.projector),
            "trainer": self._identity(specification.trainer),
            "teacher": self._identity(specification.teacher),
            "data": data.provenance.digest,
            "heads": data.heads.count,
            "temperature": data.heads.temperature,
            "seed": specification.training_seed,
            "versions": self._versions,
        }
        place, about, cached = self._artifacts.obtain(parts, fill)
        module.load_state_dict(safetensors.torch.load_file(place / "student.safetensors"))
        module.eval()
        kept = {name: about.get(name) for name in ("training_seconds", "training_steps", "notes")}
        return module, {**kept, "cached": cached}

    def _target(self, specification: Specification, data: Dataset) -> _Target:
        """What the teacher answers on this data, remembered for all contenders and seeds that imitate it."""
        key = repr([self._identity(specification.teacher), data.provenance.digest, data.heads.count])
        key += repr([data.heads.temperature, specification.seed, len(data.train_queries), len(data.held_out_queries)])
        if key not in self._targets:
            _make_room(self._targets, _TARGETS)
            shares = fidelity.weights(data.held_out_queries, data.heads.centroids, data.heads.temperature)
            self._targets[key] = _Target(
                teacher=self._outputs_of_teacher(specification, data, data.held_out_queries),
                constant=self._outputs_of_teacher(specification, data, data.train_queries).mean(axis=0),
                effective_heads=fidelity.effective_heads(shares),
            )
        return self._targets[key]

    def _outputs_of_teacher(
        self, specification: Specification, data: Dataset, queries: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        teacher = self._construction.teacher(specification)
        known = teacher.reference(data.heads, queries)
        if known is not None:
            return known
        module = self._construction.projection(_only(specification, teacher_of=True), teacher.forms[0], data.heads)
        return _call64(module, queries)

    # --------------------------------------------------------------------------------------- inputs and references

    def _inputs(self, data: Dataset, batch: int, seed: int) -> NDArray[np.float32]:
        """[R, B, D]: batches drawn from all queries, without repetition as long as there are enough."""
        pool = np.concatenate([data.held_out_queries, data.train_queries])
        wanted = self._input_batches * batch
        generator = np.random.default_rng([seed, batch])
        picked = np.concatenate([generator.permutation(len(pool)) for _ in range(-(-wanted // len(pool)))])[:wanted]
        return np.ascontiguousarray(pool[picked].reshape(self._input_batches, batch, -1), dtype=np.float32)

    def _refer(self, made: _Exported, batch: int, specification: Specification) -> str:
        """Writes inputs [R, B, D] and their float64 reference [R', B, K] beside the artifact, once for a batch size.

        Returns:
            what the reference is: `formula`, `float64` (the projection's module in that precision) or `itself`.
        """
        place, data = made.place, made.data
        inputs, reference, told = (place / f"{name}-{batch}" for name in ("inputs", "reference", "proof"))
        if told.exists():
            return told.read_text()
        batches = self._inputs(data, batch, specification.seed)
        _write(inputs.with_suffix(".npy"), batches)
        if batches.shape[0] * batch * data.heads.count > _REFERENCE_ELEMENTS:
            batches = batches[:1]
        rows = batches.reshape(-1, batches.shape[-1])
        output, proof = self._reference(made, specification, rows)
        _write(reference.with_suffix(".npy"), output.reshape(*batches.shape[:2], -1))
        draft = told.with_name(f".{os.getpid()}-{told.name}")
        draft.write_text(proof)
        draft.replace(told)
        return proof

    def _reference(
        self, made: _Exported, specification: Specification, rows: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], str]:
        """What a contender should answer to rows [Q, D], and how that is known."""
        heads = made.data.heads
        if not specification.trainer:
            where = [self._identity(specification.projector), made.data.provenance.digest, heads.count]
            key = repr([*where, heads.temperature, specification.seed, len(rows)])
            if key not in self._formulas:
                _make_room(self._formulas, _FORMULAS)
                self._formulas[key] = made.projector.reference(heads, rows)
            known = self._formulas[key]
            if known is not None:
                return known, "formula"
        projection: Any = made.undeployed()
        if not hasattr(projection, "state_dict") and "module" in made.projector.forms:
            projection = self._trained(specification, "module", made.data)[0]
        return _call64(projection, rows), "float64" if hasattr(projection, "state_dict") else "itself"

    def _costs(
        self, projector: Projector, heads: int, batches: Sequence[int], data: Dataset
    ) -> dict[str, tuple[float, float]]:
        """(operations, bytes) of one call by batch size, where the projector states them."""
        stated = {batch: projector.cost(heads, batch, data.heads.width, data.heads.output_width) for batch in batches}
        return {str(batch): (cost.flops, cost.bytes) for batch, cost in stated.items() if cost is not None}

    # ------------------------------------------------------------------------------------------------- identities

    def _parts(self, specification: Specification, projector: Projector, data: Dataset, form: Form) -> dict[str, Any]:
        """All that an exported artifact depends on."""
        heads = data.heads
        same_for_all = not specification.trainer and projector.variant(heads.count) != heads.count
        content: Any = (
            projector.variant(heads.count) if same_for_all else [data.provenance.digest, heads.count, heads.temperature]
        )
        return {
            "projector": self._identity(specification.projector),
            "runtime": self._identity(specification.runtime),
            "form": form,
            "trainer": self._identity(specification.trainer),
            "teacher": self._identity(specification.teacher) if specification.trainer else None,
            "content": content,
            "shape": [heads.width, heads.output_width],
            "device": specification.device,
            "threads": specification.threads,
            "seed": specification.seed,
            "training_seed": specification.training_seed if specification.trainer else None,
            "versions": self._versions,
            "input_batches": self._input_batches,
        }

    def _identity(self, reference: OfferReference | None) -> list[Any] | None:
        """An offer by name, the options that it really has, and a digest of its plugin's source."""
        if reference is None:
            return None
        options = offer(reference).options.model_dump(mode="json")
        return [reference.kind, reference.name, options, plugin_digest(reference.plugin)]


@functools.cache
def plugin_digest(plugin: str) -> str:
    """SHA-256 over the source of a plugin, named by its identity: its file, or all modules of its package."""
    if plugin.startswith("file:"):
        path = Path(plugin.removeprefix("file:"))
    else:
        module = next(
            (each.entry.module for each in declared() if f"{each.distribution}:{each.entry.name}" == plugin), plugin
        )
        found = importlib.util.find_spec(module.partition(".")[0])
        if found is None or found.origin is None:
            return ""
        path = Path(found.origin)
    files = sorted(path.parent.rglob("*.py"))[:200] if path.name == "__init__.py" else [path]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _only(specification: Specification, *, teacher_of: bool) -> Specification:
    """The same specification with the teacher as an untrained projector."""
    from dataclasses import replace

    return replace(
        specification, projector=specification.teacher if teacher_of else specification.projector, trainer=None
    )


def _call64(projection: Any, queries: NDArray[np.float32]) -> NDArray[np.float64]:
    """A projection evaluated in float64 where it is a module, in its own precision where it is a callable."""
    if not hasattr(projection, "state_dict"):
        return np.asarray(projection(queries), dtype=np.float64)
    import torch

    module = copy.deepcopy(projection).double().eval()
    with torch.no_grad():
        output: NDArray[np.float64] = module(torch.from_numpy(np.array(queries)).double()).numpy()
    return output


def _make_room(remembered: dict[str, Any], most: int) -> None:
    """Forgets what was remembered first, so that one more fits."""
    while len(remembered) >= most:
        remembered.pop(next(iter(remembered)))


def _batch_size(batch_sizes: Sequence[int], queries: int) -> int:
    """The largest batch that is raced and not larger than there are queries; the smallest where all are."""
    return max((int(each) for each in batch_sizes if each <= queries), default=min(int(each) for each in batch_sizes))


def _parameters(projection: Any) -> int | None:
    """How many numbers a module holds, whether they were trained or fitted in closed form."""
    if not hasattr(projection, "state_dict"):
        return None
    return int(sum(each.numel() for each in projection.state_dict().values()))


def _write(path: Path, array: NDArray[Any]) -> None:
    """Writes an array so that no reader sees half of it."""
    draft = path.with_name(f".{os.getpid()}-{path.name}")
    np.save(draft, array)
    draft.replace(path)


if __name__ == "__main__":
    serve(lambda settings: Builder(settings).operations())

"""The process that builds, trains, exports and scores; torch may be imported here, and nothing here is timed."""

from __future__ import annotations

import copy
import functools
import hashlib
import importlib.util
import os
import time
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

_REFERENCE_ELEMENTS = 2**18  # rows x heads up to which every rotating batch is proved, not only the first


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

    def operations(self) -> Mapping[str, Operation]:
        """What can be asked."""
        return {
            "describe": self.describe,
            "build": self.build,
            "score": self.score,
            "save": self.save,
            "costs": self.costs,
        }

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
                "cached": True,
            }
        started = time.perf_counter()
        heads, batches = int(request["heads"]), [int(each) for each in request["batch_sizes"]]
        data = self._construction.dataset(specification, heads)
        projector = self._construction.projector(specification)
        runtime = self._construction.runtime(specification)
        form = shared_form(projector, runtime)
        built: list[Projection] = []

        def undeployed() -> Projection:
            if not built:
                built.append(self._trained(specification, form, data))
            return built[0]

        def fill(folder: Path) -> dict[str, Any]:
            original = undeployed()
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
            }

        place, about, cached = self._artifacts.obtain(self._parts(specification, projector, data, form), fill)
        origin = int(about["heads"])  # a contender that is the same at many N was built, and is proved, at one of them
        if origin != heads:
            data = self._construction.dataset(specification, origin)
            built.clear()
        for batch in batches:
            self._refer(place, batch, specification, projector, data, undeployed)
        carried = data.heads.centroids.nbytes + data.heads.answers.nbytes if projector.variant(heads) == heads else 0
        return {
            "place": str(place),
            "heads": origin,
            "costs": self._costs(projector, heads, batches, data),
            "bytes": max(int(about["bytes"]), carried),
            "cached": cached,
            "build_seconds": time.perf_counter() - started,
        }

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

    def score(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A trained contender against its teacher, on queries that it has never seen."""
        specification = Specification.from_json(request["specification"])
        data = self._construction.dataset(specification, int(request["heads"]))
        if not len(data.held_out_queries):
            raise TrainingError("the source has no held-out queries to score on")
        student, report = self._student(specification, data)
        teacher = self._outputs_of_teacher(specification, data, data.held_out_queries)
        output = _call64(student, data.held_out_queries)
        constant = self._outputs_of_teacher(specification, data, data.train_queries).mean(axis=0)
        measured = fidelity.measure(output, teacher, data.heads.answers, constant, seed=specification.seed)
        weights = fidelity.weights(data.held_out_queries, data.heads.centroids, data.heads.temperature)
        return {
            "scores": dict(measured.scores),
            "intervals": dict(measured.intervals),
            "temperature": data.heads.temperature,
            "queries": len(output),
            "effective_heads": fidelity.effective_heads(weights),
            "parameters": _parameters(student),
            **report,
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

    # ------------------------------------------------------------------------------------------------ the student

    def _trained(self, specification: Specification, form: Form, data: Dataset) -> Projection:
        if specification.trainer:
            trained: Projection = self._student(specification, data)[0]
            return trained
        built: Any = self._construction.projection(specification, form, data.heads, queries=data.train_queries)
        ready: Projection = built.eval() if hasattr(built, "eval") else built
        return ready

    def _student(self, specification: Specification, data: Dataset) -> tuple[Any, dict[str, Any]]:
        """The trained module, from the cache where it was trained before, and how its training went."""
        projector = self._construction.projector(specification)
        trainer = self._construction.trainer(specification)
        form: Form = "module" if "module" in projector.forms else projector.forms[0]
        module: Any = self._construction.projection(specification, form, data.heads, queries=data.train_queries)
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
                "training_seconds": report.seconds,
                "training_steps": report.steps,
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
        kept = {name: about.get(name) for name in ("training_seconds", "training_steps")}
        return module, {**kept, "cached": cached}

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

    def _refer(
        self,
        place: Path,
        batch: int,
        specification: Specification,
        projector: Projector,
        data: Dataset,
        undeployed: Callable[[], Projection],
    ) -> None:
        """Writes inputs [R, B, D] and their float64 reference [R', B, K] beside the artifact, once for a batch size."""
        inputs, reference = place / f"inputs-{batch}.npy", place / f"reference-{batch}.npy"
        if reference.exists():
            return
        batches = self._inputs(data, batch, specification.seed)
        _write(inputs, batches)
        if batches.shape[0] * batch * data.heads.count > _REFERENCE_ELEMENTS:
            batches = batches[:1]
        rows = batches.reshape(-1, batches.shape[-1])
        known = None if specification.trainer else projector.reference(data.heads, rows)
        output = _call64(undeployed(), rows) if known is None else known
        _write(reference, output.reshape(*batches.shape[:2], -1))

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

"""Contenders as they are before deployment: trained where they are to be, and what they are to imitate."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.measure import fidelity
from harness.measure.artifact_digests import WEIGHTS
from harness.measure.construction import teacher_of
from harness.measure.fingerprint import identity
from harness.plugin.interfaces import TrainContext
from harness.seeding import seed_everything

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.measure.artifacts import Artifacts
    from harness.measure.construction import Construction
    from harness.plan.specification import Specification
    from harness.plugin.interfaces import Dataset, Form, Projection

_TARGETS = 32  # that are remembered, by data and N


@dataclass(frozen=True, kw_only=True)
class Target:
    """What contenders are scored against."""

    teacher: NDArray[np.float64]  # its outputs for the held-out queries [Q, K]
    constant: NDArray[np.float64]  # the mean of those for the training queries [K]
    effective_heads: float


class Students:
    """Trains contenders, remembers them by what they depend on, and knows what their teachers answer."""

    def __init__(self, artifacts: Artifacts, construction: Construction, versions: Mapping[str, str]) -> None:
        self._artifacts = artifacts
        self._construction = construction
        self._versions = dict(versions)
        self._targets: dict[str, Target] = {}

    def trained(self, specification: Specification, form: Form, data: Dataset) -> tuple[Projection, dict[str, Any]]:
        """The undeployed projection, trained where it is to be, and how its training went."""
        if specification.trainer:
            return self.student(specification, data)
        built: Any = self._construction.projection(specification, form, data)
        return (built.eval() if hasattr(built, "eval") else built), {}

    def student(self, specification: Specification, data: Dataset) -> tuple[Any, dict[str, Any]]:
        """The trained module, from the cache where it was trained before, and how its training went."""
        module, fitted = self._untrained(specification, data)
        if specification.trainer is None:
            return (module.eval() if hasattr(module, "eval") else module), {"cached": False}
        import safetensors.torch

        place, about, cached = self._train_or_load(specification, data, module, fitted)
        module.load_state_dict(safetensors.torch.load_file(place / WEIGHTS))
        module.eval()
        kept = {name: about.get(name) for name in ("training_seconds", "training_steps", "notes")}
        return module, {**kept, "cached": cached}

    def place(self, specification: Specification, data: Dataset) -> Path:
        """The folder in the cache of a contender that has a trainer; it is trained where it was not before."""
        return self._train_or_load(specification, data, *self._untrained(specification, data))[0]

    def _untrained(self, specification: Specification, data: Dataset) -> tuple[Any, float]:
        """The projection that a training begins with, and the seconds of what is fitted in it in closed form."""
        projector = self._construction.projector(specification)
        form: Form = "module" if "module" in projector.forms else projector.forms[0]
        started = time.perf_counter()
        return self._construction.projection(specification, form, data), time.perf_counter() - started

    def _train_or_load(
        self, specification: Specification, data: Dataset, module: Any, fitted: float
    ) -> tuple[Path, dict[str, Any], bool]:
        """The folder of the trained weights, what is remembered of the training, and whether it was done before."""
        projector, trainer = self._construction.projector(specification), self._construction.trainer(specification)
        assert trainer is not None
        import safetensors.torch
        import torch

        def fill(folder: Path) -> dict[str, Any]:
            teacher = self._construction.teacher(specification)
            outputs = self._construction.answers(specification, data, data.train_queries)
            known = torch.from_numpy(outputs.astype(np.float32))
            seen = torch.from_numpy(np.array(data.train_queries))
            reference: Any = (
                self._construction.projection(teacher_of(specification), "module", data)
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
                outputs = self._construction.answers(specification, data, queries.cpu().numpy())
                return torch.from_numpy(outputs.astype(np.float32)).to(queries.device)

            seed_everything(specification.training_seed)
            context = TrainContext(
                seed=specification.training_seed,
                threads=specification.training_threads,
                device=specification.device_kind,
                answers=data.heads.answers,
            )
            report = trainer.fit(module, teach, seen, context)
            state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
            safetensors.torch.save_file(state, folder / WEIGHTS)
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
            "student": identity(specification.projector),
            "trainer": identity(specification.trainer),
            "teacher": identity(specification.teacher),
            "data": data.provenance.digest,
            "heads": data.heads.count,
            "temperature": data.heads.temperature,
            "seed": specification.training_seed,
            "teachers_seed": specification.seed,
            "threads": specification.training_threads,
            "device": specification.device_kind,
            "versions": self._versions,
        }
        return self._artifacts.obtain(parts, fill)

    def target(self, specification: Specification, data: Dataset) -> Target:
        """What the teacher answers on this data, remembered for all contenders and seeds that imitate it."""
        key = repr([identity(specification.teacher), data.provenance.digest, data.heads.count])
        key += repr([data.heads.temperature, specification.seed, len(data.train_queries), len(data.held_out_queries)])
        if key not in self._targets:
            evict_oldest(self._targets, _TARGETS)
            shares = fidelity.weights(data.held_out_queries, data.heads.centroids, data.heads.temperature)
            self._targets[key] = Target(
                teacher=self._construction.answers(specification, data, data.held_out_queries),
                constant=self._construction.answers(specification, data, data.train_queries).mean(axis=0),
                effective_heads=fidelity.effective_heads(shares),
            )
        return self._targets[key]


def evict_oldest(remembered: dict[str, Any], most: int) -> None:
    """Forgets what was remembered first, so that one more fits."""
    while len(remembered) >= most:
        remembered.pop(next(iter(remembered)))

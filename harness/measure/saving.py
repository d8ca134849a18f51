"""Writes a student's weights as safetensors, with what it takes to build the module around them again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ContenderError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.plan.specification import Specification
    from harness.plugin.interfaces import Dataset

FORMAT = "crossover-harness student 1"


def save(student: Any, specification: Specification, data: Dataset, path: Path) -> dict[str, Any]:
    """Writes the weights of a module; projector, options and sizes go into its metadata, and what a card needs is returned.

    Raises:
        ContenderError: where it has no weights.
    """
    if not hasattr(student, "state_dict") or specification.projector is None:
        raise ContenderError(
            f"{specification.contender}: this projection is not a module, so it has no weights to save"
        )
    import safetensors.numpy

    state = {
        name: np.ascontiguousarray(value.detach().cpu().numpy())  # a copy of its own: weights may share memory
        for name, value in student.state_dict().items()
    }
    projector = specification.projector
    about = {
        "projector": projector.name,
        "plugin": projector.plugin,
        "options": dict(projector.options),
        "heads": data.heads.count,
        "width": data.heads.width,
        "output_width": data.heads.output_width,
    }
    metadata = {"class": type(student).__name__, "format": FORMAT, "student": json.dumps(about)}
    metadata |= {name: str(value) for name, value in getattr(student, "configuration", {}).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file(state, path, metadata=metadata)
    return {
        **about,
        "trainer": specification.trainer.name if specification.trainer else None,
        "trainer_options": dict(specification.trainer.options) if specification.trainer else {},
        "training_seed": specification.training_seed,
        "parameters": sum(value.size for value in state.values()),
        "data": {
            "description": data.provenance.description,
            "digest": data.provenance.digest,
            "temperature": data.heads.temperature,
            "train_queries": len(data.train_queries),
            "held_out_queries": len(data.held_out_queries),
        },
    }

"""What a plugin author imports. Every name is loaded when it is first asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.cli.output import say
    from harness.commands.embedding import embed_texts
    from harness.commands.race import race
    from harness.commands.suites import PlannedSuite, SuiteRun, plan_suite
    from harness.commands.texts import Texts, read_texts
    from harness.duplicate_rows import first_equal
    from harness.errors import (
        ContenderError,
        DataError,
        HarnessError,
        OfferError,
        ParityError,
        ResourceError,
        TrainingError,
        UserError,
    )
    from harness.fleet.claim import claim_machine
    from harness.fleet.unit import cancel_request, perform_request
    from harness.plugin.embedding import EmbedContext, Embedder
    from harness.plugin.events import Measured, RunFinished, RunStarted
    from harness.plugin.execution import Executor, Handle, Machine, Request
    from harness.plugin.hookspecs import hookimpl
    from harness.plugin.interfaces import (
        BuildContext,
        Compiled,
        Cost,
        Dataset,
        DeviceRates,
        ExportContext,
        Heads,
        LoadContext,
        Options,
        Projector,
        Provenance,
        Runtime,
        Source,
        SourceContext,
        TrainContext,
        Trainer,
        TrainingReport,
        Workload,
    )
    from harness.search import (
        BudgetSpent,
        Crossing,
        Decision,
        Failures,
        Location,
        Pair,
        Unmeasurable,
        locate,
    )

__version__ = "0.1.0"

_HOMES = {
    "harness.search": (
        "BudgetSpent", "Crossing", "Decision", "Failures", "Location", "Pair", "Unmeasurable", "locate",
    ),
    "harness.plugin.interfaces": (
        "BuildContext", "Compiled", "Cost", "Dataset", "DeviceRates", "ExportContext", "Heads", "LoadContext", "Options",
        "Projector", "Provenance", "Runtime", "Source", "SourceContext", "TrainContext", "Trainer", "TrainingReport",
        "Workload",
    ),
    "harness.plugin.embedding": ("EmbedContext", "Embedder"),
    "harness.errors": (
        "ContenderError", "DataError", "HarnessError", "OfferError", "ParityError", "ResourceError", "TrainingError",
        "UserError",
    ),
    "harness.plugin.execution": ("Executor", "Handle", "Machine", "Request"),
    "harness.fleet.claim": ("claim_machine",),
    "harness.fleet.unit": ("cancel_request", "perform_request"),
    "harness.plugin.hookspecs": ("hookimpl",),
    "harness.plugin.events": ("Measured", "RunFinished", "RunStarted"),
    "harness.cli.output": ("say",),
    "harness.commands.embedding": ("embed_texts",),
    "harness.commands.race": ("race",),
    "harness.commands.suites": ("PlannedSuite", "SuiteRun", "plan_suite"),
    "harness.commands.texts": ("Texts", "read_texts"),
    "harness.duplicate_rows": ("first_equal",),
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "BudgetSpent",
    "BuildContext",
    "Compiled",
    "ContenderError",
    "Cost",
    "Crossing",
    "DataError",
    "Dataset",
    "Decision",
    "DeviceRates",
    "EmbedContext",
    "Embedder",
    "Executor",
    "ExportContext",
    "Failures",
    "Handle",
    "HarnessError",
    "Heads",
    "LoadContext",
    "Location",
    "Machine",
    "Measured",
    "OfferError",
    "Options",
    "Pair",
    "ParityError",
    "PlannedSuite",
    "Projector",
    "Provenance",
    "Request",
    "ResourceError",
    "RunFinished",
    "RunStarted",
    "Runtime",
    "Source",
    "SourceContext",
    "SuiteRun",
    "Texts",
    "TrainContext",
    "Trainer",
    "TrainingError",
    "TrainingReport",
    "Unmeasurable",
    "UserError",
    "Workload",
    "__version__",
    "cancel_request",
    "claim_machine",
    "embed_texts",
    "first_equal",
    "hookimpl",
    "locate",
    "perform_request",
    "plan_suite",
    "race",
    "read_texts",
    "say",
]


def __getattr__(name: str) -> Any:
    """Loads a public name from its home (PEP 562), so that `import harness` costs next to nothing."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

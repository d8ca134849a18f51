"""The hooks that a plugin may implement: list hooks that return offers, and notifications that return nothing.

An implementation may leave arguments out, so that hooks can grow. Notifications are called in a child process with
the lowest priority, between launches, so that a tracker never disturbs what is timed; one that raises is reported and
called again. A tracker that has nothing to do unless an environment variable is set says so in its module, with
`harness_tracks_when = "NAME_OF_THE_VARIABLE"`, and no process is started for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.plugin.embedding import Embedder
    from harness.plugin.events import Measured, RunFinished, RunStarted
    from harness.plugin.execution import Executor
    from harness.plugin.interfaces import Projector, Runtime, Source, Trainer, Workload

PROJECT = "crossover_harness"  # the name of pluggy's project and of the entry-point group

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def harness_sources() -> Sequence[Source]:  # type: ignore[empty-body]
    """Sources of heads and queries."""


@hookspec
def harness_projectors() -> Sequence[Projector]:  # type: ignore[empty-body]
    """Projectors: maps from queries to projections."""


@hookspec
def harness_trainers() -> Sequence[Trainer]:  # type: ignore[empty-body]
    """Trainers: ways to fit a student to a teacher."""


@hookspec
def harness_runtimes() -> Sequence[Runtime]:  # type: ignore[empty-body]
    """Runtimes: ways to execute a projection."""


@hookspec
def harness_workloads() -> Sequence[Workload]:  # type: ignore[empty-body]
    """Workloads: inputs, and functions that race on them."""


@hookspec
def harness_embedders() -> Sequence[Embedder]:  # type: ignore[empty-body]
    """Embedders: ways to turn texts into vectors."""


@hookspec
def harness_executors() -> Sequence[Executor]:  # type: ignore[empty-body]
    """Executors: ways to run a suite on other machines."""


@hookspec
def harness_versions() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Versions of the libraries that a result depends on, by name."""


@hookspec
def harness_run_started(run: RunStarted) -> None:
    """A run begins: its suite, machine and versions are known, nothing is measured yet."""


@hookspec
def harness_measured(measured: Measured) -> None:
    """A record was written: one visit of one cell in one launch, or its failure."""


@hookspec
def harness_run_finished(run: RunFinished) -> None:
    """A run ended, was interrupted, or failed; its records and its report exist."""

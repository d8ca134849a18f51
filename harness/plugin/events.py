"""What lifecycle hooks receive: one object each, which may grow, so that a tracker written today still works then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class Notification(BaseModel):
    """Base of what hooks are given: frozen; fields that a newer harness adds are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class RunStarted(Notification):
    """A run begins."""

    suite: str  # its name
    folder: str  # of the records, an absolute path
    started: str = ""  # UTC, ISO 8601
    parameters: Mapping[str, Any] = {}  # the resolved suite, by its schema
    machine: Mapping[str, Any] = {}
    versions: Mapping[str, str] = {}
    quick: bool = False


class Measured(Notification):
    """A record was written: one visit of one cell in one launch."""

    contender: str
    heads: int
    batch_size: int
    launch: int = 0
    outcome: str = "measured"  # measured, failed, skipped
    seconds: tuple[float, ...] = ()  # per call, raw
    record: Mapping[str, Any] = {}  # the whole line of measurements.jsonl


class RunFinished(Notification):
    """A run ended, was interrupted, or failed."""

    suite: str
    folder: str
    status: str = "complete"  # complete, interrupted, failed
    finished: str = ""  # UTC, ISO 8601
    crossovers: tuple[Mapping[str, Any], ...] = ()  # race, batch_size, status, direction; heads, low, high if located
    figures: Mapping[str, float] = {}  # median seconds per call, by `contender.N.B`
    artifacts: tuple[str, ...] = ()  # absolute paths of the reports and records

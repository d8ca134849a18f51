"""The documented command line as a suite in memory: heads of a database, a student, training, held-out scores."""

from __future__ import annotations

import difflib
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import harness
from harness_plugins.student_choice import TRIVIAL, UNTRAINED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STUDENTS = ("documented", "ranked", "routed", "residual", "mlp", "linear", "identity", "constant")
MEASUREMENT: Final[Mapping[str, Any]] = {"launches": 2, "latency_calls": 20, "self_check": False}
RANKED = {"ranking": 2.0, "steps": 1000, "learning_rate": 2e-4}  # of `distillation-scaled`; see docs/students.md
_FEW = 128  # heads below which `residual` is the best known, and `ranked` from there on; see docs/students.md


@dataclass(frozen=True, kw_only=True)
class DistillOptions:
    """What `harness distill` was asked for; None leaves the plugin's default."""

    db: Path
    epochs: int = 200
    cosine_weight: float = 0.7
    num_heads: int | None = None
    num_layers: int | None = None
    batch_size: int | None = None
    projection: str | None = None
    temperature: float | None = None
    queries: Path | None = None
    seed: int = 0
    seeds: int = 1  # trainings of each student, from `seed` on
    seconds: float | None = None  # of each training, at the most
    students: tuple[str, ...] = ()  # of STUDENTS; empty: the default ones
    width: int = 384

    @property
    def typed(self) -> dict[str, str]:
        """What was typed for the options of the source: errors name it."""
        queries = "--queries" if self.queries is None else f"--queries {self.queries}"
        return {
            "path": f"--db {self.db}", "queries": queries, "projection": "--projection", "temperature": "--temperature",
        }  # fmt: skip

    def chosen(self, heads: int) -> tuple[str, ...]:
        """The contenders: those that were asked for, or the documented one and the best known, and the trivial ones."""
        wanted = self.students or ("documented", "residual" if heads < _FEW else "ranked")
        return tuple(each for each in STUDENTS if each in wanted or each in TRIVIAL)

    @property
    def command(self) -> str:
        """What was typed, without what is saved and which students."""
        words = ["harness distill --db", shlex.quote(str(self.db))]
        given = _given(
            queries=self.queries, projection=self.projection, temperature=self.temperature, num_heads=self.num_heads,
            num_layers=self.num_layers, batch_size=self.batch_size, seconds=self.seconds,
        )  # fmt: skip
        defaults = {"epochs": 200, "cosine_weight": 0.7, "seed": 0, "seeds": 1, "width": 384}
        given |= {name: getattr(self, name) for name, usual in defaults.items() if getattr(self, name) != usual}
        for name, value in given.items():
            option = "embed-dim" if name == "width" else name.replace("_", "-")
            words += [f"--{option}", f"{value:g}" if isinstance(value, float) else shlex.quote(str(value))]
        return " ".join(words)


def plan(wish: DistillOptions) -> harness.PlannedSuite:
    """The plan of `harness distill`.

    Raises:
        DataError: where there is no such file, or its heads cannot be counted.
        UserError: where there is no such student.
    """
    unknown = [each for each in wish.students if each not in STUDENTS]
    if unknown:
        near = difflib.get_close_matches(unknown[0], STUDENTS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(STUDENTS)}"
        raise harness.UserError(f"--student {unknown[0]!r} is not a student", next_step=hint)
    return harness.plan_suite(_suite(wish, heads=count_heads(wish)), width=wish.width, typed=wish.typed)


def count_heads(wish: DistillOptions, typed: Mapping[str, str] | None = None) -> int:
    """N of the database.

    Raises:
        DataError: where there is no such file, or its heads cannot be counted.
    """
    typed = typed or wish.typed
    kinds = {
        "path": "an lda.db, .npz or .parquet with the heads",
        "queries": "an .npy, .npz, .parquet or .faiss file of query embeddings",
    }
    for option, path in (("path", wish.db), ("queries", wish.queries)):
        if path is not None and not path.exists():
            raise harness.DataError("there is no such file", where=typed[option], next_step=f"give {kinds[option]}")
    heads = harness.plan_suite(_suite(wish, heads=1), typed=typed).source_heads
    if heads is None:
        raise harness.DataError("the number of its heads cannot be read", where=str(wish.db))
    return heads


def _suite(wish: DistillOptions, *, heads: int) -> dict[str, Any]:
    """The suite as YAML data: the teacher, the student, and students that need no training."""
    queries = str(wish.queries.resolve()) if wish.queries else None
    data = _given(
        path=str(wish.db.resolve()), projection=wish.projection, temperature=wish.temperature, queries=queries
    )
    students = {name: _student(name, wish) for name in wish.chosen(heads)}
    return {
        "name": "distill",
        "description": f"Distilling the heads of {wish.db.name}",
        "source": {"use": "database", "options": data},
        "heads": {"values": [heads]},
        "batch_sizes": [1, 32],
        "training_seeds": list(range(wish.seed, wish.seed + wish.seeds)),
        "contenders": {"teacher": {"projector": "lda", "runtime": "eager"}, **students},
        "measurement": dict(MEASUREMENT),
        "documented": {
            "source": "the documented expectations of distillation",
            "fidelity": {"mean_cosine": 0.99, "min_cosine": 0.98, "std_cosine": 0.01},
        },
    }


def _student(name: str, wish: DistillOptions) -> dict[str, Any]:
    """One contender as YAML data."""
    if name in UNTRAINED:
        return {"projector": name, "runtime": "eager", "scored": True, "options": {}}
    limits = _given(batch_size=wish.batch_size, seconds=wish.seconds)
    if name == "documented":
        training = {"epochs": wish.epochs, "cosine_weight": wish.cosine_weight, **limits}
        options = _given(num_heads=wish.num_heads, num_layers=wish.num_layers)
        trainer = {"use": "distillation", "options": training}
        return {"projector": "transformer", "runtime": "eager", "options": options, "trainer": trainer}
    ranked = name == "ranked"
    trainer = {"use": "distillation-scaled", "options": {**(RANKED if ranked else {}), **limits}}
    options = {} if ranked else _given(num_layers=wish.num_layers)
    return {"projector": "routed" if ranked else name, "runtime": "eager", "options": options, "trainer": trainer}


def failures(evidence: Any) -> int:
    """How many cells and scores of a distillation failed, by its records.

    Where answers have another width than queries, handing the query through cannot work, and its failure does not count.
    """
    source = evidence.run.source
    allowed = {"identity"} if source.get("width") != source.get("output_width") else set()
    cells = {each.cell for each in evidence.measurements if each.failing and each.contender not in allowed}
    scores = [each for each in evidence.fidelities if each.failure is not None and each.contender not in allowed]
    return len(cells) + len(scores)


def _given(**options: Any) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in options.items() if value is not None}

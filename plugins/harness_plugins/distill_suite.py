"""The documented command line as a suite in memory: heads of a database, a student, training, held-out scores."""

from __future__ import annotations

import difflib
import re
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
_UNUSABLE = "the source 'database' cannot be used: "
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
    data_option: str = "--db"  # what `db` was given with: other commands read heads, too

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
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(STUDENTS)}"
        raise harness.UserError(f"--student {unknown[0]!r} is no student", next_step=hint)
    return harness.plan_suite(_suite(wish, heads=count_heads(wish)), width=wish.width)


def count_heads(wish: DistillOptions) -> int:
    """N of the database.

    Raises:
        DataError: where there is no such file, or its heads cannot be counted.
    """
    for path in filter(None, (wish.db, wish.queries)):
        if not path.exists():
            what = "an lda.db, .npz or .parquet with the heads"
            if path == wish.queries:
                what = "an .npy, .npz, .parquet or .faiss file of query embeddings"
            option = wish.data_option if path == wish.db else "--queries"
            raise harness.DataError("there is no such file", where=f"{option} {path}", next_step=f"give {what}")
    try:
        heads = harness.plan_suite(_suite(wish, heads=1)).source_heads
    except harness.DataError as error:
        what = error.what.removeprefix(_UNUSABLE)
        where = "" if what != error.what else error.where  # the sentence itself names the file
        raise as_typed(harness.DataError(what, where=where, next_step=error.next_step), wish) from error
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


def as_typed(error: harness.HarnessError, wish: DistillOptions) -> harness.HarnessError:
    """The same error in the words of the command line: an option and a file are called as they were typed."""
    files = {"--queries": wish.queries, wish.data_option: wish.db}

    def named(text: str, option: str, path: Path) -> str:
        resolved = str(path.resolve())
        known = text.startswith((f"{resolved}:", f"{resolved};")) or text == resolved
        return f"{option} {path}{text[len(resolved) :]}" if known else text

    def reworded(text: str) -> str:
        text = text.removeprefix("the source cannot be loaded: ")
        text = re.sub(r"the option `\w+` \(`(--[\w-]+)` of `harness distill`\)", r"`\1`", text)
        text = re.sub(r"the option `(\w+)`", r"`--\1`", text)
        for option, path in files.items():
            text = text if path is None else named(text, option, path)
        return text

    next_step = "" if error.next_step == "see its options in the suite" else reworded(error.next_step)
    where = error.where.replace("source.options.path", wish.data_option).replace("source.options.", "--")
    return type(error)(reworded(error.what), where=reworded(where), next_step=next_step)


def _given(**options: Any) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in options.items() if value is not None}

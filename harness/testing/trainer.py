"""Does a trainer keep the rules?"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

from harness.plugin.interfaces import TrainContext
from harness.seeding import seed_everything
from harness.testing.rules import OUTPUT_WIDTH, WIDTH, Rules, describe, sample_queries

if TYPE_CHECKING:
    import torch

    from harness.plugin.interfaces import Trainer, TrainingReport


def check_trainer(trainer: Trainer) -> None:
    """Trains a small student on a linear teacher, and holds what happens to the rules.

    Args:
        trainer: configured with the options to check; few epochs make a fast test.

    Raises:
        ConformanceError: with a sentence for each broken rule.
    """
    import torch

    rules = Rules(trainer)
    describe(rules, trainer)
    seed_everything(0)
    teacher = torch.nn.Linear(WIDTH, OUTPUT_WIDTH, bias=False).requires_grad_(requires_grad=False)
    queries = torch.from_numpy(sample_queries(48))
    first, second = _student(), _student()
    known = copy.deepcopy((teacher.state_dict(), queries))
    before = _error(first, teacher, queries)
    report: TrainingReport | None = None
    with rules.attempt("fit", "training on 48 queries"):
        report = trainer.fit(first, teacher, queries, TrainContext(seed=3))
    if report is None:
        rules.expect(bool(rules.broken), "report", "fit returned nothing; it returns a harness.TrainingReport")
        rules.finish()
        return
    after = _error(first, teacher, queries)
    rules.expect(math.isfinite(after), "finite", "the trained student gives NaN or infinity")
    rules.expect(
        after < before,
        "learning",
        f"the student is no closer to its teacher than before: squared error {before:.3g}, then {after:.3g}",
    )
    rules.expect(torch.equal(teacher.weight, known[0]["weight"]), "teacher unchanged", "training changed the teacher")
    rules.expect(torch.equal(queries, known[1]), "inputs unchanged", "training changed the queries")
    _check_report(rules, report)
    with rules.attempt("determinism", "training a second time"):
        seed_everything(99)
        trainer.fit(second, teacher, queries, TrainContext(seed=3))
        same = all(
            torch.allclose(one, other, atol=1e-5)
            for one, other in zip(first.parameters(), second.parameters(), strict=True)
        )
        rules.expect(
            same,
            "determinism",
            "two trainings with one context.seed gave two students; draw from a generator with that seed",
        )
    rules.finish()


def _check_report(rules: Rules, report: TrainingReport) -> None:
    losses = {name: list(values) for name, values in report.losses.items()}
    finite = all(math.isfinite(value) for values in losses.values() for value in values)
    rules.expect(
        bool(losses) and all(losses.values()),
        "report",
        "it names no loss; give at least one, with a value for each epoch",
    )
    rules.expect(
        finite, "report", "a loss that it reports is not finite; raise harness.TrainingError where training diverges"
    )
    rules.expect(
        len({len(values) for values in losses.values()}) <= 1,
        "report",
        "its losses have different lengths; each has a value for each epoch",
    )
    rules.expect(report.steps >= 1, "report", f"it reports {report.steps} steps; at least one was taken")
    rules.expect(report.seconds >= 0, "report", f"it reports {report.seconds} seconds; they cannot be negative")


def _student() -> torch.nn.Module:
    import torch

    seed_everything(1)
    return torch.nn.Sequential(torch.nn.Linear(WIDTH, 32), torch.nn.Tanh(), torch.nn.Linear(32, OUTPUT_WIDTH))


def _error(student: Any, teacher: Any, queries: torch.Tensor) -> float:
    import torch

    student.eval()
    with torch.no_grad():
        error = float((student(queries) - teacher(queries)).square().mean())
    student.train()
    return error

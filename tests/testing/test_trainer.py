from __future__ import annotations

import time

import pytest
import torch

import harness
from harness.plugin.manager import Catalog
from harness.testing import ConformanceError, check_trainer


class Steps(harness.Trainer):
    """A few gradient steps."""

    name = "steps"
    seconds = 0.1
    losses = (2.0, 1.0)

    def fit(self, student, teacher, queries, context):
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
        for _ in range(3):
            loss = (student(queries) - teacher(queries)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return harness.TrainingReport(losses={"loss": self.losses}, seconds=self.seconds, steps=3)


def broken(trainer) -> str:
    with pytest.raises(ConformanceError) as caught:
        check_trainer(trainer)
    return str(caught.value)


def test_a_good_trainer_passes():
    check_trainer(Steps())


@pytest.mark.parametrize(
    ("plugin", "name", "options"),
    [
        ("harness_plugins.distillation", "distillation", {"epochs": 5}),
        ("harness_plugins.distillation", "distillation", {"epochs": 5, "batch_size": 16}),
        ("harness_plugins.recipe", "distillation-scaled", {"steps": 20, "batch_size": 32}),
    ],
)
def test_built_in_trainers_pass(plugin, name, options):
    check_trainer(Catalog.load(only=[plugin]).get("trainer", name).with_options(options))


def test_a_student_must_come_nearer():
    class Idle(Steps):
        """Does nothing."""

        def fit(self, student, teacher, queries, context):
            return harness.TrainingReport(losses={"loss": [1.0]}, seconds=time.perf_counter() * 0, steps=1)

    assert "- learning: the student is no closer to its teacher than before: squared error" in broken(Idle())


def test_teacher_and_queries_stay_as_they_are():
    class Spoils(Steps):
        """Spoils everything."""

        def fit(self, student, teacher, queries, context):
            report = super().fit(student, teacher, queries, context)
            queries += 1
            teacher.weight *= 1.001
            return report

    told = broken(Spoils())
    assert "- teacher unchanged: training changed the teacher" in told
    assert "- inputs unchanged: training changed the queries" in told


def test_a_seed_makes_it_repeatable():
    class Noisy(Steps):
        """Adds noise from the global generator."""

        def fit(self, student, teacher, queries, context):
            return super().fit(student, teacher, queries + torch.randn_like(queries), context)

    assert "- determinism: two trainings with one context.seed gave two students" in broken(Noisy())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"losses": (float("nan"),)}, "- report: a loss that it reports is not finite"),
        ({"losses": ()}, "- report: it names no loss"),
        ({"seconds": -1.0}, "- report: it reports -1.0 seconds; they cannot be negative"),
    ],
)
def test_the_report_is_checked(changes, sentence):
    assert sentence in broken(type("Changed", (Steps,), {"__doc__": "Changed.", **changes})())


def test_a_report_is_required():
    class Silent(Steps):
        """Reports nothing."""

        def fit(self, student, teacher, queries, context):
            super().fit(student, teacher, queries, context)

    assert "- report: fit returned nothing; it returns a harness.TrainingReport" in broken(Silent())

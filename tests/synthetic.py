"""A run that never took place: made-up costs and noise through the real search, for tests without a clock."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.plan.sweep import SearchCase, sweep
from harness.process.failure import Failure
from harness.records.crossovers import SearchRecord, SearchSettings
from harness.records.measurement import Fidelity, Measurement, Parity, RunInfo, Sampled
from harness.records.reader import Evidence
from harness.records.samples import pairs
from harness.search import Pair, locate
from harness.suite.schema import Suite

Cost = Callable[[int, int], float]  # (N, B) -> seconds per call


def linear(fixed: float, per_head: float, per_query: float = 0.0) -> Cost:
    """Microseconds: fixed + per_head N B + per_query B."""
    return lambda heads, batch: 1e-6 * (fixed + per_head * heads * batch + per_query * batch)


COSTS: dict[str, Cost] = {
    "loop": linear(5, 5, 0),
    "teacher": linear(8, 0.04, 0.5),
    "student-eager": linear(480, 0, 90),
    "student": linear(180, 0, 60),
}

SUITE: dict[str, Any] = {
    "name": "synthetic",
    "description": "A run that never took place.",
    "source": {"use": "playbook"},
    "heads": {"values": [18, 1024, 16384]},
    "batch_sizes": [1, 32],
    "contenders": {
        "loop": {"projector": "lda-loop", "runtime": "python"},
        "teacher": {"projector": "lda", "runtime": "onnxruntime"},
        "student-eager": {"projector": "transformer", "runtime": "eager"},
        "student": {"projector": "transformer", "runtime": "onnxruntime", "trainer": {"use": "distillation"}},
    },
    "races": [
        {"name": "documented", "baseline": "loop", "challenger": "student-eager", "heads": {"from": 2, "to": 1024}},
        {"name": "best", "baseline": "teacher", "challenger": "student"},
    ],
    "relative_to": {"loop": ["teacher", "student"]},
    "documented": {
        "source": "a document",
        "figures": [
            {"race": "documented", "batch_size": 1, "heads": 18, "slowdown": 24, "device": "cuda"},
            {"race": "documented", "batch_size": 1, "crossover": 400, "crossover_is": "above"},
            {"race": "documented", "batch_size": 32, "heads": 18, "slowdown": 1.2},
            {"race": "documented", "batch_size": 32, "crossover": 27, "heads": 18},
        ],
    },
}


def taught(suite: Suite) -> Suite:
    """The suite with the teacher that the plugins of a real run declare."""
    contenders = {
        name: each if each.teacher or each.function else each.model_copy(update={"teacher": "lda"})
        for name, each in suite.contenders.items()
    }
    return suite.model_copy(update={"contenders": contenders})


class Maker:
    """Makes evidence visit by visit.

    Args:
        suite: a suite as its file would say it.
        costs: noise-free seconds per call by contender.
        seed: of the noise.
        sigma: of a sample, on the logarithm.
        launch_sigma: of a launch, on the logarithm, for each rival.
        slowed: factors on the seconds of contenders.
    """

    def __init__(
        self,
        suite: Mapping[str, Any] = SUITE,
        costs: Mapping[str, Cost] = COSTS,
        *,
        seed: int = 0,
        sigma: float = 0.03,
        launch_sigma: float = 0.01,
        slowed: Mapping[str, float] | None = None,
    ) -> None:
        self.suite = taught(Suite.model_validate(suite))
        self.costs, self.sigma, self.launch_sigma = costs, sigma, launch_sigma
        self.slowed = dict(slowed or {})
        self.generator = np.random.default_rng(seed)
        self.visits = itertools.count(1)
        self.clock = itertools.count(1_700_000_000)
        self.effects: dict[tuple[str, int, int], float] = {}
        self.measurements: list[Measurement] = []
        self.fidelities: list[Fidelity] = []
        self.located: list[SearchRecord] = []

    def visit(
        self, names: Sequence[str], heads: int, batch: int, launch: int, rounds: int, purpose: str = "table",
        case: str | None = None,
    ) -> list[Measurement]:  # fmt: skip
        """One visit of some contenders."""
        number = next(self.visits)
        orders = [self.generator.permutation(len(names)) for _ in range(rounds)]
        made = []
        for place, name in enumerate(names):
            effect = self.effects.setdefault((name, place, launch), self.generator.normal(0, self.launch_sigma))
            true = self.costs[name](heads, batch) * self.slowed.get(name, 1.0)
            noise = self.generator.normal(0, self.sigma, rounds + 60)
            seconds = true * np.exp(effect + noise)
            made.append(
                Measurement(
                    key=f"{name}-{heads}-{batch}", contender=name, heads=heads, batch_size=batch, purpose=purpose,
                    leg=case, visit=number, launch=launch, outcome="measured", process_id=1000 + launch * 10 + place,
                    process_started=float(next(self.clock)),
                    sampled=Sampled(
                        seconds=tuple(seconds[:rounds].tolist()), rounds=tuple(range(rounds)),
                        positions=tuple(int(np.flatnonzero(order == place)[0]) for order in orders),
                        started=tuple(float(next(self.clock)) for _ in range(rounds)), inner_loops=100,
                        overhead_seconds=4e-8,
                    ),
                    call_seconds=tuple((1.02 * seconds[rounds:]).tolist()) if purpose == "table" else (),
                    first_call_seconds=20 * true, load_seconds=0.02, build_seconds=0.3, peak_rss_bytes=80 * 2**20,
                    model_bytes=5_000_000, parity=Parity(error=1e-6, tolerance=1e-4), load_average=0.5,
                )
            )  # fmt: skip
        self.measurements.extend(made)
        return made

    def table(self, launches: int = 8, rounds: int = 4) -> Maker:
        """The table's visits, all contenders of one N and B together."""
        for launch in range(1, launches + 1):
            for heads, batch in itertools.product(self.suite.heads.grid(), self.suite.batch_sizes):
                self.visit(list(self.suite.contenders), heads, batch, launch, rounds)
        return self

    def self_check(self, launches: int = 8, bias: float = 1.0, purpose: str = "self-check") -> Maker:
        """A contender against itself; `bias` is what a broken machine adds to the second seat."""
        name = list(self.suite.contenders)[-1]
        for launch in range(1, launches + 1):
            first, second = self.visit([name, name], 1024, 1, launch, 5, purpose)
            if bias != 1.0:
                sampled = second.sampled.model_copy(update={"seconds": tuple(bias * s for s in second.sampled.seconds)})
                self.measurements[-1] = second.model_copy(update={"sampled": sampled})
            assert first.visit == second.visit
        return self

    def search(self, case: SearchCase, asked: SearchSettings | None = None) -> Maker:
        """The real search over the made-up machine, recorded."""
        asked = asked or SearchSettings(precision=0.1)

        def measure(heads: int, rounds: int, launch: int) -> Sequence[Pair]:
            made = self.visit(
                [case.baseline, case.challenger], heads, case.batch_size, launch, rounds, "search", case.label
            )
            return pairs(*made)

        location = locate(
            measure, case.low, case.high, steps=case.steps, precision=asked.precision, confidence=asked.confidence,
            budget=asked.budget, launches=asked.launches, seed=asked.seed, prior=asked.prior,
        )  # fmt: skip
        self.located.append(SearchRecord(case=case, location=location, seconds=1.5, asked=asked))
        return self

    def searches(self) -> Maker:
        """Every case of the suite."""
        for case in sweep(self.suite).cases:
            self.search(case)
        return self

    def fail(self, name: str, heads: int, batch: int, what: str = "it answers NaN", stage: str = "parity") -> Maker:
        """A cell that failed in every launch instead of being measured."""
        for index, record in enumerate(self.measurements):
            if record.cell == (name, heads, batch) and record.purpose == "table":
                self.measurements[index] = record.model_copy(
                    update={
                        "outcome": "failed", "sampled": None, "call_seconds": (),
                        "failure": Failure(stage=stage, what=what, kind="parity"),
                    }
                )  # fmt: skip
        return self

    def score(self, name: str, heads: int, temperature: float = 1.0, seed: int = 0, **scores: float) -> Maker:
        """One line of fidelity.jsonl."""
        self.fidelities.append(
            Fidelity(
                contender=name, heads=heads, temperature=temperature, seed=seed, scores=scores,
                intervals={"mean_cosine": (scores["mean_cosine"] - 0.001, scores["mean_cosine"] + 0.001)}
                if "mean_cosine" in scores else {},
                parameters=2_269_696, effective_heads=17.65, training_seconds=12.0, training_steps=800, queries=72,
            )
        )  # fmt: skip
        return self

    def evidence(self, folder: Path = Path("results/synthetic"), **run: Any) -> Evidence:
        """Everything made so far."""
        info = {
            "suite": self.suite.model_dump(mode="json", by_alias=True), "suite_path": "suites/synthetic.yaml",
            "suite_digest": "abc", "started": "2026-01-01T00:00:00+00:00", "finished": "2026-01-01T00:10:00+00:00",
            "status": "complete", "command": "harness run suites/synthetic.yaml",
            "machine": {"processor": "A Processor", "usable_cores": 2, "memory_bytes": 8 * 2**30, "python": "3.12.1"},
            "versions": {"numpy": "2.4.0"}, "commit": "0123456789ab",
            "offers": {f"projector {name}": {"family": "lda"} for name in ("lda", "lda-loop")},
        }  # fmt: skip
        return Evidence(
            folder=folder,
            run=RunInfo.model_validate(info | run),
            measurements=tuple(self.measurements),
            fidelities=tuple(self.fidelities),
        )


def true_crossover(baseline: Cost, challenger: Cost, batch: int, low: int = 1, high: int = 10**6) -> float:
    """Where two costs meet, by bisection on a logarithmic scale."""
    a, b = math.log(low), math.log(high)
    for _ in range(60):
        middle = (a + b) / 2
        heads = math.exp(middle)
        if baseline(heads, batch) < challenger(heads, batch):  # type: ignore[arg-type]  # costs are smooth in N
            a = middle
        else:
            b = middle
    return math.exp(a)

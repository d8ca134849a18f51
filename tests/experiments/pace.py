"""How fast the folded matrix should move in training: prints the table of paces of docs/students.md.

    python -m tests.experiments.pace

The documented student (18 heads, H = 4, L = 2) learns with the documented recipe, folded at several paces, and not
folded, from four fifths of the training queries. How close the cosines come on the last fifth chooses the pace; what
the held-out queries would have said stands beside it. It takes about ten minutes on one core.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch

from harness_plugins.distillation import evaluate_distillation, train_distillation
from harness_plugins.folded_training import FoldedTraining
from harness_plugins.lda import MultiHeadLDA
from tests.benchmarks import training
from tests.experiments import students

if TYPE_CHECKING:
    import harness


class Setting(NamedTuple):
    """Queries to learn from, and how many of them at a time."""

    name: str
    data: harness.Dataset
    batch_size: int | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--paces", type=float, nargs="*", default=[2, 3, 4])
    parser.add_argument("--temperature", type=float, default=0.1)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        playbook = students.load(training.HEADS, asked.temperature, Path(cache))
    settings = (
        Setting(f"{training.QUERIES:,} resampled queries, full batch", training.load(asked.temperature)),
        Setting("playbook, full batch", playbook),
        Setting("playbook, mini-batches of 32", playbook, batch_size=32),
    )
    print(
        "| mean cosine, validation (held-out) | as documented | "
        + " | ".join(f"pace {p:g}" for p in asked.paces)
        + " |"
    )
    print("|---|---|" + "---|" * len(asked.paces))
    for setting in settings:
        found = [mean_cosines(setting, pace, asked.seeds) for pace in (None, *asked.paces)]
        told = " | ".join(f"{validation:.4f} ({held_out:.4f})" for validation, held_out in found)
        print(f"| {setting.name} | {told} |", flush=True)


def mean_cosines(setting: Setting, pace: float | None, seeds: int) -> tuple[float, float]:
    """On validation and on held-out queries, over training seeds; without a pace, of the student as documented."""
    data = setting.data
    teacher = MultiHeadLDA(data.heads.centroids, data.heads.answers, data.heads.temperature)
    queries = torch.tensor(data.train_queries)
    order = torch.randperm(len(queries), generator=torch.Generator().manual_seed(0))
    seen, validation = queries[order[len(order) // 5 :]], queries[order[: len(order) // 5]]
    cosines: list[tuple[float, float]] = []
    for seed in range(seeds):
        student = training.student(seed)
        pupil = student if pace is None else FoldedTraining(student, pace)
        train_distillation(pupil, teacher, seen, batch_size=setting.batch_size, seed=seed)
        parts = (validation, torch.tensor(data.held_out_queries))
        first, second = (evaluate_distillation(pupil, teacher, part)["mean_cosine"] for part in parts)
        cosines.append((first, second))
    return statistics.mean(pair[0] for pair in cosines), statistics.mean(pair[1] for pair in cosines)


if __name__ == "__main__":
    main()

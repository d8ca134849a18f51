"""What the folded parametrisation saves in training, and what it costs in quality.

    python -m tests.benchmarks.training

The documented student (18 heads, H = 4, L = 2) learns from 1,000 queries, full batch, one thread: as documented,
folded, and folded with bfloat16 products where the processor has them. First all train by turns, a few epochs a round
and in an order drawn anew, and the ratios of the times within a round are told; then all are trained in full with
the same seeds and scored on held-out queries. It ends with 1 where any form misses, at T = 0.1 or at T = 1.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

import harness
from harness_plugins.distillation import Precision, evaluate_distillation, train_distillation
from harness_plugins.folded_training import FoldedTraining, pace_for
from harness_plugins.lda import MultiHeadLDA
from harness_plugins.processor import has_bfloat16
from harness_plugins.resampled import ResampledSource
from harness_plugins.sources import PlaybookSource
from harness_plugins.transformer import ProjectionTransformer

HEADS, QUERIES = 18, 1000
BFLOAT16 = "folded in bfloat16"
LEAST_RATIO, MOST_APART = 2.5, 0.002
FORMS = ("as documented", "folded", *((BFLOAT16,) if has_bfloat16() else ()))


def main() -> int:
    """Print the ratios of times and the cosines at each temperature; 1 where a form is too slow or ends elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--epochs", type=int, default=4, help="per round")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--temperatures", type=float, nargs="*", default=[0.1, 1.0])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    passed = [judged(temperature, asked.rounds, asked.epochs, asked.seeds) for temperature in asked.temperatures]
    return 0 if all(passed) else 1


def judged(temperature: float, rounds: int, epochs: int, seeds: int) -> bool:
    """Whether every form is as fast as it has to be, and ends where the documented loop ends, at one temperature."""
    print(f"T = {temperature:g}: {HEADS} heads, {QUERIES:,} queries, full batch, one thread", flush=True)
    data = load(temperature)
    teacher = MultiHeadLDA(data.heads.centroids, data.heads.answers, data.heads.temperature)
    queries, held_out = torch.tensor(data.train_queries), torch.tensor(data.held_out_queries)
    ratios = timed(rounds, epochs, teacher, queries)
    for name, found in ratios.items():
        middle = f"{statistics.median(found):.2f}x (rounds {min(found):.2f}x to {max(found):.2f}x)"
        print(f"the documented loop takes {middle} as long per epoch as {name}", flush=True)
    cosines: dict[str, list[float]] = {name: [] for name in FORMS}
    for seed in range(seeds):
        for name, so_far in cosines.items():
            so_far.append(trained(name, seed, teacher, queries, held_out))
        told = ", ".join(f"{so_far[-1]:.4f} {name}" for name, so_far in cosines.items())
        print(f"seed {seed}: held-out mean cosine {told}", flush=True)
    spread = max(cosines["as documented"]) - min(cosines["as documented"])
    print(f"as documented, seeds differ by {spread:.4f}")
    good = True
    for name, found in ratios.items():
        apart = abs(statistics.mean(cosines[name]) - statistics.mean(cosines["as documented"]))
        fast, same = statistics.median(found) >= LEAST_RATIO, apart <= MOST_APART
        print(f"{'pass' if fast else 'MISS'}  {name}: at least {LEAST_RATIO}x")
        print(f"{'pass' if same else 'MISS'}  {name}: mean cosines {apart:.4f} apart, at most {MOST_APART}", flush=True)
        good = good and fast and same
    return good


def load(temperature: float) -> harness.Dataset:
    """18 heads, and as many queries as asked for, resampled from the playbook."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        playbook = PlaybookSource().with_options({"temperature": temperature})
        inner = harness.SourceContext(folder=cache, cache=cache)
        context = harness.SourceContext(folder=cache, cache=cache, load=lambda *asked: playbook.load(asked[2], inner))
        options = {"temperature": temperature, "train_queries": QUERIES, "held_out_queries": 500}
        return ResampledSource().with_options(options).load(HEADS, context)


def student(seed: int) -> ProjectionTransformer:
    """The documented student for 18 heads."""
    torch.manual_seed(seed)
    return ProjectionTransformer(embed_dim=384, num_heads=4, num_layers=2, ff_dim=512)


def timed(rounds: int, epochs: int, teacher: MultiHeadLDA, queries: torch.Tensor) -> dict[str, list[float]]:
    """Seconds of the documented loop over those of each other form, round by round; the first round warms up."""
    forms = {name: form(name, student(0)) for name in FORMS}
    order = random.Random(0)
    ratios: dict[str, list[float]] = {name: [] for name in FORMS[1:]}
    for _ in range(rounds + 1):
        seconds = {}
        for name in order.sample(FORMS, len(FORMS)):
            started = time.perf_counter()
            train_distillation(forms[name], teacher, queries, num_epochs=epochs, precision=precision(name))
            seconds[name] = time.perf_counter() - started
        for name, so_far in ratios.items():
            so_far.append(seconds["as documented"] / seconds[name])
    return {name: found[1:] for name, found in ratios.items()}


def trained(name: str, seed: int, teacher: MultiHeadLDA, queries: torch.Tensor, held_out: torch.Tensor) -> float:
    """Held-out mean cosine after the documented 200 epochs."""
    pupil = form(name, student(seed))
    train_distillation(pupil, teacher, queries, seed=seed, precision=precision(name))
    return evaluate_distillation(pupil, teacher, held_out)["mean_cosine"]


def form(name: str, pupil: ProjectionTransformer) -> torch.nn.Module:
    """What is trained under this name."""
    return FoldedTraining(pupil, pace_for(None)) if name.startswith("folded") else pupil


def precision(name: str) -> Precision:
    """Of its matrix products."""
    return "bfloat16" if name == BFLOAT16 else "float32"


if __name__ == "__main__":
    sys.exit(main())

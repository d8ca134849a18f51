"""What the folded parametrisation saves in training, and what it costs in quality.

    python -m tests.benchmarks.training

The documented student (18 heads, H = 4, L = 2) learns from 1,000 queries, full batch, one thread, as documented and
folded. First both train by turns, a few epochs a round and in an order drawn anew, and the ratio of the times within
a round is told; then both are trained in full with the same seeds and scored on held-out queries.
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
from harness_plugins.distillation import evaluate_distillation, train_distillation
from harness_plugins.folded_training import FoldedTraining
from harness_plugins.lda import MultiHeadLDA
from harness_plugins.resampled import ResampledSource
from harness_plugins.sources import PlaybookSource
from harness_plugins.transformer import ProjectionTransformer

HEADS, QUERIES = 18, 1000
LEAST_RATIO, MOST_APART = 2.5, 0.002


def main() -> int:
    """Print the ratio of times and the cosines; 1 where either is not good enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--epochs", type=int, default=4, help="per round")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--temperature", type=float, default=0.1)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    data = load(asked.temperature)
    teacher = MultiHeadLDA(data.heads.centroids, data.heads.answers, data.heads.temperature)
    queries, held_out = torch.tensor(data.train_queries), torch.tensor(data.held_out_queries)

    ratios = timed(asked.rounds, asked.epochs, teacher, queries)
    print(f"the documented loop takes {statistics.median(ratios):.2f}x as long per epoch as the folded one")
    print(f"  (rounds {min(ratios):.2f}x to {max(ratios):.2f}x; {QUERIES:,} queries, full batch, one thread)")
    apart = []
    for seed in range(asked.seeds):
        plain, folded = (trained(kind, seed, teacher, queries, held_out) for kind in ("plain", "folded"))
        apart.append(abs(folded - plain))
        print(f"seed {seed}: held-out mean cosine {plain:.4f} as documented, {folded:.4f} folded", flush=True)
    fast, same = statistics.median(ratios) >= LEAST_RATIO, statistics.mean(apart) <= MOST_APART
    print(f"{'pass' if fast else 'MISS'}  at least {LEAST_RATIO}x")
    print(
        f"{'pass' if same else 'MISS'}  cosines apart by {statistics.mean(apart):.4f} on average, at most {MOST_APART}"
    )
    return 0 if fast and same else 1


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


def timed(rounds: int, epochs: int, teacher: MultiHeadLDA, queries: torch.Tensor) -> list[float]:
    """Seconds of the documented loop over seconds of the folded one, round by round; the first round warms up."""
    plain = student(0)
    forms = {"plain": plain, "folded": FoldedTraining(plain)}
    order, ratios = random.Random(0), []
    for _ in range(rounds + 1):
        seconds = {}
        for name in order.sample(sorted(forms), 2):
            started = time.perf_counter()
            train_distillation(forms[name], teacher, queries, num_epochs=epochs)
            seconds[name] = time.perf_counter() - started
        ratios.append(seconds["plain"] / seconds["folded"])
    return ratios[1:]


def trained(kind: str, seed: int, teacher: MultiHeadLDA, queries: torch.Tensor, held_out: torch.Tensor) -> float:
    """Held-out mean cosine after the documented 200 epochs."""
    pupil = student(seed)
    form = FoldedTraining(pupil) if kind == "folded" else pupil
    train_distillation(form, teacher, queries, seed=seed)
    return evaluate_distillation(form, teacher, held_out)["mean_cosine"]


if __name__ == "__main__":
    sys.exit(main())

"""Which student and recipe imitate the teacher best: prints the table of docs/students.md.

Run `python -m tests.experiments.students`; it takes about half an hour on one core. `--seeds 1 --heads 18` is quicker;
`--seconds 15` ends each training after as many, so that recipes compare at equal times.

`--choose` tries settings of the ranked student on a fifth of the training queries, which is then trained on by none of
them; held-out queries are not looked at. `--source-seed 1` draws other heads with other queries.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

import harness
from harness_plugins import distill_suite as distill
from harness_plugins.distillation import DistillationTrainer
from harness_plugins.lda import MultiHeadLDA, formula
from harness_plugins.recipe import RecipeTrainer
from harness_plugins.resampled import ResampledSource
from harness_plugins.residual import ResidualProjector
from harness_plugins.routed import RoutedProjector
from harness_plugins.sources import PlaybookSource
from harness_plugins.students import ConstantProjector, IdentityProjector, LinearProjector, MLPProjector
from harness_plugins.transformer import TransformerProjector

RATES = (1e-4, 2e-4, 5e-4, 1e-3)  # learning rates of `ranked` that are chosen among

CONTENDERS = {
    "constant": (ConstantProjector(), None),
    "identity": (IdentityProjector(), None),
    "linear": (LinearProjector(), None),
    "routed": (RoutedProjector(), None),
    "ranked": (RoutedProjector(), RecipeTrainer().with_options(distill.RANKED)),
    "documented, full batch": (TransformerProjector(), DistillationTrainer()),
    "documented, full batch, folded training": (
        TransformerProjector(),
        DistillationTrainer().with_options({"parametrisation": "folded"}),
    ),
    "documented, mini-batches of 32": (
        TransformerProjector(),
        DistillationTrainer().with_options({"batch_size": 32}),
    ),
    "documented student, our recipe": (TransformerProjector(), RecipeTrainer()),
    "mlp, our recipe": (MLPProjector(), RecipeTrainer()),
    "residual, documented recipe": (ResidualProjector(), DistillationTrainer()),
    "residual, ours without drawn queries": (ResidualProjector(), RecipeTrainer().with_options({"spread": 0.0})),
    "residual, ours": (ResidualProjector(), RecipeTrainer()),
    "residual of one layer, ours": (ResidualProjector().with_options({"num_layers": 1}), RecipeTrainer()),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--heads", type=int, nargs="*", default=[18, 256])
    parser.add_argument("--temperatures", type=float, nargs="*", default=[0.1, 0.05])
    parser.add_argument("--only", nargs="*", default=list(CONTENDERS), metavar="STUDENT", help=", ".join(CONTENDERS))
    parser.add_argument("--seconds", type=float, help="after which a training ends, whatever its steps or epochs")
    parser.add_argument("--processor-seconds", action="store_true", help="count those only, where others use the cores")
    parser.add_argument("--source-seed", type=int, default=0, help="of resampled heads and their queries")
    parser.add_argument(
        "--choose", action="store_true", help="settings of `ranked`, on a fifth of the training queries"
    )
    parser.add_argument("--rankings", type=float, nargs="*", default=[0.25, 0.5, 1.0, 2.0, 4.0], help="with --choose")
    asked = parser.parse_args()
    if asked.choose:
        settings = [
            {**distill.RANKED, "ranking": ranking, "learning_rate": rate}
            for ranking in asked.rankings
            for rate in RATES
        ]
        CONTENDERS.update({named(each): (RoutedProjector(), RecipeTrainer().with_options(each)) for each in settings})
        asked.only = ["linear", *map(named, settings)]
    torch.set_num_threads(1)
    if asked.processor_seconds:
        time.perf_counter = time.process_time  # for the trainers too, which look at the same clock
    print("| N | T | student | parameters | cosine over seeds | norm error | top-1 | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as cache:
        for heads in asked.heads:
            for temperature in asked.temperatures:
                data = load(heads, temperature, Path(cache), asked.source_seed)
                data = validating(data) if asked.choose else data
                for name in asked.only:
                    seeds = asked.seeds if CONTENDERS[name][1] else 1
                    print(
                        row(name, data, [score(name, data, seed, asked.seconds) for seed in range(seeds)]), flush=True
                    )


def named(settings: dict[str, float]) -> str:
    """A row's name for settings of `ranked`."""
    return f"ranked, ranking {settings['ranking']:g}, learning rate {settings['learning_rate']:g}"


def validating(data: harness.Dataset) -> harness.Dataset:
    """The last fifth of the training queries in place of the held-out ones, and the others to train on."""
    kept = len(data.train_queries) - len(data.train_queries) // 5
    return dataclasses.replace(
        data, train_queries=data.train_queries[:kept], held_out_queries=data.train_queries[kept:]
    )


def load(heads: int, temperature: float, cache: Path, seed: int = 0) -> harness.Dataset:
    """The playbook where it has as many heads, else heads that are resampled from it."""
    playbook = PlaybookSource().with_options({"temperature": temperature})
    context = harness.SourceContext(folder=cache, cache=cache)
    if heads <= (playbook.limit(context) or 0):
        return playbook.load(heads, context)
    context = harness.SourceContext(
        folder=cache, cache=cache, seed=seed, load=lambda *asked: playbook.load(asked[2], context)
    )
    return ResampledSource().with_options({"temperature": temperature}).load(heads, context)


def score(name: str, data: harness.Dataset, seed: int, seconds: float | None = None) -> dict[str, float]:
    """Held-out fidelity of one student, trained with one seed, perhaps for so many seconds."""
    projector, trainer = CONTENDERS[name]
    if trainer is not None and seconds is not None:
        endless = {"steps": 10**6} if isinstance(trainer, RecipeTrainer) else {"epochs": 10**6}
        trainer = trainer.with_options({**trainer.options.model_dump(), **endless, "seconds": seconds})
    torch.manual_seed(seed)
    started = time.perf_counter()
    student = projector.build(
        data.heads,
        harness.BuildContext(
            form="module", seed=seed, train_queries=data.train_queries, teacher=partial(formula, data.heads)
        ),
    )
    assert isinstance(student, torch.nn.Module)
    if trainer is not None:
        teacher = MultiHeadLDA(data.heads.centroids, data.heads.answers, data.heads.temperature)
        context = harness.TrainContext(seed=seed, answers=data.heads.answers)
        trainer.fit(student, teacher, torch.tensor(data.train_queries), context)
    seconds = time.perf_counter() - started
    wanted = formula(data.heads, data.held_out_queries)
    with torch.no_grad():
        outputs = student.eval()(torch.tensor(data.held_out_queries)).double().numpy()
    lengths = np.linalg.norm(outputs, axis=1), np.linalg.norm(wanted, axis=1)
    answers = data.heads.answers / np.linalg.norm(data.heads.answers, axis=1, keepdims=True)
    return {
        "parameters": sum(value.numel() for value in student.state_dict().values()),
        "cosine": float(((outputs * wanted).sum(axis=1) / lengths[0] / lengths[1]).mean()),
        "norm": float(np.abs(lengths[0] / lengths[1] - 1).mean()),
        "top": float(((outputs @ answers.T).argmax(axis=1) == (wanted @ answers.T).argmax(axis=1)).mean()),
        "seconds": seconds,
    }


def row(name: str, data: harness.Dataset, scores: list[dict[str, float]]) -> str:
    """One row of the table: cosines of all seeds, means of the rest."""
    mean = {key: statistics.mean(score[key] for score in scores) for key in scores[0]}
    cosines = ", ".join(f"{score['cosine']:.4f}" for score in scores)
    return (
        f"| {data.heads.count} | {data.heads.temperature:g} | {name} | {mean['parameters']:,.0f} | {cosines} "
        f"| {mean['norm']:.3f} | {mean['top']:.3f} | {mean['seconds']:.1f} |"
    )


if __name__ == "__main__":
    main()

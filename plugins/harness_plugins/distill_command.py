"""`harness distill`: students of the heads in a database, and which of them is worth having."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import harness


class Score(StrEnum):
    """Scores that decide on the best student."""

    COSINE = "cosine"
    TOP1 = "top1"
    RECALL = "recall"


def distill(
    db: Annotated[Path, typer.Option(help="an lda.db or .npz with the teacher's heads", show_default=False)],
    student: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="documented, ranked, routed, residual, mlp, linear, identity or constant; may be repeated; default: the "
            "documented one and the best known one, beside those that need no training",
        ),
    ] = None,
    score: Annotated[Score, typer.Option(help="score that selects the best student")] = Score.COSINE,
    epochs: Annotated[int, typer.Option(min=1, help="training epochs of the documented student")] = 200,
    cosine_weight: Annotated[float, typer.Option(min=0, max=1, help="weight of the cosine loss")] = 0.7,
    num_heads: Annotated[int | None, typer.Option(min=1, help="H; default: as the number of heads suggests")] = None,
    num_layers: Annotated[int | None, typer.Option(min=1, help="L; default: as the number of heads suggests")] = None,
    embed_dim: Annotated[
        int, typer.Option(min=1, help="width of the embeddings; another width in the database is an error")
    ] = 384,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="mini-batches; default: the full batch, or what the student prefers")
    ] = None,
    queries: Annotated[Path | None, typer.Option(help="file of query embeddings, where the database has none")] = None,
    projection: Annotated[str | None, typer.Option(help="id or name, where the database holds several")] = None,
    temperature: Annotated[
        float | None, typer.Option(help="T, in place of the stored one, or where the file has none")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of training")] = 0,
    seeds: Annotated[
        int, typer.Option(min=1, max=32, help="number of trainings of each student, with seeds from --seed on")
    ] = 1,
    seconds: Annotated[float | None, typer.Option(help="time limit of each training, in seconds")] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="write the best student, or the only one of --student, as safetensors, ONNX and a card"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="where the records go; default: results/<suite>-<UTC time>"),
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            help="print everything before the answers, as `harness report` does, and whole tracebacks",
        ),
    ] = False,
) -> None:
    """Distil heads into students, and report which are better than those that need no training."""
    from harness_plugins import distill_suite, student_choice

    if seconds is not None and not seconds > 0:
        raise harness.UserError(f"--seconds {seconds:g} leaves no time", next_step="give more than 0")
    wish = distill_suite.DistillOptions(
        db=db,
        epochs=epochs,
        cosine_weight=cosine_weight,
        num_heads=num_heads,
        num_layers=num_layers,
        batch_size=batch_size,
        queries=queries,
        projection=projection,
        temperature=temperature,
        seed=seed,
        seeds=seeds,
        seconds=seconds,
        students=tuple(student or ()),
        width=embed_dim,
    )
    ran = distill_suite.plan(wish).run(output, save=save)
    ran.show(verbose=verbose)
    records = ran.records()
    choice = student_choice.choose(records.fidelities, score.value, wish.command, saved=save is not None)
    harness.say("\n".join(["", *choice.lines]))
    wanted = student[0] if student and len(student) == 1 else choice.best
    if save and wanted and not ran.interrupted:
        harness.say("\n".join(["", *ran.save({wanted: save})]))
        harness.say(f"load it: from harness_plugins import load_student; student = load_student({str(save)!r})")
    sys.exit(ran.exit_code if ran.interrupted else int(distill_suite.failures(records) > 0))

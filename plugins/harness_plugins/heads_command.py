"""Commands about files of heads: build, show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import harness

heads = typer.Typer(help="Make a file of heads from texts, or show what one holds.", no_args_is_help=True)


@heads.command()
def build(
    table: Annotated[Path, typer.Argument(help="texts: .csv, .tsv, .jsonl or .parquet", show_default=False)],
    output: Annotated[Path, typer.Option(help="the file to write: .npz or .db", show_default=False)],
    text: Annotated[str, typer.Option(help="the column of the questions")] = "question",
    topic: Annotated[str | None, typer.Option(help="the column of their topics, one head for each")] = None,
    answer: Annotated[str | None, typer.Option(help="the column of their answers; default: a head's centroid")] = None,
    clusters: Annotated[
        str | None, typer.Option(metavar="K|LOW:HIGH", help="number of topics to make where no column names them")
    ] = None,
    embedder: Annotated[
        str, typer.Option(help="`harness plugins` lists them: onnx, sentence-transformers, minilm, precomputed")
    ] = "onnx",
    model: Annotated[str | None, typer.Option(help="the embedder's model: a folder, or a name")] = None,
    vectors: Annotated[
        str | None, typer.Option(metavar="FILE", help=".npy with a vector for each row, in place of an embedder")
    ] = None,
    answer_vectors: Annotated[
        str | None, typer.Option(metavar="FILE", help="with --vectors: .npy of the answers, for each row")
    ] = None,
    embedder_option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="another option of the embedder; may be repeated")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="T; default: where held-out questions find their answers best")
    ] = None,
    held_out: Annotated[float, typer.Option(help="share of each topic's questions that enters no centroid")] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="seed of the split and of the clustering")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="threads of the embedder")] = 1,
    plugin: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="a local plugin file with an embedder")
    ] = None,
) -> None:
    """Make heads from a table of texts: embed, split, average, choose T. Run it again to continue after an interruption."""
    from harness_plugins import heads_from_texts as building

    options = building.parsed(embedder_option or [])
    if vectors is not None:
        embedder, options["vectors"] = "precomputed", vectors
    for name, value in {"model": model, "answers": answer_vectors}.items():
        if value is not None:
            options[name] = value
    asked = building.BuildOptions(
        table=table,
        text=text,
        output=output,
        embedder=embedder,
        topic=topic,
        answer=answer,
        options=options,
        clusters=clusters,
        temperature=temperature,
        held_out=held_out,
        seed=seed,
        threads=threads,
        files=plugin or [],
    )
    harness.say("\n".join(building.build(asked)))


@heads.command()
def show(
    file: Annotated[Path, typer.Argument(help="an lda.db or .npz file", show_default=False)],
    projection: Annotated[
        str | None, typer.Option(help="id or name of the only projection to show; default: all")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="T, in place of the stored one")] = None,
) -> None:
    """Print the projections of a file: N, D, T, effective heads, queries, and anything unusual."""
    from harness_plugins import inspection

    harness.say("\n".join(inspection.lines(file, projection, temperature)))

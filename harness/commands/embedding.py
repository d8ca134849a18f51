"""Texts to vectors, chunk by chunk in a process of its own; what was embedded before is not embedded again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from harness.errors import DataError, OfferError, UserError
from harness.plugin.inspection import Question, inspect_plugins
from harness.process import messages
from harness.process.child import Child, ChildFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.commands.texts import Texts

CHUNK = 512  # texts that are embedded in one go: so many are lost at most where it is interrupted
ROWS = "rows.jsonl"
_MANIFEST = "manifest.json"
_DEADLINE = 3600.0  # seconds in which a chunk is embedded, and a model loaded

Role = Literal["question", "answer"]


class Progress(Protocol):
    """Hears how far it is."""

    def stage(self, text: str, total: int | None = None) -> None:
        """A stage begins."""

    def step(self, text: str = "") -> None:
        """A step of it is done."""

    def say(self, text: str) -> None:
        """A line for the user."""


@dataclass(frozen=True, kw_only=True)
class EmbedderRequest:
    """An embedder, as it was asked for."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[Path] = ()  # of local plugins
    threads: int = 1


def embed_texts(
    texts: Texts,
    embedder: str,
    work: Path,
    *,
    options: Mapping[str, Any] | None = None,
    plugin_files: Sequence[Path] = (),
    threads: int = 1,
    progress: Progress | None = None,
) -> None:
    """Embeds questions and answers into a folder, or what is still missing after an interruption.

    It then holds `question-00000.npy` and so on, `answer-00000.npy` and so on, `rows.jsonl` with the questions, and
    `answers.json`.

    Args:
        texts: what `read_texts` found; its notes are printed.
        embedder: the name of an embedder of any plugin.
        work: the folder; made where it is missing.
        options: of the embedder.
        plugin_files: local plugins that may offer it.
        threads: that it may use.
        progress: receives progress updates; a display on the terminal if None.

    Raises:
        OfferError: where there is no such embedder, or it cannot be used here.
        UserError: where its options do not fit.
        DataError: where it fails, or gives vectors that cannot be used.
    """
    if progress is None:
        from rich.console import Console

        from harness.report.progress import progress as display

        with contextlib.closing(display(Console())) as shown:
            embed_texts(
                texts, embedder, work, options=options, plugin_files=plugin_files, threads=threads, progress=shown
            )
        return
    for note in texts.notes:
        progress.say(f"note: {note}")
    wanted = EmbedderRequest(name=embedder, options=options or {}, files=plugin_files, threads=threads)
    settings = {**_found(wanted), "folder": str(Path.cwd()), "table_rows": texts.table_rows, "threads": wanted.threads}
    child = Child("harness.commands.embedding_child", settings, environment={"HF_HUB_OFFLINE": _offline()})
    try:
        progress.stage(f"loading the embedder {wanted.name}")
        digest = _digest(child, wanted)
        if _prepared(work, texts, wanted, digest):
            progress.say(f"continuing with what {work} holds")
        parts: tuple[tuple[Role, Sequence[str], Sequence[int]], ...] = (
            ("question", texts.questions, texts.rows),
            ("answer", texts.answers, texts.answer_rows),
        )
        for role, part, rows in parts:
            if part:
                _embed_part(child, wanted, work, (role, part, rows), progress)
    finally:
        child.close()
    with (work / ROWS).open("w", encoding="utf-8") as file:
        for place, question in enumerate(texts.questions):
            row = {"question": question, "row": texts.rows[place]}
            if texts.topics is not None:
                row["topic"] = texts.topics[place]
            if texts.answer_of is not None:
                row["answer"] = texts.answer_of[place]
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    (work / "answers.json").write_text(json.dumps(list(texts.answers), ensure_ascii=False), encoding="utf-8")


def _embed_part(
    child: Child,
    wanted: EmbedderRequest,
    work: Path,
    part: tuple[Role, Sequence[str], Sequence[int]],
    progress: Progress,
) -> None:
    role, texts, rows = part
    starts = range(0, len(texts), CHUNK)
    progress.stage(f"embedding {len(texts):,} {role}s", len(starts))
    for number, start in enumerate(starts):
        path = work / f"{role}-{number:05}.npy"
        chunk = slice(start, start + CHUNK)
        if not path.is_file():
            asked = {"do": "embed", "role": role, "rows": list(rows[chunk]), "path": str(path.resolve())}
            _ask_child(child, wanted, {**asked, "texts": list(texts[chunk])})
            _refuse_unusable(path, role, rows[chunk])
        progress.step(f"{min(start + CHUNK, len(texts)):,} of {len(texts):,} {role}s")


def _refuse_unusable(path: Path, role: Role, rows: Sequence[int]) -> None:
    """Refuses vectors without a direction; they are removed, so that they are made again.

    Raises:
        DataError: it names the row of the table.
    """
    vectors = np.load(path, allow_pickle=False)
    bad = ~np.isfinite(vectors).all(axis=1)
    what = "holds NaN or infinity"
    if not bad.any():
        bad, what = ~vectors.any(axis=1), "is zero, so that it has no direction"
    if bad.any():
        path.unlink()
        raise DataError(
            f"the vector of the {role} in row {rows[int(np.argmax(bad))] + 1} of the table {what}",
            next_step="leave the row out, or use another embedder",
        )


def _ask_child(child: Child, wanted: EmbedderRequest, request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return child.ask(request, stage="embed", deadline=_DEADLINE)
    except ChildFailed as failed:
        what = failed.failure.what
        if not failed.alive and failed.failure.output:
            what += f", having printed: {' / '.join(failed.failure.output[-3:])}"
        raise DataError(
            f"the embedder {wanted.name!r} cannot be used: {what}",
            next_step=f"`harness plugins show {wanted.name}` prints its options",
        ) from failed


class _Identified(messages.Answer):
    digest: str


def _digest(child: Child, wanted: EmbedderRequest) -> str:
    """What identifies the model."""
    try:
        return messages.checked(_ask_child(child, wanted, {"do": "digest"}), _Identified).digest
    except messages.InvalidAnswer as error:
        raise DataError(f"the embedder {wanted.name!r} cannot be used: {error}") from None


def _found(wanted: EmbedderRequest) -> dict[str, Any]:
    """Where the embedder is offered, with its options checked.

    Raises:
        OfferError: where it is not, or not usable here.
        UserError: where its options do not fit.
    """
    question = Question(key="embedder", kind="embedder", name=wanted.name, options=dict(wanted.options))
    listing = inspect_plugins(list(wanted.files), [question])
    offer = listing.find("embedder", wanted.name)
    if offer is None:
        what, hint = listing.unknown("embedder", wanted.name)
        raise OfferError(what, where="--embedder", next_step=hint)
    if offer.missing:
        raise OfferError(
            f"the embedder {wanted.name!r} needs {', '.join(offer.missing)}",
            where="--embedder",
            next_step=offer.install,
        )
    reply = listing.reply("embedder")
    if reply is not None and (reply.problems or reply.error):
        problems = [f"{'.'.join(map(str, each.path))}: {each.what}" for each in reply.problems] or [reply.error]
        raise UserError(
            f"the embedder {wanted.name!r}: {'; '.join(problems)}",
            next_step=f"give its options with --embedder-option NAME=VALUE; `harness plugins show {wanted.name}` lists them",
        )
    return {"name": wanted.name, "options": dict(wanted.options), "plugin": offer.plugin}


def _prepared(work: Path, texts: Texts, wanted: EmbedderRequest, digest: str) -> bool:
    """Makes the folder ready, and says whether it holds vectors of the same texts by the same model already."""
    content = hashlib.sha256()
    for part in (*texts.questions, "\0", *texts.answers):
        content.update(part.encode(errors="surrogatepass") + b"\0")
    manifest = {"embedder": wanted.name, "digest": digest, "texts": content.hexdigest(), "chunk": CHUNK}
    path = work / _MANIFEST
    if path.is_file() and path.read_text(encoding="utf-8") == json.dumps(manifest):
        return any(work.glob("question-*.npy"))
    if work.exists():
        if not path.is_file():
            raise UserError(f"{work} is in the way", next_step="remove it, or give another --output")
        shutil.rmtree(work)
    work.mkdir(parents=True)
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return False


def _offline() -> str:
    """Models are files here: nothing is downloaded unless the user asks for that."""
    return os.environ.get("HF_HUB_OFFLINE", "1")

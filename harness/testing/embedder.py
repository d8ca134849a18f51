"""Does an embedder keep the rules?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.plugin.embedding import EmbedContext
from harness.testing.rules import Rules, describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.plugin.embedding import Embedder
    from harness.plugin.interfaces import Float32

TEXTS = (
    "How do I reset my password?",
    "Where is my invoice?",
    "a",
    "Der Zug fährt um 9:05 Uhr ab, wirklich?",
    "a longer text, " * 40,
)
CLOSE = 1e-4  # of two vectors of one text: padding and batches may change the last bits


def check_embedder(embedder: Embedder, *, folder: Path | None = None, texts: Sequence[str] = TEXTS) -> None:
    """Embeds a few texts in several ways, and holds the vectors to the rules.

    Args:
        embedder: configured with the options to check.
        folder: that relative paths in its options are relative to.
        texts: to embed, two or more, all different.

    Raises:
        ConformanceError: with a sentence for each broken rule.
    """
    rules = Rules(embedder)
    describe(rules, embedder)
    texts = list(texts)
    context = EmbedContext(folder=folder or Path.cwd(), rows=range(len(texts)), table_rows=len(texts))
    with rules.attempt("digest", "digest()"):
        digests = [embedder.digest(context) for _ in range(2)]
        rules.expect(bool(digests[0]), "digest", "it is empty; vectors that were kept are recognised by it")
        rules.expect(digests[0] == digests[1], "digest", "it differs from call to call")
    vectors = _embedded(rules, embedder, texts, context)
    if vectors is not None:
        _check_again(rules, embedder, texts, vectors, context)
    rules.finish()


def _embedded(rules: Rules, embedder: Embedder, texts: list[str], context: EmbedContext) -> Float32 | None:
    vectors = None
    with rules.attempt("embed", f"embed() of {len(texts)} texts"):
        vectors = embedder.embed(texts, context)
    if vectors is None:
        rules.expect(bool(rules.broken), "embed", "it returned None")
        return None
    if not rules.expect(isinstance(vectors, np.ndarray), "type", f"it returned {type(vectors).__name__}, not an array"):
        return None
    shaped = vectors.ndim == 2 and len(vectors) == len(texts) and vectors.shape[1] > 0
    rules.expect(shaped, "shape", f"{len(texts)} texts gave {list(vectors.shape)}, expected [{len(texts)}, D]")
    rules.expect(vectors.dtype == np.float32, "dtype", f"the vectors are {vectors.dtype}, expected float32")
    if not shaped or not rules.expect(
        bool(np.isfinite(vectors).all()), "finite", "ordinary texts gave NaN or infinity"
    ):
        return None
    rules.expect(
        bool(vectors.any(axis=1).all()), "zeros", "an ordinary text gave a zero vector, which has no direction"
    )
    return vectors


def _check_again(rules: Rules, embedder: Embedder, texts: list[str], vectors: Float32, context: EmbedContext) -> None:
    """A second time, and each text alone: a vector is that of its text, whatever stands beside it."""
    scale = CLOSE * float(np.abs(vectors).max())
    with rules.attempt("determinism", "embed() a second time"):
        again = embedder.embed(texts, context)
        rules.expect(
            np.allclose(again, vectors, rtol=0, atol=scale), "determinism", "the same texts gave other vectors"
        )
    with rules.attempt("independence", "embed() of one text"):
        for row in (0, len(texts) - 1):
            one = EmbedContext(folder=context.folder, rows=(row,), table_rows=context.table_rows)
            alone = embedder.embed(texts[row : row + 1], one)
            rules.expect(
                alone.shape == (1, vectors.shape[1]) and np.allclose(alone[0], vectors[row], rtol=0, atol=scale),
                "independence",
                f"text {row} has another vector alone than among {len(texts)} texts",
            )

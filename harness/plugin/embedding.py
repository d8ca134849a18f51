"""The plugin kind that turns texts into vectors, for `harness heads build`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.plugin.interfaces import Float32, Offer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class EmbedContext:
    """Where texts come from, and what an embedder may use."""

    folder: Path  # relative paths in options are relative to this
    role: Literal["question", "answer"] = "question"  # what the texts are
    rows: Sequence[int] = ()  # of the table that they come from, counted from 0: one for each text; empty: from none
    table_rows: int = 0  # how many that table has
    threads: int = 1


class Embedder(Offer):
    """Texts as vectors: an embedding model, whatever runs it.

    A complete embedder::

        import hashlib, harness, numpy

        class Hashed(harness.Embedder):
            "Counts words in 64 buckets."
            name = "hashed"

            def digest(self, context):
                return "hashed-64"

            def embed(self, texts, context):
                vectors = numpy.zeros((len(texts), 64), dtype="float32")
                for row, text in enumerate(texts):
                    for word in text.lower().split():
                        vectors[row, hashlib.sha256(word.encode()).digest()[0] % 64] += 1
                return vectors
    """

    kind = "embedder"

    @abstractmethod
    def digest(self, context: EmbedContext) -> str:
        """What identifies the model: two embedders with one digest give the same vectors. Called once, before `embed`.

        Raises:
            DataError: where the model cannot be found or read.
        """

    @abstractmethod
    def embed(self, texts: Sequence[str], context: EmbedContext) -> Float32:
        """One vector for each text, float32 [Q, D], finite; a text's vector does not depend on the other texts.

        Raises:
            DataError: where a text has no vector.
        """

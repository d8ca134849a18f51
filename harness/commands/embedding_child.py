"""The process that embeds texts: it imports the embedder's plugin and no other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from harness import complex_numbers
from harness.errors import ContenderError
from harness.plugin.embedding import EmbedContext, Embedder
from harness.plugin.manager import Catalog
from harness.process.server import Operation, serve

if TYPE_CHECKING:
    from collections.abc import Mapping


class Embedding:
    """The operations of the process.

    Args:
        settings: `plugin`, `name`, `options` and `folder` of the embedder, `table_rows`, `threads`.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        plugin = str(settings["plugin"])
        files = [Path(plugin.removeprefix("file:"))] if plugin.startswith("file:") else []
        offer = Catalog.load(files, only={plugin}).get("embedder", str(settings["name"]))
        self._embedder = cast("Embedder", offer).with_options(settings["options"])
        self._settings = settings

    def operations(self) -> Mapping[str, Operation]:
        """What can be asked."""
        return {"digest": self.digest, "embed": self.embed}

    def digest(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - an operation
        """What identifies the model."""
        return {"digest": str(self._embedder.digest(self._context("question", ())))}

    def embed(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Writes the vectors of `texts` to `path`."""
        texts = list(request["texts"])
        vectors = np.asarray(self._embedder.embed(texts, self._context(request["role"], request["rows"])))
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ContenderError(
                f"the embedder {self._embedder.name!r} gave {list(vectors.shape)} for {len(texts)} texts, not [Q, D]"
            )
        complex_numbers.refuse(vectors, f"the output of the embedder {self._embedder.name!r}", error=ContenderError)
        path = Path(request["path"])
        draft = path.with_suffix(".part")
        with draft.open("wb") as file:
            np.save(file, np.ascontiguousarray(vectors, dtype=np.float32))
        draft.replace(path)  # whole, or not there
        return {"width": int(vectors.shape[1])}

    def _context(self, role: Any, rows: Any) -> EmbedContext:
        return EmbedContext(
            folder=Path(self._settings["folder"]),
            role=role,
            rows=tuple(rows),
            table_rows=int(self._settings["table_rows"]),
            threads=int(self._settings["threads"]),
        )


if __name__ == "__main__":
    serve(lambda settings: Embedding(settings).operations())

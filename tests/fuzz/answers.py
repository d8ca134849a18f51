"""Hostile answers of children: frames, replies and values that no honest child sends, read as the parent reads them."""

from __future__ import annotations

import contextlib
import json
import struct
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticSerializationError

from harness import plain_json
from harness.cli.output import say
from harness.errors import ChildError
from harness.measure.answers import ANSWERS
from harness.plugin.inspection import Listing
from harness.process import messages
from harness.process.exit_status import writable
from harness.process.failure import Failure
from harness.records.measurement import Fidelity, Measurement
from tests.fuzz.hostile import changed, damaged
from tests.fuzz.judging import Target

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

_CALIBRATED = {
    "inner_loops": 12, "call_seconds": 3e-4, "overhead_seconds": 2e-8, "single_overhead_seconds": 6e-8, "warm_up_calls": 16,
    "clock_step_seconds": 5e-8, "settled": True,
}  # fmt: skip
VALUES: dict[str, dict[str, Any]] = {
    "ready": {
        **_CALIBRATED, "cold": False, "first_call_seconds": 4e-4, "load_seconds": 0.2, "compile_seconds": None,
        "parity_error": 1e-7, "row_error": 2e-7, "warnings": ["it returns float64"], "threads": {"openblas": 1},
        "libraries": {"openblas": "0.3"}, "device": "cpu", "settings": {"tf32": "False"}, "device_memory": {},
        "base_rss_bytes": 2**26, "added_rss_bytes": 0, "peak_rss_bytes": 2**27,
    },
    "watch": {"windows": [[0.001, 3e-4], [0.002, 3e-4]]},
    "rehearse": {},
    "sample": {"seconds": 3e-4, "started": 1.7e9},
    "calls": {"seconds": [3e-4, 3.1e-4], "device_seconds": []},
    "audit": {"error": 0.0},
    "describe": {
        "kind": "synthetic", "description": "normal", "digest": "ab12", "heads": 18, "width": 8, "output_width": 8,
        "temperature": 0.1, "train_queries": 64, "held_out_queries": 16, "matrices": 0, "notes": ["made up"],
    },
    "build": {
        "place": "/cache/artifacts/ab12", "heads": 18, "costs": {"1": [1e5, 2e5]}, "bytes": 1000, "build_seconds": 0.3,
        "cached": False, "proofs": {"1": "formula"}, "warnings": [],
        "files": {"artifact/model.onnx": "ab12"},
    },
    "train": {"place": "/cache/artifacts/ab12"},
    "hold_out": {
        "place": "/cache/artifacts/ab12", "heads": 18, "batch_size": 1, "parameters": 10, "training_seconds": 3.0,
        "training_steps": 100, "notes": [], "files": {}, "cached": True,
    },
    "score": {
        "scores": {"mean_cosine": 0.99}, "intervals": {"mean_cosine": [0.98, 1.0]}, "per_query": {"mean_cosine": [0.99]},
        "data": "ab12", "temperature": 0.1, "queries": 1, "effective_heads": 3.0,
    },
    "costs": {"costs": [[18, 1, 27720.0, 58368.0, [[1, 384, 18]]]]},
    "save": {"card": {"projector": "p", "training_seed": 0}},
    "rates": {
        "products": [[1, 384, 18, 1e10]], "flops_per_second": {"1": 1e10}, "bytes_per_second": {"262144": 1e11},
        "launch_seconds": 5e-6, "synchronise_seconds": 8e-6,
    },
}  # fmt: skip
_LISTING: dict[str, Any] = {
    "offers": [{"kind": "projector", "name": "p", "plugin": "x", "origin": "x", "forms": ["numpy"]}],
    "failures": [{"plugin": "y", "label": "y", "stage": "import", "what": "it raised"}],
    "replies": [{"key": "0", "steps": [64], "problems": [{"path": ["a", 1], "what": "unknown key"}]}],
    "versions": {"numpy": "2.3"},
}
_REFUSAL = {"what": "it does not fit", "kind": "error", "stage": "build"}


def write(random: Random, folder: Path) -> None:
    """answer.bin, what a child has sent; asked.txt, what for."""
    asked = random.choice([*VALUES, "list"])
    value = _LISTING if asked == "list" else VALUES[asked]
    reply: Any = {"value": value}
    if random.random() < 0.2:
        reply = {"error": _REFUSAL}
    elif random.random() < 0.1:
        reply = {"notice": {"plugin": "x", "label": "x", "action": "was imported"}}
    if random.random() < 0.9:
        reply = changed(random, reply, random.choice((1, 1, 2, 4)))
    text = json.dumps(reply).encode()
    if random.random() < 0.15:
        text = random.choice((damaged(random, text), b"[" * 100_000, b'{"value":' * 50_000, b"9" * 6000, b"", b"\xff"))
    sizes = (len(text), len(text), len(text), 0, -1, -7, 2**31 - 1, len(text) + 9)
    frame = struct.pack("!i", random.choice(sizes) if random.random() < 0.2 else len(text))
    if frame == struct.pack("!i", -1):
        frame += struct.pack("!Q", random.choice((len(text), 2**64 - 1, 2**40)))
    (folder / "answer.bin").write_bytes(frame + text)
    (folder / "asked.txt").write_text(asked)


def use(folder: Path, random: Random) -> None:
    """What the parent does with it; what it cannot use becomes a sentence about that contender."""
    sent, asked = (folder / "answer.bin").open("rb"), (folder / "asked.txt").read_text()

    def exactly(size: int) -> bytes:
        found = sent.read(size)
        if len(found) < size:
            raise EOFError
        return found

    try:
        reply = messages.reply(messages.unframed(exactly))
        if reply.error is not None:
            failure = Failure(stage=writable(reply.error.stage or "build"), what=writable(reply.error.what))
            raise ChildError(failure.what or "no reason")
        if reply.notice is not None:
            say(" ".join(writable(each) for each in reply.notice.values()))
            return
        if asked == "list":
            listing = messages.checked(reply.value, Listing)
            say("\n".join([*map(str, listing.failures), *(each.description or each.name for each in listing.offers)]))
            with contextlib.suppress(PydanticSerializationError):  # paths may hold bytes that are no UTF-8
                assert Listing.model_validate_json(listing.model_dump_json().encode()) == listing
            return
        recorded(asked, messages.checked(reply.value, ANSWERS[asked]).model_dump(exclude_unset=True))
    except EOFError:
        raise ChildError("the process closed its pipe") from None
    except messages.InvalidAnswer as error:
        raise ChildError(writable(str(error))) from None


def recorded(asked: str, value: dict[str, Any]) -> None:
    """Writes what an answer becomes in the records, and reads it again."""
    line = _line(asked, value)
    if line is not None:
        assert type(line).model_validate(plain_json.parsed(line.model_dump_json().encode())) == line


def _line(asked: str, value: dict[str, Any]) -> Measurement | Fidelity | None:
    if asked == "score":
        return Fidelity(contender="c", heads=1, seed=0, **value)
    if asked == "hold_out":
        kept = {name: each for name, each in value.items() if name not in ("place", "heads", "batch_size", "files")}
        return Fidelity(contender="c", heads=1, seed=0, temperature=1.0, scores={}, **kept)
    sampled: dict[str, Any] = {"seconds": [1e-3], "started": [1.0], "inner_loops": 1, "overhead_seconds": 0.0}
    about: dict[str, Any] = {}
    if asked == "sample":
        sampled |= {"seconds": [value["seconds"]], "started": [value["started"]]}
    elif asked == "ready":
        about = {
            name: each for name, each in value.items() if name in Measurement.model_fields and name != "call_seconds"
        }
        sampled |= {name: value[name] for name in ("inner_loops", "overhead_seconds")}
        if value["parity_error"] is not None:
            about["parity"] = {"error": value["parity_error"], "tolerance": 1e-4, "row_error": value["row_error"]}
    elif asked == "calls":
        about = {"call_seconds": value["seconds"], "device_seconds": value["device_seconds"]}
    elif asked == "build":
        about = {
            "build_seconds": value["build_seconds"],
            "build_cached": value["cached"],
            "model_bytes": value["bytes"],
        }
        about |= {"warnings": value["warnings"]}
    else:
        return None
    return Measurement.model_validate(
        {"key": "k", "contender": "c", "heads": 1, "batch_size": 1, "purpose": "table", "visit": 0, "launch": 1,
         "outcome": "measured", "sampled": {**sampled, "rounds": [0], "positions": [0]}, **about}
    )  # fmt: skip


ANSWERED = Target(name="answers", write=write, use=use)

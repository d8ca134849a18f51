"""Saves students of a run: weights as safetensors, a card that says what they are worth, and an ONNX form."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cache import folder as cache_folder
from harness.errors import ContenderError, UserError
from harness.measure.pool import BuilderClient
from harness.plugin.built_in import PACKAGE, STUDENT_EXPORT
from harness.process.child import ChildFailed
from harness.validation import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.analysis.summary import Summary
    from harness.plan.plan import Plan
    from harness.records.measurement import Fidelity

_DEADLINE = 1800.0  # seconds of a training that was not kept
_SUFFIX = ".safetensors"


def parsed(wanted: Sequence[str], plan: Plan) -> dict[str, Path]:
    """`CONTENDER=FILE` as a mapping, checked before anything is measured.

    Raises:
        UserError: where it is something else, or there is no such contender in the suite.
    """
    found: dict[str, Path] = {}
    for each in wanted:
        name, equals, file = each.partition("=")
        if not equals or not file:
            raise UserError(
                f"--save {each!r} is not CONTENDER=FILE", next_step="such as --save student=student.safetensors"
            )
        if name not in plan.specifications:
            known = sorted(plan.specifications)
            hint = suggestion(name, known)
            raise UserError(f"--save names the contender {name!r}, which is not in the suite", next_step=hint)
        found[name] = checked(Path(file))
    return found


def checked(path: Path) -> Path:
    """The file that weights go into; an ONNX form and a card are written beside it.

    Raises:
        UserError: where its name or its place cannot be used.
    """
    if path.suffix.lower() == ".onnx":  # it is written beside the weights in any case
        path = path.with_suffix(_SUFFIX)
    if path.suffix.lower() != _SUFFIX:
        raise UserError(f"--save {path} does not end in {_SUFFIX}", next_step=f"such as {path.with_suffix(_SUFFIX)}")
    if not path.parent.is_dir():
        raise UserError(f"--save {path}: there is no folder {path.parent}", next_step="make it first")
    return path


def save(plan: Plan, summary: Summary, fidelity: Sequence[Fidelity], wanted: Mapping[str, Path]) -> list[str]:
    """Writes `FILE.safetensors`, `FILE.json` and `FILE.onnx` for each contender at its largest N; a line for each file.

    Raises:
        ContenderError: where a student cannot be built or saved.
    """
    settings = {"cache": str(cache_folder()), "versions": dict(plan.versions), "plugins": dict(plan.plugins_of_sources)}
    builder = BuilderClient(plan.specifications, plan.batch_sizes, settings, _DEADLINE)
    lines = []
    try:
        for name, path in wanted.items():
            heads = max(cell.heads for cell in plan.sweep.cells if cell.contender == name)
            specification = plan.specifications[name].to_json()
            request = {"do": "save", "specification": specification, "heads": heads, "path": str(path.resolve())}
            try:
                known = builder.ask(request, stage="save")["card"]
            except ChildFailed as failed:
                raise ContenderError(f"{name} cannot be saved: {failed.failure.what}", where=str(path)) from failed
            card = _card(name, known, path, summary, _record(fidelity, name, heads, known["training_seed"]))
            lines += [f"saved {name}: {path} (weights)", *_onnx(path, card)]
            path.with_suffix(".json").write_text(
                json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )
            lines.append(f"  {path.with_suffix('.json')} (what it is, its scores, how to load it)")
    finally:
        builder.close()
    return lines


def _record(fidelity: Sequence[Fidelity], name: str, heads: int, seed: int) -> Fidelity | None:
    """The scores of the very student that is saved."""
    own = [each for each in fidelity if (each.contender, each.heads) == (name, heads) and each.failure is None]
    return next((each for each in own if each.seed == seed), own[0] if own else None)


def _card(name: str, known: Mapping[str, Any], path: Path, summary: Summary, scored: Fidelity | None) -> dict[str, Any]:
    card: dict[str, Any] = {"name": name, **known}
    if scored is not None:
        card["scores"] = {key: round(value, 6) for key, value in sorted(scored.scores.items())}
        card["scored_on"] = f"{scored.queries} held-out queries, against the teacher"
        card["effective_heads"] = scored.effective_heads
        card["training_seconds"] = scored.training_seconds
    card["versions"] = dict(summary.run.versions)
    card["weights"] = path.name
    card["load"] = [
        f"from {PACKAGE} import load_student",
        f"student = load_student({path.name!r})",
        "projections = student(queries)  # [B, D] -> [B, K]",
    ]
    return card


def _onnx(path: Path, card: dict[str, Any]) -> list[str]:
    """The ONNX form, made in a process of its own, since the core imports no plugin; it may fail, the weights are there."""
    command = [sys.executable, "-m", STUDENT_EXPORT, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    target = path.with_suffix(".onnx")
    if done.returncode == 0:
        card["onnx"] = target.name
        return [f"  {target} (input `queries`, output `projections`)"]
    last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
    return [f"  no ONNX form: {last[0].removeprefix('error: ')}"]

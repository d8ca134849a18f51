"""Does a projector keep the rules?"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.measure.operations import first_difference, operations
from harness.measure.parity_queries import SCALES, scaled
from harness.plugin.interfaces import Compiled
from harness.testing.rules import (
    CLOSE,
    Rules,
    build,
    caller,
    check_clock,
    check_outputs,
    copied,
    describe,
    sample_heads,
    sample_queries,
    unchanged,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.plugin.interfaces import Float32, Form, Heads, Projection, Projector

_STEPS_RANGE = (1, 4096)
_MANY = 2048  # rows


def check_projector(projector: Projector, *, heads: Sequence[Heads] = ()) -> None:
    """Builds a projector in each of its forms at N = 1 and N = 18, and holds what it builds to the rules.

    Args:
        projector: configured with the options to check.
        heads: other heads to try it on, in place of random ones.

    Raises:
        ConformanceError: with a sentence for each broken rule.
    """
    rules = Rules(projector)
    describe(rules, projector)
    rules.expect(bool(projector.forms), "forms", "it names no form; it needs 'module', 'numpy' or both")
    for each in heads or (sample_heads(1), sample_heads(18)):
        outputs = {form: _check_form(rules, projector, form, each) for form in projector.forms}
        known = [output for output in outputs.values() if output is not None]
        if len(known) > 1:
            close = np.abs(known[0] - known[1]).max() <= CLOSE * (np.abs(known[0]).max() or 1.0)
            rules.expect(bool(close), "forms agree", f"N = {each.count}: its two forms compute different functions")
    _check_figures(rules, projector)
    rules.finish()


def _many(width: int, seed: int) -> Float32:
    """So many normalised queries that a call takes long enough for the clock to tell where its work is done."""
    rows = np.random.default_rng([seed, 5]).standard_normal((_MANY, width)).astype(np.float32)
    unit: Float32 = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


class _Called(Compiled):
    """A projection as it is."""

    def __init__(self, projection: Any) -> None:
        self._call = caller(projection)

    def __call__(self, prepared: Float32) -> Any:
        return self._call(prepared)


def _check_form(rules: Rules, projector: Projector, form: Form, heads: Heads) -> Any:
    where = f"form {form!r}, N = {heads.count}"
    kept = copied(heads)
    projection = None
    with rules.attempt(f"N = {heads.count}" if heads.count == 1 else "build", f"{where}: build"):
        projection = build(projector, form, heads)
    if projection is None:
        rules.expect(bool(rules.broken), "build", f"{where}: build returned nothing")
        return None
    is_module = hasattr(projection, "state_dict")
    rules.expect(
        is_module == (form == "module"),
        "form",
        f"{where}: build returned {type(projection).__name__}, which is not of that form",
    )
    rules.expect(callable(projection), "form", f"{where}: what build returned cannot be called")
    output = check_outputs(rules, caller(projection), where, width=heads.width, output_width=heads.output_width)
    rules.expect(unchanged(heads, kept), "inputs unchanged", f"{where}: the heads that it was given were changed")
    if output is None:
        return None
    batch = sample_queries(width=heads.width)
    scale = CLOSE * (float(np.abs(output).max()) or 1.0)
    with rules.attempt("determinism", f"{where}: building it again"):
        again = np.array(caller(build(projector, form, heads))(batch))
        rules.expect(
            bool(np.abs(again - output).max() <= scale),
            "determinism",
            f"{where}: built twice with one seed it computes two functions",
        )
    with rules.attempt("deploy", f"{where}: deploy"):
        original = copy.deepcopy(projection) if is_module else projection
        deployed = np.array(caller(projector.deploy(original))(batch))
        rules.expect(
            bool(np.abs(deployed - output).max() <= scale),
            "deploy",
            f"{where}: what is deployed computes another function than what was built",
        )
    if is_module:
        _check_branches(rules, projection, batch, where)
    with rules.attempt("off the clock", f"{where}: batches of {_MANY} rows"):
        many = [_many(heads.width, seed) for seed in range(2)]
        check_clock(rules, _Called(projection), many, where)
    with rules.attempt("reference", f"{where}: reference"):
        reference = projector.reference(heads, batch)
        if reference is not None and not projector.approximates:
            rules.expect(
                reference.dtype == np.float64,
                "reference",
                f"{where}: the reference is {reference.dtype}, expected float64",
            )
            fits = reference.shape == output.shape and np.abs(reference - output).max() <= CLOSE * (
                np.abs(reference).max() or 1.0
            )
            rules.expect(
                bool(fits),
                "reference",
                f"{where}: the output differs from the declared formula by more than {CLOSE:g} of its largest value",
            )
            _check_lengths(rules, projector, projection, heads, batch, where)
    return output


def _check_lengths(
    rules: Rules, projector: Projector, projection: Projection, heads: Heads, batch: Float32, where: str
) -> None:
    """Is it the declared formula for queries of other lengths too, where that is defined there?"""
    for scale, queries in zip(SCALES, scaled(batch), strict=True):
        reference = projector.reference(heads, queries)
        if reference is not None and np.isfinite(reference).all():
            apart = np.abs(np.asarray(caller(projection)(queries.copy()), dtype=np.float64) - reference).max()
            rules.expect(
                bool(apart <= CLOSE * (np.abs(reference).max() or 1.0)),
                "reference",
                f"{where}: the output differs from the declared formula for queries times {scale:g}",
            )


def _check_branches(rules: Rules, module: Any, batch: Float32, where: str) -> None:
    """Does a module do the same for all queries? An export keeps what it saw."""
    usual = operations(module, batch)
    others = dict(zip([f"queries times {scale:g}" for scale in SCALES], scaled(batch), strict=True))
    for queries, rows in {**others, "queries of zeros": np.zeros_like(batch)}.items():
        place = first_difference(usual, operations(module, rows))
        rules.expect(
            not place,
            "no branches",
            f"{where}: forward does something else for {queries}, from {place} on; an export keeps one branch",
        )


def _check_figures(rules: Rules, projector: Projector) -> None:
    low, high = _STEPS_RANGE
    with rules.attempt("steps", f"steps({low}, {high})"):
        steps = list(projector.steps(low, high))
        inside = all(low <= step < high for step in steps)
        rules.expect(
            inside and steps == sorted(set(steps)),
            "steps",
            f"steps({low}, {high}) gave {steps}; they ascend and lie in [{low}, {high})",
        )
    with rules.attempt("cost", "cost"):
        cost = projector.cost(18, 32, 24, 16)
        rules.expect(
            cost is None or (cost.flops >= 0 and cost.bytes >= 0),
            "cost",
            f"cost gave {cost}; neither can be negative",
        )

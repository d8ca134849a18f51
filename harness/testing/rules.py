"""Collects broken rules, and makes the data that offers are tried on."""

from __future__ import annotations

import contextlib
import copy
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.causes import cause
from harness.errors import ContenderError
from harness.measure import fidelity, off_clock
from harness.measure.clock import monotonic
from harness.measure.timed_projection import TimedProjection
from harness.plugin.interfaces import BuildContext, Compiled, Float32, Form, Heads, Offer, Projection, Projector
from harness.seeding import seed_everything

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

WIDTH, OUTPUT_WIDTH = 24, 16  # D and K of the samples
ROWS = 7  # of a batch that is neither one nor a power of two
CLOSE = 1e-4  # relative to the largest value, as parity is judged in a run


class ConformanceError(AssertionError):
    """An offer breaks rules; the message has one sentence for each, and what the offer raised is its `__cause__`."""

    def __init__(self, subject: str, broken: list[str]) -> None:
        super().__init__("\n".join([f"{subject} breaks {len(broken)} rule{'s' * (len(broken) != 1)}:", *broken]))
        self.broken = tuple(broken)


class Rules:
    """The rules that an offer is held to, and those that it broke.

    Args:
        offer: what is checked.
    """

    def __init__(self, offer: Offer) -> None:
        name = getattr(offer, "name", None)
        self.subject = f"the {offer.kind} {name!r}" if name else f"the {offer.kind} {type(offer).__name__}"
        self.broken: list[str] = []
        self.raised: list[BaseException] = []

    def expect(self, holds: bool, rule: str, sentence: str) -> bool:
        """Notes a broken rule, once."""
        line = f"- {rule}: {sentence}"
        if not holds and line not in self.broken:
            self.broken.append(line)
        return bool(holds)

    @contextlib.contextmanager
    def attempt(self, rule: str, doing: str) -> Iterator[None]:
        """A step that must not raise."""
        try:
            yield
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the offer is a stranger's code
            if not self.expect(False, rule, f"{doing} raised {cause(error, frames=False)}"):
                self.raised.append(error)

    def finish(self) -> None:
        """Raises what was collected.

        Raises:
            ConformanceError: where a rule was broken; what the offer itself raised is its cause.
        """
        if not self.broken:
            return
        if len(self.raised) > 1:
            raise ConformanceError(self.subject, self.broken) from BaseExceptionGroup(self.subject, self.raised)
        raise ConformanceError(self.subject, self.broken) from next(iter(self.raised), None)


def describe(rules: Rules, offer: Offer) -> None:
    """The rules for every offer: a name, a description, options that have defaults."""
    if isinstance(offer, type):
        raise TypeError(f"check an instance, {offer.__name__}(), not the class")
    name = getattr(offer, "name", None)
    rules.expect(
        isinstance(name, str) and bool(name) and " " not in name,
        "name",
        f"`name` is {name!r}; give a text without blanks",
    )
    rules.expect(
        bool(offer.description),
        "description",
        "the class has no docstring; its first line is what `harness plugins` prints",
    )
    with rules.attempt("options", "making its options"):
        rules.expect(
            offer.options.model_config.get("extra") == "forbid",
            "options",
            "unknown options pass unnoticed; derive `Options` from harness.Options",
        )


def sample_heads(
    count: int = 18, *, width: int = WIDTH, output_width: int = OUTPUT_WIDTH, temperature: float = 0.1, seed: int = 0
) -> Heads:
    """Normalised random heads: centroids [count, width], answers [count, output_width]."""
    generator = np.random.default_rng([seed, 1])  # drawn row by row, so that fewer heads are the first of more
    centroids = np.stack([_unit(generator.standard_normal(width)) for _ in range(count)])
    generator = np.random.default_rng([seed, 2])
    answers = np.stack([_unit(generator.standard_normal(output_width)) for _ in range(count)])
    return Heads(centroids=centroids, answers=answers, temperature=temperature)


def sample_queries(rows: int = ROWS, *, width: int = WIDTH, seed: int = 0) -> Float32:
    """Normalised random queries [rows, width]."""
    generator = np.random.default_rng([seed, 3])
    return np.stack([_unit(generator.standard_normal(width)) for _ in range(rows)])


def _unit(vector: Any) -> Float32:
    unit: Float32 = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


def build(projector: Projector, form: Form, heads: Heads, *, seed: int = 0) -> Projection:
    """A projection as the builder makes it: all generators seeded, a module in eval mode."""
    seed_everything(seed)
    projection = projector.build(
        heads,
        BuildContext(
            form=form,
            seed=seed,
            train_queries=sample_queries(64, width=heads.width),
            teacher=functools.partial(_teach, heads),
        ),
    )
    return projection.eval() if hasattr(projection, "eval") else projection


def _teach(heads: Heads, queries: Float32) -> NDArray[np.float64]:
    """What a multi-head projection answers, for projections that are fitted to a teacher."""
    shares = fidelity.weights(queries, heads.centroids, heads.temperature)
    answers: NDArray[np.float64] = shares @ heads.answers.astype(np.float64)
    return answers


def caller(projection: Any) -> Callable[[Float32], Any]:
    """The projection as a map of arrays [B, D] -> [B, K], whichever form it has."""
    if not hasattr(projection, "state_dict"):
        as_it_is: Callable[[Float32], Any] = projection
        return as_it_is
    import torch

    def call(batch: Float32) -> Any:
        with torch.inference_mode():
            return projection(torch.from_numpy(batch)).numpy()

    return call


def check_outputs(
    rules: Rules, call: Callable[[Float32], Any], where: str, *, width: int = WIDTH, output_width: int = OUTPUT_WIDTH,
    tolerance: float = CLOSE,
) -> Any:  # fmt: skip
    """The rules for anything that maps queries [B, D] to projections [B, K]. Returns the output for the sample batch.

    Args:
        rules: where broken rules go.
        call: the map, as it is timed.
        where: form and N, for the sentences.
        width: D.
        output_width: K.
        tolerance: of two outputs that should be equal, relative to the largest value.
    """
    batch = sample_queries(width=width)
    kept = batch.copy()
    output: Any = None
    with rules.attempt("call", f"{where}: a batch of {ROWS}"):
        output = np.array(call(batch))
    if output is None:
        return None
    shaped = rules.expect(
        output.shape == (ROWS, output_width),
        "shape",
        f"{where}: [B, D] = {[ROWS, width]} gave {list(output.shape)}, expected {[ROWS, output_width]}",
    )
    rules.expect(output.dtype == np.float32, "dtype", f"{where}: the output is {output.dtype}, expected float32")
    rules.expect(
        np.array_equal(batch, kept), "inputs unchanged", f"{where}: the call changed the queries that it was given"
    )
    if not shaped or not rules.expect(
        bool(np.isfinite(output).all()), "finite", f"{where}: ordinary queries gave NaN or infinity"
    ):
        return None
    rules.expect(bool(output.any()), "zeros", f"{where}: ordinary queries gave nothing but zeros")
    scale = float(np.abs(output).max()) or 1.0

    def same(one: Any, other: Any) -> bool:
        return one.shape == other.shape and bool(np.abs(one - other).max() <= tolerance * scale)

    with rules.attempt("determinism", f"{where}: a second call"):
        rules.expect(
            same(np.array(call(batch)), output),
            "determinism",
            f"{where}: the same queries gave another output the second time",
        )
    with rules.attempt("fresh values", f"{where}: other queries in the same memory"):
        memory, other = batch.copy(), sample_queries(width=width, seed=4)
        call(memory)
        memory[...] = other
        rules.expect(
            same(np.array(call(memory)), np.array(call(other))),
            "fresh values",
            f"{where}: queries that were changed in place got the answer to those before them; keep no answers between calls",
        )
    with rules.attempt("B = 1", f"{where}: a batch of one"):
        alone = [np.array(call(batch[row : row + 1])) for row in (0, ROWS - 1)]
        if rules.expect(
            alone[0].shape == (1, output_width),
            "B = 1",
            f"{where}: a batch of one gave the shape {list(alone[0].shape)}, expected {[1, output_width]}",
        ):
            rules.expect(
                same(alone[0][0], output[0]) and same(alone[1][0], output[-1]), "batch independence",
                f"{where}: a row of a batch differs from the same row alone; a row must not depend on its neighbours",
            )  # fmt: skip
    with rules.attempt("non-contiguous input", f"{where}: a batch whose rows lie apart in memory"):
        apart = np.repeat(batch, 2, axis=0)[::2]
        rules.expect(
            same(np.array(call(apart)), output),
            "non-contiguous input",
            f"{where}: queries whose rows lie apart in memory gave another output",
        )
    with rules.attempt("NaN stays in its row", f"{where}: a batch with a NaN in one row"):
        spoilt = batch.copy()
        spoilt[1, 0] = np.nan
        others = [row for row in range(ROWS) if row != 1]
        rules.expect(
            same(np.array(call(spoilt))[others], output[others]),
            "NaN stays in its row",
            f"{where}: a NaN in one row changed other rows",
        )
    return output


def check_clock(rules: Rules, compiled: Compiled, batches: list[Float32], where: str, tolerance: float = CLOSE) -> None:
    """Is all of its work done on the clock, by each call anew?

    Args:
        rules: where broken rules go.
        compiled: what is timed; a call should take some hundred microseconds, so that the clock can resolve it.
        batches: of queries [B, D].
        where: for the sentences.
        tolerance: of two outputs that should be equal.
    """
    try:
        calling = TimedProjection(compiled)
        prepared = calling.prepare(batches[0])
        known = calling.answer(prepared)
        off_clock.prove(calling, batches, prepared, known, monotonic, tolerance=max(tolerance, 1e-6))
    except ContenderError as error:
        rules.expect(False, "off the clock", f"{where}: {error}")


def unchanged(heads: Heads, kept: Heads) -> bool:
    """Whether the heads are unchanged."""
    arrays = (heads.centroids, heads.answers, *heads.matrices.values())
    return all(map(np.array_equal, arrays, (kept.centroids, kept.answers, *kept.matrices.values())))


def copied(heads: Heads) -> Heads:
    """The same heads in other memory."""
    return copy.deepcopy(heads)

"""Does a runtime keep the rules?"""

from __future__ import annotations

import copy
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ContenderError
from harness.measure.operations import by_batch_size
from harness.measure.parity_queries import SCALES, scaled
from harness.measure.tamper_check import Seal
from harness.plugin.interfaces import ExportContext, LoadContext
from harness.seeding import seed_everything
from harness.testing.rules import (
    OUTPUT_WIDTH,
    ROWS,
    WIDTH,
    Rules,
    caller,
    check_clock,
    check_outputs,
    describe,
    sample_queries,
)

if TYPE_CHECKING:
    from harness.plugin.interfaces import Compiled, Float32, Form, Projection, Runtime


_HIDDEN = 8192  # so wide that a call takes long enough for the clock to tell where its work is done


def check_runtime(runtime: Runtime) -> None:
    """Exports a small projection of each form that a runtime accepts, loads it, and holds what it loads to the rules.

    One rule is timed: all of the work is done on the clock, by each call anew.

    Args:
        runtime: configured with the options to check.

    Raises:
        ConformanceError: with a sentence for each broken rule.
    """
    rules, seal = Rules(runtime), Seal()
    describe(rules, runtime)
    rules.expect(bool(runtime.forms), "forms", "it accepts no form; it needs 'module', 'numpy' or both")
    rules.expect(bool(runtime.devices), "devices", "it names no device; it needs 'cpu', 'cuda' or both")
    rules.expect(runtime.tolerance > 0, "tolerance", f"its tolerance is {runtime.tolerance}; it must be positive")
    for form in runtime.forms:
        with tempfile.TemporaryDirectory() as place:
            _check_form(rules, runtime, form, Path(place))
    try:
        seal.check()
    except ContenderError as error:
        rules.expect(False, "clock", str(error))
    rules.finish()


def _check_form(rules: Rules, runtime: Runtime, form: Form, folder: Path) -> None:
    where = f"form {form!r}"
    projection = _small(form)
    batch = sample_queries()
    wanted = np.array(caller(projection)(batch))
    with rules.attempt("export", f"{where}: export"):
        runtime.export(projection, batch.copy(), folder, ExportContext(heads=18, batch_sizes=(1, ROWS)))
    kept = np.array(caller(projection)(batch))
    rules.expect(np.array_equal(kept, wanted), "export", f"{where}: export changed the projection that it was given")

    def rebuild(form: Form, weights: bool) -> Projection:
        again: Projection = _small(form, seed=0 if weights else 1)
        return again

    compiled: Compiled | None = None
    with rules.attempt("load", f"{where}: load"):
        compiled = runtime.load(folder, LoadContext(heads=18, rebuild=rebuild))
    if compiled is None:
        return
    with rules.attempt("off the clock", f"{where}: calls with queries that it has not seen"):
        check_clock(rules, compiled, [sample_queries(seed=seed) for seed in range(4)], where, runtime.tolerance)
    _check_compiled(rules, compiled, where, projection, runtime.tolerance)
    if form == "module":
        for what, module in (("the values of its queries", _by_value()), ("the size of its batch", _by_batch_size())):
            with tempfile.TemporaryDirectory() as place:
                _check_frozen(rules, runtime, module, Path(place), f"{where}, a module that branches on {what}")


def _check_frozen(rules: Rules, runtime: Runtime, module: Any, folder: Path, where: str) -> None:
    """Is a branch kept, or its loss told? An error and a warning of `export` tell it, and so does an error later."""
    example, sizes = sample_queries(), (1, ROWS)
    context = ExportContext(heads=18, batch_sizes=sizes, operations=by_batch_size(module, example, {1, 2, ROWS}))
    cases = [rows * np.float32(scale) for rows in (example, example[:1]) for scale in (1.0, *SCALES)]
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            runtime.export(copy.deepcopy(module), example.copy(), folder, context)
        if any(not issubclass(each.category, DeprecationWarning | FutureWarning) for each in caught):
            return
        compiled = runtime.load(folder, LoadContext(heads=18, rebuild=lambda *_: copy.deepcopy(module)))
        outputs = [compiled.result(compiled(compiled.prepare(rows.copy()))).copy() for rows in cases]
        compiled.close()
    except Exception:  # noqa: BLE001 - whatever it raises, nothing wrong is timed
        return
    for rows, output in zip(cases, outputs, strict=True):
        known = np.array(caller(module)(rows))
        close = output.shape == known.shape and np.abs(output - known).max() <= runtime.tolerance * np.abs(known).max()
        rules.expect(bool(close), "frozen branch", f"{where}: another branch was kept, and nothing was said")


def _check_compiled(rules: Rules, compiled: Compiled, where: str, projection: Projection, tolerance: float) -> None:
    def call(batch: Float32) -> Any:
        return compiled.result(compiled(compiled.prepare(batch)))

    output = check_outputs(rules, call, where, tolerance=max(tolerance, 1e-6))
    if output is not None:
        batch = sample_queries()
        further = {f" for queries times {scale:g}": rows for scale, rows in zip(SCALES, scaled(batch), strict=True)}
        for queries, rows in {"": batch, **further, " for queries of zeros": np.zeros_like(batch)}.items():
            wanted, found = np.array(caller(projection)(rows)), call(rows.copy())
            error = float(np.abs(found - wanted).max()) / (float(np.abs(wanted).max()) or 1.0)
            rules.expect(
                error <= tolerance,
                "parity",
                f"{where}: the output differs from the projection's own{queries} by {error:.2g}, "
                f"tolerance {tolerance:g}",
            )
        with rules.attempt("results stay", f"{where}: two calls in a row"):
            first = compiled(compiled.prepare(sample_queries(seed=1)))
            kept = compiled.result(first)
            copied = np.array(kept)
            call(sample_queries(seed=2))
            rules.expect(
                np.array_equal(kept, copied),
                "results stay",
                f"{where}: a later call changed the result of an earlier one",
            )
    with rules.attempt("threads", f"{where}: threads()"):
        threads = compiled.threads()
        rules.expect(
            threads is None or threads >= 1, "threads", f"{where}: threads() gave {threads}; it is a count, or None"
        )
    with rules.attempt("close twice", f"{where}: close() called twice"):
        compiled.close()
        compiled.close()


def _by_value() -> Any:
    """A module that branches on the values of its queries."""
    import torch

    class ByValue(torch.nn.Module):
        def forward(self, queries: torch.Tensor) -> torch.Tensor:
            shown = queries[:, :OUTPUT_WIDTH]
            if queries.abs().max() > 1:
                return shown * 2
            return shown * 3

    return ByValue().eval()


def _by_batch_size() -> Any:
    """A module that branches on the size of its batch."""
    import torch

    class ByBatchSize(torch.nn.Module):
        def forward(self, queries: torch.Tensor) -> torch.Tensor:
            shown = queries[:, :OUTPUT_WIDTH]
            if queries.shape[0] == 1:
                return shown * 2
            return shown * 3

    return ByBatchSize().eval()


def _small(form: Form, *, seed: int = 0) -> Any:
    """A projection [B, D] -> [B, K] in either form: two linear maps and a bend."""
    generator = np.random.default_rng(seed)
    first = generator.standard_normal((WIDTH, _HIDDEN)).astype(np.float32) / WIDTH
    second = generator.standard_normal((_HIDDEN, OUTPUT_WIDTH)).astype(np.float32) / _HIDDEN
    if form == "numpy":
        return lambda batch: np.tanh(batch @ first) @ second
    import torch

    seed_everything(seed)
    module = torch.nn.Sequential(
        torch.nn.Linear(WIDTH, _HIDDEN), torch.nn.Tanh(), torch.nn.Linear(_HIDDEN, OUTPUT_WIDTH, bias=False)
    ).eval()
    return module.requires_grad_(requires_grad=False)

"""What a suite would run, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.analysis.settings import settings
from harness.report.columns import grid, sentence
from harness.report.wording import launches_in_words
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.plan.check import Checked
    from harness.plan.sweep import Cell


def render(checked: Checked, width: int | None = None) -> str:
    """Cells by contender, races with their ranges, skipped cells with their reasons, and notes."""
    suite, sweep = checked.suite, checked.sweep
    where = settings(suite)
    rows = []
    for name, contender in suite.contenders.items():
        heads = sorted({cell.heads for cell in sweep.cells if cell.contender == name})
        rows.append(
            (
                name,
                contender.projector,
                contender.runtime,
                *((where.get(name, ""),) if where else ()),
                contender.trainer.use if contender.trainer else "",
                ", ".join(f"{each:,}" for each in heads) or "none",
            )
        )
    parts = [
        sentence(_headline(checked), width),
        grid(rows, ("contender", "projector", "runtime", *(("where",) if where else ()), "trainer", "N"), width),
    ]
    if sweep.cases:
        cases = [
            (
                case.title,
                case.baseline,
                case.challenger,
                f"{case.low:,} to {case.high:,}",
                case.method,
                ", ".join(f"{each:,}" for each in case.steps),
            )
            for case in sweep.cases
        ]
        headers = ("search", "baseline", "challenger", "N", "method", "known steps after N =")
        parts.append(grid(cases, headers, width))
    skipped = [sentence(f"  {each}", width) for each in _skipped(checked)]
    if skipped:
        parts.append("\n".join(("skipped:", *skipped)))
    parts += [sentence(f"note: {note}", width) for note in checked.notes]
    return "\n\n".join(parts)


def _headline(checked: Checked) -> str:
    """How much there is to do."""
    suite, cells = checked.suite, len(checked.sweep.cells)
    batches = ", ".join(str(each) for each in suite.batch_sizes)
    if suite.measurement.table:
        launches = launches_in_words(suite, searched=bool(checked.sweep.cases))
        return f"{suite.name}: {counted(cells, 'cell')} at batch {batches}, {launches}"
    seeds = len(suite.training_seeds)
    return (
        f"{suite.name}: {counted(cells, 'cell')} to train and score, with "
        f"{counted(seeds, 'seed')} where there is a trainer; none is timed"
    )


def _skipped(checked: Checked) -> Iterator[str]:
    """A line for each contender and reason; contenders without their device are noted as a whole."""
    cells: dict[tuple[str, str], list[Cell]] = {}
    for each in checked.sweep.skipped:
        if each.cell.contender not in checked.absent:
            cells.setdefault((each.cell.contender, each.reason), []).append(each.cell)
    for (name, why), out in cells.items():
        by_batch: dict[int, list[str]] = {}
        for cell in out:
            by_batch.setdefault(cell.batch_size, []).append(f"{cell.heads:,}")
        by_heads: dict[str, list[str]] = {}
        for batch, heads in by_batch.items():
            by_heads.setdefault(", ".join(heads), []).append(str(batch))
        where = "; ".join(f"N = {heads} at batch {', '.join(batches)}" for heads, batches in by_heads.items())
        yield f"{name} ({where}): {why}"

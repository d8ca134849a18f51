"""The plots of a report, in one grammar: interactive in the page, SVG or PNG on request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import altair as alt

from harness.errors import ResourceError
from harness.report.plots.frontier import frontier
from harness.report.plots.grammar import COLUMNS, Plot, as_picture, unvalidated
from harness.report.plots.latency import latency
from harness.report.plots.leadmap import lead_map
from harness.report.plots.pairs import pairs_over_time
from harness.report.plots.slowdown import slowdown
from harness.report.plots.students import fidelity
from harness.report.plots.waterfall import waterfall
from harness.system_errors import advice

if TYPE_CHECKING:
    from pathlib import Path

    from harness.analysis.summary import Summary

__all__ = ["Plot", "plots", "save"]


@unvalidated
def plots(summary: Summary) -> list[Plot]:
    """All plots that the run has data for, in the order of the page."""
    batches = sorted({cell.batch_size for cell in summary.cells if cell.call is not None})
    found = [each for each in (lead_map(summary),) if each is not None]
    found += [latency(summary, batch) for batch in batches]
    found += [slowdown(summary, batch) for batch in sorted({each.batch_size for each in summary.races})]
    found += [each for each in (frontier(summary), fidelity(summary)) if each is not None]
    found += [waterfall(summary, place) for place in range(len(summary.waterfalls))]
    found += [each for each in (pairs_over_time(summary),) if each is not None]
    return found


@unvalidated
def save(summary: Summary, folder: Path, form: Literal["svg", "png"] = "svg") -> list[Path]:
    """Writes every plot as a picture.

    Raises:
        ResourceError: where the folder cannot be written.
    """
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in plots(summary):
            path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '-', each.name)}.{form}"  # a name holds what a suite says
            chart = each.chart.properties(width=640, title=each.title, background="white")
            spec = as_picture(chart.configure_legend(columns=COLUMNS).to_dict(validate=False))
            path.write_bytes(_drawn(spec, form))
            paths.append(path)
    except OSError as error:
        what = f"the plots cannot be written: {error.strerror or error}"
        raise ResourceError(what, where=str(folder), next_step=advice(error)) from error
    return paths


def _drawn(spec: dict[str, Any], form: Literal["svg", "png"]) -> bytes:
    """A picture of a chart, by the version of Vega-Lite that it was made for."""
    import vl_convert

    version = "_".join(alt.SCHEMA_VERSION.split(".")[:2])
    if form == "svg":
        return vl_convert.vegalite_to_svg(spec, version).encode()
    return vl_convert.vegalite_to_png(spec, version, scale=2, ppi=72)

"""A fleet as one HTML file: no request to anywhere, light and dark, on a phone and in print."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from markupsafe import Markup

from harness.report import templates
from harness.report.fleet import tables
from harness.report.fleet.forest import forests
from harness.report.html import POLICY, resource, script, script_json
from harness.report.plots.leadmap import lead_map
from harness.report.vega import bundle
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.analysis.fleet.fleet import Fleet
    from harness.analysis.fleet.machines import Machine
    from harness.report.plots.grammar import Plot

_STYLE = (
    ".maps { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(34rem, 100%), 1fr)); gap: 0 1.5rem; }"
    "td { white-space: normal; } td:first-child { white-space: nowrap; }"
)


def render(fleet: Fleet) -> str:
    """The whole page. The template escapes everything that comes from suites, plugins and records."""
    maps = [(machine, plot) for machine in fleet.machines for plot in _map(machine)]
    drawn = forests(fleet)
    shown = tables.tables(fleet)
    sections = [("Crossovers", "crossovers"), ("Lead maps", "maps")] if maps else [("Crossovers", "crossovers")]
    return templates.render(
        "fleet.html.jinja",
        bundle=script(bundle()),
        fleet=fleet,
        forests={each.title: each for each in drawn},
        headline=headline(fleet),
        keys={},
        maps=maps,
        policy=POLICY,
        script=script(resource("page.js")),
        sections=[*sections, *((each.title, f"table-{each.name}") for each in shown)],
        sentences=list(tables.sentences(fleet)),
        specs=script_json(
            {
                "plots": {each.name: each.chart.to_dict(validate=False) for each in (*drawn, *(plot for _, plot in maps))},
                "searches": [], "races": {}, "chosen": [], "pairs": [],
            }
        ),
        style=Markup(resource("page.css") + _STYLE),  # noqa: S704  of this package
        tables=shown,
    )  # fmt: skip


def headline(fleet: Fleet) -> str:
    """`9 machines, 3 races`."""
    races = len({each.race for each in fleet.searches})
    return f"{counted(len(fleet.machines), 'machine')}, {counted(races, 'race')}"


def _map(machine: Machine) -> Iterator[Plot]:
    """The lead map of a machine's run."""
    found = lead_map(machine.summary)
    if found is not None:
        yield dataclasses.replace(found, name=f"lead-map-{machine.key}", title=machine.name)

"""`-v` shows whole tracebacks, of a run's failures and of plugins that failed to load."""

from __future__ import annotations

import io

from rich.console import Console

from harness.plugin.failure import PluginFailure
from harness.plugin.inspection import Listing
from harness.process.failure import Failure
from harness.records.crossovers import dump
from harness.records.writer import LOCATED, Store
from harness.report import plugins, writing
from harness.report.tracebacks import tracebacks
from tests.synthetic import Maker

LINES = ("Traceback (most recent call last):", '  File "mine.py", line 7, in build', "ValueError: [red]odd[/red]")


def failing():
    """A made-up run with one error in all launches of two cells."""
    maker = Maker().table(launches=2)
    for place, record in enumerate(maker.measurements):
        if record.contender == "teacher" and record.heads == 1024:
            failure = Failure(stage="build", what="ValueError: odd (mine.py:7)", traceback=LINES)
            update = {"outcome": "failed", "sampled": None, "call_seconds": (), "failure": failure}
            maker.measurements[place] = record.model_copy(update=update)
    return maker


def test_each_traceback_is_told_once_with_its_place():
    assert list(tracebacks(failing().evidence())) == [("teacher at N = 1,024, build, and 3 more", LINES)]


def test_a_traceback_is_read_from_the_records_and_shown_where_it_is_asked_for(tmp_path):
    maker = failing()
    with Store.create(tmp_path / "run", maker.evidence(tmp_path / "run").run) as store:
        store.append(*maker.measurements)
        store.write(LOCATED, dump(maker.located))
    summary = writing.write(tmp_path / "run")
    for verbose in (False, True):
        shown = io.StringIO()
        writing.show(summary, Console(file=shown, width=120), tmp_path / "run", verbose=verbose)
        assert (LINES[1] in shown.getvalue()) is verbose
        assert (LINES[2] in shown.getvalue()) is verbose


def test_plugins_that_failed_are_listed_with_their_traceback_where_it_is_asked_for():
    failure = PluginFailure(
        plugin="file:mine.py", label="mine.py", stage="import", what="it cannot be imported", output=LINES
    )
    found = Listing(failures=(failure,))
    assert LINES[1] not in plugins.listing(found)
    assert f"failed: mine.py: it cannot be imported\n  {LINES[0]}\n  {LINES[1]}" in plugins.listing(found, verbose=True)

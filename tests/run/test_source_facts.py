"""A contender may have a source of its own: it is told, decides what fits, and is seen to have changed."""

from __future__ import annotations

import copy
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
import yaml

from harness.errors import DataError, ResourceError
from harness.plan import plan as planning
from harness.plan.check import check_suite
from harness.plan.sweep import Cell
from harness.process.child import ChildFailed
from harness.process.failure import Failure
from harness.run import bench, resume
from harness.suite import loading

SUITE = {
    "name": "sources",
    "source": {"use": "resampled", "options": {"of": "playbook"}},
    "heads": {"values": [16, 64]},
    "batch_sizes": [1, 4],
    "contenders": {
        "own": {
            "projector": "lda",
            "runtime": "python",
            "source": {"use": "playbook"},
            "heads": {"values": [16, 64]},
        },
        "other": {"projector": "linear", "runtime": "python", "source": {"use": "playbook"}, "heads": {"values": [16]}},
        "shared": {"projector": "lda", "runtime": "python"},
    },
    "races": [{"name": "race", "baseline": "shared", "challenger": "shared-too", "heads": {"from": 64, "to": 4096}}],
}
SUITE["contenders"]["shared-too"] = {"projector": "linear", "runtime": "python"}


class BuilderClient:
    """Answers for the builder, from what each source gives."""

    def __init__(self):
        self.asked = []
        self.digests = {"playbook": "p", "resampled": "r"}
        self.widths = {"playbook": 8, "resampled": 4}
        self.broken = ()

    def ask(self, request, stage):
        name, heads = request["specification"]["source"]["name"], request["heads"]
        self.asked.append((name, heads))
        if name in self.broken:
            raise ChildFailed(Failure(stage="load", what="it is gone"), alive=True)
        kind = "real" if name == "playbook" else "resampled"
        digest = f"{self.digests[name]}-{heads}"
        return {"kind": kind, "digest": digest, "heads": heads, "width": self.widths[name], "output_width": 4}


@pytest.fixture
def make(answered_here, monkeypatch, tmp_path):
    """A bench of the suite, whose builder is the workshop that is given."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    loaded = loading.load(None, text=yaml.safe_dump(SUITE))
    plan = planning.plan(loaded, check_suite(loaded))

    def make(workshop, **changed):
        one = bench.Bench(replace(plan, **changed), SimpleNamespace(), SimpleNamespace(), known=(), scored=())
        one._workshop = workshop
        return one

    return make


def cell(name, heads=16):
    return Cell(contender=name, heads=heads, batch_size=1)


def test_each_provenance_is_told_once_and_the_suites_stands_for_the_run(make):
    workshop = BuilderClient()
    one = make(workshop)
    assert one.describe()["digest"] == "r-16"  # and not that of `own`, which is first in the suite
    assert {name: each["digest"] for name, each in one.source_facts.sources.items()} == {"own": "p-16", "other": "p-16"}
    assert sorted(workshop.asked) == [("playbook", 16), ("playbook", 64), ("resampled", 16)]
    assert one.source_facts.of("shared") == one.source_facts.source


def test_data_are_described_where_the_sweep_begins_though_a_race_begins_earlier(make, monkeypatch):
    early = {"name": "early", "baseline": "shared", "challenger": "shared-too", "heads": {"from": 1, "to": 64}}
    monkeypatch.setitem(SUITE, "races", [*SUITE["races"], early])
    workshop = BuilderClient()
    assert make(workshop).describe()["heads"] == 16
    monkeypatch.setitem(SUITE, "heads", {"values": [8]})  # a sweep that no user of `playbook` takes part in
    one = make(workshop)
    one.describe()
    assert one.source_facts.sources["own"]["heads"] == 16


def test_keys_are_of_a_contenders_own_data(make):
    before, after, both = BuilderClient(), BuilderClient(), BuilderClient()
    after.digests = {**after.digests, "playbook": "changed"}
    both.digests = dict.fromkeys(both.digests, "changed")
    keys = {}
    for name, workshop in (("before", before), ("after", after), ("both", both)):
        one = make(workshop)
        one.describe()
        keys[name] = {each: one.key(cell(each)) for each in SUITE["contenders"]}
    assert {each for each in keys["before"] if keys["before"][each] != keys["after"][each]} == {"own", "other"}
    assert not set(keys["before"].values()) & set(keys["both"].values())


def known_of(one):
    """A run that was begun with what this bench was given."""
    run = SimpleNamespace(source=dict(one.source_facts.source), sources=copy.deepcopy(one.source_facts.sources))
    return SimpleNamespace(run=run, measurements=())


def test_real_data_that_changed_beyond_the_smallest_n_are_seen(make):
    one = make(BuilderClient())
    one.describe()
    known = known_of(one)
    assert resume.other_data(known, one) == []
    known.run.sources["own"] = {**known.run.sources["own"], "all_digest": "other-64"}
    assert resume.other_data(known, one) == ["the data of own: other-64 -> p-64"]


def test_resuming_sees_the_changed_data_of_any_contender(make):
    was, one = make(BuilderClient()), make(BuilderClient())
    was.describe()
    one._workshop.digests["playbook"] = "changed"
    one.describe()
    assert resume.other_data(known_of(was), one) == [
        "the data of other: p-16 -> changed-16",
        "the data of own: p-16 -> changed-16",
    ]


def test_a_contenders_own_source_that_fails_is_left_to_its_cells(make):
    workshop = BuilderClient()
    workshop.broken = ("playbook",)
    one = make(workshop)
    assert one.describe()["digest"] == "r-16"
    assert one.source_facts.sources == {}


def test_memory_is_that_of_each_contenders_own_heads(make, monkeypatch):
    import psutil

    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**31, total=2**31))
    workshop = BuilderClient()
    workshop.widths = {"playbook": 8, "resampled": 2**20}  # 4,096 heads of 4 MiB each, for the suite's own source alone
    one = make(workshop)
    with pytest.raises(ResourceError, match=r"N = 4,096 needs about 66\.0 GiB of memory"):  # 4 x 16 GiB, and 2 models
        one.describe()
    workshop.widths = {"playbook": 2**20, "resampled": 8}  # 64 heads of 4 MiB each
    make(workshop).describe()


def test_every_source_has_the_width_that_was_expected(make):
    with pytest.raises(DataError, match="the embeddings are 8 wide, 4 were expected"):
        make(BuilderClient(), width=4).describe()


def test_the_cache_is_the_users_own_whatever_new_files_are_otherwise(make, monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "new" / "cache"))
    before = os.umask(0o002)
    try:
        make(BuilderClient()).describe()
    finally:
        os.umask(before)
    assert (tmp_path / "new" / "cache").stat().st_mode & 0o777 == 0o700

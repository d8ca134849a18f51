"""Who is built in whose process, for how long, and what happens to one that fails in a process that others have used."""

from __future__ import annotations

from typing import ClassVar

import pytest

from harness.measure import builders as module
from harness.measure.builders import Builders, owner
from harness.measure.pool import BuilderClient
from harness.plan.specification import OfferReference, Specification
from harness.process.child import ChildFailed
from harness.process.failure import Failure


def specification(name, plugin="harness_plugins.lda", *, trainer=False, device="cpu"):
    return Specification(
        contender=name,
        source=OfferReference(kind="source", name="s", plugin="harness_plugins.sources"),
        projector=OfferReference(kind="projector", name="p", plugin=plugin),
        runtime=OfferReference(kind="runtime", name="r", plugin="harness_plugins.python"),
        trainer=OfferReference(kind="trainer", name="t", plugin="harness_plugins.recipe") if trainer else None,
        device=device,
    )


class FakeChild:
    """A builder that answers, or fails for the contenders that it is told to."""

    started: ClassVar[list] = []
    failing: ClassVar[dict] = {}

    def __init__(self, name, settings, environment):
        self.settings, self.asked, self.alive = settings, [], True
        FakeChild.started.append(self)

    def ask(self, request, *, stage, deadline):
        name = request["specification"]["contender"]
        self.asked.append((name, deadline))
        failure = FakeChild.failing.get(name, lambda child: None)(self)
        if failure:
            raise ChildFailed(failure, alive=True)
        return {"place": FakeChild.place, "heads": 4, "costs": {}, "bytes": 1, "build_seconds": 0.1, "cached": False,
                "proofs": {}, "warnings": [], "files": {}}  # fmt: skip

    def protocol_error(self, stage, what):
        return ChildFailed(Failure(stage=stage, kind="protocol", what=what), alive=False)

    def close(self, patience=0.5):
        self.alive = False


@pytest.fixture
def client(monkeypatch, tmp_path):
    """Makes a client whose processes are made up."""
    monkeypatch.setattr(module, "Child", FakeChild)
    FakeChild.started, FakeChild.failing, FakeChild.place = [], {}, str(tmp_path)

    def make(*specifications, **settings):
        named = {each.contender: each for each in specifications}
        return BuilderClient(named, dict.fromkeys(named, (1,)), settings, 120.0)

    return make


def test_built_in_plugins_share_a_process_and_others_have_one_each():
    assert owner(specification("one").to_json()) == owner(specification("two").to_json()) == ""
    assert owner(specification("one", "file:/x.py").to_json()) == "one"
    assert owner(Specification(contender="function").to_json()) == ""


def test_nothing_of_a_strangers_build_is_alive_in_anothers(client):
    one = client(*(specification(name, "file:/x.py") for name in "ab"), specification("c"), specification("d"))
    for name in "abcda":
        one.built(name, 4)
    assert [[name for name, _ in each.asked] for each in FakeChild.started] == [["a"], ["b"], ["c", "d"]]


def test_so_many_processes_are_kept_and_the_shared_one_is_not_the_first_to_go(client):
    names = [f"own{number}" for number in range(8)]
    one = client(specification("c"), *(specification(name, "file:/x.py") for name in names))
    for name in ["c", *names]:
        one.built(name, 4)
    assert [each.alive for each in FakeChild.started] == [True, *[False] * 3, *[True] * 5]


def test_who_fails_where_others_were_built_is_tried_once_more_in_a_fresh_process(client):
    one = client(specification("a"), specification("b"))
    spoilt = Failure(stage="build", what="default_rng is gone")
    FakeChild.failing["b"] = lambda child: spoilt if child is FakeChild.started[0] else None
    one.built("a", 4)
    assert one.built("b", 4).heads == 4
    assert len(FakeChild.started) == 2
    FakeChild.failing["a"] = lambda child: spoilt  # its own fault: said after one more try, and from then on at once
    for heads, processes in ((8, 3), (16, 3)):
        with pytest.raises(ChildFailed, match="default_rng is gone"):
            one.built("a", heads)
        assert len(FakeChild.started) == processes


@pytest.mark.parametrize("kind", ["memory", "deadline"])
def test_what_ran_out_is_not_tried_again(client, kind):
    one = client(specification("a"), specification("b"))
    one.built("a", 4)
    FakeChild.failing["b"] = lambda child: Failure(stage="build", what="out", kind=kind)
    with pytest.raises(ChildFailed, match="out"):
        one.built("b", 4)
    assert len(FakeChild.started) == 1


def test_deadline_and_memory_of_the_suite_reach_the_builder(client):
    one = client(specification("a"), specification("t", trainer=True), memory_limit_bytes=2**30)
    one.built("a", 4)
    one.built("t", 4)
    (child,) = FakeChild.started
    assert child.asked == [("a", 600.0), ("t", 1800.0)]
    assert child.settings["memory_limit_bytes"] == 2**30
    assert not child.settings["memory_unbound"]


def test_a_driver_may_map_more_than_there_is(client):
    client(specification("a", device="cuda")).built("a", 4)
    assert FakeChild.started[0].settings["memory_unbound"]


def test_what_somebody_has_removed_from_the_cache_is_built_again(client, tmp_path):
    one = client(specification("a"))
    FakeChild.place = str(tmp_path / "here")
    (tmp_path / "here").mkdir()
    one.built("a", 4)
    one.built("a", 4)
    assert len(FakeChild.started[0].asked) == 1
    (tmp_path / "here").rmdir()
    one.built("a", 4)
    assert len(FakeChild.started[0].asked) == 2


def test_builders_end_with_the_run(client):
    one = Builders({"a": specification("a")}, {}, 1.0)
    one.ask({"do": "build", "specification": specification("a").to_json()}, stage="build")
    one.close()
    assert not FakeChild.started[0].alive

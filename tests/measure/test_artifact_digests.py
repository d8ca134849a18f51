"""What lies in the cache is loaded only as it was built, in whichever process loads it."""

from __future__ import annotations

import errno
import gc
import json
import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import threadpoolctl

import harness
from harness.errors import ArtifactChanged
from harness.measure import artifact_digests, pool, scoring_child
from harness.measure import worker as worker_module
from harness.measure.construction import Construction
from harness.measure.pool import Built, Launch
from harness.measure.scoring import Scoring
from harness.plan.specification import OfferReference, Specification
from harness.plan.sweep import Cell
from harness.process.child import ChildFailed
from harness.process.failure import CHANGED, Failure
from harness.suite.schema import Measurement

EXECUTED: list[str] = []


class Planted:
    """What a stranger puts in place of a file that is unpickled."""

    def __reduce__(self):
        return EXECUTED.append, ("planted",)


class Loaded(harness.Compiled):
    def __init__(self, matrix):
        self.matrix = matrix

    def __call__(self, prepared):
        return prepared @ self.matrix


class Pickles:
    """A runtime whose artifact is code as soon as it is loaded, like a compiled package."""

    name = "pickles"
    precision = "float32"
    imports = ()

    def load(self, folder, context):
        for each in sorted(folder.iterdir()):
            matrix = pickle.loads(each.read_bytes())
        return Loaded(matrix)


SPECIFICATION = Specification(
    contender="c",
    source=OfferReference(kind="source", name="s", plugin="x"),
    projector=OfferReference(kind="projector", name="p", plugin="x"),
    runtime=OfferReference(kind="runtime", name="pickles", plugin="x"),
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An artifact with inputs and references, as a builder leaves it; EXECUTED tells what ran meanwhile."""
    monkeypatch.setattr(Construction, "runtime", lambda *_: Pickles())
    monkeypatch.setattr(Construction, "rebuild", lambda *_: None)
    EXECUTED.clear()
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact" / "module.pt2").write_bytes(pickle.dumps(np.eye(4, dtype=np.float32)))
    batches = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    np.save(tmp_path / "inputs-3.npy", batches)
    np.save(tmp_path / "reference-3.npy", batches.astype(np.float64))
    (tmp_path / "proof-3").write_text("formula")
    with threadpoolctl.threadpool_limits(1):
        yield tmp_path
    gc.unfreeze()
    gc.enable()


def worker():
    how = Measurement(min_sample_seconds=0.0005, max_warm_up_seconds=0.05).model_dump(mode="json")
    settings = {"specification": SPECIFICATION.to_json(), "measurement": how, "last_level_cache_bytes": 2**20}
    return worker_module.Worker(settings)


def asked(place, files):
    return {"place": str(place), "heads": 4, "batch_size": 3, "files": files}


def test_an_artifact_is_loaded_as_it_was_built(place):
    assert worker().ready(asked(place, artifact_digests.digests(place)))["parity_error"] < 1e-6


@pytest.mark.parametrize("planted", ["module.pt2", "another name"])
def test_a_file_that_was_swapped_after_the_builder_looked_is_not_loaded_by_a_worker(place, planted):
    files = artifact_digests.digests(place)
    target = place / "artifact" / "module.pt2"
    payload = pickle.dumps(Planted())
    if planted == "module.pt2":
        target.write_bytes(payload)
    else:  # the same name, led elsewhere
        (place / "elsewhere").write_bytes(payload)
        target.unlink()
        target.symlink_to(place / "elsewhere")
    with pytest.raises(ArtifactChanged, match=r"artifact/module\.pt2 is not the file that was built") as caught:
        worker().ready(asked(place, files))
    assert "harness cache clear" in caught.value.next_step
    assert EXECUTED == []


@pytest.mark.parametrize("name", ["inputs-3.npy", "reference-3.npy", "proof-3"])
def test_nor_are_inputs_and_references_that_were_swapped(place, name):
    files = artifact_digests.digests(place)
    (place / name).write_bytes(b"other")
    with pytest.raises(ArtifactChanged, match=name):
        worker().ready(asked(place, files))


@pytest.mark.parametrize("lacking", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_file_has_not_changed_where_none_can_be_opened(place, monkeypatch, lacking):
    files = artifact_digests.digests(place)

    def refused(*_, **__):
        raise OSError(lacking, os.strerror(lacking))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(OSError, match=os.strerror(lacking)):
        artifact_digests.verify(place, files)


def test_a_file_that_is_gone_or_a_folder_is_told(place):
    files = artifact_digests.digests(place)
    (place / "artifact" / "module.pt2").unlink()
    with pytest.raises(ArtifactChanged):
        worker().ready(asked(place, files))
    (place / "artifact" / "module.pt2").mkdir()
    with pytest.raises(ArtifactChanged):
        worker().ready(asked(place, files))


def test_the_process_that_scores_does_not_load_one_either(place):
    files = artifact_digests.digests(place)
    (place / "artifact" / "module.pt2").write_bytes(pickle.dumps(Planted()))
    request = {**asked(place, files), "specification": SPECIFICATION.to_json(), "queries": "", "outputs": ""}
    with pytest.raises(ArtifactChanged):
        scoring_child.ScoringChild({}).project(request)
    assert EXECUTED == []


class Workshop:
    """A builder that builds again what it is told to forget."""

    def __init__(self, place):
        self.place, self.times, self.known = place, 0, None

    def built(self, contender, heads):
        if self.known is None:
            self.times += 1
            (self.place / "artifact" / "module.pt2").write_bytes(pickle.dumps(np.eye(4, dtype=np.float32)))
            self.known = Built(
                place=str(self.place), heads=heads, model_bytes=0, build_seconds=0.0, cached=True, costs={}, proofs={},
                files=artifact_digests.digests(self.place),
            )  # fmt: skip
        return self.known

    def forget(self, contender, heads):
        self.known = None


class InHere:
    """A worker's process that is this one."""

    process_id, alive = 1, True

    def __init__(self, *_, environment=None):
        self.worker, self.request = worker(), {}

    def send(self, request, *, stage):
        self.request = request

    def receive(self, *, stage, deadline, within=None):
        try:
            return json.loads(json.dumps(self.worker.operations()[self.request["do"]](self.request)))
        except ArtifactChanged as error:
            failure = Failure(stage=stage, kind=CHANGED, what=str(error))
            raise ChildFailed(failure, alive=True) from None

    def close(self, patience=0.0):
        pass


def launched(workshop, monkeypatch):
    monkeypatch.setattr(pool, "Child", InHere)
    how = Measurement(min_sample_seconds=0.0005, max_warm_up_seconds=0.05)
    return Launch(1, workshop=workshop, specifications={"c": SPECIFICATION}, how=how, settings={})


def test_what_was_swapped_is_built_again_and_measured(place, monkeypatch):
    workshop = Workshop(place)
    workshop.built("c", 4)
    (place / "artifact" / "module.pt2").write_bytes(pickle.dumps(Planted()))
    participant = launched(workshop, monkeypatch).participant(Cell(contender="c", heads=4, batch_size=3))
    assert participant.info["parity_error"] < 1e-6
    assert workshop.times == 2
    assert EXECUTED == []


def test_what_is_swapped_again_and_again_fails_with_the_file(place, monkeypatch):
    workshop = Workshop(place)
    honest = workshop.built

    def swapped(contender, heads):
        found = honest(contender, heads)
        (place / "artifact" / "module.pt2").write_bytes(pickle.dumps(Planted()))
        return found

    workshop.built = swapped
    with pytest.raises(ChildFailed, match=r"artifact/module\.pt2 is not the file that was built"):
        launched(workshop, monkeypatch).participant(Cell(contender="c", heads=4, batch_size=3))
    assert EXECUTED == []


def test_scoring_has_it_built_again(monkeypatch):
    wanted = []

    class Told:
        def ask(self, request, *, stage):
            wanted.append(request["do"])
            lies = {"place": "/x", "heads": 4, "batch_size": 1, "files": {"artifact/a": str(len(wanted))}}
            return {**lies, "parameters": 1} if request["do"] == "hold_out" else {"scores": {"mean_cosine": 1.0}}

    def ask(request, *, stage, deadline):
        if request["files"] == {"artifact/a": "1"}:
            raise ChildFailed(Failure(stage=stage, kind=CHANGED, what="it is another"), alive=True)
        return {}

    scoring = Scoring(Told(), {}, 1.0)
    monkeypatch.setattr(scoring, "_running", lambda _: SimpleNamespace(ask=ask))
    assert scoring.score(SPECIFICATION, 4, [1])["scores"] == {"mean_cosine": 1.0}
    assert wanted == ["hold_out", "hold_out", "score"]

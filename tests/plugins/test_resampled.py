from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import harness
from harness_plugins import resampled
from harness_plugins.resampled import ResampledSource
from harness_plugins.sources import PlaybookSource


@pytest.fixture
def context(tmp_path):
    def load(name, options, heads):
        assert name == "playbook"
        return (
            PlaybookSource().with_options(options).load(heads, harness.SourceContext(folder=tmp_path, cache=tmp_path))
        )

    return harness.SourceContext(folder=tmp_path, cache=tmp_path / "cache", load=load)


def test_heads_are_nested_across_files_and_calls(context):
    small, large = ResampledSource().load(300, context), ResampledSource().load(5000, context)
    assert (small.heads.count, large.heads.count) == (300, 5000)
    np.testing.assert_array_equal(large.heads.centroids[:300], small.heads.centroids)
    np.testing.assert_array_equal(large.heads.answers[:300], small.heads.answers)
    assert len(np.unique(large.heads.centroids, axis=0)) == 5000


def test_arrays_are_mapped_from_files_that_are_drawn_once(context, monkeypatch):
    first = ResampledSource().load(300, context)
    assert isinstance(first.heads.centroids, np.memmap)
    assert len(list(context.cache.glob("*.npy"))) == 2
    monkeypatch.setattr(resampled, "_draw", None)
    again = ResampledSource().with_options({"temperature": 0.02, "train_queries": 64}).load(4096, context)
    np.testing.assert_array_equal(again.heads.centroids[:300], first.heads.centroids)
    assert (again.heads.temperature, len(again.train_queries)) == (0.02, 64)


def test_another_process_draws_the_same(context, tmp_path):
    here = ResampledSource().load(64, context)
    code = (
        "import sys, pathlib, harness; from harness_plugins import resampled, sources\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "inner = harness.SourceContext(folder=folder, cache=folder)\n"
        "load = lambda name, options, heads: sources.PlaybookSource().with_options(options).load(heads, inner)\n"
        "context = harness.SourceContext(folder=folder, cache=folder / 'other', load=load)\n"
        "data = resampled.ResampledSource().load(64, context)\n"
        "print(data.heads.centroids.tobytes().hex()[:4000], data.provenance.digest)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [here.heads.centroids.tobytes().hex()[:4000], here.provenance.digest]


def test_the_seed_changes_everything(context):
    import dataclasses

    one, two = (ResampledSource().load(20, dataclasses.replace(context, seed=seed)) for seed in (0, 1))
    assert not np.array_equal(one.heads.centroids, two.heads.centroids)
    assert one.provenance.digest != two.provenance.digest


def test_queries_are_distinct_and_never_shared_between_the_parts(context):
    data = ResampledSource().load(256, context)
    queries = np.concatenate([data.train_queries, data.held_out_queries])
    assert queries.shape == (2048 + 512, 384)
    assert len(np.unique(queries, axis=0)) == len(queries)
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, rtol=1e-5)


def test_it_resembles_what_it_is_drawn_from(context):
    real = PlaybookSource().load(None, context)
    drawn = ResampledSource().load(real.heads.count, context)

    def nearest(data):
        return float((data.held_out_queries @ np.asarray(data.heads.centroids).T).max(axis=1).mean())

    assert nearest(drawn) == pytest.approx(nearest(real), abs=0.2)
    # Every topic has its turn: each real centroid is the nearest of exactly one of as many new heads.
    owners = (np.asarray(drawn.heads.centroids) @ real.heads.centroids.T).argmax(axis=1)
    assert len(set(owners.tolist())) > 0.9 * real.heads.count


def test_limits_and_words(context):
    assert ResampledSource().limit(context) == 2**20
    with pytest.raises(harness.DataError, match="2000000 heads are asked for, resampled draws 1 to 1048576"):
        ResampledSource().load(2_000_000, context)
    assert ResampledSource().load(None, context).provenance.kind == "resampled"
    with pytest.raises(harness.DataError, match="resampled: another source cannot be loaded from here"):
        ResampledSource().load(2, harness.SourceContext(folder=context.folder, cache=context.cache))

from __future__ import annotations

import numpy as np
import pytest

from harness_plugins import database, inspection
from tests.command_line import called
from tests.plugins.test_unreadable import run


def test_every_projection_of_a_database_is_shown(lda_database):
    path = lda_database[0]
    told = inspection.lines(path)
    assert told[0] == "lda.db holds 2 projections"
    for projection, temperature in (("1 ('cool')", "0.1"), ("2 ('warm')", "1")):
        place = told.index(f"projection {projection} of lda.db")
        assert told[place + 1] == f"  N = 5 heads, D = 32, K = 24, T = {temperature}"
        assert told[place + 2] == "  20 queries, 0 of them repeat another one"
    assert told.count("  queries of a head: 4 to 4") == 2
    assert len(inspection.lines(path, "1")) < len(told)


def test_a_projection_that_cannot_be_used_does_not_hide_the_others(lda_database):
    path = lda_database[0]
    run(path, "UPDATE cluster_heads SET centroid_path = NULL WHERE head_id = 12")
    told = inspection.lines(path)
    assert any(line.startswith("projection 1 cannot be used: ") and "head_id 12" in line for line in told)
    assert "projection 2 ('warm') of lda.db" in told


def test_what_is_odd_is_noted(tmp_path, make_heads, queries):
    heads = make_heads(4)
    heads.answers[2] = heads.answers[0]
    odd = np.concatenate([queries, queries[:3], np.zeros((1, heads.width), np.float32)])
    database.write_archive(tmp_path / "h.npz", heads, odd)
    told = inspection.lines(tmp_path / "h.npz")
    assert "  44 queries, 3 of them repeat another one" in told
    assert any(line.startswith("  note: 1 queries are zero vectors") for line in told)
    assert "  note: 1 of the answers repeat another one" in told


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_effective_heads_are_those_of_the_report(temperature, make_heads, queries):
    from harness.measure import fidelity

    heads = make_heads(9, temperature=temperature)
    wanted = fidelity.effective_heads(fidelity.weights(queries, heads.centroids, temperature))
    assert inspection.effective_heads(heads, queries) == pytest.approx(wanted, rel=1e-5)


def test_the_command_prints_it_and_leaves_with_the_code_of_what_is_wrong(tmp_path, make_heads):
    database.write_archive(tmp_path / "-h.npz", make_heads(3))
    done = called("heads", "show", "--temperature", "0.5", "--", "-h.npz", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "  N = 3 heads, D = 32, K = 24, T = 0.5\n  no queries; `harness distill` needs some" in done.stdout
    missing = called("heads", "show", "gone.db", cwd=tmp_path)
    assert missing.returncode == 2
    assert missing.stderr == ("error: gone.db: there is no such file; give the path of an lda.db or an .npz file\n")

from __future__ import annotations

import numpy as np
import pytest

from harness.records.measurement import Fidelity
from harness_plugins import student_choice as choosing

BY = "by mean cosine on 40 held-out queries, against the teacher: "
COMMAND = "harness distill --db h.npz"


def scored(contender, cosine, top1=0.5, *, temperature=0.1, effective=2.0, spread=0.0, recall=None):
    """One record, whose queries lie `spread` apart."""
    per_query = tuple(cosine + spread * np.resize([-1, 1], 40))
    scores = {"mean_cosine": cosine, "top1_agreement": top1, **({"recall_at_5": recall} if recall else {})}
    return Fidelity(
        contender=contender, heads=18, temperature=temperature, seed=0, scores=scores, queries=40,
        effective_heads=effective, per_query={"mean_cosine": per_query},
    )  # fmt: skip


def test_the_best_is_named_beside_the_trivial_ones_and_what_to_type_next():
    found = choosing.choose(
        [scored("documented", 0.88), scored("routed", 0.99), scored("linear", 0.92), scored("constant", 0.5)],
        "cosine",
        COMMAND,
    )
    assert found.best == "routed"
    assert found.lines == (
        f"{BY}routed 0.9900, linear 0.9200, documented 0.8800, constant 0.5000",
        "the best is routed; the best of the trivial ones, linear, has 0.9200",
        "next: harness distill --db h.npz --student routed --save routed.safetensors",
    )


def test_where_a_linear_map_wins_no_loser_is_called_a_result():
    found = choosing.choose([scored("documented", 0.9317), scored("linear", 0.9944)], "cosine", COMMAND)
    assert found.best == "linear"
    assert found.lines[1] == (
        "the best is linear, a linear map, fitted in closed form: no other student (documented) is better"
    )
    assert found.lines[-1] == "next: harness distill --db h.npz --student linear --save linear.safetensors"
    saved = choosing.choose([scored("documented", 0.9317), scored("linear", 0.9944)], "cosine", COMMAND, saved=True)
    assert saved.lines == found.lines[:-1]


@pytest.mark.parametrize("command", [COMMAND, f"{COMMAND} --temperature 1 --seeds 3"])
def test_where_a_constant_wins_there_is_nothing_to_distil(command):
    records = [
        scored("documented", 0.93, temperature=1.0, effective=17.6),
        scored("constant", 0.9944, temperature=1.0, effective=17.6),
    ]
    found = choosing.choose(records, "cosine", command)
    assert found.lines[1] == (
        "no student is better than a constant: at T = 1 the teacher's output hardly depends on the query "
        "(effective heads 17.6 of 18), so there is nothing to distil"
    )
    rest = " --seeds 3" if "seeds" in command else ""
    assert found.lines[2] == f"next: harness distill --db h.npz{rest} --temperature 0.1"
    assert choosing.choose(records, "cosine", command, saved=True) == found


def test_the_score_decides_and_the_others_are_told():
    records = [scored("residual", 0.964, 0.605), scored("linear", 0.920, 0.688), scored("identity", 0.46, 0.744)]
    assert choosing.choose(records, "cosine", COMMAND).lines[-1] == (
        "by top-1 agreement identity leads, 0.7440 against 0.6050: choose by it with --score top1"
    )
    found = choosing.choose(records, "top1", COMMAND)
    assert found.best == "identity"
    assert found.lines[1] == "the best is identity, the query itself: no other student (residual) is better"
    assert found.lines[-1].startswith("by mean cosine residual leads, 0.9640 against 0.4600")


def test_few_heads_have_a_recall_of_fewer_answers():
    records = [scored("routed", 0.9, recall=0.8), scored("linear", 0.95, recall=0.7)]
    found = choosing.choose(records, "recall", COMMAND)
    assert found.lines[0].startswith("by recall@5 on 40 held-out queries, against the teacher: routed 0.8000, linear")


@pytest.mark.parametrize(("spread", "told"), [(0.0, False), (0.2, True)])
def test_a_lead_that_so_few_queries_cannot_show_is_called_that(spread, told):
    records = [scored("routed", 0.951, spread=spread), scored("linear", 0.950)]
    lines = choosing.choose(records, "cosine", COMMAND).lines
    assert ("the lead over linear is within what so few held-out queries can show" in lines) is told


def test_one_query_decides_nothing():
    records = [
        scored(each, value).model_copy(update={"queries": 1}) for each, value in (("linear", 0.9), ("routed", 0.1))
    ]
    assert (
        "the lead over routed is within what so few held-out queries can show"
        in choosing.choose(records, "cosine", COMMAND).lines
    )


def test_nothing_scored_is_nothing_chosen():
    assert choosing.choose([], "cosine", COMMAND) == choosing.Choice(best="", lines=("no student could be scored",))

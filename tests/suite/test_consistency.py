"""What a suite contradicts itself in, one contradiction at a time, each with its place and what to write instead."""

from __future__ import annotations

import copy

import pytest

from harness.suite.consistency import contradictions

SOUND = {
    "heads": {"from": 4, "to": 1024, "points": 5},  # 4, 16, 64, 256, 1024
    "batch_sizes": [1, 32],
    "contenders": {"one": {"projector": "lda"}, "two": {"projector": "mlp"}, "three": {"projector": "mlp"}},
    "races": [{"name": "best", "baseline": "one", "challenger": "two"}],
    "relative_to": {"one": ["two", "three"]},
    "documented": {
        "figures": [{"race": "best", "batch_size": 32, "heads": 18, "slowdown": 2.0}],
        "latencies": [{"contender": "one"}],
        "scores": [{"projector": "mlp", "scores": {"skill": 0.5}}],
        "fidelity": {"mean_cosine": 0.9},
    },
    "waterfall": {"steps": [{"race": "best", "batch_size": 1}]},
}
CONTENDERS = "choose from one, two, three"


def changed(path, value):
    """The sound suite with one part put in or replaced."""
    suite = copy.deepcopy(SOUND)
    here = suite
    for step in path[:-1]:
        here = here[step]
    if isinstance(here, list) and path[-1] == len(here):
        here.append(value)
    else:
        here[path[-1]] = value
    return suite


def found(suite):
    return [(each.path, each.what, each.hint) for each in contradictions(suite)]


def test_a_sound_suite_contradicts_itself_nowhere():
    assert found(SOUND) == []


RACE = ("races", 0)
SHORT = {"from": 4, "to": 16}
FAR = {"from": 2000, "to": 3000}


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("batch_sizes",), [1, 32, 1], (("batch_sizes", 2), "1 is listed twice", "keep one of them")),
        (("training_seeds",), [0, 0], (("training_seeds", 1), "0 is listed twice", "keep one of them")),
        ((*RACE, "batch_sizes"), [32, 32], ((*RACE, "batch_sizes", 1), "32 is listed twice", "keep one of them")),
        ((*RACE, "baseline"), "onne", ((*RACE, "baseline"), "no contender 'onne'", "did you mean 'one'?")),
        ((*RACE, "challenger"), "x", ((*RACE, "challenger"), "no contender 'x'", CONTENDERS)),
        (
            (*RACE, "challenger"), "one",
            ((*RACE, "challenger"), "'one' cannot race itself", "`harness doctor` does that"),
        ),
        (
            (*RACE, "requires"), {},
            ((*RACE, "requires"), "requires nothing", "give cosine, top1_agreement, recall_at_10 or skill"),
        ),
        (
            (*RACE, "heads"), {"from": 2000, "to": 2000},
            ((*RACE, "heads"), "a crossover cannot be located at N = 2,000 alone", "give a range, `from` below `to`"),
        ),
        (
            ("races", 1), {"name": "best", "baseline": "two", "challenger": "three"},
            (("races", 1, "name"), "races[0] is already called 'best'", "rename one of them"),
        ),
        (
            ("contenders", "two"), {"projector": "mlp", "batch_sizes": [8]},
            (RACE, "its contenders share no batch size", "widen `batch_sizes` of one of the contenders"),
        ),
        (("relative_to", "onne"), ["two"], (("relative_to", "onne"), "no contender 'onne'", "did you mean 'one'?")),
        (("relative_to", "one"), ["two", "x"], (("relative_to", "one", 1), "no contender 'x'", CONTENDERS)),
        (
            ("relative_to", "one"), ["one"],
            (("relative_to", "one"), "'one' cannot be relative to itself", "remove it from its own list"),
        ),
        (
            ("contenders", "three"), {"projector": "mlp", "heads": {"from": 17, "to": 60}},
            (("contenders", "three", "heads"), "its range contains no N of the sweep (4, 16, 64, 256, 1,024)",
             "widen one of the two ranges"),
        ),
        (
            ("documented", "figures", 0, "race"), "bes",
            (("documented", "figures", 0, "race"), "no race 'bes'", "did you mean 'best'?"),
        ),
        (
            ("documented", "figures", 0, "batch_size"), 8,
            (("documented", "figures", 0, "batch_size"), "the race 'best' is not run at batch 8", "it is run at 1, 32"),
        ),
        (
            ("documented", "figures", 0), {"race": "best", "batch_size": 1},
            (("documented", "figures", 0), "documents neither a slowdown nor a crossover",
             "give one of them, or both"),
        ),
        (
            ("documented", "figures", 0), {"race": "best", "batch_size": 1, "slowdown": 2.0},
            (("documented", "figures", 0, "heads"), "is missing: a slowdown was documented at some N", "give that N"),
        ),
        (
            ("documented", "fidelity"), {"mean_cosin": 0.9},
            (("documented", "fidelity", "mean_cosin"), "unknown key", "did you mean `mean_cosine`?"),
        ),
        (
            ("documented", "fidelity"), {"x": 0.9},
            (("documented", "fidelity", "x"), "unknown key",
             "known here: mean_cosine, min_cosine, std_cosine, max_cosine"),
        ),
        (
            ("documented", "latencies", 0), {"contender": "x"},
            (("documented", "latencies", 0, "contender"), "no contender 'x'", CONTENDERS),
        ),
        (
            ("documented", "scores", 0), {"scores": {}},
            (("documented", "scores", 0), "needs `contender` or `projector`",
             "give `contender`, or `projector` and perhaps `trainer`"),
        ),
        (
            ("documented", "scores", 0), {"contender": "two", "projector": "mlp"},
            (("documented", "scores", 0), "names both a contender and a projector",
             "give `contender`, or `projector` and perhaps `trainer`"),
        ),
        (
            ("documented", "scores", 0), {"contender": "two", "trainer": "distillation"},
            (("documented", "scores", 0, "trainer"), "goes with `projector` alone", "leave it out"),
        ),
        (
            ("documented", "scores", 0), {"contender": "two", "scores": {"skil": 1}},
            (("documented", "scores", 0, "scores", "skil"), "unknown key", "did you mean `skill`?"),
        ),
        (
            ("documented", "scores", 0), {"projector": "cnn"},
            (("documented", "scores", 0, "projector"), "no contender has the projector 'cnn'", "they have lda, mlp"),
        ),
        (
            ("waterfall", "steps", 0), {"race": "bes", "batch_size": 1},
            (("waterfall", "steps", 0, "race"), "no race 'bes'", "did you mean 'best'?"),
        ),
        (
            ("waterfall", "steps", 0), {"race": "best", "batch_size": 8},
            (("waterfall", "steps", 0, "batch_size"), "8 is not in the sweep", "choose from 1, 32"),
        ),
    ],
)  # fmt: skip
def test_one_contradiction_is_one_complaint(path, value, complaint):
    assert found(changed(path, value)) == [complaint]


def test_a_race_needs_a_range_that_all_share():
    apart = changed(("contenders", "two"), {"projector": "mlp", "heads": {"values": [2000, 3000]}})
    apart["races"][0]["heads"] = SHORT
    assert found(apart) == [
        (
            RACE,
            "no range of N is left to search: the race from 4 to 16, 'two' from 2,000 to 3,000",
            "let the ranges overlap",
        ),
    ]
    del apart["races"][0]["heads"]
    assert ("the sweep from 4 to 1,024, 'two' from 2,000 to 3,000") in found(apart)[0][1]
    touching = changed(("contenders", "two"), {"projector": "mlp", "heads": {"from": 1024, "to": 3000}})
    assert "no range of N is left to search" in found(touching)[0][1]  # one N alone is no range
    assert found(changed((*RACE, "heads"), FAR)) == []  # a race may leave the sweep


def test_a_contender_without_an_n_of_the_sweep_may_have_a_race_of_its_own():
    idle = changed(("contenders", "three"), {"projector": "mlp", "heads": FAR})
    assert [path for path, *_ in found(idle)] == [("contenders", "three", "heads")]
    idle["races"].append({"name": "far", "baseline": "one", "challenger": "three", "heads": FAR})
    assert found(idle) == []


@pytest.mark.parametrize("key", ["workload", "options", "setup", "equal"])
def test_functions_race_on_the_same_input(key):
    suite = {
        "contenders": {"f": {"function": "a:f", key: "this"}, "g": {"function": "a:g"}},
        "races": [{"name": "r", "baseline": "f", "challenger": "g"}],
    }
    assert found(suite) == [
        (
            ("races", 0),
            f"its contenders have different inputs: `{key}` is 'this' for 'f' and None for 'g'",
            "functions race on the same input",
        )
    ]
    suite["contenders"]["g"][key] = "this"
    assert found(suite) == []
    suite["contenders"]["g"] = {"projector": "lda", key: "other"}  # no function: it has no such input
    assert found(suite) == []


def test_the_batch_sizes_of_a_race_are_its_own_before_the_sweeps():
    suite = changed((*RACE, "batch_sizes"), [8])
    assert [path for path, *_ in found(suite)] == [("documented", "figures", 0, "batch_size")]
    del suite["documented"]
    assert found(suite) == []
    del suite["batch_sizes"], suite["waterfall"], suite["races"][0]["batch_sizes"]
    suite["waterfall"] = {"steps": [{"race": "best", "batch_size": 32}, {"race": "best", "batch_size": 2}]}
    assert [what for _, what, _ in found(suite)] == ["2 is not in the sweep"]  # 1 and 32 where none are given


@pytest.mark.parametrize(
    "wrong",
    [
        None, [], {"races": 3}, {"races": ["best"]}, {"contenders": ["one"]}, {"documented": {"figures": [1], "scores": [2]}},
        {"batch_sizes": 1, "heads": 18}, {"waterfall": {"steps": [3]}}, {"relative_to": ["one"]},
        {"batch_sizes": [True, True]}, {"contenders": {"one": None}, "heads": {"from": 9, "to": 2}},
    ],
)  # fmt: skip
def test_parts_of_a_wrong_type_are_left_to_validation(wrong):
    assert found(wrong) == []

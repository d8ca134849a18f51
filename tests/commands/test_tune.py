"""Thresholds as code, used where no harness is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from harness import dispatch
from harness.commands import tune as tuning
from harness.errors import UserError


def table(**more):
    change = {"heads": 780, "low": 700, "high": 850, "use": "fft", "confidence": 0.95, "reason": ""}
    entry = {"batch_size": 1, "below": "direct", "changes": [change]}
    return {"race": "conv", "baseline": "direct", "challenger": "fft", "entries": [entry], "mean_regret": 0.01, **more}


EVIDENCE = SimpleNamespace(run=SimpleNamespace(started="2026-01-01", machine={"cpu": "a cpu"}), located=())


def test_the_module_is_used_in_a_process_that_has_no_harness(tmp_path):
    (tmp_path / "thresholds.py").write_text(tuning.written(table(), EVIDENCE, "python"))
    code = "import sys, thresholds; print(thresholds.choose(779), thresholds.choose(780, 1), 'harness' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout.split() == ["direct", "fft", "False"]


def test_the_same_choice_is_loaded_from_a_run_and_from_the_json_form(tmp_path):
    (tmp_path / "dispatch.json").write_text(json.dumps({"schema_version": 1, "races": [table()]}))
    (tmp_path / "own.json").write_text(tuning.written(table(), EVIDENCE, "json"))
    for choose in (
        dispatch.load(tmp_path),
        dispatch.load(tmp_path / "own.json"),
        tuning.imported(tmp_path / "own.json"),
    ):
        assert [choose(n, 1) for n in (1, 779, 780, 10**6)] == ["direct", "direct", "fft", "fft"]


def test_between_batch_sizes_the_nearest_decides():
    entries = [{"batch_size": size, "below": use, "changes": []} for size, use in ((1, "direct"), (64, "fft"))]
    choose = dispatch.dispatcher(table(entries=entries))
    assert [choose(5, batch) for batch in (1, 7, 9, 64)] == ["direct", "direct", "fft", "fft"]


def test_the_header_names_the_threshold_and_what_it_rests_on():
    text = tuning.written(table(), EVIDENCE, "c-header")
    assert '#define CONV_THRESHOLD 780\n#define CONV_FROM_THRESHOLD "fft"' in text
    assert "machine: a cpu" in text


def test_a_form_that_is_not_known_is_told():
    with pytest.raises(UserError, match="--to yaml is not known; write one of python, json, c-header, onnx"):
        tuning.written(table(), EVIDENCE, "yaml")
    with pytest.raises(UserError, match="has no decision"):
        dispatch.dispatcher(table(entries=[{"batch_size": 1, "below": None, "changes": []}]))


def test_a_threshold_that_costs_too_much_today_is_found(monkeypatch):
    probe = {"log_ratio": 0.4, "low": 0.3, "high": 0.5}
    probes = [SimpleNamespace(heads=500, **probe), SimpleNamespace(heads=900, **probe)]
    case = SimpleNamespace(race="conv", baseline="direct", challenger="fft", batch_size=1)
    monkeypatch.setattr(tuning, "load", lambda _: [SimpleNamespace(case=case, location=SimpleNamespace(probes=probes))])
    (found,) = tuning.losses(dispatch.dispatcher(table()), table(), EVIDENCE, 0.05)
    assert (found.heads, found.chosen, found.faster) == (500, "direct", "fft")
    assert not tuning.losses(dispatch.dispatcher(table()), table(), EVIDENCE, 0.5)


def test_a_race_whose_name_begins_with_a_digit_has_a_header_that_compiles():
    assert "#define RACE_3D_CONV_THRESHOLD 780" in tuning.written(table(race="3d-conv"), EVIDENCE, "c-header")


UNUSABLE = {
    "absent.py": (
        None,
        "absent.py: it cannot be read: No such file or directory; name what `harness tune --to python`",
    ),
    "wrong.py": ("def choose(n:", "wrong.py: it cannot be imported: SyntaxError"),
    "raises.py": ("1 / 0", "raises.py: it cannot be imported: ZeroDivisionError: division by zero"),
    "without.py": ("value = 3", "without.py has no function `choose`; name what"),
    "wrong.json": ("{", "wrong.json: it holds no thresholds; name"),
    "other.json": ("{}", "other.json: it holds no thresholds; name"),
    "header.h": ("#define A_THRESHOLD 3", "header.h has no function `choose`"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_is_no_threshold_is_told(tmp_path, name):
    text, sentence = UNUSABLE[name]
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as caught:
        tuning.imported(tmp_path / name)
    assert sentence in str(caught.value).replace(f"{tmp_path}/", "")


def test_thresholds_hold_only_where_something_was_timed(monkeypatch):
    case = SimpleNamespace(race="conv", baseline="direct", challenger="fft", batch_size=1)
    nothing = SimpleNamespace(case=case, location=SimpleNamespace(probes=[]))
    monkeypatch.setattr(tuning, "load", lambda _: [nothing])
    with pytest.raises(UserError, match="the run has timed nothing of the race 'conv'; run it again with more time"):
        tuning.losses(dispatch.dispatcher(table()), table(), EVIDENCE, 0.05)


def test_a_module_of_another_race_and_one_that_fails_are_told(monkeypatch):
    case = SimpleNamespace(race="conv", baseline="direct", challenger="fft", batch_size=1)
    probe = SimpleNamespace(heads=500, log_ratio=0.4, low=0.3, high=0.5)
    seen = SimpleNamespace(case=case, location=SimpleNamespace(probes=[probe]))
    monkeypatch.setattr(tuning, "load", lambda _: [seen])
    with pytest.raises(UserError, match=r"chooses 'set', which is not in the race 'conv'; name the race .* --race"):
        tuning.losses(lambda n, batch: "set", table(), EVIDENCE, 0.05)
    with pytest.raises(UserError, match="`choose` fails at n = 500, batch 1: TypeError"):
        tuning.losses(lambda n: "fft", table(), EVIDENCE, 0.05)


def test_n_that_were_not_decided_are_named_with_the_threshold():
    entries = [{**table()["entries"][0], "undecided": [[216, 1552]]}]
    assert "batch 1: not decided from n = 216 to 1552" in tuning.figures(table(entries=entries), EVIDENCE)

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import SuiteError
from harness.plan.check import check_suite
from harness.suite.loading import load

BAD = sorted(Path(__file__).parents[1].joinpath("fixtures", "suites").glob("*.yaml"))
GOOD = """
name: good
source: {use: playbook}
heads: {from: 18, to: 1e3, points: 3}
contenders:
  lda: {projector: lda, runtime: eager}
  loop: {projector: lda-loop, runtime: python}
  student: {projector: transformer, runtime: eager}
races:
  - {name: loop, baseline: loop, challenger: student}
  - {name: fair, baseline: lda, challenger: student}
documented:
  source: a paper
  figures: [{race: loop, batch_size: 1, crossover: 400}]
"""


def expected(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]


def problems(path: Path | None = None, **arguments) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        check_suite(load(path, **arguments))
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("path", BAD, ids=[path.stem for path in BAD])
def test_every_problem_of_a_bad_suite_is_told_with_its_line(path, answered_here, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    relative = path.relative_to(Path.cwd())
    told, wanted = sorted(problems(relative)), sorted(f"{relative}:{sentence}" for sentence in expected(path))
    for number, sentence in enumerate(wanted):
        if sentence.endswith("…") and len(told) == len(wanted):  # what follows depends on the plugins that there are
            told[number] = told[number][: len(sentence) - 1] + "…"
    assert told == wanted


def test_there_are_enough_bad_suites():
    assert len(BAD) >= 25
    assert all(expected(path) for path in BAD)


def test_problems_come_in_the_order_of_the_file(answered_here):
    lines = [int(each.split(":")[1]) for each in problems(next(path for path in BAD if path.stem == "wrong-types"))]
    assert lines == sorted(lines)


def test_the_exit_code_of_a_bad_suite_is_two():
    with pytest.raises(SuiteError) as caught:
        load(None, text="name: x")
    assert caught.value.exit_code == 2


def test_a_missing_file_names_its_neighbour(tmp_path):
    (tmp_path / "crossover.yaml").write_text("name: x")
    assert problems(tmp_path / "crosover.yaml") == [
        f"{tmp_path / 'crosover.yaml'}: there is no such file; did you mean 'crossover.yaml'?"
    ]


def test_a_folder_in_place_of_a_file_has_no_line(tmp_path):
    assert problems(tmp_path) == [f"{tmp_path}: is a folder; name a suite file in it"]


def test_a_file_of_another_encoding_is_told(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"name: caf\xe9\n")
    assert problems(path) == [f"{path}:1: suite: is not UTF-8 text: invalid continuation byte at byte 9"]


def test_numbers_may_be_written_as_people_write_them():
    assert load(None, text=GOOD).suite.heads.grid() == (18, 134, 1000)


def test_aliases_and_merge_keys_are_plain_yaml():
    text = GOOD + "measurement: &base {launches: 4}\nsearch: {<<: {precision: 0.1}, confidence: 0.9}\n"
    suite = load(None, text=text).suite
    assert (suite.measurement.launches, suite.search.precision, suite.search.confidence) == (4, 0.1, 0.9)


# ---------------------------------------------------------------------------------------------------------- overrides


def test_overrides_replace_values_at_dotted_paths():
    suite = load(
        None, text=GOOD, overrides=["heads.to=2k", "races[1].heads={from: 20, to: 40}", "search.method=grid"]
    ).suite
    assert suite.heads.high == 2000
    assert suite.races[1].heads.low == 20
    assert suite.search.method == "grid"


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("heads.to=3", "--set heads.to: the range from 18 to 3 is empty: `from` must not exceed `to`"),
        ("heads.too=3", "--set heads.too: unknown key; did you mean `to`?"),
        ("races[7].name=x", "--set races[7].name: races has 2 items, numbered from 0"),
        ("name.first=x", "--set name.first: name is not a mapping"),
        ("threads=zero", "--set threads: 'zero' is not a whole number; write it as 6400, 6.4k or 1e6"),
        ("races[0].baseline=lad", "--set races[0].baseline: no contender 'lad'; did you mean 'lda'?"),
        ("heads", "--set heads: is not an assignment; write --set key=value, such as races[0].heads.to=1024"),
        ("heads.to=[", ("--set heads.to: not YAML: while parsing a flow node, expected the node content, but found "
         "'<stream end>'; write --set key=value, such as races[0].heads.to=1024")),
    ],
)  # fmt: skip
def test_a_wrong_override_is_told_as_one(override, sentence):
    assert problems(None, text=GOOD, overrides=[override]) == [sentence]


# --------------------------------------------------------------------------------------------------------------- only


def test_only_keeps_contenders_and_says_which_races_that_drops():
    loaded = load(None, text=GOOD, only=["lda", "student"])
    assert list(loaded.suite.contenders) == ["lda", "student"]
    assert [race.name for race in loaded.suite.races] == ["fair"]
    assert loaded.suite.documented is None
    assert loaded.notes == ("the race 'loop' is left out: it needs 'loop'",)


def test_only_keeps_what_is_documented_about_those_it_keeps():
    text = f"""{GOOD}
  latencies:
    - {{contender: loop, heads: 18, batch_size: 1, milliseconds_per_query: 0.046}}
    - {{contender: lda, heads: 18, batch_size: 1, milliseconds_per_query: 0.046}}
  scores:
    - {{contender: student, heads: 18, temperature: 1, scores: {{mean_cosine: 0.99}}}}
    - {{projector: transformer, heads: 18, temperature: 1, scores: {{mean_cosine: 0.99}}}}
"""
    documented = load(None, text=text, only=["lda"]).suite.documented
    assert [each.contender for each in documented.latencies] == ["lda"]
    assert [each.projector for each in documented.scores] == ["transformer"]
    assert documented.figures == ()


def test_only_names_contenders():
    assert problems(None, text=GOOD, only=["studnt"]) == [
        "--only studnt: no contender 'studnt'; did you mean 'student'?"
    ]


def test_a_suite_behind_a_symbolic_link_is_checked_and_run_in_its_own_folder(tmp_path):
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    (own / "mine.py").write_text("")
    (own / "suite.yaml").write_text(f"{GOOD}plugins: [mine.py]\n")
    (other / "link.yaml").symlink_to(own / "suite.yaml")
    assert load(other / "link.yaml").plugin_files == (own / "mine.py",)
    (other / "mine.py").write_text("")  # what lies beside the link is another file, and is not checked in its place
    (own / "mine.py").unlink()
    with pytest.raises(SuiteError, match=f"there is no file 'mine.py' in {own}"):
        load(other / "link.yaml")

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from harness.suite import reference
from harness.suite.loading import load

ROOT = Path(__file__).parents[2]
SUITES = sorted(ROOT.joinpath("suites").glob("*.yaml"))
AGAIN = "run `python -m harness.suite.reference` in the checkout"


def test_the_page_is_up_to_date():
    for page in (reference.README, reference.PAGE):
        assert (ROOT / page).read_text(encoding="utf-8") == reference.markdown(), AGAIN


def test_the_json_schema_is_up_to_date():
    assert (ROOT / reference.JSON_SCHEMA).read_text(encoding="utf-8") == reference.json_schema(), AGAIN


def test_every_key_says_what_it_means():
    unexplained = [line for line in reference.markdown().splitlines() if re.fullmatch(r"\| `.*` \|.*\|\s*\|", line)]
    assert unexplained == []


def test_the_example_is_a_valid_suite():
    example = re.search(r"```yaml\n(name: .*?)```", reference.markdown(), re.DOTALL)[1]
    assert load(None, text=example).suite.name == "example"


@pytest.mark.parametrize("path", SUITES, ids=[path.stem for path in SUITES])
def test_the_json_schema_accepts_the_suites_that_are_shipped(path):
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), json.loads(reference.json_schema()))


def test_the_json_schema_refuses_what_the_loader_refuses():
    bad = {"name": "x", "source": {"use": "playbook"}, "heads": {"from": 0, "to": 3}, "contenders": {}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(bad, json.loads(reference.json_schema()))


@pytest.mark.parametrize("path", SUITES, ids=[path.stem for path in SUITES])
def test_the_suites_that_are_shipped_are_valid(path):
    assert load(path).suite.name == path.stem

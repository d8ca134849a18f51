"""Hostile suites: the project's own, with values, lines and bytes exchanged; read, checked, shown and recorded."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import yaml

from harness.cli.output import say
from harness.plan.check import check_suite
from harness.plugin.inspection import Listing, Question
from harness.plugin.inspection_child import answer
from harness.plugin.manager import Catalog
from harness.records.measurement import RunInfo
from harness.report import plan
from harness.suite import loading
from tests.fuzz.hostile import JSON, YAML, changed, damaged
from tests.fuzz.judging import Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

_SET = ("heads.to", "seed", "measurement.deadline_seconds", "races[0].heads", "[0]", "a.b")
_ROOT = Path(__file__).parents[2]
_VALUE = re.compile(r"(?<=[:\-,\[{] )[^\s,\[\]{}#][^,\[\]{}#\n]*")


def _silent(plugin: str, action: str, label: str = "") -> None:
    """Is told what is being asked, and keeps it to itself."""


@cache
def catalog() -> Catalog:
    """The built-in plugins, loaded once."""
    return Catalog.load([])


@cache
def seeds() -> tuple[str, ...]:
    """The suites that mutations begin with."""
    return tuple(each.read_text() for each in sorted((_ROOT / "suites").glob("*.yaml")))


def write(random: Random, folder: Path) -> None:
    """suite.yaml."""
    text = random.choice(seeds())
    if random.random() < 0.35:
        try:
            data = changed(random, yaml.safe_load(text), random.choice((1, 1, 2, 4)))
            text = yaml.safe_dump(data, sort_keys=False, allow_unicode=random.random() < 0.5)
        except (yaml.YAMLError, RecursionError, ValueError):
            text = text.replace("a", random.choice(YAML), 1)
    else:
        if random.random() < 0.1:
            text += f"\nplugins: [{random.choice(YAML)}]\n"
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            places = list(_VALUE.finditer(text))
            value = random.choice(YAML)
            if places and random.random() < 0.85:
                place = random.choice(places)
                text = text[: place.start()] + value + text[place.end() :]
            else:
                lines = text.splitlines()
                lines.insert(
                    random.randint(0, len(lines)), random.choice((f"{value}: 1", f"x: {value}", f"- {value}", value))
                )
                text = "\n".join(lines)
    content = text.encode("utf-8", "surrogatepass")
    if random.random() < 0.15:
        content = damaged(random, content)
    (folder / "suite.yaml").write_bytes(content)


def use(folder: Path, random: Random) -> None:
    """What `harness check` and the start of `harness run` do with it."""
    overrides = [f"{random.choice(_SET)}={random.choice(YAML)}"]
    loaded = loading.load(folder / "suite.yaml", overrides=overrides if random.random() < 0.2 else ())
    with (
        mock.patch("harness.plan.check.inspect_plugins", _inquire),
        mock.patch("harness.plan.device_presence.inspect_plugins", _inquire),
        mock.patch("harness.plan.workloads.inspect_plugins", _inquire),
    ):
        checked = check_suite(loaded, cache=folder / "cache")
    say(plan.render(checked))
    suite = checked.suite.model_dump(mode="json", by_alias=True)
    run = RunInfo(suite=suite, suite_path=str(loaded.path), suite_digest="", started="2026-01-01T00:00:00+00:00")
    again = RunInfo.model_validate(json.loads(run.model_dump_json()))
    assert type(checked.suite).model_validate(again.suite).name == checked.suite.name


def _inquire(files: Sequence[Path], questions: Sequence[Question], **_: Any) -> Listing:
    """As the child would answer, in this process."""
    asked = {"plugin_files": [], "questions": [each.model_dump() for each in questions]}
    with mock.patch.object(Catalog, "load", return_value=catalog()):
        listing = answer(json.loads(json.dumps(asked)), _silent)
    return Listing.model_validate(json.loads(json.dumps(listing.model_dump())))


def prepare() -> None:
    """What is shared by all inputs."""
    catalog()
    seeds()
    assert JSON


SUITES = Target(name="suites", write=write, use=use)

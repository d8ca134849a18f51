from __future__ import annotations

import re
from pathlib import Path

import pytest

import harness
from harness import testing
from harness.plugin import hookspecs
from tests.docs.includes import PAGE, PAGES, filled

TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_show_what_is_installed_and_tested(page):
    text = page.read_text(encoding="utf-8")
    assert filled(text) == text, "run `python -m tests.docs.includes` in the checkout"


def test_the_smallest_plugin_is_small():
    code = next(code for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "harness_projectors" in code)
    assert len(code.splitlines()) <= 15


def test_every_hook_and_every_overridable_method_is_documented():
    assert [name for name in vars(hookspecs) if name.startswith("harness_") and f"`{name}(" not in TEXT] == []
    for kind in (harness.Source, harness.Projector, harness.Trainer, harness.Runtime, harness.Embedder):
        own = [
            name
            for name, value in vars(kind).items()
            if callable(value) and not name.startswith("_") and name != "Options"
        ]
        assert [name for name in own if f"`{name}`" not in TEXT and f"`{name}(" not in TEXT] == [], kind


def test_every_attribute_that_a_class_may_set_is_documented():
    for name in ("name", "Options", "requires", "forms"):
        assert f"`{name}`" in TEXT


def test_rules_that_the_page_names_exist():
    source = "".join(path.read_text() for path in Path(testing.__file__).parent.glob("*.py"))
    named = [rule for line in re.findall(r"^- \*(.*?)\*:", TEXT, re.MULTILINE) for rule in line.split(", ")]
    assert len(named) > 12
    assert [rule for rule in named if f'"{rule}"' not in source and rule != "N = 1"] == []


def test_links_lead_somewhere():
    assert [link for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT) if not (PAGE.parent / link).exists()] == []

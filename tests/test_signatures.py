from __future__ import annotations

import tomllib
from pathlib import Path

import harness
from tests.signatures import SNAPSHOT, announced, signatures

ROOT = Path(__file__).parents[1]


def test_a_public_signature_changes_together_with_a_line_in_the_changelog():
    head, _, kept = SNAPSHOT.read_text(encoding="utf-8").partition("\n")
    changed = sorted(set(kept.splitlines()) ^ set(signatures().splitlines()))
    if changed:
        assert head != f"# changelog {announced()}", (
            "public signatures changed: say in CHANGELOG.md what a plugin's author has to know, in a line that begins "
            f"with '- API:', then run `python -m tests.signatures`:\n{chr(10).join(changed)}"
        )
    assert not changed, "public signatures changed: run `python -m tests.signatures`"


def test_what_is_written_down_covers_the_contracts():
    text = signatures()
    for line in (
        "abstract harness.Projector.build(self, heads: 'Heads', context: 'BuildContext') -> 'Projection'",
        "harness.BuildContext.seed: int = …",
        "harness_run_started(run: 'RunStarted') -> 'None'",
        "harness.testing.check_projector(projector: 'Projector', *, heads: 'Sequence[Heads]' = ()) -> 'None'",
    ):
        assert line in text.splitlines()


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == harness.__version__


def test_every_public_name_can_be_imported():
    assert [name for name in harness.__all__ if not hasattr(harness, name)] == []
    assert sorted(harness.__all__) == harness.__all__

"""The page about the rooms is true: its picture is current, its functions exist, and tests mirror what they test."""

from __future__ import annotations

import importlib
import re

from tests.docs import architecture

PAGE = (architecture.ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_picture_is_current():
    """`python -m tests.docs.architecture` makes it."""
    assert architecture.PICTURE.read_text(encoding="utf-8") == architecture.picture(), (
        "python -m tests.docs.architecture"
    )


def test_every_import_between_rooms_leads_downwards():
    floors = {room: floor for floor, row in enumerate(architecture.layers()) for room in row}
    assert len(architecture.layers()) <= 12
    between = [(here, there) for here, there in architecture.arrows() if here in floors and there in floors]
    assert [(here, there) for here, there in between if floors[here] >= floors[there]] == []


def test_every_function_on_the_path_of_a_run_exists():
    names = re.findall(r"^\d+\. `(harness[\w.]+)`", PAGE, re.MULTILINE)
    assert len(names) == 10
    for name in names:
        parts = name.split(".")
        depth = next(each for each in range(len(parts), 0, -1) if ".".join(parts[:each]) in architecture.modules())
        found = importlib.import_module(".".join(parts[:depth]))
        for part in parts[depth:]:
            found = getattr(found, part)
        assert callable(found), name


def test_tests_lie_in_the_room_of_what_they_test():
    rooms = {path.name for path in (architecture.ROOT / "harness").iterdir() if path.is_dir() and "__" not in path.name}
    tests = {path.name for path in (architecture.ROOT / "tests").iterdir() if path.is_dir() and "__" not in path.name}
    assert rooms - tests == {"cli", "templates"}  # the command line is tried as a whole, in tests/test_cli.py

"""The picture of docs/architecture.md, made from the imports of the code: `python -m tests.docs.architecture`."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

import harness

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "architecture.svg"
WIDTH, FLOOR, TALL, LEFT = 1000, 66, 34, 20


def layers() -> list[list[str]]:
    """The rooms floor by floor, the highest first, as the import contract in pyproject.toml lists them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rows = project["tool"]["importlinter"]["contracts"][0]["layers"]
    return [[room.strip().removeprefix("harness.") for room in row.split("|")] for row in rows]


def modules() -> dict[str, Path]:
    """Every module of the package and its file."""
    base = Path(harness.__file__).parent
    found = {}
    for path in sorted(base.rglob("*.py")):
        parts = path.relative_to(base.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room_of(module: str) -> str:
    """The folder or file directly below harness/ that a module belongs to."""
    return module.split(".")[1] if "." in module else ""


def arrows() -> set[tuple[str, str]]:
    """From which room imports lead to which; those for type checkers alone do not count."""
    known, found = modules(), set[tuple[str, str]]()
    for module, path in known.items():
        for name in _imports(ast.parse(path.read_text(encoding="utf-8"))):
            here, there = room_of(module), room_of(name) if name in known else room_of(name.rpartition(".")[0])
            if here and there and here != there:
                found.add((here, there))
    return found


def _imports(node: ast.AST) -> list[str]:
    found = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.ImportFrom) and child.module and child.module.partition(".")[0] == "harness":
            found += [f"{child.module}.{each.name}" for each in child.names]
        found += _imports(child)
    return found


def picture() -> str:
    """The rooms as boxes on their floors, and their imports as lines, which all lead downwards."""
    places, boxes = {}, []
    for number, row in enumerate(layers()):
        width = min(150.0, (WIDTH - 2 * LEFT) / len(row) - 14)
        step = (WIDTH - 2 * LEFT) / len(row)
        for place, room in enumerate(row):
            middle, top = LEFT + step * (place + 0.5), 16 + number * FLOOR
            places[room] = (middle, top)
            boxes.append(
                f'<rect x="{middle - width / 2:.1f}" y="{top}" width="{width:.1f}" height="{TALL}" rx="6" '
                f'fill="#eef3fb" stroke="#34568b"/>'
                f'<text x="{middle:.1f}" y="{top + 22}" font-weight="600">{escape(room)}</text>'
            )
    strokes = [
        f'<line x1="{places[here][0]:.1f}" y1="{places[here][1] + TALL}" x2="{places[there][0]:.1f}" '
        f'y2="{places[there][1]}"/>'
        for here, there in sorted(arrows())
        if here in places and there in places
    ]
    height = 16 + len(layers()) * FLOOR
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="Rooms of the code and their imports">\n<rect width="100%" height="100%" fill="#ffffff"/>\n'
        '<g stroke="#7a8fb0" stroke-opacity="0.45">\n' + "\n".join(strokes) + "\n</g>\n"
        '<g font-family="sans-serif" font-size="14" text-anchor="middle" fill="#1b2a41">\n'
        + "\n".join(boxes)
        + "\n</g>\n</svg>\n"
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")

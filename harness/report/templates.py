"""The HTML templates of this room: whatever is put into them is escaped."""

from __future__ import annotations

import functools
from typing import Any

import jinja2
from markupsafe import Markup

from harness.printable import printable
from harness.units import counted


def render(name: str, **values: Any) -> str:
    """A page from the template of this name; a value that is missing is an error, and not an empty place."""
    return _rooms().get_template(name).render(**values) + "\n"


@functools.cache
def _rooms() -> jinja2.Environment:
    """Where templates are found and, once compiled, kept."""
    rooms = jinja2.Environment(
        loader=jinja2.PackageLoader("harness.report", "."), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_as_text,
    )  # fmt: skip
    rooms.globals["counted"] = counted
    return rooms


def _as_text(value: Any) -> Any:
    """Text without characters that would hide or turn it; what is markup already stays as it is."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value

"""What an exception of somebody else's code comes down to, in one line that names its place."""

from __future__ import annotations

import re
import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_STATED = re.compile(r'File "([^"]+)", line (\d+)(?:, in [^\n]*\n[ \t]*([^\n]*))?')
_STANDARD = str(Path(sysconfig.get_paths()["stdlib"]).resolve())
_OWN = str(Path(__file__).resolve().parent)
_INSTALLED = ("site-packages", "dist-packages")
_FRAMEWORKS = ("torch", "numpy", "scipy", "onnx", "onnxruntime", "onnxscript", "onnx_ir", "openvino", "sympy", "numba")
_CALLERS = (*_FRAMEWORKS, "pluggy", "pydantic", "filelock")  # what the harness calls plugins through
_LONGEST = 600
_MOST_LINES, _LONGEST_LINE = 400, 2000  # of a traceback: more is a recursion without end


def cause(error: BaseException, *, frames: bool = True) -> str:
    """`RuntimeError: no license (/home/me/plugin.py:12)`: the deepest cause, and the line of the user's that led to it.

    Exporters raise an error of their own around the one that says why, which states the line in the midst of others.

    Args:
        error: what was raised.
        frames: also look for the line among those that were being executed, not only in what the exporter states.
    """
    chain = list(_chain(error))
    root = chain[0]
    text = next((line.strip() for line in plain(str(root)).splitlines() if line.strip()), "")
    place = next((found for each in chain if (found := _line_in_text(each))), "")
    if not place and frames:
        place = next((found for each in chain if (found := _deepest_line(each))), "") or _last_line(error)
    return f"{type(root).__name__}: {text[:_LONGEST]}{f' ({place})' if place else ''}"


def place(error: BaseException) -> str:
    """`/home/me/plugin.py:12`: the deepest line of the plugin, or of the user's own code, that led to an exception.

    Libraries that the plugin calls are not meant, even where they lie beside it in site-packages. Where no line is the
    plugin's, it is the last one that was executed; empty where there is none.
    """
    if isinstance(error, SyntaxError):  # it names its own file and line
        return ""
    return _deepest_line(error) or _last_line(error)


def traceback_lines(error: BaseException) -> tuple[str, ...]:
    """The lines of a traceback, its causes first; of one without end its beginning and its end."""
    lines = [
        line[:_LONGEST_LINE] for line in plain("".join(traceback.format_exception(error))).rstrip().split("\n") if line
    ]
    if len(lines) > _MOST_LINES:
        half = _MOST_LINES // 2
        lines = [*lines[:half], f"  … {len(lines) - 2 * half} lines left out", *lines[-half:]]
    return tuple(lines)


def plain(text: str) -> str:
    """A text without the codes that colour it on a terminal."""
    return _COLOURS.sub("", text)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, below it what a framework gives as its cause, and so on: the deepest first."""
    found = [error]
    while found[-1].__cause__ is not None and type(found[-1]).__module__.partition(".")[0] in _FRAMEWORKS:
        found.append(found[-1].__cause__)
    yield from reversed(found)


def _line_in_text(error: BaseException) -> str:
    """The last line of a user's code that the text of an exception names, with that code."""
    for path, line, code in reversed(_STATED.findall(plain(str(error)))):
        if _is_users(path):
            return f"{path}:{line}{f': {code.strip()}' if code.strip() else ''}"
    return ""


def _deepest_line(error: BaseException) -> str:
    """The deepest line of whoever was called first: a plugin, and not a library that it uses."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if _is_users(each.filename)]
    owner = _package(frames[0].filename) if frames else ""
    return next((f"{each.filename}:{each.lineno}" for each in reversed(frames) if _package(each.filename) == owner), "")


def _package(path: str) -> str:
    """The installed package that holds a file; empty for a file of the user's own."""
    parts = Path(path).parts
    return next((parts[place + 1] for place, part in enumerate(parts[:-1]) if part in _INSTALLED), "")


def _last_line(error: BaseException) -> str:
    frames = [each for each in traceback.extract_tb(error.__traceback__) if not each.filename.startswith("<")]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def is_own(path: str) -> bool:
    """Whether a file is of the harness itself."""
    return str(Path(path).resolve()).startswith(_OWN)


def _is_users(path: str) -> bool:
    """Neither a framework's, nor the interpreter's, nor of the harness itself, nor made up."""
    if not Path(path).is_file():
        return False
    if package := _package(path):
        return package not in _CALLERS
    return not str(Path(path).resolve()).startswith((_STANDARD, _OWN))

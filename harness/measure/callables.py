"""Plain functions of (heads, batch size), named `module:function`: found, and tried before a run relies on them.

`python -P -m harness.measure.callables` reads a question from its standard input and writes what is wrong, or nothing.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ContenderError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEADLINE_SECONDS = 60.0  # for importing and calling them once


def named(path: str) -> Callable[[int, int], Any]:
    """The callable that `module:function` names.

    Raises:
        ContenderError: where there is none.
    """
    module, _, attribute = path.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = functools.reduce(getattr, attribute.split("."), importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        hint = f"name it as module:function, and start in the folder that holds {module}.py, or install it"
        raise ContenderError(f"{path!r} cannot be imported: {error}", next_step=hint) from error
    if not callable(found):
        raise ContenderError(f"{path!r} is not callable")
    return found


def tried(paths: Sequence[str], heads: int, batch_size: int, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
    """Imports each in a child process, and calls it once, so that a mistake is reported before anything is measured.

    Args:
        paths: `module:function`, importable from the present folder.
        heads: of the call, the smallest of the range: it costs least.
        batch_size: of the call.
        deadline_seconds: for all of them.

    Raises:
        UserError: where one is not there, does not take (n, batch), fails, or does not return in time.
    """
    asked = json.dumps({"paths": list(paths), "heads": heads, "batch_size": batch_size})
    command = [sys.executable, "-P", "-m", "harness.measure.callables"]
    try:
        done = subprocess.run(
            command, input=asked, capture_output=True, text=True, check=False, timeout=deadline_seconds
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{' and '.join(paths)} did not return within {deadline_seconds:g} s at n = {heads:,}",
            next_step="begin the range at an n that takes less",
        ) from None
    if done.returncode:
        last = next(iter(done.stderr.strip().splitlines()[-1:]), "it said nothing")
        raise UserError(f"the process that tried {' and '.join(paths)} ended with code {done.returncode}: {last}")
    if said := json.loads(done.stdout):
        raise UserError(said["what"], next_step=said["next_step"])


def _complaint(path: str, heads: int, batch_size: int) -> dict[str, str] | None:
    """What is wrong with one of them, in this process."""
    try:
        function = named(path)
    except ContenderError as error:
        return {"what": error.what, "next_step": error.next_step or "name a function of (n, batch) as module:function"}
    except BaseException as error:  # noqa: BLE001 - whatever a module raises or asks for when it is imported
        said = f"{path.partition(':')[0]!r} cannot be imported: {_said(error)}"
        return {"what": said, "next_step": f"`python -c 'import {path.partition(':')[0]}'` shows all of it"}
    try:
        inspect.signature(function).bind(heads, batch_size)
    except TypeError as error:
        return {"what": f"{path!r} does not take (n, batch): {error}", "next_step": "define it as f(n, batch)"}
    except ValueError:  # a builtin whose signature is not known: the call will tell
        pass
    try:
        function(heads, batch_size)
    except BaseException as error:  # noqa: BLE001 - as above
        place = f"n = {heads:,}, batch {batch_size:,}"
        return {
            "what": f"{path!r} fails at {place}: {_said(error)}",
            "next_step": "raise the lower bound of the range, or fix the function",
        }
    return None


def _said(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"


def main() -> None:
    """Answers on what was standard output; whatever the functions print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    asked = json.load(sys.stdin)
    found = (_complaint(path, asked["heads"], asked["batch_size"]) for path in asked["paths"])
    json.dump(next((each for each in found if each), None), answers)
    answers.flush()
    os._exit(0)  # without waiting for threads that they may have left behind


if __name__ == "__main__":
    main()

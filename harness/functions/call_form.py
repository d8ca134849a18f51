"""The arguments that a plain function takes: (n, batch), n, the input that a setup makes, or its parts."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from harness.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.functions.kernel import Takes


def accepted(
    function: Callable[..., Any], label: str, candidates: Sequence[tuple[Takes, Callable[[], tuple[Any, ...]]]]
) -> list[Takes]:
    """The forms in which a function can be called, of those that are possible.

    Raises:
        UserError: where it takes none of them.
    """
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # a builtin whose signature is not known: the call decides
        return [takes for takes, arguments in candidates if _works(function, arguments())] or [candidates[-1][0]]
    found: list[Takes] = []
    problem = ""
    for takes, arguments in candidates:
        try:
            signature.bind(*arguments())
        except TypeError as error:
            problem = problem or str(error)
            continue
        found.append(takes)
    if found:
        return found
    if candidates[0][0] == "input":
        raise UserError(
            f"{label} does not take what the setup returns: {problem}", next_step="define it with that one argument"
        )
    raise UserError(f"{label} does not take (n, batch): {problem}", next_step="define it as f(n, batch) or f(n)")


def _works(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bool:
    try:
        function(*arguments)
    except Exception:  # noqa: BLE001 - what does not take this may raise anything
        return False
    return True

"""The functions of a trial, imported: their inputs, their calls, and the comparison of their outputs."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.causes import is_own, place
from harness.errors import ContenderError, UserError
from harness.functions import equality
from harness.functions.call_form import accepted
from harness.functions.inputs import drawn, seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.functions.callee import Callee
    from harness.functions.kernel import Kernel, Takes


class LoadedKernels:
    """The functions of a trial, by number, with the setup and the comparison of the first.

    Attributes:
        kernels: the functions, with what was learnt of them.

    Raises:
        UserError: where one cannot be imported.
    """

    def __init__(self, kernels: Sequence[Kernel], batch: int, seed: int, doing: Callable[[str], None]) -> None:
        self.kernels = list(kernels)
        self._batch, self._seed, self._doing = batch, seed, doing
        self._functions = [self._imported(each.function) for each in kernels]
        setup, equal = kernels[0].setup, kernels[0].equal
        self._setup = self._imported(setup) if setup is not None else None
        self.equal: Callable[[Any, Any], Any] = self._imported(equal) if equal is not None else equality.same

    @property
    def has_setup(self) -> bool:
        """Inputs are made, and are not (n, batch)."""
        return self._setup is not None

    def label(self, number: int) -> str:
        """A function as messages name it."""
        return repr(self.kernels[number].function.label)

    def learn(self, number: int, **found: Any) -> None:
        """Writes down how a function is to be called."""
        self.kernels[number] = dataclasses.replace(self.kernels[number], **found)

    def first_input(self, heads: int) -> Any:
        """The first input of this n, the same each time; the batch where there is no setup."""
        if self._setup is None:
            return self._batch
        self._doing(f"calling the setup at n = {heads:,}")
        return self.input(heads, next(seeds(self._seed, 0)))

    def input(self, heads: int, seed: int) -> Any:
        """What the setup makes of this n and seed.

        Raises:
            UserError: where it raises.
        """
        assert self._setup is not None
        try:
            return drawn(self._setup, heads, self._batch, seed)
        except BaseException as error:
            label = self.kernels[0].setup.label if self.kernels[0].setup else ""
            raise UserError(
                f"the setup {label!r} fails at n = {heads:,}: {in_a_line(error)}",
                next_step="define it as setup(n) or setup(n, seed)",
            ) from error

    def forms(self, number: int, heads: int, copied: Callable[[], Any]) -> list[Takes]:
        """The forms in which a function can be called.

        Raises:
            UserError: where it takes none.
        """
        candidates: list[tuple[Takes, Callable[[], tuple[Any, ...]]]] = [
            ("n and batch", lambda: (heads, self._batch)),
            ("n", lambda: (heads,)),
        ]
        if self.has_setup:
            candidates = [("input", lambda: (copied(),))]
            if isinstance(copied(), tuple):
                candidates.append(("inputs", copied))
        return accepted(self._functions[number], self.label(number), candidates)

    def call(self, number: int, heads: int, given: Any) -> tuple[Any, float]:
        """(output, seconds) of one call.

        Raises:
            UserError: where it raises.
        """
        function, takes = self._functions[number], self.kernels[number].takes
        arguments = {"n and batch": (heads, given), "n": (heads,), "input": (given,)}.get(takes, given)
        began = time.perf_counter()
        try:
            output = function(*arguments)
        except BaseException as error:
            where = f"n = {heads:,}" + (f", batch {self._batch:,}" if takes == "n and batch" else "")
            raise UserError(
                f"{self.label(number)} fails at {where}: {in_a_line(error)}",
                next_step="begin the range at an n that it can do, or fix the function",
            ) from error
        return output, time.perf_counter() - began

    def same_output(self, one: Any, other: Any, labels: str) -> bool:
        """Whether two outputs count as equal.

        Raises:
            UserError: where they cannot be compared.
        """
        try:
            return bool(self.equal(one, other))
        except Exception as error:  # noqa: BLE001 - whatever the user's own comparison raises
            raise UserError(
                f"the outputs of {labels} cannot be compared: {in_a_line(error)}",
                next_step="define what counts as equal (equal=, --equal), or leave the comparison out (equal=None, --no-equal)",
            ) from None

    def _imported(self, callee: Callee) -> Callable[..., Any]:
        self._doing(f"importing {callee.label}")
        try:
            return callee.load()
        except ContenderError as error:
            next_step = error.next_step or "name a function as module:function"
            raise UserError(error.what, next_step=next_step) from None
        except BaseException as error:  # noqa: BLE001 - whatever a module raises when it is imported
            where = callee.module or callee.label
            raise UserError(
                f"{where!r} cannot be imported: {in_a_line(error)}",
                next_step=f"`python -c 'import {where}'` shows all of it",
            ) from None


def in_a_line(error: BaseException) -> str:
    """An exception in a line, with where it came from."""
    found = place(error)
    if is_own(found.rpartition(":")[0]):  # builtins and what travels with its code have no lines of their own
        found = ""
    return f"{type(error).__name__}: {error}{f' ({Path(found).name})' if found else ''}"

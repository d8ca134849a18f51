"""The plugin kind that runs a suite on other machines, for `harness run --on`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from harness.errors import UserError
from harness.plugin.interfaces import Offer, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine that an executor reaches."""

    name: str  # as `--machine` names it
    claim: str = ""  # what two names of one machine have in common; empty where the name is all that is known
    state: str = "idle"  # for `harness fleet status`
    about: str = ""  # where it is, for people
    wrong: str = ""  # why nothing may be timed there, with what to do about it; empty where nothing is wrong


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a machine is asked. An executor carries it there and hands it to `harness.perform_request`."""

    key: str  # of the run on this machine, hexadecimal: the same when it is continued
    text: str
    timed: bool = True  # the machine has to be this run's own; False: a question, training or scoring


class Handle(ABC):
    """A request that a machine works on."""

    @abstractmethod
    def lines(self) -> Iterator[str]:
        """The texts that `harness.perform_request` emits on the machine, as they arrive; it ends with the request.

        A text may arrive twice or not at all: what is missing is fetched afterwards.
        """

    @abstractmethod
    def result(self) -> str:
        """The return value of `harness.perform_request`; waits for it.

        Raises:
            HarnessError: where the machine or the way to it was lost, or the request was cancelled.
        """

    @abstractmethod
    def cancel(self) -> None:
        """Ends the request on the machine: see `harness.cancel_request`. After a second call `result` no longer waits."""


class Executor(Offer):
    """Machines, and a way to run a suite on one of them.

    A complete executor, for this machine alone::

        import harness

        class Here(harness.Executor):
            "This machine, in this process."
            name = "here"

            def machines(self):
                return [harness.Machine(name="here")]

            def run(self, machine, request):
                return Done(request)

        class Done(harness.Handle):
            def __init__(self, request):
                self.request, self.printed = request, []
                self.answer = harness.perform_request(request.text, self.printed.append)

            def lines(self):
                yield from self.printed

            def result(self):
                return self.answer

            def cancel(self):
                harness.cancel_request(self.request.key)
    """

    class Options(Options):
        """What `--on` says."""

        at: str = ""  # what follows `NAME:`, or the whole of it where it begins with one of the executor's `schemes`

    kind = "executor"
    schemes: ClassVar[tuple[str, ...]] = ()  # beginnings of `--on` that mean this executor, beside its name

    @abstractmethod
    def machines(self) -> Sequence[Machine]:
        """The machines that can be reached now.

        Raises:
            HarnessError: where they cannot be asked for.
        """

    @abstractmethod
    def run(self, machine: Machine, request: Request) -> Handle:
        """Sends a request to a machine, and returns at once.

        A machine works on one timed request at a time, and no request is ever repeated on its own.

        Raises:
            HarnessError: where it cannot be sent.
        """

    def close(self) -> None:
        """Releases what was opened; machines and their runs are left as they are."""

    def serve(self, options: Mapping[str, str], say: Callable[[str], None]) -> None:
        """Runs a scheduler, or machines, for `harness fleet up`; returns when it is stopped.

        Args:
            options: `hosts`, separated by commas, and `port`, if given.
            say: prints how to use it.
        """
        del options, say
        raise UserError(f"the executor {self.name!r} cannot start machines", next_step="start them with its own tools")

    def work(self, options: Mapping[str, str], say: Callable[[str], None]) -> None:
        """Lends this machine, for `harness fleet worker`; returns when it is stopped.

        Args:
            options: `name` of the machine, if given.
            say: prints that the machine is ready.
        """
        del options, say
        raise UserError(f"the executor {self.name!r} needs no worker", next_step="leave it out")

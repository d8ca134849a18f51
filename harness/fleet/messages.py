"""What the coordinator and a machine say to each other, as JSON: what arrives is a stranger's, and is checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from harness.errors import ChildError
from harness.printable import one_line
from harness.records.measurement import Fidelity

Name: TypeAlias = Literal["run.json", "crossovers.json", "measurements.jsonl", "fidelity.jsonl"]
"""The files of a run that come home; reports are made again from them there."""
Flag: TypeAlias = Literal["--quick", "--force", "--retry-failed"]
GROWING: tuple[Name, ...] = ("measurements.jsonl", "fidelity.jsonl")
WHOLE: tuple[Name, ...] = ("run.json", "crossovers.json")
Digest: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Size: TypeAlias = Annotated[int, Field(ge=0, le=2**32)]  # 4 GiB: more than any run has written


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


_Kind = TypeVar("_Kind", bound=_Message)


class Extent(_Message):
    """How much of a file there is, and what it is."""

    size: _Size
    sha256: Digest


class Student(_Message):
    """A contender that is trained or scored, at one N and with one seed."""

    contender: str
    heads: Annotated[int, Field(ge=1)]
    seed: int


class Training(_Message):
    """What a cache remembers of a trained student: what it depends on, and how its training went."""

    parts: dict[str, Any]  # its folder in a cache is named by their digest
    contender: str
    heads: Annotated[int, Field(ge=1)]
    what: str
    training_seconds: Annotated[FiniteFloat, Field(ge=0)]
    training_steps: Annotated[int, Field(ge=0)] | None = None
    notes: tuple[str, ...] = ()
    losses: dict[str, tuple[FiniteFloat, ...]]
    machine: str = ""  # of a fleet, where another one trained it


class Weights(_Message):
    """A trained student on its way from one machine's cache to another's."""

    student: Student
    training: Training
    contents: str  # base64, of safetensors
    sha256: Digest  # of what they encode


class MachineRequest(_Message):
    """What a machine is asked to do with a suite."""

    do: Literal["inspect", "train", "score", "keep", "run", "collect"]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    suite: str  # its file among `files`
    files: dict[str, Digest]  # by path relative to the suite's folder
    contents: dict[Digest, str] = {}  # base64, of those that the machine lacks
    students: tuple[Student, ...] = ()  # to train or to score
    weights: tuple[Weights, ...] = ()  # to keep
    scores: tuple[Fidelity, ...] = ()  # to keep
    elsewhere: tuple[str, ...] = ()  # paths that the suite names and that do not travel
    only: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    have: dict[Name, Extent] = {}  # of what the coordinator holds already


class Facts(_Message):
    """What has to be the same on every machine, and what may differ."""

    harness: str
    code: Digest  # of all files of the harness and its built-in plugins
    suite: Digest  # as it is after overrides
    plugins: dict[str, Digest] = {}  # of others, by their names
    data: dict[str, Digest | None] = {}  # by path; None where nothing is there
    versions: dict[str, str] = {}
    machine: dict[str, Any] = {}


class Reply(_Message):
    """What a machine answers."""

    lacking: tuple[Digest, ...] = ()  # files that have to be sent first
    facts: Facts | None = None
    students: tuple[Student, ...] = ()  # that the suite asks for, and that are not scored yet
    unscored: tuple[Student, ...] = ()  # whose scores any machine may make
    weights: tuple[Weights, ...] = ()  # of those that were trained
    scores: tuple[Fidelity, ...] = ()  # of those that were scored
    problem: str = ""  # why nothing was done
    code: int | None = None  # exit code of `harness run`
    output: tuple[str, ...] = ()  # the last lines that it printed
    files: dict[Name, Extent] = {}  # of the machine's folder when it had ended
    folder: str = ""
    environment: dict[str, str] = {}
    removed: tuple[str, ...] = ()  # variables that the run did not see


class Chunk(_Message):
    """A part of a file that was appended, or a whole small file."""

    file: Name
    offset: _Size = 0
    text: str
    whole: bool = False


def read(kind: type[_Kind], text: str, machine: str) -> _Kind:
    """A message of a machine.

    Raises:
        ChildError: where it is not valid.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "message"
        what = one_line(f"{place}: {first['msg']}")
        raise ChildError(f"{machine} sent an invalid {kind.__name__.lower()}: {what}") from error

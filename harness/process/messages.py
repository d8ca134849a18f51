"""What a parent and its children say to each other: frames of JSON, one form of reply, and limits on what is believed.

A frame is as `multiprocessing.connection` sends it. A request is any object that names what to `do`. A reply holds either a
`value` or an `error`; before it a child may send any number of notices of what it is about to do.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LARGEST = 64 * 2**20  # bytes of a message: many times the costs of a long range
_PLACE = 300  # characters of where in an answer something is wrong


class Answer(BaseModel):
    """What a child may answer: keys that are not known are passed over, and a wrong type is an invalid response."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class Refusal(Answer):
    """Why a request was not answered."""

    what: str
    stage: str | None = None
    kind: Literal["error", "parity", "memory", "changed"] = "error"
    traceback: list[str] = []


class Reply(Answer):
    """One message of a child: a notice, or what ends a request."""

    value: dict[str, Any] | None = None
    error: Refusal | None = None
    notice: dict[str, str] | None = None


class InvalidAnswer(Exception):  # noqa: N818 - what it is called
    """A message that means nothing, in words."""


_Kind = TypeVar("_Kind", bound=BaseModel)


def framed(message: Mapping[str, Any]) -> bytes:
    """A message as it is sent."""
    data = json.dumps(message).encode()
    return struct.pack("!i", len(data)) + data


def unframed(exactly: Callable[[int], bytes]) -> bytes:
    """The content of the next frame.

    Args:
        exactly: gives the next so many bytes; what it raises is passed on.

    Raises:
        InvalidAnswer: where it claims to be larger than any message.
    """
    (size,) = struct.unpack("!i", exactly(4))
    if size == -1:
        (size,) = struct.unpack("!Q", exactly(8))
    if not 0 <= size <= LARGEST:
        raise InvalidAnswer(f"the response claims to have {size:,} bytes; at most {LARGEST:,} are read")
    return exactly(size)


def reply(data: bytes) -> Reply:
    """What a child says.

    Raises:
        InvalidAnswer: where it is neither a notice nor a value nor an error.
    """
    try:
        found = Reply.model_validate(json.loads(data))
    except ValidationError:
        found = Reply()
    except (ValueError, MemoryError, RecursionError):
        raise InvalidAnswer("the answer could not be read") from None
    if found.value is None and found.error is None and found.notice is None:
        raise InvalidAnswer("the answer has neither a value nor an error")
    return found


def checked(value: Any, kind: type[_Kind]) -> _Kind:
    """The value of a reply as what it should be.

    Raises:
        InvalidAnswer: where it is something else.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:_PLACE]
        raise InvalidAnswer(f"the answer is not what was asked for: {place}: {first['msg']}") from None
    except RecursionError:
        raise InvalidAnswer("the answer could not be read") from None

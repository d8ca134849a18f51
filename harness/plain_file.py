"""Files that somebody sent, read only where they are plain files and not too large: a pipe never ends, a device never stops."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MIB = 2**20
_GIVEN = (Path("/dev/fd"), Path("/proc/self/fd"))  # what a shell hands over: <(command), standard input
_STANDARD_INPUT = Path("/dev/stdin")
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_CHUNK = MIB


def is_from_shell(path: Path) -> bool:
    """Whether a path stands for what the shell hands over, which has an end although it is a pipe."""
    return path == _STANDARD_INPUT or path.parent in _GIVEN


def is_there(path: Path) -> bool:
    """Whether a path is that of a file; a name that no file can have, and links in a circle, lead to none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def content(path: Path, most: int) -> bytes:
    """The bytes, of which there may be so many, of a plain file or of what the shell hands over.

    Raises:
        OSError: where it cannot be read, is not a regular file, or is larger; its `strerror` is a sentence.
    """
    blocking = is_from_shell(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if blocking else os.O_NONBLOCK))
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(file.fileno())
        if stat.S_ISDIR(state.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        for holds, kind in () if blocking else _KINDS:
            if holds(state.st_mode):
                raise OSError(errno.EINVAL, f"it is {kind}, not a regular file", str(path))
        if state.st_size > most:
            raise _too_large(path, most)
        data = bytearray()
        while part := file.read(_CHUNK):
            data += part
            if len(data) > most:
                raise _too_large(path, most)
        return bytes(data)


def text(path: Path, most: int) -> str:
    """The same, decoded as UTF-8.

    Raises:
        OSError: as `content` does.
        UnicodeDecodeError: where it is no such text.
    """
    return content(path, most).decode("utf-8")


def _too_large(path: Path, most: int) -> OSError:
    return OSError(errno.EFBIG, f"it has more than {most / MIB:,.0f} MiB, the most that is read", str(path))

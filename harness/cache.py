"""Where what is built, exported and asked is kept: the cache folder, which nobody else may write into."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from harness.errors import ResourceError

FOLDER_VARIABLE = "HARNESS_CACHE"


def folder() -> Path:
    """The user's cache folder of the harness; the environment variable HARNESS_CACHE names another."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(os.path.expanduser(named)).absolute()  # noqa: PTH111 - it never raises
    import platformdirs

    found = Path(platformdirs.user_cache_dir("crossover-harness"))
    if found.is_absolute():
        return found
    user = os.getuid() if hasattr(os, "getuid") else "user"  # without HOME and without a name it would be below ./~
    return Path(tempfile.gettempdir()).absolute() / f"crossover-harness-{user}"


def private(*folders: Path) -> None:
    """Makes folders that only their owner can change, since what lies in a cache is loaded and run.

    Raises:
        ResourceError: where one cannot be made, belongs to another user, or others may write into it.
    """
    for each in folders:
        make_folder(each, mode=0o700)
        refuse_shared(each)


def make_folder(place: Path, *, mode: int = 0o777) -> Path:
    """A folder, made where it is not there.

    Raises:
        ResourceError: where it cannot be made.
    """
    try:
        place.mkdir(parents=True, exist_ok=True, mode=mode)
    except OSError as error:
        raise ResourceError(
            f"the cache folder cannot be made: {error.strerror or error}",
            where=str(place),
            next_step=f"set {FOLDER_VARIABLE} to a folder that you can write into",
        ) from error
    return place


def refuse_shared(place: Path) -> None:
    """Raises ResourceError where a folder belongs to another user, or others may write into it."""
    state = place.stat()
    if not hasattr(os, "getuid"):
        return
    if state.st_uid != os.getuid():
        raise ResourceError(
            "the cache folder belongs to another user, whose files would be run",
            where=str(place),
            next_step=f"set {FOLDER_VARIABLE} to a folder of your own",
        )
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ResourceError(
            "others may write into the cache folder, and what lies there is run",
            where=str(place),
            next_step=f"look at what it holds, then chmod go-w {place}",
        )

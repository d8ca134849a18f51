"""What to do where the system refuses to write a file."""

from __future__ import annotations

import errno

_LARGER = "raise the limit on the size of files (`ulimit -f`)"
_ADVICE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: _LARGER,
    errno.EMFILE: "raise the limit on open files (`ulimit -n`)",
    errno.EROFS: "name a place that can be written into",
    errno.EIO: "look at the disk",
}
_CUT_SHORT = "requested and"  # what NumPy says, without a number, where it could write a part only


def advice(error: OSError) -> str:
    """The next step, or nothing."""
    if error.errno is None and _CUT_SHORT in str(error):
        return f"make room, or {_LARGER}"
    return _ADVICE.get(error.errno or 0, "")

"""Vega's JavaScript in one piece, which vl-convert holds and takes five seconds to put together: kept between runs."""

from __future__ import annotations

import contextlib
from importlib.metadata import version

from harness.cache import folder as cache_folder
from harness.cache import private
from harness.errors import ResourceError
from harness.records.writer import write_atomically


def bundle() -> str:
    """The script that defines `vegaEmbed`; from the cache where it is there and can be read."""
    path = cache_folder() / f"vega-{version('vl-convert-python')}.js"
    try:
        private(path.parent)  # a script that others have put there would run in every report
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        script = _made()
    except (OSError, ResourceError):
        return _made()
    with contextlib.suppress(OSError, ResourceError):  # the next report waits again, and that is all
        write_atomically(path, script)
    return script


def _made() -> str:
    import vl_convert

    return str(vl_convert.javascript_bundle())  # type: ignore[call-arg]  # its stub requires what it takes as optional

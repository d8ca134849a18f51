"""Vega's JavaScript in one piece, which vl-convert holds and takes five seconds to put together: kept between runs."""

from __future__ import annotations

from importlib.metadata import version

from harness.errors import ResourceError
from harness.plugin import inspection_cache
from harness.records.writer import write_atomically


def bundle() -> str:
    """The script that defines `vegaEmbed`; from the cache where it is there and can be read."""
    path = inspection_cache.folder() / f"vega-{version('vl-convert-python')}.js"
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        script = _made()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, script)
    except (OSError, ResourceError):
        pass  # the next report waits again, and that is all
    return script


def _made() -> str:
    import vl_convert

    return str(vl_convert.javascript_bundle())  # type: ignore[call-arg]  # its stub requires what it takes as optional

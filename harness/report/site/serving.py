"""The site, served to this machine alone and built again whenever records change: runs appear as they are measured."""

from __future__ import annotations

import functools
import http.server
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.report.site.building import build
from harness.report.site.digest import stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_HOST = "127.0.0.1"  # and no other interface
_SECONDS = 1.0  # between two looks at the records, however many pages ask


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Reads only: GET and HEAD of files of the site, and what changes when records do."""

    def __init__(self, *arguments: Any, site: Site, **more: Any) -> None:
        self._site = site
        super().__init__(*arguments, directory=str(site.folder), **more)

    def do_GET(self) -> None:
        """A page, or the token of the present records; only for pages that were asked for under this very name."""
        if not self._ours():
            return
        self._site.refresh()
        if self.path == "/changes":
            body = self._site.token.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        super().do_GET()

    def do_HEAD(self) -> None:
        """The same without a body."""
        if self._ours():
            super().do_HEAD()

    def end_headers(self) -> None:
        """Nothing is kept by the browser, and no other site may read or frame it."""
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        super().end_headers()

    def list_directory(self, path: Any) -> None:  # noqa: ARG002  the signature of the base
        """Folders without a page are not shown."""
        self.send_error(404, "no such page")

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  the name is the base's
        """Requests are not printed."""

    def _ours(self) -> bool:
        """A page of another site that resolves its own name to this address is refused."""
        if self.headers.get("Host", "") in {f"{name}:{self._site.port}" for name in (_HOST, "localhost")}:
            return True
        self.send_error(403, "use the address 127.0.0.1")
        return False


class Site:
    """A server and the site that it keeps up to date."""

    def __init__(self, results: Path, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._results, self.folder, self._clock = results, folder, clock
        self._lock = threading.Lock()
        self._looked = -_SECONDS
        self._seen = ""
        self.token = ""
        self.refresh()
        handler = functools.partial(_Handler, site=self)
        self._server = http.server.ThreadingHTTPServer((_HOST, 0), handler)
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        """Chosen by the system."""
        return self._server.server_port

    @property
    def address(self) -> str:
        """Of the list of runs."""
        return f"http://{_HOST}:{self.port}/index.html"

    def refresh(self) -> None:
        """Builds again what has changed, at most once a second."""
        with self._lock:
            if self._clock() - self._looked < _SECONDS:
                return
            folders = sorted(each.parent for each in self._results.rglob("run.json"))
            seen = "\n".join(f"{folder} {stamp(folder)}" for folder in folders)
            if seen != self._seen or not self.token:
                try:
                    build(self._results, self.folder, live=True)
                except HarnessError:
                    if not self.token:
                        raise
                else:
                    self._seen, self.token = seen, secrets.token_hex(8)
            self._looked = self._clock()

    def serve(self) -> None:
        """Until it is closed or interrupted."""
        self._server.serve_forever()

    def close(self) -> None:
        """Stops serving."""
        self._server.shutdown()
        self._server.server_close()

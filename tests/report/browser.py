"""A headless Chromium that is driven by W3C WebDriver, without a network beyond this machine."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


class Browser:
    """One window.

    Args:
        address: of the session at chromedriver.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def open(self, url: str) -> None:
        """Loads a page."""
        self._ask("POST", "url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns; one that returns a promise is waited for."""
        return self._ask("POST", "execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, condition: str) -> Any:
        """The value of an expression, once it is true; the browser looks again with every change of the document."""
        script = """
            const look = () => (CONDITION);
            return new Promise((resolve) => {
              if (look()) return resolve(look());
              const watcher = new MutationObserver(() => { if (look()) { watcher.disconnect(); resolve(look()); } });
              watcher.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
            });"""
        return self.run(script.replace("CONDITION", condition))  # pages allow no eval

    def click(self, selector: str) -> None:
        """Clicks the first element that the selector finds."""
        self.run("document.querySelector(arguments[0]).click()", selector)

    def resize(self, width: int, height: int) -> None:
        """Of the page, also below what windows can be."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._ask("POST", "goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})

    def prefer(self, scheme: str, media: str = "") -> None:
        """Light, dark, or print."""
        wanted = {"media": media, "features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self._ask("POST", "goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": wanted})

    def complaints(self) -> list[str]:
        """What the console has said since the last time."""
        found = self._ask("POST", "se/log", {"type": "browser"})
        return [each["message"] for each in found if each["level"] in ("WARNING", "SEVERE")]

    def requested(self) -> list[str]:
        """The addresses that the page has asked for beside itself."""
        return list(self.run("return performance.getEntriesByType('resource').map((each) => each.name)"))

    def quit(self) -> None:
        """Closes it."""
        self._ask("DELETE", "", None)

    def _ask(self, method: str, path: str, body: Any) -> Any:
        address = f"{self._address}/{path}" if path else self._address
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=90) as answer:
            return json.load(answer)["value"]


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser that is closed at the end, and its driver with it."""
    assert DRIVER is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([DRIVER, f"--port={port}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        next(line for line in process.stdout if "started successfully" in line)
        switches = [
            "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ]  # fmt: skip
        wanted = {
            "browserName": "chrome", "goog:chromeOptions": {"binary": CHROMIUM, "args": switches},
            "goog:loggingPrefs": {"browser": "ALL"}, "timeouts": {"script": 60_000},
        }  # fmt: skip
        body = json.dumps({"capabilities": {"alwaysMatch": wanted}}).encode()
        address = f"http://127.0.0.1:{port}/session"
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=90) as answer:
            found = Browser(f"{address}/{json.load(answer)['value']['sessionId']}")
        try:
            yield found
        finally:
            found.quit()
    finally:
        process.terminate()
        process.wait()

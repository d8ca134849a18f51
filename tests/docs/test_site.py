"""The documentation as a site: it builds without a warning, and every page opens in a real browser."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from tests.docs.includes import COMMANDS, PICTURE, commands, picture
from tests.report.browser import CHROMIUM, DRIVER, browser

ROOT = Path(__file__).parents[2]


def pages(entries):
    """The files of a navigation, its sections included."""
    for entry in entries:
        for value in entry.values():
            if isinstance(value, str):
                yield value
            else:
                yield from pages(value)


NAVIGATION = list(pages(tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site: built in a copy, so that nothing is left in the checkout."""
    copy = tmp_path_factory.mktemp("site")
    for name in ("docs", "harness", "plugins"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "zensical.toml", copy)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return copy / "site"


def test_every_page_is_in_the_navigation():
    assert sorted(NAVIGATION) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_the_reference_of_the_api_names_every_public_name(site):
    import harness

    text = (site / "api" / "index.html").read_text(encoding="utf-8")
    missing = [name for name in harness.__all__ if f'id="harness.{name}"' not in text]
    assert set(missing) <= {"__version__", "hookimpl"}


def test_generated_parts_are_up_to_date():
    assert COMMANDS.read_text(encoding="utf-8") == commands(), "run `python -m tests.docs.includes` in the checkout"
    assert PICTURE.read_text(encoding="utf-8") == picture(), "run `python -m tests.docs.includes` in the checkout"


@pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no Chromium or chromedriver here")
def test_every_page_opens_in_a_browser_and_links_to_pages_that_exist(site, tmp_path):
    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with browser(tmp_path) as window:
            for page in NAVIGATION:
                stem = "" if page == "index.md" else f"{Path(page).stem}/"
                window.open(f"http://127.0.0.1:{server.server_port}/{stem}")
                shown = window.run("return document.documentElement.outerHTML")
                assert re.search(r"<h1[^>]*>", shown), page
                local = {link for link in re.findall(r'href="([^"#?]+)', shown) if "://" not in link}
                base = site / stem
                assert [link for link in local if link != "." and not (base / link).resolve().exists()] == [], page
    finally:
        server.shutdown()
        server.server_close()

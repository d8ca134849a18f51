"""Builds the site: a list of runs, a page for each run and for each race, and two runs side by side."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import __version__, plain_file, plain_json
from harness.causes import cause
from harness.errors import HarnessError, ResourceError
from harness.printable import one_line, printable
from harness.records.reader import LARGEST_BYTES
from harness.records.writer import write_atomically
from harness.report import templates
from harness.report.html import resource, script_json
from harness.report.site import drawings
from harness.report.site.digest import RAW, Digest, figures, read, stamp
from harness.system_errors import advice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_STATE = "state.json"
_FORM = f"2 {__version__}"  # another form of the pages: all are built again


@dataclass(frozen=True, kw_only=True)
class Built:
    """What was done."""

    index: Path
    runs: int
    again: int  # runs whose own page was written, since their records had changed
    broken: tuple[str, ...]  # folders that could not be read, and why


def build(results: Path, output: Path, *, live: bool = False) -> Built:
    """Writes the site; pages of runs whose files have not changed since the last time are left as they are.

    Args:
        results: the folder below which runs are looked for, at any depth.
        output: the folder of the site.
        live: pages look for changes every few seconds; works only where they are served.

    Raises:
        ResourceError: where there are no runs, or the site cannot be written.
    """
    folders = sorted(each.parent for each in results.rglob("run.json") if output not in each.parents)
    if not folders and not live:
        raise ResourceError("there are no runs", where=str(results), next_step="name a folder that holds runs")
    try:
        return _build(results, output, folders, live=live)
    except OSError as error:
        what = f"the site cannot be written: {error.strerror or error}"
        raise ResourceError(what, where=str(output), next_step=advice(error)) from error


def _build(results: Path, output: Path, folders: Sequence[Path], *, live: bool) -> Built:
    (output / "runs").mkdir(parents=True, exist_ok=True)
    before = _state(output)
    digests, stamps, broken, again = [], {}, [], 0
    for name, folder in _named(results, folders):
        now = stamp(folder)
        try:
            digest = read(folder, name)
            if before.get(name) != now:
                _try(digest, live=live)
        except HarnessError as error:
            broken.append(str(error))
            continue
        except Exception as error:  # noqa: BLE001 - a run may have been sent: whatever is wrong with it, the others are shown
            what = f"{folder}: its files are invalid: {one_line(cause(error))}"
            broken.append(printable(f"{what}; look at it with `harness report`, or remove it"))
            continue
        digests.append(digest)
        stamps[name] = now
    digests.sort(key=lambda each: each.run.started)
    new = [each for each in digests if before.get(each.name) != stamps[each.name] or live != before.get(".live", False)]
    for digest in new:
        _copy(digest, output / "runs" / digest.name)
        again += 1
    siblings = {each.name: _links(digests, each) for each in digests}
    for digest in digests:
        if digest in new or before.get(f"{digest.name} links") != siblings[digest.name]["key"]:
            _write(output, f"runs/{digest.name}/index.html", "run", live=live, root="../../", digest=digest,
                   span=drawings.axis(digest.answers), bars=drawings.bars, links=siblings[digest.name])  # fmt: skip
    for gone in {each.name for each in (output / "runs").iterdir()} - set(stamps):
        shutil.rmtree(output / "runs" / gone, ignore_errors=True)
    races = _races(digests)
    for (suite, race), page in races.items():
        runs = [each for each in digests if each.suite == suite and not each.run.quick]
        _write(output, page, "race", live=live, root="../", suite=suite, race=race,
               trends=drawings.trends(runs, race))  # fmt: skip
    _write(output, "compare.html", "compare", live=live, root="", names=[each.name for each in reversed(digests)])
    _write(output, "index.html", "index", live=live, root="", runs=list(reversed(digests)), races=races, broken=broken)
    written = json.dumps({
        ".form": _FORM, ".live": live, **stamps, **{f"{name} links": each["key"] for name, each in siblings.items()},
    })  # fmt: skip
    write_atomically(output / _STATE, written)
    return Built(index=output / "index.html", runs=len(digests), again=again, broken=tuple(broken))


def _try(digest: Digest, *, live: bool) -> None:
    """Writes what a run takes part in, to nowhere; raises whatever is wrong with its files."""
    script_json(figures(digest))
    links = {
        "previous": "",
        "following": "",
        "races": {each.search.case.race: "" for each in digest.answers},
        "key": "",
    }
    _rendered(
        "run", live=live, root="", digest=digest, span=drawings.axis(digest.answers), bars=drawings.bars, links=links
    )
    races = _races([digest])
    for suite, race in races:
        _rendered("race", live=live, root="", suite=suite, race=race, trends=drawings.trends([digest], race))
    _rendered("index", live=live, root="", runs=[digest], races=races, broken=[])


def _named(results: Path, folders: Sequence[Path]) -> list[tuple[str, Path]]:
    """Each run by the path of its folder, in letters that addresses hold; no two alike."""
    found: dict[str, Path] = {}
    for folder in folders:
        parts = folder.relative_to(results).parts or (folder.resolve().name,)
        stem = name = re.sub(r"[^A-Za-z0-9._-]+", "-", "--".join(parts)).lstrip(".") or "run"
        number = 1
        while name in found:
            number += 1
            name = f"{stem}-{number}"
        found[name] = folder
    return list(found.items())


def _copy(digest: Digest, folder: Path) -> None:
    """The raw records, for download, and what two runs are compared by."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in RAW:
        if name in digest.files:
            shutil.copyfile(digest.folder / name, folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    write_atomically(folder / "figures.js", f"harnessFigures({script_json(figures(digest))});\n")


def _links(digests: Sequence[Digest], digest: Digest) -> dict[str, Any]:
    """The runs of the same suite before and after it, and the pages of its races."""
    same = [each.name for each in digests if each.suite == digest.suite]
    at = same.index(digest.name)
    races = {each.search.case.race: race_page(digest.suite, each.search.case.race) for each in digest.answers}
    previous, following = (same[at - 1] if at else ""), (same[at + 1] if at + 1 < len(same) else "")
    return {"previous": previous, "following": following, "races": races, "key": f"{previous} {following}"}


def _races(digests: Sequence[Digest]) -> dict[tuple[str, str], str]:
    """The page of each race of each suite."""
    pairs = dict.fromkeys((each.suite, found.search.case.race) for each in digests for found in each.answers)
    return {(suite, race): race_page(suite, race) for suite, race in pairs}


def race_page(suite: str, race: str) -> str:
    """Its address; a number distinguishes names that differ only in letters that addresses cannot hold."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{suite}--{race}")
    odd = "" if stem == f"{suite}--{race}" else f"-{sum((i + 1) * ord(c) for i, c in enumerate(suite + race)):x}"
    return f"races/{stem}{odd}.html"


def _state(output: Path) -> dict[str, Any]:
    try:
        found = plain_json.parsed(plain_file.text(output / _STATE, LARGEST_BYTES))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get(".form") == _FORM else {}


def _rendered(template: str, *, live: bool, root: str, **values: Any) -> str:
    """One page."""
    from markupsafe import Markup

    return templates.render(
        f"site/{template}.html.jinja", live=live, root=root, style=Markup(resource("site/site.css")),  # noqa: S704
        script=Markup(resource("site/site.js")), **values,  # noqa: S704  both of this package
    )  # fmt: skip


def _write(output: Path, path: str, template: str, **values: Any) -> None:
    """One page, if it has changed."""
    text = _rendered(template, **values)
    target = output / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        write_atomically(target, text)

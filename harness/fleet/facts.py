"""What has to be the same on every machine that runs a suite: `python -m harness.fleet.facts` answers for this one."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.errors import HarnessError
from harness.fleet import shipping, students
from harness.fleet.messages import Facts
from harness.plan import function_groups
from harness.plan.check import check_suite
from harness.plugin import discovery
from harness.plugin.built_in import PACKAGE
from harness.records import machine
from harness.suite import loading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.plugin.inspection import Listing, OfferData
    from harness.suite.loading import Loaded
    from harness.suite.schema import Suite

_SHOWN = 12  # digits of a digest


def of(loaded: Loaded, elsewhere: Sequence[str] = ()) -> Facts:
    """The facts about a suite on this machine.

    Raises:
        SuiteError, HarnessError: where it cannot be run here.
    """
    checked = check_suite(loaded)
    if checked.suite.functions:
        function_groups.of_suite(loaded, checked.listing)
    used = dict.fromkeys(each.plugin for each in _used(checked.suite, checked.listing))
    others = [each for each in used if not each.startswith((f"{PACKAGE}.", "file:"))]
    paths = {name: loaded.folder / os.path.expanduser(name) for name in elsewhere}  # noqa: PTH111 - it never raises
    return Facts(
        harness=__version__,
        code=_digest("harness", PACKAGE),
        suite=shipping.digest_of({"suite": loaded.suite.model_dump_json(by_alias=True)}),
        plugins={each: _digest(each) for each in others},
        data={name: shipping.digest(path) if path.exists() else None for name, path in paths.items()},
        versions={"python": platform.python_version(), **checked.listing.versions},
        machine=machine.describe(),
    )


def _digest(*plugins: str) -> str:
    return shipping.digest_of({name: shipping.digest(path) for each in plugins for name, path in discovery.files(each)})


def _used(suite: Suite, listing: Listing) -> Iterator[OfferData]:
    """The offers that a suite names."""
    texts = set(_names(suite.model_dump(mode="json")))
    return (each for each in listing.offers if each.name in texts)


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _names(each)
    elif isinstance(value, list):
        for each in value:
            yield from _names(each)
    elif isinstance(value, str):
        yield value


def differences(here: Facts, there: Facts) -> Iterator[str]:
    """What keeps results of a machine from being those of this suite, as sentences."""
    if here.harness != there.harness:
        yield f"its harness is {there.harness}, and here it is {here.harness}"
    elif here.code != there.code:
        yield f"its harness has other code ({there.code[:_SHOWN]}, here {here.code[:_SHOWN]})"
    if here.suite != there.suite:
        yield f"its suite is another one ({there.suite[:_SHOWN]}, here {here.suite[:_SHOWN]})"
    for name in sorted({*here.plugins, *there.plugins}):
        yield from _differing(f"the plugin {name}", here.plugins.get(name), there.plugins.get(name))
    for name in sorted({*here.data, *there.data}):
        yield from _differing(name, here.data.get(name), there.data.get(name))


def _differing(what: str, here: str | None, there: str | None) -> Iterator[str]:
    if here == there:
        if here is None:
            yield f"{what} is neither here nor there"
        return
    shown = [each[:_SHOWN] if each else "absent" for each in (there, here)]
    yield f"{what} is {shown[0]}, and here it is {shown[1]}"


def main() -> None:
    """Prints the facts about the suite that the first argument describes, and its students; or what keeps it from being run."""
    asked = json.loads(sys.argv[1])
    try:
        loaded = loading.load(Path(asked["suite"]), overrides=asked["settings"], only=asked["only"])
        facts = of(loaded, asked["elsewhere"]).model_dump(mode="json")
        trained, scored = students.wanted(loaded, quick=asked["quick"])
        answer: dict[str, Any] = {
            "facts": facts,
            "students": [each.model_dump() for each in trained],
            "unscored": [each.model_dump() for each in scored],
        }
    except HarnessError as error:
        answer = {"problem": str(error)}
    print(json.dumps(answer))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()

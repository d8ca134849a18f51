"""In what the plugins and the data of two runs differ, as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SHOWN = 12  # digits of a digest


def versions(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Libraries of another version."""
    for name in sorted({*then, *now}):
        was, is_ = then.get(name, "absent"), now.get(name, "absent")
        if was != is_:
            yield f"{name}: {was} -> {is_}"


def data(whose: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Data by their digests: at the smallest N, and of all heads where that is known."""
    for name in ("digest", "all_digest"):
        was, is_ = then.get(name), now.get(name)
        if name == "digest" and then.get("heads") != now.get("heads"):
            continue  # another smallest N: the digests are of different parts of what may be the same data
        if was is not None and was != is_:
            yield f"{whose}: {_short(was)} -> {_short(is_)}"
            return


def offers(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Plugins that offer the same by another version or another file."""
    for name in sorted({*then, *now}):
        was, is_ = then.get(name), now.get(name)
        if was == is_:
            continue
        if was is None or is_ is None:
            yield f"{name}: {'absent' if was is None else 'present'} -> {'absent' if is_ is None else 'present'}"
            continue
        for part in sorted({*was, *is_}):
            one, other = was.get(part), is_.get(part)
            if one != other:
                word = "the file of " if part == "sha256" else f"{part} of "
                yield f"{word}{name}: {_short(one)} -> {_short(other)}"


def _short(value: Any) -> str:
    """A digest by its first digits; other texts as they are."""
    text = "absent" if value in (None, "") else str(value)
    return text[:_SHOWN] if len(text) >= 5 * _SHOWN and text.isalnum() else text

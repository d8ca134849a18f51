"""Seconds, counts and bytes as people read and write them."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SUFFIXES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_MOST_DIGITS = 300
_LONGEST = 100  # characters of a number
_MOST_DECIMALS = 8
_MOST_LOGARITHM = 709.0  # of a float
LARGEST = 2**53  # floating-point numbers, which searches compute with, tell whole numbers apart up to here
TOO_LARGE = "lower its end: beyond 2^53, floating-point numbers cannot represent every integer"
_BYTES = {"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def exponential(logarithm: float) -> float:
    """What a logarithm is of: infinity where that is beyond all floats, and not an error."""
    return math.exp(logarithm) if not logarithm > _MOST_LOGARITHM else math.inf


def seconds(value: float) -> str:
    """`0.00012` → `120 µs`: three significant digits with the unit that keeps them short."""
    if not math.isfinite(value):
        return "n/a"
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if abs(value) >= scale:
            return f"{_significant(value / scale)} {unit}"
    return f"{_significant(value / 1e-9)} ns"


def duration(value: float) -> str:
    """`2400` → `40 min`: seconds as people say how long something takes."""
    for scale, unit in ((86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if value >= 2 * scale:
            return f"{value / scale:,.0f} {unit}" if value >= 10 * scale else f"{value / scale:.1f} {unit}"
    return seconds(value)


def milliseconds(value: float) -> str:
    """`0.00012` → `0.12`: milliseconds without a unit, for table cells whose heading carries it."""
    return _significant(value * 1e3)


def count(value: float) -> str:
    """`6412` → `6,412`; from ten thousand on three significant digits: `64128` → `64,100`."""
    if not math.isfinite(value):
        return "n/a"
    if abs(value) >= 10_000:
        digits = 2 - math.floor(math.log10(abs(value)))
        value = round(value, digits)
    return f"{value:,.0f}"


def ratio(value: float) -> str:
    """`24.13` → `24.1x`."""
    return f"{_significant(value)}x" if math.isfinite(value) else "n/a"


def distinct(value: float, others: Iterable[float], digits: int = 4) -> str:
    """With enough decimals to distinguish a value from the others: `0.99991` beside `0.99986`, not twice `0.9999`."""
    different = [other for other in others if other != value]
    while digits < _MOST_DECIMALS and any(f"{value:.{digits}f}" == f"{other:.{digits}f}" for other in different):
        digits += 1
    return f"{value:.{digits}f}"


def size(value: float) -> str:
    """Bytes with a binary unit: `1234567` → `1.18 MiB`."""
    for scale, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if abs(value) >= scale:
            return f"{_significant(value / scale)} {unit}"
    return f"{value:.0f} B"


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 launch`, `2 launches`, `1,024 entries`."""
    ending = "es" if noun.endswith(("ch", "sh", "s", "x")) else "s"
    return f"{number:,} {noun if number == 1 else plural or noun + ending}"


def listed(numbers: Sequence[int], most: int = 20) -> str:
    """`1, 2, 4`; of many the first ones: `1, 2, 4, … (5,000 in all)`."""
    shown = ", ".join(f"{each:,}" for each in numbers[:most])
    return shown if len(numbers) <= most else f"{shown}, … ({len(numbers):,} in all)"


def parse_count(text: str) -> int:
    """`"1e6"`, `"64k"`, `"6,400"` → an integer.

    Raises:
        UserError: where the text is not a whole number.
    """
    if re.match(r"\s*0[0-9_,]*[0-9]", text):
        raise UserError(
            f"{one_line(text, 40)!r} begins with a zero", next_step=f"write {text.strip().lstrip('0_,')[:40] or '0'}"
        )
    digits = (
        r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9][0-9_]*)"  # a comma stands before three digits, or is none of a number
    )
    form = rf"\s*({digits}(?:\.[0-9]+)?(?:e[+]?[0-9]{{1,3}})?)\s*([kmg]?)\s*"
    match = re.fullmatch(form, text.lower()) if len(text) <= _LONGEST else None
    number = Decimal(match[1].replace(",", "").replace("_", "")) * _SUFFIXES[match[2]] if match else Decimal("nan")
    if not number.is_finite() or number.adjusted() > _MOST_DIGITS or number != int(number):
        raise UserError(f"{one_line(text, 40)!r} is not a whole number", next_step="write it as 6400, 6.4k or 1e6")
    return int(number)


def parse_counts(text: str, option: str) -> list[int]:
    """`"16, 2048"` → `[16, 2048]`.

    Raises:
        UserError: where one of them is not a whole number, or a comma may stand within a number.
    """
    parts = [each.strip() for each in text.split(",") if each.strip()]
    grouped = re.fullmatch(r"\s*[1-9][0-9]{0,2}(,[0-9]{3})+\s*", text) and any(
        each.startswith("0") for each in parts[1:]
    )
    if grouped or any(re.fullmatch(r"0[0-9]+", each) for each in parts):
        raise UserError(f"{option} {text!r} may be one number or several", next_step="write 1024 without a comma")
    return [parse_count(each) for each in parts]


def parse_range(text: str) -> tuple[int, int]:
    """`"1:1e6"` → `(1, 1000000)`.

    Raises:
        UserError: where it is not two ascending whole numbers joined by a colon.
    """
    low, colon, high = text.partition(":")
    if not colon:
        raise UserError(f"{text!r} is not a range", next_step="write LOW:HIGH, such as 1:1e6")
    bounds = parse_count(low), parse_count(high)
    if bounds[0] >= bounds[1]:
        raise UserError(f"the range {text!r} is empty", next_step="LOW must be smaller than HIGH")
    if bounds[1] > LARGEST:
        raise UserError(f"the range {text!r} ends above {LARGEST:,}", next_step=TOO_LARGE)
    return bounds


def parse_size(text: str) -> int:
    """`"64MB"` → bytes.

    Raises:
        UserError: where the text is not a size.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmg]?i?b?)\s*", text.lower())
    if not match or match[2] not in _BYTES or len(text) > _LONGEST:
        raise UserError(f"{one_line(text, 40)!r} is not a size", next_step="write it as 64MB or 1GiB")
    return int(float(match[1]) * _BYTES[match[2]])


def parse_share(text: str, option: str) -> float:
    """`"5%"` or `"0.05"` → 0.05.

    Raises:
        UserError: where the text of the option is not a share between 0 and 1.
    """
    try:
        share = float(text.rstrip("% ")) / (100 if text.rstrip().endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise UserError(f"{option} {text!r} is not a share", next_step="write it as 5% or 0.05")
    return share


def _significant(value: float) -> str:
    """Three significant digits, never in scientific notation."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"

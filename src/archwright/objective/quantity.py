"""Counts, sizes and durations as people write them: ``"50k"``, ``"1.5M"``, ``"200KB"``, ``"5ms"``, ``"1h30m"``.

Parsers take plain numbers too, and refuse what is zero, negative, infinite or unreadable with a message
that shows examples. Formatters give back short text of three significant digits that the parsers read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from archwright.errors import ArchwrightError, BudgetError, ObjectiveError

__all__ = ["format_bytes", "format_count", "format_seconds", "parse_bytes", "parse_count", "parse_seconds"]

_THOUSANDS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12}
_BYTES = {
    **{
        f"{prefix}{ending}": 1000**power
        for power, prefix in enumerate(("", "k", "m", "g", "t"))
        for ending in ("", "b")
    },
    **{f"{prefix}i{ending}": 1024**power for power, prefix in enumerate("kmgt", 1) for ending in ("", "b")},
}
_SECONDS = {
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("us", "µs", "μs", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
_NUMBER = r"\d+(?:[_,]\d{3})*(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?"
_ONE = re.compile(rf"({_NUMBER})\s*([a-zµμ]*)")


def parse_count(value: object, *, where: str = "", error: type[ArchwrightError] = ObjectiveError) -> int:
    """A whole number above zero, e.g. of parameters, MACs or trials; k, M, G (or B) and T are powers of a thousand.

    Args:
        value: A number or text.
        where: What is being read, for the message: ``"max_params"``.
        error: What to raise for a value that makes no sense.

    >>> parse_count("50k"), parse_count("1.5M"), parse_count("2_000"), parse_count(1e6)
    (50000, 1500000, 2000, 1000000)
    """
    number = _read(value, _THOUSANDS, "a count", "50000, 50k or 1.5M", where, error)
    if abs(number - round(number)) > 1e-6 * number or number < 0.5:
        raise error(f"{_at(where)}{value!r} is not a whole number: write for example 50000, 50k or 1.5M")
    return round(number)


def parse_bytes(value: object, *, where: str = "", error: type[ArchwrightError] = ObjectiveError) -> int:
    """A size in bytes: KB, MB, GB are powers of 1000; KiB, MiB, GiB powers of 1024; a bare number is bytes.

    >>> parse_bytes("200KB"), parse_bytes("1.5 MiB"), parse_bytes("64k"), parse_bytes(4096)
    (200000, 1572864, 64000, 4096)
    """
    number = _read(value, _BYTES, "a size", "4096, 200KB, 1.5MB or 2GiB", where, error)
    return max(1, round(number))


def parse_seconds(value: object, *, where: str = "", error: type[ArchwrightError] = BudgetError) -> float:
    """A duration in seconds; parts add up, ``m`` is minutes, and a bare number is seconds.

    >>> parse_seconds("2m"), parse_seconds("10 min"), parse_seconds("1h30m"), parse_seconds("5ms"), parse_seconds(90)
    (120.0, 600.0, 5400.0, 0.005, 90.0)
    """
    return _read(value, _SECONDS, "a duration", "90, 90s, 10 min, 1h30m or 5ms", where, error, parts=True)


def format_count(number: float) -> str:
    """Three significant digits with k, M, G, T; whole numbers below a thousand in full.

    >>> format_count(50_000), format_count(1_234_567), format_count(999)
    ('50k', '1.23M', '999')
    """
    return _scaled(number, 1000, ("", "k", "M", "G", "T"))


def format_bytes(number: float) -> str:
    """Three significant digits with B, KB, MB, GB, TB (powers of 1000).

    >>> format_bytes(200_000), format_bytes(512), format_bytes(12_345_678)
    ('200KB', '512B', '12.3MB')
    """
    return _scaled(number, 1000, ("B", "KB", "MB", "GB", "TB"))


def format_seconds(seconds: float) -> str:
    """A duration for people: the two largest parts from a minute up, three significant digits below.

    >>> format_seconds(5400), format_seconds(90), format_seconds(12.34), format_seconds(0.005), format_seconds(2.5e-4)
    ('1h30m', '1m30s', '12.3s', '5ms', '250us')
    """
    if seconds < 0:
        return f"-{format_seconds(-seconds)}"
    if float(f"{seconds:.3g}") < 60:
        for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")):
            shown = float(f"{seconds / size:.3g}")
            if shown >= 1 or unit == "ns":
                return f"{shown:g}{unit}" if seconds else "0s"
    units = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
    first = next(i for i, (size, _) in enumerate(units) if round(seconds) >= size)
    grain = units[min(first + 1, 3)][0]  # "3d4h" does not tell its seconds
    left = round(seconds / grain) * grain
    parts = []
    for size, unit in units:
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts)


def _at(where: str) -> str:
    return f"{where}: " if where else ""


def _read(
    value: object,
    units: Mapping[str, float],
    kind: str,
    examples: str,
    where: str,
    error: type[ArchwrightError],
    parts: bool = False,
) -> float:
    """The value in the smallest unit, above zero and finite."""
    advice = f"write for example {examples}"
    if isinstance(value, str):
        number = _total(value, units, parts)
        if number is None:
            raise error(f"{_at(where)}{value!r} is not {kind}: {advice}")
    else:
        try:
            number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isnan(number):
            raise error(f"{_at(where)}{value!r} is not {kind}: {advice}")
    if not 0 < number < math.inf:
        raise error(f"{_at(where)}{value!r} is not above zero and finite: {advice}")
    return number


def _total(text: str, units: Mapping[str, float], parts: bool) -> float | None:
    """The sum of the text's numbers times their units; None if it is anything else."""
    rest, total, found, smallest = text.strip().lower(), 0.0, 0, math.inf
    sign = -1.0 if rest.startswith("-") else 1.0  # read it, so that the message can say "not above zero"
    rest = rest.lstrip("+-") if rest[:1] in ("+", "-") else rest
    while rest:
        match = _ONE.match(rest)
        if match is None or match[2] not in units or (found and not parts):
            return None
        size = units[match[2]]
        if size >= smallest or (found and not match[2]):  # "30m 1h" and "1h 30" are more likely slips
            return None
        number = float(match[1].replace("_", "").replace(",", ""))
        # Divide by small units: 5 / 1000 is exact where 5 * 0.001 need not be.
        total += number * size if size >= 1 else number / round(1 / size)
        smallest, found, rest = size, found + 1, rest[match.end() :].strip()
    return sign * total if found else None


def _scaled(number: float, step: int, units: tuple[str, ...]) -> str:
    if number < 0:
        return f"-{_scaled(-number, step, units)}"
    size = 0
    while size < len(units) - 1 and float(f"{number:.3g}") >= step:
        number, size = number / step, size + 1
    return f"{float(f'{number:.3g}'):.15g}{units[size]}"

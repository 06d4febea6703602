"""How numbers, durations and costs are written for people.

>>> count(48211), duration(123), cost("bytes", 197_632), metric(0.99123)
('48,211', '2 m 3 s', '198 KB', '0.9912')
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from archwright.objective import format_bytes, format_count, format_seconds

__all__ = ["count", "cost", "cost_name", "duration", "metric", "plural", "setting", "signed", "when"]

COST_NAMES = {
    "params": "parameters",
    "macs": "multiply-adds",
    "bytes": "size",
    "peak_bytes": "peak memory",
    "latency_ms": "latency",
}


def count(value: float) -> str:
    """A whole number with thousands apart."""
    return f"{round(value):,}" if math.isfinite(value) else str(value)


def plural(n: int, noun: str) -> str:
    """``1 trial``, ``1,204 trials``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def metric(value: float | None) -> str:
    """A metric in four decimals, or four figures where it is large.

    >>> metric(0.5), metric(53.26187), metric(12345.6), metric(None)
    ('0.5000', '53.26', '12,346', '–')
    """
    if value is None:
        return "–"
    if not math.isfinite(value):
        return str(value)
    if abs(value) < 10:
        return f"{value:.4f}"
    return f"{value:,.{max(0, 4 - len(str(int(abs(value)))))}f}"


def signed(value: float) -> str:
    """A difference with its sign.

    >>> signed(0.0123), signed(-2)
    ('+0.0123', '−2.0000')
    """
    return ("−" if value < 0 else "+") + metric(abs(value))


def duration(seconds: float | None) -> str:
    """A time as people say it.

    >>> duration(0.25), duration(9.34), duration(61), duration(7384), duration(None)
    ('250 ms', '9.34 s', '1 m 1 s', '2 h 3 m', '–')
    """
    return "–" if seconds is None or not math.isfinite(seconds) else _spaced(format_seconds(seconds))


def cost_name(name: str) -> str:
    """What a cost is called: ``params`` is ``parameters``; others as they are, without underscores."""
    return COST_NAMES.get(name, re.sub(r"_(ms|bytes)$", "", name).replace("_", " "))


def cost(name: str, value: float | None) -> str:
    """A cost with its unit.

    >>> cost("params", 48211), cost("macs", 1_234_567), cost("latency_ms", 0.4231), cost("energy", 2.5)
    ('48,211', '1.23 M', '423 µs', '2.500')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if name.endswith("_ms"):
        return _spaced(format_seconds(value / 1000))
    if name.endswith("bytes"):
        return _spaced(format_bytes(value))
    if name == "macs":
        return _spaced(format_count(value))
    return count(value) if float(value).is_integer() else f"{value:.4g}" if abs(value) >= 10 else f"{value:.3f}"


def _spaced(text: str) -> str:
    """Numbers, units and parts apart: ``2m3s`` is ``2 m 3 s``."""
    return re.sub(r"(?<=\d)(?=[A-Za-zµ])|(?<=[a-z])(?=\d)", " ", text).replace("us", "µs")


def setting(value: object) -> str:
    """The value of a decision.

    >>> setting(("a", "b")), setting(0.00123456), setting(True), setting(None)
    ('a + b', '0.001235', 'yes', 'none')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (tuple, list)):
        return " + ".join(map(setting, value)) or "nothing"
    return str(value)


def when(moment: object) -> str:
    """A date and time, from seconds since 1970 or as it is written already.

    >>> when(0), when("yesterday"), when(None)
    ('1970-01-01 00:00 UTC', 'yesterday', '')
    """
    if isinstance(moment, (int, float)) and math.isfinite(moment):
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return "" if moment is None else str(moment)

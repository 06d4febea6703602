"""Trials as JSON and back, exactly.

Every float comes back as the very same float (NaN and infinities too, which JSON proper does not know but
Python's reader and writer do), tuples come back as tuples, None as None. A field that holds its default is
left out. The number and the status of a trial are columns of their own, and its learning curve is apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from archwright.errors import StoreError
from archwright.space import Architecture
from archwright.trial import Measurement, Proposal, Status, Trial

__all__ = ["Record", "decode", "decode_curve", "decode_many", "dumps", "encode", "encode_curve"]

T = TypeVar("T")


class Record(NamedTuple):
    """A trial as it stands in a store.

    Args:
        trial: The trial; its measurement's `curve` is empty unless curves were asked for.
        told: Its place in the order of tells: 0, 1, 2, ...
        asked_after: How many trials had been told when this one was asked for.
    """

    trial: Trial
    told: int
    asked_after: int


def _plain(value: Any) -> Any:
    """What JSON does not know: other mappings, and numbers of numpy or torch, which have `item`."""
    if isinstance(value, Mapping):
        return dict(value)
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r:.80} is a {type(value).__name__}, not a JSON value (number, text, list, object, null)")


_encode = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


def dumps(value: Any, what: str) -> str:
    """Compact JSON of `value`; `what` names it if it cannot be written."""
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"{what} cannot be stored: {error}") from error


def _known(fact: Any, *names: str) -> dict[str, Any]:
    """Those of its fields that are not None: trial 0 is one to continue."""
    return {name: value for name in names if (value := getattr(fact, name)) is not None}


def _some(fact: Any, *names: str) -> dict[str, Any]:
    """Those of its fields that are neither empty nor 0."""
    return {name: value for name in names if (value := getattr(fact, name))}


def encode(trial: Trial) -> str:
    """Everything of a trial but its number, status and learning curve."""
    proposal, measured = trial.proposal, trial.measurement
    body: dict[str, Any] = {"architecture": dict(proposal.architecture)}
    body |= _known(proposal, "epochs", "continues") | _some(proposal, "parents", "origin")
    if measured is not None:
        body["measurement"] = _some(measured, "metrics", "costs", "seconds", "epochs", "extra")
    body |= _known(trial, "scores") | _some(trial, "violation", "reason", "key", "seed", "finished")
    return dumps(body, f"trial {trial.number}")


def encode_curve(trial: Trial) -> str | None:
    """The learning curve of a trial, or None when it has none."""
    if trial.measurement is None or not trial.measurement.curve:
        return None
    return dumps(trial.measurement.curve, f"the learning curve of trial {trial.number}")


def decode_curve(text: str | None) -> tuple[Mapping[str, float], ...]:
    """Read what `encode_curve` wrote."""
    return tuple(json.loads(text)) if text else ()


def decode(number: int, status: Status, body: Mapping[str, Any], curve: str | None = None) -> Trial:
    """A trial from its columns, with `body` parsed already."""
    get = body.get
    inside, scores = get("measurement"), get("scores")
    measurement = None
    if inside is not None:
        of = inside.get
        measurement = _made(
            Measurement,
            {
                "metrics": of("metrics") or {},
                "costs": of("costs") or {},
                "curve": decode_curve(curve) if curve else (),
                "seconds": of("seconds", 0.0),
                "epochs": of("epochs", 0),
                "extra": of("extra") or {},
            },
        )
    proposal = _made(
        Proposal,
        {
            "architecture": Architecture(body["architecture"]),
            "epochs": get("epochs"),
            "continues": get("continues"),
            "parents": tuple(get("parents", ())),
            "origin": get("origin", ""),
        },
    )
    return _made(
        Trial,
        {
            "number": number,
            "proposal": proposal,
            "status": status,
            "measurement": measurement,
            "scores": None if scores is None else tuple(scores),
            "violation": get("violation", 0.0),
            "reason": get("reason", ""),
            "key": get("key", ""),
            "seed": get("seed", 0),
            "finished": get("finished", 0.0),
        },
    )


def _made(kind: type[T], fields: dict[str, Any]) -> T:
    """An object of a frozen dataclass from *all* its fields.

    Its own ``__init__`` sets them one by one past the freeze, which is half the time of reading a large store.
    """
    made = object.__new__(kind)
    made.__dict__.update(fields)
    return made


def decode_many(rows: Sequence[Sequence[Any]]) -> list[Record]:
    """Records from rows of (told, number, asked_after, status, body, curve).

    The bodies are parsed as one JSON array: one call of the parser, which then also keeps a single copy of each name.
    """
    bodies = json.loads("[" + ",".join([row[4] for row in rows]) + "]")
    return [
        Record(decode(number, status, body, curve), told, asked_after)
        for (told, number, asked_after, status, _, curve), body in zip(rows, bodies, strict=True)
    ]

"""From the official records of NAS-Bench-101 to the table that `nasbench101` reads; needs no TensorFlow."""

from __future__ import annotations

import base64
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from archwright.errors import DataError

__all__ = ["convert"]

FINAL = 2
"""The third evaluation of a record is that after the last epoch; before it come the start and half time."""


def convert(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> Path:
    """Write the table of an official file that a user has: ``hash``, ``params``, ``val_E``, ``test_E``, ``seconds_E``.

    Args:
        source: ``nasbench_full.tfrecord`` (schedules of 4, 12, 36 and 108 epochs) or ``nasbench_only108.tfrecord``.
        target: A ``.parquet`` or ``.csv`` file; name it ``nasbench101.parquet`` for `nasbench101` to find it.

    The structure was taken from the source of the official package; it was tested here on small files made alike, not
    on the official ones.

    Returns:
        The target.
    """
    import pandas as pd

    source, target = Path(source), Path(target)
    if target.suffix not in (".csv", ".parquet"):
        raise DataError(f"cannot write {str(target)!r}: allowed are .csv and .parquet")
    params: dict[str, int] = {}
    runs: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    for number, record in enumerate(_records(source)):
        try:
            cell, epochs, _, _, packed = json.loads(record)
            count, evaluations = _metrics(base64.b64decode(packed))
            params[cell] = count
            runs.setdefault((cell, int(epochs)), []).append(evaluations[FINAL])
        except (ValueError, IndexError, KeyError, struct.error) as error:
            raise DataError(
                f"record {number} of {str(source)!r} has not the structure of the benchmark: {error!r}"
            ) from error
    if not params:
        raise DataError(f"file {str(source)!r} holds no record")
    table: dict[str, Any] = {"hash": list(params), "params": list(params.values())}
    for epochs in sorted({e for _, e in runs}):
        means = [np.mean(runs[cell, epochs], axis=0) if (cell, epochs) in runs else [np.nan] * 3 for cell in params]
        table |= dict(zip((f"seconds_{epochs}", f"val_{epochs}", f"test_{epochs}"), np.transpose(means), strict=True))
    frame = pd.DataFrame(table)
    if target.suffix == ".csv":
        frame.to_csv(target, index=False)
    else:
        frame.to_parquet(target, index=False)
    return target


def _records(source: Path) -> Iterator[bytes]:
    """The records of a TFRecord file: length (8 bytes), its checksum (4), the data, their checksum (4)."""
    with source.open("rb") as file:
        while head := file.read(12):
            if len(head) < 12:
                raise DataError(f"file {str(source)!r} ends within a record: it was not downloaded whole")
            length = struct.unpack("<Q", head[:8])[0]
            if length > 2**24:
                raise DataError(f"file {str(source)!r} is no TFRecord file: a record of {length:,} bytes")
            data = file.read(length)
            if len(data) < length or len(file.read(4)) < 4:
                raise DataError(f"file {str(source)!r} ends within a record: it was not downloaded whole")
            yield data


def _metrics(message: bytes) -> tuple[int, list[tuple[float, float, float]]]:
    """Parameters, and (seconds, validation, test) of every evaluation, from a ``ModelMetrics`` message.

    Its fields: 1 evaluations, repeated; 2 trainable parameters. An evaluation's: 2 training time, 4 validation
    accuracy, 5 test accuracy, all doubles.
    """
    params, evaluations = 0, []
    for field, value in _fields(message):
        if field == 1:
            found = dict(_fields(value))
            evaluations.append((found[2], found[4], found[5]))
        elif field == 2:
            params = int(value)
    return params, evaluations


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol-buffer message: varints, doubles, and bytes (texts, messages)."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
        elif kind == 1:
            yield tag >> 3, struct.unpack_from("<d", message, at)[0]
            at += 8
        elif kind == 2:
            length, at = _varint(message, at)
            yield tag >> 3, message[at : at + length]
            at += length
        elif kind == 5:
            yield tag >> 3, struct.unpack_from("<f", message, at)[0]
            at += 4
        else:
            raise ValueError(f"a field of kind {kind}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7

"""Messages between the search and a worker process: pickles with their length before them, over a socket."""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Iterator
from typing import Any

__all__ = ["Inbox", "receive", "send"]

_LENGTH = struct.Struct("!Q")
CHUNK = 1 << 18


def send(connection: socket.socket, message: Any) -> None:
    """Send one message whole.

    Raises:
        OSError: The other side is gone.
    """
    data = pickle.dumps(message, protocol=5)
    connection.sendall(_LENGTH.pack(len(data)) + data)


def receive(connection: socket.socket) -> Any:
    """Wait for one message.

    Raises:
        EOFError: The other side is gone.
    """
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    return pickle.loads(_exactly(connection, length))


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(min(size - len(parts), CHUNK))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


class Inbox:
    """Puts messages together from whatever has arrived, without waiting for more."""

    def __init__(self, connection: socket.socket):
        self.connection = connection
        self._buffer = bytearray()

    def arrived(self) -> bool:
        """Take in all that is there now; False once the other side is gone and nothing more will come."""
        while True:
            try:
                part = self.connection.recv(CHUNK, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not part:
                return False
            self._buffer += part

    def messages(self) -> Iterator[Any]:
        """The messages that are complete."""
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            data = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield pickle.loads(data)

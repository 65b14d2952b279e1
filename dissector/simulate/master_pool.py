"""The connections of a simulated master to its agent, as the genuine master keeps them (docs/agent.md)."""

from __future__ import annotations

import asyncio
from ssl import SSLContext

from dissector.model import Endpoint
from dissector.simulate.dialog import endpoint
from dissector.simulate.http_text import HttpFaultError, Received, receive, request

_LIMIT = 64 * 1024


class Pool:
    """Connections to one agent: a request takes the one that became idle last, or a new one."""

    def __init__(self, address: Endpoint, tls: SSLContext | None) -> None:
        self.address, self._tls = address, tls
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._all: set[asyncio.StreamWriter] = set()
        self.local: Endpoint | None = None

    async def ask(
        self, path: str, headers: list[tuple[str, str]], body: bytes = b"", kind: str | None = None
    ) -> Received:
        """
        :raises OSError: the agent is not reached, or ended the connection
        """
        host = f"{self.address.ip}:{self.address.port}"
        target = f"https://{host}{path}" if self._tls is not None else path
        reader, writer = self._idle.pop() if self._idle else await self._connect()
        try:
            writer.write(request(target, host, headers, body, kind))
            await writer.drain()
            response = await receive(reader)
        except HttpFaultError as fault:
            raise OSError(str(fault)) from None
        except (asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
            raise
        if response is None:
            writer.close()
            raise ConnectionResetError("the agent ended the connection")
        self._idle.append((reader, writer))
        return response

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ip, port = self.address
        reader, writer = await asyncio.open_connection(ip, port, ssl=self._tls, limit=_LIMIT)
        self.local = endpoint(writer.get_extra_info("sockname"))
        self._all.add(writer)
        return reader, writer

    def close(self) -> None:
        """A master that ends leaves its connections to the kernel."""
        for writer in self._all:
            writer.transport.abort()

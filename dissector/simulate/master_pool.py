"""The connections of a simulated master to its agent, as the genuine master keeps them (docs/agent.md)."""

from __future__ import annotations

import asyncio
from ssl import SSLContext
from typing import Any

from dissector.model import Endpoint
from dissector.simulate.dialog import endpoint
from dissector.simulate.http_text import AGENT_API, JSON, HttpFaultError, Received, command, receive, request

_LIMIT = 64 * 1024


class Pool:
    """Connections to one agent: a request takes the one that became idle last, or a new one."""

    def __init__(self, address: Endpoint, tls: SSLContext | None, prefix: str = "", host: str | None = None) -> None:
        """``prefix`` stands before all paths; ``host`` is the name of the agent's certificate, if it is checked."""
        self.address, self._tls = address, tls
        self._prefix, self._host = prefix, host
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._all: set[asyncio.StreamWriter] = set()
        self.local: Endpoint | None = None

    async def command(self, headers: list[tuple[str, str]], kind: str, **fields: Any) -> Received:
        """A command; without ``Cache-Control`` for a file order source, as the genuine master.

        :raises OSError: as ``ask``
        """
        value = {"$TYPE": kind, **fields}
        fixed = [] if kind == "RequestFileOrderSourceContent" else [("Cache-Control", "no-cache, no-store")]
        head = [("Content-Encoding", "gzip"), *headers, *fixed, ("Accept", "application/json")]
        return await self.ask(f"{AGENT_API}/command", head, command(value), JSON)

    async def ask(
        self,
        path: str,
        headers: list[tuple[str, str]],
        body: bytes = b"",
        kind: str | None = None,
        method: str = "POST",
    ) -> Received:
        """
        :raises OSError: the agent is not reached, or ended the connection
        """
        host = f"{self.address.ip}:{self.address.port}"
        path = self._prefix + path
        target = f"https://{host}{path}" if self._tls is not None else path
        reader, writer = self._idle.pop() if self._idle else await self._connect()
        try:
            writer.write(request(target, host, headers, body, kind, method))
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
        name = self._host if self._tls is not None else None
        reader, writer = await asyncio.open_connection(ip, port, ssl=self._tls, server_hostname=name, limit=_LIMIT)
        self.local = endpoint(writer.get_extra_info("sockname"))
        self._all.add(writer)
        return reader, writer

    def close(self) -> None:
        """A master that ends leaves its connections to the kernel."""
        for writer in self._all:
            writer.transport.abort()

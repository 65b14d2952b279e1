"""One end of a dialog without a connection of its own: its messages travel in bodies over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

from dissector.simulate.dialog import SimulatedDialog

_HEADER = 4


class Pipe(asyncio.Transport):
    """What ``dialog`` writes comes out of ``said``, message by message; ``hear`` brings it one of the other side."""

    def __init__(self, dialog: SimulatedDialog) -> None:
        super().__init__()
        self._dialog = dialog
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._over = False
        dialog.connection_made(self)

    async def said(self) -> bytes | None:
        """The next message; None when the dialog is over."""
        return await self._messages.get()

    def hear(self, message: bytes) -> None:
        self._dialog.data_received(len(message).to_bytes(_HEADER, "big") + message)

    def end(self) -> None:
        """Whoever is behind the dialog is gone."""
        self._dialog.reset()

    # --- what a dialog asks of a transport -------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        self._messages.put_nowait(bytes(data)[_HEADER:])

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ARG002  asyncio's shape
        return self if name == "socket" else ("", 0)

    def is_closing(self) -> bool:
        return self._over

    def abort(self) -> None:
        if not self._over:
            self._over = True
            self._messages.put_nowait(None)
            asyncio.get_running_loop().call_soon(self._dialog.connection_lost, None)

    def shutdown(self, how: int) -> None:
        """As a socket."""

    def setsockopt(self, *option: object) -> None:
        """As a socket."""

"""The messages over HTTP of a run: segments that are one usual message each (see ``usual``).

What is the same in many heads is found here, in the process that reads ahead; the tracer reads each such head once.
"""

from __future__ import annotations

from dissector.stream.block import Buffer, Heard, Joined, Pairs, Piece

_API, _POST, _HTTP = b"/jobscheduler/agent/api/", b"POST ", b"HTTP/"
#: Bytes of a request in which its path begins.
_LINE = 256


def asks_agent(data: Buffer, begin: int, end: int) -> bool:
    """True for a payload that begins with a command to an agent, or with a message to one."""
    return data[begin : begin + 5] == _POST and data[begin : min(begin + _LINE, end)].find(_API) >= 0


class RunExchanges:
    """Takes the payloads of a run in order."""

    def __init__(self, data: Buffer) -> None:
        # Whoever reads ahead begins sooner without it, and most captures have no agent.
        from dissector.session.usual import usual_request, usual_response

        self._data, self._usual = data, (usual_request, usual_response)
        self.heads: dict[bytes, int] = {}
        self.heard: list[Heard] = []

    def payload(self, piece: Piece, time: int) -> bool:  # noqa: ARG002  as ``RunMessages`` does
        """What a segment carries; False for anything but a usual message: nothing was taken."""
        data = self._data[piece[2] : piece[3]]
        usual = self._usual[data[:5] == _HTTP](data)
        if usual is None:
            return False
        head, number, end = usual
        self.heard.append((*piece, self.heads.setdefault(head, len(self.heads)), number, end))
        return True

    def finish(self) -> tuple[list[Pairs | Piece | Joined], list[Piece]]:
        """As ``RunMessages``: there are no frames."""
        return [], []

"""The records of TLS of a run: segments that are one record each of what the program sends."""

from __future__ import annotations

from dissector.stream.block import Buffer, Joined, Pairs, Piece
from dissector.stream.tls_records import is_program


class RunRecords:
    """Takes the payloads of a run in order."""

    #: Messages that are not in TLS: there are none.
    heard: tuple[()] = ()
    streaks: tuple[()] = ()

    def __init__(self, data: Buffer) -> None:
        self._data = data
        self.heads: dict[bytes, int] = {}
        self.records: list[Piece] = []

    def payload(self, piece: Piece, time: int) -> bool:  # noqa: ARG002  as ``RunMessages`` does
        """What a segment carries; False for anything but one record of the program: nothing was taken."""
        if not is_program(self._data, piece[2], piece[3]):
            return False
        self.records.append(piece)
        return True

    def finish(self) -> tuple[list[Pairs | Piece | Joined], list[Piece]]:
        """As ``RunMessages``: there are no frames."""
        return [], []

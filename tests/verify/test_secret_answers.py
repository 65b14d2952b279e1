"""What is secret as a whole is so in the plugin too: answers, new objects, and texts that stand in two places."""

from __future__ import annotations

from pathlib import Path
from subprocess import run

from conversation import Network, bstr, call, new_object
from talks import OBJECTS, Talk, Turn, play
from verify_kit import PLUGIN, WAYS, disagreements

from dissector.wire import messages as m
from dissector.wire.decode import encode_frame

_SECRET = "Sesam4"
_GUID = bytes(16)
_LOOK_UP = m.GetIdsOfNames(OBJECTS[1], _GUID, 0, ("ssh_password",))
_GET = call(OBJECTS[1], "password")
_INVOKE = m.Invoke(OBJECTS[1], 1, _GUID, 0, 1, m.DispParams((), (bstr("db_password"),)))
_FAILURE = m.InvokeFailure(-1, m.ExcepInfo(0, 0, "source", "description", _SECRET, 0, 0))
_OUTER = new_object(
    7, "title", _GUID, m.Property("ssh_password", bstr(_SECRET)), m.Property("ssh_pin", m.Variant(3, 4711))
)
_ERROR = encode_frame(m.ErrorAnswer(("COM-80020009", _SECRET)))
#: The same text as a secret, and where it only has one in it.
_TWICE = m.Variant(
    9, new_object(8, "title", _GUID, m.Property("pin", bstr("token=1")), m.Property("x", bstr("token=1")))
)
#: The count of its strings says one more than there are.
_BROKEN = _ERROR[:5] + bytes([_ERROR[5], *_ERROR[6:8], _ERROR[8] + 1]) + _ERROR[9:]

TALK = (
    Turn(1, encode_frame(_LOOK_UP)),
    Turn(0, _ERROR),
    Turn(1, encode_frame(_GET)),
    Turn(0, _BROKEN),
    Turn(1, encode_frame(_INVOKE)),
    Turn(0, encode_frame(m.InvokeAnswer(0x8000_4005, None, _FAILURE))),
    Turn(1, encode_frame(m.CreateInstance(1, _GUID, _OUTER, 1, (_GUID,)))),
    Turn(0, encode_frame(m.CreateInstanceAnswer(0x8000_4005, None))),
    Turn(1, encode_frame(call(OBJECTS[1], "set", _TWICE))),
)


def test_secrets(tmp_path: Path) -> None:
    network = Network()
    play(network, Talk(TALK, 1_448, is_announced=True), 0)
    path = tmp_path / "secrets.pcap"
    path.write_bytes(network.capture())
    assert list(disagreements(path, WAYS, least=len(TALK))) == []
    drawn = run(
        ["tshark", "-X", f"lua_script:{PLUGIN}", "-O", "jobscheduler", "-r", path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "db_password" in drawn
    assert not [line for line in drawn.splitlines() if _SECRET in line or "4711" in line]

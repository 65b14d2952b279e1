"""Whose dissector gets the payload: ours for our connections, theirs for those of others, none of ours if disabled."""

from __future__ import annotations

import subprocess
from pathlib import Path

import plugin_kit as kit
import pytest

#: Ports that Wireshark gives to protocols of others although systems choose them for connections.
IRC, ENIP = 57_000, 44_818
#: That of a dissector which ends the program when it is called without what TCP knows.
DOF = 3_567


def _with_ports(source: list[kit.Record], changes: dict[int, int]) -> list[kit.Record]:
    """The same with other ports, in the TCP headers and in the start command."""
    changed = []
    for packet in source:
        frame, tcp = bytearray(packet.data), 14 + (packet.data[14] & 15) * 4
        for at in (tcp, tcp + 2):
            port = int.from_bytes(frame[at : at + 2], "big")
            frame[at : at + 2] = changes.get(port, port).to_bytes(2, "big")
        data = bytes(frame)
        for old, new in changes.items():
            data = data.replace(f'tcp_port="{old}"'.encode(), f'tcp_port="{new}"'.encode())
        changed.append(packet._replace(data=data))
    return changed


def _genuine() -> list[kit.Record]:
    return kit.records(kit.CAPTURES / "engine_shell_ok.pcap")


def _ports(packets: list[kit.Record]) -> set[int]:
    found: set[int] = set()
    for packet in packets:
        tcp = 14 + (packet.data[14] & 15) * 4
        found |= {int.from_bytes(packet.data[at : at + 2], "big") for at in (tcp, tcp + 2)}
    return found


def _chat(port: int) -> list[kit.Record]:
    """A connection of somebody else to the port that ours uses, too."""
    talk = kit.Talk(port, IRC)
    talk.client(b"NICK somebody\r\nUSER somebody 0 * :Some Body\r\n")
    talk.server(b":irc.example 001 somebody :Welcome\r\n")
    return talk.records


def _layers(path: Path, *options: str) -> list[str]:
    return kit.tshark(path, *options, "-T", "fields", "-e", "frame.protocols").split()


@pytest.mark.parametrize(("start", "unknown"), [(0, 2), (20, 31)], ids=["whole", "mid-stream"])
def test_no_dissector_of_another_protocol_gets_our_payload(tmp_path: Path, start: int, unknown: int) -> None:
    """Both ends of the callback connection have ports that others claim; the messages are the same as ever.

    Before its first bytes are read nobody knows what a connection is, and one without a SYN waits for it; the second
    pass knows.  IRC waits for the end of a line meanwhile, and TCP leaves it all bytes until that comes.
    """
    callback = max(_ports(_genuine()) - {59_999})
    packets = _with_ports(_genuine()[start:], {59_999: IRC, callback: ENIP})
    path = kit.write(tmp_path / "ports.pcap", packets)
    plain = kit.write(tmp_path / "plain.pcap", _genuine()[start:])
    names = ("frame.number", "jobscheduler.class", "jobscheduler.operation", "jobscheduler.member")
    assert kit.rows(path, "jobscheduler", *names) == kit.rows(plain, "jobscheduler", *names)
    for options, most in ((), unknown), (("-2",), 0):
        foreign = [one for one in _layers(path, *options) if "irc" in one or "enip" in one]
        assert len(foreign) <= most
    assert any(one.endswith("tcp:jobscheduler") for one in _layers(path))


@pytest.mark.parametrize("options", [(), ("-2",)], ids=["one-pass", "two-passes"])
def test_the_port_of_a_callback_stays_open_to_others(tmp_path: Path, options: tuple[str, ...]) -> None:
    ours = _with_ports(_genuine(), {59_999: IRC})
    path = kit.write(tmp_path / "shared.pcap", [*_chat(40_001), *ours, *_chat(40_002)])
    layers = _layers(path, *options)
    chat = len(_chat(40_001))
    assert [one.count("irc") for one in layers[:chat]] == [0, 0, 0, 1, 1]
    assert [one.count("irc") for one in layers[-chat:]] == [0, 0, 0, 1, 1]
    assert any(one.endswith("jobscheduler") for one in layers[chat:-chat])


def test_a_port_can_be_decoded_as_ours(tmp_path: Path) -> None:
    talk = kit.Talk(40_000, 7_777)
    talk.client(b"neither XML nor a message")
    path = kit.write(tmp_path / "asked.pcap", talk.records)
    assert not any("jobscheduler" in one for one in _layers(path))
    assert _layers(path, "-d", "tcp.port==7777,jobscheduler")[-1].endswith("tcp:jobscheduler")


def _output(path: Path, *options: str) -> str:
    command = ["tshark", "-r", str(path), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout


def _infos(path: Path, *options: str) -> list[str]:
    """Protocol and what is said of each line."""
    lines = _output(path, "-X", f"lua_script:{kit.PLUGIN}", *options).splitlines()
    return [line.split(maxsplit=5)[5] for line in lines]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("order", ["before", "behind", "between"])
def test_a_line_of_others_on_the_port_of_a_callback_is_theirs(tmp_path: Path, order: str) -> None:
    """Where lines are printed the port is lent to the dissector of bytes, but not while others use it."""
    ours, chat = _with_ports(_genuine(), {59_999: IRC}), _chat(40_001)
    half = len(ours) // 2
    orders = {"before": [*chat, *ours], "behind": [*ours, *chat], "between": [*ours[:half], *chat, *ours[half:]]}
    packets = orders[order]
    infos = _infos(kit.write(tmp_path / "shared.pcap", packets))
    assert len(infos) == len(packets)
    alone = _infos(kit.write(tmp_path / "chat.pcap", chat))
    assert [one for one in infos if one.startswith("IRC ")] == [one for one in alone if one.startswith("IRC ")]
    assert sum("IRC" in one for one in alone) == 2
    plain = _infos(kit.write(tmp_path / "ours.pcap", _genuine()))
    messages = [one for one in plain if one.startswith("JobScheduler") and "tcp_port" not in one]
    assert [one for one in infos if one.startswith("JobScheduler") and "tcp_port" not in one] == messages


_LENDING = """
do
  local ports = DissectorTable.get("tcp.port")
  function js.session.remember() end

  local function owner(port) return string.lower(tostring(ports:get_dissector(port) or "nobody")) end

  local function begun(client, server, role)
    local stream = { role = role or "callback", client = { port = client }, server = { port = server } }
    js.claim.begins(stream)
    return stream
  end

  js.session.is_lending = true
  local one = begun(40001, 51001)
  js.claim.stream(one)
  print("one", owner(51001), owner(40001))
  local two = begun(40002, 51001)
  print("another", owner(51001))
  js.claim.stream(two)
  print("a callback too", owner(51001))
  js.claim.begins(two)
  print("a stranger", owner(51001))
  js.claim.stream(begun(40003, 51001))
  print("two of three", owner(51001))
  js.claim.stream(begun(51001, 51002))
  print("as a client's", owner(51002), owner(51001))
  js.claim.stream(begun(40004, 6667))
  print("of others", owner(6667))
  js.claim.stream(begun(40005, 51003, "command"))
  print("a command", owner(51003))
  js.session.is_lending = false
  js.claim.stream(begun(40006, 51004))
  print("not where a tree is shown", owner(51004))
  js.claim.nothing()
  print("given back", owner(51001), owner(51002), owner(51003), owner(51004), owner(6667))
end
"""


def test_a_port_is_lent_while_its_connections_are_callbacks(tmp_path: Path) -> None:
    assert kit.behind(_LENDING, tmp_path) == [
        ["one", "data", "nobody"],
        ["another", "jobscheduler"],
        ["a callback too", "data"],
        ["a stranger", "jobscheduler"],
        ["two of three", "jobscheduler"],
        ["as a client's", "data", "jobscheduler"],
        ["of others", "jobscheduler"],
        ["a command", "jobscheduler"],
        ["not where a tree is shown", "jobscheduler"],
        ["given back", "nobody", "nobody", "nobody", "nobody", "irc"],
    ]


def test_a_filter_for_bytes_finds_none_of_ours() -> None:
    path = kit.CAPTURES / "engine_shell_ok.pcap"
    for condition in ("data", "data.len > 0"):
        assert _infos(path, "-Y", condition) == []


def _middle(tmp_path: Path) -> Path:
    """The first packet of the capture is a command."""
    packets = [packet for packet in _genuine() if kit.payload(packet.data)]
    return kit.write(tmp_path / "middle.pcap", packets)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("passes", [(), ("-2",)], ids=["one-pass", "two-passes"])
@pytest.mark.parametrize(
    "kind", [("-V",), (), ("-q", "-o", "jobscheduler.task_table:TRUE")], ids=["tree", "lines", "tap"]
)
@pytest.mark.parametrize("source", ["whole", "middle"])
def test_a_disabled_protocol_does_nothing(
    tmp_path: Path, source: str, kind: tuple[str, ...], passes: tuple[str, ...]
) -> None:
    """What tshark prints is what it prints without the plugin."""
    path = kit.CAPTURES / "engine_shell_ok.pcap" if source == "whole" else _middle(tmp_path)
    plugin = ("-X", f"lua_script:{kit.PLUGIN}")
    disabled = _output(path, *plugin, "--disable-protocol", "jobscheduler", *passes, *kind)
    assert disabled != _output(path, *plugin, *passes, *kind)
    without = [one for one in kind if not one.startswith("jobscheduler.") and one != "-o"]
    assert disabled == _output(path, *passes, *without)


def test_a_dissector_that_needs_what_tcp_knows_is_not_called_by_us(tmp_path: Path) -> None:
    callback = max(_ports(_genuine()) - {59_999})
    talk = kit.Talk(50_000, DOF)
    talk.client(bytes(range(60)))
    talk.server(b"DOF\0" + bytes(range(60)))
    path = kit.write(tmp_path / "x.pcap", [*_with_ports(_genuine(), {callback: DOF, 59_999: DOF + 1}), *talk.records])
    assert len(_layers(path)) == len(_genuine()) + len(talk.records)


@pytest.mark.parametrize("most", ["2 ^ 17", "0", "1", "2"], ids=["all-noted", "none-noted", "one-noted", "two-noted"])
def test_two_pairs_of_hosts_use_the_same_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: str) -> None:
    """Each payload has its own dissector, whether the plugin notes which hosts use which ports or has too many."""
    plugin = tmp_path / "plugin.lua"
    text = kit.PLUGIN.read_text(encoding="utf-8")
    assert text.count("MOST_PORT_PAIRS = 2 ^ 17\n") == 1
    plugin.write_text(text.replace("MOST_PORT_PAIRS = 2 ^ 17\n", f"MOST_PORT_PAIRS = {most}\n"), encoding="utf-8")
    monkeypatch.setattr(kit, "PLUGIN", plugin)
    callback = max(_ports(_genuine()) - {59_999})
    ours = _with_ports(_genuine(), {59_999: IRC})
    middle = len(ours) - 8
    path = kit.write(tmp_path / "twice.pcap", [*ours[:middle], *_chat(callback), *ours[middle:]])
    layers = _layers(path)
    chat = len(_chat(callback))
    assert [one.count("irc") for one in layers[middle : middle + chat]] == [0, 0, 0, 1, 1]
    assert not any("irc" in one for one in layers[middle + chat :])
    assert any(one.endswith("jobscheduler") for one in layers[middle + chat :])

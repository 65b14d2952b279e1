"""What is taken for a JobScheduler connection, and what is not."""

from __future__ import annotations

from random import Random

import pytest
from conversation import SERVER_CLSID
from kit import BEGUN, HEALTHY, LOGGED, STEP_ASKED, Address, Network, Story, framed, packets_of, trace

from dissector.limits import MAX_SNIFF
from dissector.model import Role
from dissector.session import detect
from dissector.wire.decode import encode_frame

COMMAND, CALLBACK, UNKNOWN = Role.COMMAND, Role.CALLBACK, Role.UNKNOWN
PROLOG = b'<?xml version="1.0" encoding="ISO-8859-1"?>\n'
START = PROLOG + b'<remote_scheduler.start_remote_task tcp_port="59999" kind="process"/>'
ANSWER = PROLOG + b'<spooler><answer time="2026-11-22 04:00:00.000"><ok/></answer></spooler>\0'
CREATE = framed(b"S" + bytes(8) + b"C" + SERVER_CLSID + bytes(9) + bytes(4) + b"\0\0\0\0")
TOKEN = framed(b'{"tunnelToken":{"id":"1","secret":"x"}}')

HTTP = b"GET /index.html HTTP/1.1\r\nHost: intranet\r\n\r\n"
HTTP_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TLS = bytes.fromhex("16030100c8010000c40303") + bytes(range(200))
TLS_ANSWER = bytes.fromhex("160303005a0200005603") + bytes(80)
DNS = bytes.fromhex("001d1234012000010000000000000377777705736f736c6f02646500000100 01".replace(" ", ""))
DNS_ANSWER = bytes.fromhex("002d123485800001000100000000") + bytes(33)
POSTGRES_SSL = bytes.fromhex("0000000804d2162f")
POSTGRES_START = bytes.fromhex("0000002600030000") + b"user\0jobs\0database\0jobs\0\0"
POSTGRES_OK = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\5I"
XMPP = b"<?xml version='1.0'?><stream:stream to='x' xmlns='jabber:client'>"
SMB = b"\0\0\0\x55\xffSMB\x72" + bytes(80)
SMB_ANSWER = b"\0\0\0\x61\xffSMB\x72" + bytes(90)


def verdict(client: bytes = b"", server: bytes = b"", *, port: bool = False, mid: bool = False) -> Role | None:
    return detect.verdict(client, server, is_command_port=port, mid_stream=mid)


# --- ours ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [True, False], ids=["4445", "elsewhere"])
@pytest.mark.parametrize(
    "target",
    [b"/jobscheduler/agent/api/command", b"/a/b/jobscheduler/agent/api", b"https://h:1/jobscheduler/agent/api/"],
)
def test_a_universal_agent_is_known_on_any_port(target: bytes, port: bool) -> None:
    line = b"POST %s HTTP/1.1\r\n" % target
    assert verdict(line, port=port) is Role.HTTP
    for size in range(3, len(line) - 11):  # wherever the request line is cut
        assert verdict(line[:size], port=port) in (None, Role.HTTP)


@pytest.mark.parametrize("header", [b"Tunnel-Secret", b"Request-ID", b"Heartbeat", b"Session", b"LicenseKey"])
def test_in_mid_stream_headers_tell_a_universal_agent(header: bytes) -> None:
    piece = b"est: x\r\nX-JobScheduler-" + header + b": 1\r\n\r\n"
    assert verdict(piece, mid=True) is Role.HTTP
    assert verdict(b"", piece, mid=True) is Role.HTTP
    assert verdict(piece) is UNKNOWN


@pytest.mark.parametrize("behind", [b"\r\nContent-Length: 70\r\n\r\n" + ANSWER, b"\r\n\r\n" + ANSWER])
def test_in_mid_stream_an_answer_over_http_tells_a_classic_agent(behind: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nServer: spray-can/1.3.4\r\nContent-Type: text/xml; charset=UTF-8"
    assert verdict(b"", head + behind, mid=True) is COMMAND
    assert verdict(b"", head, mid=True, port=True) is None
    assert verdict(b"", head.replace(b"text/xml", b"application/json") + behind, mid=True) is Role.HTTP


@pytest.mark.parametrize("port", [True, False], ids=["4444", "elsewhere"])
@pytest.mark.parametrize(
    ("client", "server"),
    [
        (START, b""),
        (b"  " + START, b""),
        (b"<remote_scheduler.remote_task.close process_id='3'/>", b""),
        (b'<register_remote_scheduler scheduler_id="x"/>', b""),
        (b"<supervisor.remote_scheduler.configuration.fetch_updated_files/>", b""),
        (b"<show_state/>", ANSWER),
        (b"s\n", ANSWER),
        (b"", ANSWER),
        (b"POST /jobscheduler/engine/command HTTP/1.1\r\n", b""),
    ],
)
def test_a_command_connection_is_known_on_any_port(client: bytes, server: bytes, port: bool) -> None:
    assert verdict(client, server, port=port) is COMMAND


@pytest.mark.parametrize("text", [b"<show_state/>", b"<?xml version='1.0'?>", b"s\n", b"show_state\n", HTTP, b"\x04"])
def test_on_a_command_port_any_text_is_a_command(text: bytes) -> None:
    assert verdict(text, port=True) is COMMAND
    assert verdict(text, port=False) is not COMMAND


@pytest.mark.parametrize("size", range(1, 15))
def test_a_request_line_may_come_letter_by_letter(size: int) -> None:
    """TLS 1.0 of Java and OpenSSL sends the first byte in a record of its own."""
    assert verdict(b"POST /jobscheduler/agent/api"[:size], port=True) is None
    assert verdict(b"PO", b"\x95!", port=True) is COMMAND


@pytest.mark.parametrize("blanks", [b"", b" ", b"   ", b"\r\n"])
def test_blanks_tell_nothing_yet(blanks: bytes) -> None:
    assert verdict(blanks, port=True) is None


def test_a_callback_is_known_by_the_client_s_first_words() -> None:
    assert verdict(b"", CREATE) is CALLBACK


def test_a_callback_is_known_by_the_task_process_s_token() -> None:
    assert verdict(TOKEN) is CALLBACK


@pytest.mark.parametrize("size", range(14))
def test_a_callback_is_not_given_up_before_its_first_words_are_complete(size: int) -> None:
    assert verdict(b"", CREATE[:size]) is None
    assert verdict(TOKEN[:size]) is None


# --- not ours ------------------------------------------------------------------------------------------------------

FOREIGN = [
    (HTTP, HTTP_OK),
    (TLS, TLS_ANSWER),
    (DNS, DNS_ANSWER),
    (POSTGRES_SSL, b"N"),
    (POSTGRES_START, POSTGRES_OK),
    (SMB, SMB_ANSWER),
    (b"SSH-2.0-OpenSSH_9.2\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"),
    (b"EHLO x\r\n", b"220 mail ESMTP\r\n"),
]
NAMES = ["http", "tls", "dns", "postgres-ssl", "postgres", "smb", "ssh", "smtp"]


@pytest.mark.parametrize(("client", "server"), FOREIGN, ids=NAMES)
def test_a_foreign_protocol_is_given_up_at_once(client: bytes, server: bytes) -> None:
    assert verdict(client, server) is UNKNOWN


@pytest.mark.parametrize(("client", "server"), FOREIGN, ids=NAMES)
def test_a_foreign_protocol_is_not_claimed_in_mid_stream(client: bytes, server: bytes) -> None:
    for ends in ((client, server), (server, client), (client[3:], server[5:])):
        assert verdict(*ends, mid=True) in (UNKNOWN, None)
        assert verdict(ends[0] * 5_000, ends[1], mid=True) is UNKNOWN


#: Of a record in the middle: no frame, no text.
NOISE = bytes.fromhex("170303001a") + bytes(range(200, 226))


@pytest.mark.parametrize("port", [True, False], ids=["4444", "elsewhere"])
def test_in_mid_stream_it_is_enough_that_neither_end_can_be_ours(port: bool) -> None:
    assert verdict(NOISE, NOISE, port=port, mid=True) is UNKNOWN
    assert verdict(NOISE[:5], NOISE[:5], port=port, mid=True) is UNKNOWN
    assert verdict(NOISE[:4], NOISE, port=port, mid=True) is None, "four bytes may be a frame's length"
    assert verdict(NOISE, NOISE[:4], port=port, mid=True) is None
    assert verdict(NOISE, b"", port=port, mid=True) is None, "the other end has not spoken"


@pytest.mark.parametrize(
    "begin", [CREATE[:12], PROLOG[:6], b"  \n  ", b"<spooler>", b"GET /a", b"G" * 8, b"POST /" + b"a" * 1_023]
)
def test_in_mid_stream_what_may_become_ours_is_waited_for(begin: bytes) -> None:
    assert verdict(begin, NOISE, mid=True) is None
    assert verdict(NOISE, begin, mid=True) is None


@pytest.mark.parametrize("begin", [b"G" * 9, b"GET / H", b"POST /" + b"a" * 1_024, b"<3 <3", b"get /a"])
def test_in_mid_stream_what_can_not_become_ours_is_given_up(begin: bytes) -> None:
    assert verdict(begin, NOISE, mid=True) is UNKNOWN
    assert verdict(NOISE, begin, mid=True) is UNKNOWN


def test_commands_are_known_in_mid_stream_however_they_begin() -> None:
    for size in range(len(START)):
        assert verdict(START[:size], NOISE, mid=True) is not UNKNOWN
        assert verdict(NOISE, START[:size], mid=True) is not UNKNOWN
    for size in range(len(ANSWER)):
        assert verdict(NOISE, ANSWER[:size], mid=True) is not UNKNOWN
        assert verdict(ANSWER[:size], NOISE, mid=True) is not UNKNOWN


def test_tls_on_a_command_port_is_no_command() -> None:
    assert verdict(TLS, TLS_ANSWER, port=True) is UNKNOWN


def test_foreign_xml_is_given_up_when_the_answer_is_none() -> None:
    assert verdict(XMPP, b"<stream:stream>" + b"x" * 300) is UNKNOWN
    assert verdict(XMPP + b"<a/>" * MAX_SNIFF) is UNKNOWN


@pytest.mark.parametrize("mid", [False, True])
def test_random_bytes_are_nobody_s(mid: bool) -> None:
    random = Random(4)
    for _ in range(300):
        client, server = random.randbytes(MAX_SNIFF), random.randbytes(random.randrange(64))
        assert verdict(client, server, mid=mid) is UNKNOWN
        assert verdict(server, client, mid=mid) is UNKNOWN


@pytest.mark.parametrize("mid", [False, True])
def test_zeros_are_nobody_s(mid: bool) -> None:
    assert verdict(bytes(MAX_SNIFF), bytes(MAX_SNIFF), mid=mid) is UNKNOWN


@pytest.mark.parametrize(("client", "server"), FOREIGN, ids=NAMES)
def test_a_foreign_connection_leaves_no_trace(client: bytes, server: bytes) -> None:
    network = Network()
    network.say(Address("10.3.0.1", 41_000), Address("10.3.0.2", 8_000), (0, client), (1, server))
    assert trace(network).events == []
    assert trace(packets_of(network.records)[3:]).events == []


# --- mid-stream ----------------------------------------------------------------------------------------------------


def test_frames_that_fit_each_other_are_a_callback() -> None:
    frames = [(side, encode_frame(body)) for side, body in HEALTHY[STEP_ASKED : LOGGED + 1]]
    task = b"".join(data for side, data in frames if side == 0)
    client = b"".join(data for side, data in frames if side == 1)
    assert verdict(task, client, mid=True) is CALLBACK
    assert verdict(client, task, mid=True) is CALLBACK
    assert verdict(task[1:], client, mid=True) is None


def test_an_answer_alone_is_too_short_to_tell() -> None:
    assert verdict(framed(b"A"), framed(b"A\0\0\0\0"), mid=True) is None


def test_the_task_process_s_direction_alone() -> None:
    """Captured in one direction only: answers and requests that fit each other, from the end that opened."""
    said = [encode_frame(body) for side, body in HEALTHY if side == 0]
    answers = b"".join(said[:3])
    assert verdict(said[0]) is None
    assert verdict(answers) is None
    assert verdict(answers + said[3]) is CALLBACK
    assert verdict(answers, HTTP_OK) is UNKNOWN
    assert verdict(answers + b"GET /") is UNKNOWN


def test_only_the_client_drives() -> None:
    client, task = encode_frame(HEALTHY[BEGUN][1]), encode_frame(HEALTHY[STEP_ASKED][1])
    assert detect.swapped(client, task)
    assert not detect.swapped(task, client)
    assert not detect.swapped(b"", b"")


@pytest.mark.parametrize("peer_port", [50_000, 61_000], ids=["guessed wrong", "guessed right"])
@pytest.mark.parametrize("skip", range(3, 20))
def test_a_callback_in_mid_stream_is_seen_the_right_way_round(skip: int, peer_port: int) -> None:
    """Without its SYN the higher port is taken for the one that opened; the bytes know better."""
    story = Story(peer_port=peer_port).start().call_back().say(0.02).leave(0.04).close(0.05)
    callback = [record for record in story.records if 59_999 in ports_of(record.data)]
    command = [record for record in story.records if 59_999 not in ports_of(record.data)]
    found = trace(packets_of(command + callback[skip:]))
    (connection,) = [seen for seen in found.connections if seen.role is not COMMAND]
    assert connection.role is CALLBACK
    assert (str(connection.client), str(connection.server)) == (f"10.2.0.10:{peer_port}", "10.1.0.10:59999")
    assert found.task.callback is connection
    for message in found.messages:
        if message.kind == "request" and message.operation == "call":
            assert message.to_remote


def ports_of(data: bytes) -> tuple[int, int]:
    return int.from_bytes(data[34:36], "big"), int.from_bytes(data[36:38], "big")


LOOKUP = framed(b"O" + bytes(8) + b"G" + bytes(20))


@pytest.mark.parametrize(
    ("client", "role"),
    [
        (LOOKUP, CALLBACK),
        (LOOKUP + framed(b"A"), CALLBACK),
        (LOOKUP + framed(b"A\0\0\0\0")[:-1], CALLBACK),
        (framed(b"A") + LOOKUP, CALLBACK),
        (LOOKUP[:-1], None),
        (framed(b"A") + LOOKUP[:-1], None),
        (framed(b"A"), None),
        (LOOKUP + b"GET /", UNKNOWN),
    ],
)
def test_one_whole_request_makes_a_dialog(client: bytes, role: Role | None) -> None:
    """Frames behind it may be incomplete, but nothing else may follow."""
    assert verdict(client) is role
    assert verdict(client, mid=True) is (None if role is UNKNOWN else role)
    assert verdict(b"", client, mid=True) is (None if role is UNKNOWN else role)
    assert verdict(client, b"x") is UNKNOWN


@pytest.mark.parametrize(("client", "server", "role"), [(3, MAX_SNIFF - 4, None), (3, MAX_SNIFF - 3, UNKNOWN)])
def test_in_mid_stream_the_bytes_of_both_directions_count(client: int, server: int, role: Role | None) -> None:
    assert verdict(b"\xff" * client, b"\xff" * server, mid=True) is role


def test_who_sends_what_tells_the_ends() -> None:
    result = framed(b"A" + bytes(12) + b"<process.result")
    step = framed(b"O" + bytes(8) + b"A" + bytes(20))
    for client, server, swapped in (
        (step, b"", True),
        (b"", step, False),
        (b"", LOOKUP, True),
        (LOOKUP, b"", False),
        (b"", framed(b"K"), True),
        (b"", result, True),
        (result, b"", False),
        (framed(b"A") + step, b"", True),
        (START, b"", False),
        (b"", START, True),
        (ANSWER, b"", True),
        (b"", ANSWER, False),
        (step, START, True),
        (START, step, False),
    ):
        assert detect.swapped(client, server) is swapped


@pytest.mark.parametrize(
    ("data", "foreign"),
    [
        (b"\0", False),
        (b"\1", True),
        (b"\0\0\0\1", False),
        (b"\0\0\0\1A", False),
        (b"\0\0\0\1B", True),
        (b"\0\0\0\1{", False),
    ],
)
def test_the_first_byte_and_the_class_tell_a_stranger(data: bytes, foreign: bool) -> None:
    assert detect.is_foreign_callback(data) is foreign


# --- who took the port ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.0", TLS, b"\xff", CREATE, framed(b"O" + bytes(8) + b"R"), framed(b"N")]
)
def test_a_stranger_on_the_announced_port(data: bytes) -> None:
    """A task process speaks first only with an answer, a keep-alive or a token."""
    assert detect.is_foreign_callback(data)


def test_an_empty_line_on_the_announced_port() -> None:
    """Taken for a length it is a possible one, though not of what a task process says first."""
    assert detect.is_foreign_callback(b"\r\n\r\n")


@pytest.mark.parametrize("data", [framed(b"A\0\0\0\0"), framed(b"E"), framed(b"K"), TOKEN, b"\0\0\0\1", b"\0"])
def test_the_task_process_on_the_announced_port(data: bytes) -> None:
    assert not detect.is_foreign_callback(data)

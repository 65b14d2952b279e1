"""Documents of the command connection, from bytes of genuine recordings."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissector.limits import MAX_DOCUMENT, MAX_XML_DEPTH
from dissector.wire import control
from dissector.wire.control import (
    CloseTask,
    Document,
    KillTask,
    ProcessStarted,
    StartTask,
    XmlError,
    parse_answer,
    parse_command,
)
from dissector.wire.http_message import parse_http

PROLOG = b'<?xml version="1.0" encoding="ISO-8859-1"?>\n'
START = PROLOG + b'<remote_scheduler.start_remote_task tcp_port="59999" kind="process"/>'
START_JAVA = (
    PROLOG + b'<remote_scheduler.start_remote_task tcp_port="59400" java_options="-Xmx99m" java_classpath="/a.jar"/>'
)
STARTED = (
    PROLOG
    + b'<spooler><answer time="2026-11-22 04:31:52.274"><process process_id="1" pid="7600"/></answer></spooler>\n\0'
)
OK = PROLOG + b'<spooler><answer time="2026-11-22 04:31:55.202"><ok/></answer></spooler>\0'
UNKNOWN_ID = (
    PROLOG + b'<spooler><answer time="2026-11-22 04:25:24.665"><ERROR time="2026-11-22 04:25:24" '
    b'code="sos::scheduler::Communic" text="sos::scheduler::Communication::Operation_connection::get_task_process'
    b'   [unknown process id] [99]"/></answer></spooler>\n\0'
)
NO_SCHEMA = (
    PROLOG + b'<spooler><answer time="2026-11-22 04:25:32.288"><ERROR time="2026-11-22 04:25:32" code="LIBXML2-007" '
    b"text=\"LIBXML2-007  XML document does not conform to schema [Element 'nonsense_&#195;&#164;': This element is "
    b'not expected.&#10;&lt;check_folders/&gt;]"/></answer></spooler>\n\0'
)
STATE = (
    b'<?xml version="1.0" encoding="ISO-8859-1"?>\r\n<spooler>\r\n  <answer time="2026-11-22 04:31:56.406">\r\n'
    b'    <state time="2026-11-22 04:31:56" id="agent" pid="7598">\r\n      <jobs/>\r\n    </state>\r\n  </answer>\r\n'
    b"</spooler>\r\n"
)


def test_start_command() -> None:
    document = parse_command(START)
    assert (document.form, document.element) == ("xml", "remote_scheduler.start_remote_task")
    assert document.attributes == (("tcp_port", "59999"), ("kind", "process"))
    assert (document.get("kind"), document.get("pid"), document.reason) == ("process", None, None)
    assert document.text == START.decode()
    assert control.start_task(document) == StartTask(59999, "process")
    assert control.start_task(parse_command(START_JAVA)) == StartTask(59400, None, "-Xmx99m", "/a.jar")


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "1_0", "\u0661", ""])
def test_a_start_without_a_port_is_none(port: str) -> None:
    document = Document("", "xml", control.START_TASK, (("tcp_port", port),))
    assert control.start_task(document) is None


@pytest.mark.parametrize(
    ("attribute", "kill"),
    [("", False), ("kill='yes'", True), ("kill='true'", True), ("kill='1'", True), ("kill='no'", False)],
)
def test_close_command(attribute: str, kill: bool) -> None:
    text = f"<remote_scheduler.remote_task.close process_id='111222333444555666' {attribute}/>"
    document = parse_command(text.encode())
    assert control.close_task(document) == CloseTask(111222333444555666, kill)
    assert not any(read(document) for read in (control.start_task, control.kill_task, control.process_started))


def test_kill_command() -> None:
    document = parse_command(b"<remote_scheduler.remote_task.kill process_id='3' signal='SIGTERM'/>")
    assert control.kill_task(document) == KillTask(3, "SIGTERM")
    assert control.close_task(document) is None


def test_answers() -> None:
    started = parse_answer(STARTED)
    assert (started.element, control.process_started(started)) == ("process", ProcessStarted(1, 7600))
    ok = parse_answer(OK)
    assert (ok.element, ok.attributes, ok.error) == ("ok", (), None)
    state = parse_answer(STATE)
    assert (state.element, state.get("id"), state.text) == ("state", "agent", STATE.decode().rstrip())
    empty = parse_answer(b'<spooler><answer time="x"/></spooler>')
    assert (empty.element, empty.get("time")) == ("answer", "x")
    assert parse_answer(b"<state/>").element == "state"


def test_errors() -> None:
    document = parse_answer(NO_SCHEMA)
    assert document.element == "ERROR"
    assert document.error == XmlError(
        "LIBXML2-007",
        "LIBXML2-007  XML document does not conform to schema [Element 'nonsense_\xc3\xa4': This element is not "
        "expected.\n<check_folders/>]",
    )
    nested = parse_answer(b'<spooler><answer><ok><ERROR class="C" code="X-1" text="t"/></ok></answer></spooler>')
    assert (nested.element, nested.error) == ("ok", XmlError("X-1", "t", "C"))


def test_the_engines_own_bytes() -> None:
    assert control.encode_start(StartTask(59999, "process")) == START
    assert control.encode_start(StartTask(59400, None, "-Xmx99m", "/a.jar")) == START_JAVA
    assert control.encode_close(CloseTask(1)) == b"<remote_scheduler.remote_task.close process_id='1'/>"
    assert control.encode_close(CloseTask(2, kill=True)) == (
        b"<remote_scheduler.remote_task.close process_id='2' kill='yes'/>"
    )
    assert control.encode_process_answer(ProcessStarted(1, 7600), "2026-11-22 04:31:52.274") == STARTED
    assert control.encode_ok("2026-11-22 04:31:55.202") == OK
    for data, time in ((UNKNOWN_ID, "2026-11-22 04:25:24.665"), (NO_SCHEMA, "2026-11-22 04:25:32.288")):
        error = parse_answer(data).error
        assert error is not None
        assert control.encode_error(error, time) == data


@given(st.integers(1, 65535), st.sampled_from([None, "process"]), st.text(st.characters(max_codepoint=0xFF)))
def test_what_is_encoded_is_read_back(port: int, kind: str | None, options: str) -> None:
    command = StartTask(port, kind, options, None)
    document = parse_command(control.encode_start(command))
    if document.reason is None:
        assert control.start_task(document) == command
    else:
        assert any(ord(character) < 0x20 for character in options)


@pytest.mark.parametrize(
    ("data", "element", "attributes"),
    [
        (b"s\n", "show_state", ()),
        (b"show_state\r\n", "show_state", ()),
        (b'show_job job="/x"', "show_job", (("job", "/x"),)),
        (b"  terminate", "terminate", ()),
    ],
)
def test_typed_commands(data: bytes, element: str, attributes: control.Attributes) -> None:
    document = parse_command(data)
    assert (document.form, document.element, document.attributes) == ("shorthand", element, attributes)
    assert document.reason is None


def test_typed_nonsense_keeps_its_word_and_has_a_reason() -> None:
    document = parse_command(b"show_state jobs")
    assert (document.form, document.element) == ("shorthand", "show_state")
    assert document.reason is not None


@pytest.mark.parametrize(
    ("data", "element", "reason"),
    [
        (b"<a x='1'><b></a>", "a", "mismatched tag (line 1, column "),
        (b"<a", None, "unclosed token (line 1, column "),
        (b"<a><b/>", "a", "no element found (line 1, column "),
        (b"<a/><b/>", "a", "junk after document element (line 1, column "),
        (b"<a>\0</a>", "a", "not well-formed (invalid token) (line 1, column "),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', None, "a DTD, which is refused"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', None, "a DTD, which is refused"),
        (b"<a>" * (MAX_XML_DEPTH + 1), "a", f"elements nested deeper than {MAX_XML_DEPTH}"),
        (b"<" + b"a" * MAX_DOCUMENT, None, f"longer than {MAX_DOCUMENT} characters"),
        (b"", None, "empty"),
        (b"\x16\x03\x01", None, "neither XML nor a command"),
    ],
    ids=range(11),
)
def test_broken_commands_have_a_reason(data: bytes, element: str | None, reason: str) -> None:
    document = parse_command(data)
    assert (document.form, document.element) == ("broken", element)
    # How expat counts columns differs between its releases.
    assert (document.reason or "").startswith(reason)


def test_bytes_are_latin_1_whatever_the_prolog_says() -> None:
    for encoding in (b"ISO-8859-1", b"UTF-8", b"UTF-16", b"nonsense"):
        document = parse_command(b'<?xml version="1.0" encoding="' + encoding + b'"?><a b="\xe4"/>')
        assert (document.form, document.get("b")) == ("xml", "ä")


# --- HTTP ----------------------------------------------------------------------------------------------------------


def request(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join((b"POST /jobscheduler/engine/command HTTP/1.1", b"Host: r:4445", *headers, b"", body))


def test_classic_agent_over_http() -> None:
    message = parse_http(request(START), is_request=True)
    assert message.element == "POST /jobscheduler/engine/command"
    assert (message.method, message.path, message.status) == ("POST", "/jobscheduler/engine/command", None)
    assert message.headers == (("Host", "r:4445"),)
    assert message.document == parse_command(START)
    assert (message.form, message.get("tcp_port"), message.body) == ("http", "59999", START)
    answer = parse_http(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n" + UNKNOWN_ID, is_request=False)
    assert (answer.element, answer.status) == ("HTTP 200", 200)
    assert answer.error is not None
    assert answer.error.text.endswith("[99]")


def test_universal_agent_json_in_gzip() -> None:
    body = b'{"$TYPE":"StartNonApiTask","meta":{"job":"/x","taskId":"123"}}'
    for packed in (gzip.compress(body), zlib.compress(body)):
        message = parse_http(request(packed, b"Content-Encoding: gzip"), is_request=True)
        assert (message.json_type, message.body, message.document) == ("StartNonApiTask", body, None)
        assert message.text.endswith("\n\n" + body.decode())


def test_chunked_bodies_are_joined() -> None:
    message = parse_http(
        request(b"5;x\r\n<spoo\r\n4\r\nler/\r\n1\r\n>\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"), True
    )
    assert (message.body, message.reason) == (b"<spooler/>", None)


@pytest.mark.parametrize(
    ("body", "header", "reason"),
    [
        (b"nonsense", b"Content-Encoding: gzip", "the compressed body is broken: "),
        (gzip.compress(b"x" * 99)[:20], b"Content-Encoding: gzip", "the body is cut off"),
        (gzip.compress(bytes(MAX_DOCUMENT + 1)), b"Content-Encoding: gzip", "the body unpacks to more than "),
        (b"5\r\nabc", b"Transfer-Encoding: chunked", "the chunked body has no end"),
        (b"<a>", b"X: y", "no element found"),
    ],
    ids=range(5),
)
def test_broken_bodies_have_a_reason(body: bytes, header: bytes, reason: str) -> None:
    message = parse_http(request(body, header), is_request=True)
    assert message.reason is not None
    assert message.reason.startswith(reason)
    assert len(message.body) <= MAX_DOCUMENT


def test_binary_bodies_are_told_by_their_size() -> None:
    message = parse_http(request(b"S\0\0\0"), is_request=True)
    assert message.text.endswith("\n\n(4 bytes)")
    assert message.reason is None


# --- anything ------------------------------------------------------------------------------------------------------

pieces = st.sampled_from(
    [b"<", b">", b"/", b"a", b"<a>", b"</a>", b'<ERROR code="1"/>', b"<answer>", b"\r\n", b" ", b"&"]
)
anything = st.one_of(st.binary(max_size=80), st.lists(pieces, max_size=12).map(b"".join))


@given(anything)
def test_no_bytes_raise(data: bytes) -> None:
    for document in (parse_command(data), parse_answer(data)):
        assert document.form in ("xml", "shorthand", "broken")
        assert document.form != "broken" or document.reason
        for read in (control.start_task, control.close_task, control.kill_task, control.process_started):
            read(document)


@given(anything, st.booleans(), st.sampled_from([b"", b"Content-Encoding: gzip", b"Transfer-Encoding: chunked"]))
def test_no_http_bytes_raise(data: bytes, is_request: bool, header: bytes) -> None:
    for text in (data, request(data, header), b'{"a":' + data, b"HTTP/1.1 200\n\n{" + b"[" * 100_000):
        assert parse_http(text, is_request).form == "http"


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        (b'<remote_scheduler.start_remote_task tcp_port="59999"/>', []),
        (b'<remote_scheduler.start_remote_task tcp_port="1"/>', []),
        (b'<remote_scheduler.start_remote_task tcp_port="65535"/>', []),
        (b'<remote_scheduler.start_remote_task tcp_port="0"/>', [("tcp_port", "0")]),
        (b'<remote_scheduler.start_remote_task tcp_port="65536"/>', [("tcp_port", "65536")]),
        (b'<remote_scheduler.start_remote_task tcp_port="x"/>', [("tcp_port", "x")]),
        (b'<remote_scheduler.start_remote_task tcp_port=""/>', []),
        (b"<remote_scheduler.start_remote_task/>", []),
        (b'<remote_scheduler.remote_task.close process_id="1e9"/>', [("process_id", "1e9")]),
        (b'<remote_scheduler.remote_task.kill process_id="9"/>', []),
        (b'<show_state tcp_port="x" process_id="y"/>', []),
    ],
)
def test_numbers_that_are_none(text: bytes, odd: list[tuple[str, str]]) -> None:
    assert control.odd_numbers(parse_command(text)) == odd

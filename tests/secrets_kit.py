"""A capture in which the corpus of secrets stands wherever a text can be, and what must not be left of it anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from html import escape

from conversation import (
    EMPTY,
    LOG_PROXY,
    NULL_GUID,
    SECOND,
    SERVER_CLSID,
    SERVER_IID,
    TRUE,
    Address,
    Network,
    TaskScript,
    bstr,
    call,
    close_command,
    log_line,
    new_object,
    start_command,
    started_answer,
    variants,
    xml_answer,
)
from secrets_corpus import HARMLESS, SECRET

from dissector.wire import messages as m
from dissector.wire.decode import encode_frame

#: Secrets by where they stand, not by how they are written; each tells its place.
PLACED = tuple(f"Wq7Place{number}X" for number in range(13))
PUT, METHOD, METHOD_BEHIND, PROPERTY, PROPERTY_ANSWER, ANSWER, LOST, NEW, ERROR = PLACED[:9]
ATTRIBUTE, QUERY, ARRAY, ENVIRONMENT = PLACED[9:]
#: Secrets that are sent as numbers, as they are on the wire.
NUMBERS: dict[int, m.Variant] = {
    73190451: m.Variant(3, 73190451),
    73190452: m.Variant(20, 73190452),
    73190453: m.Variant(5, m.Double.of(73190453)),
    73190454: m.Variant(19, 73190454),
    73190455: m.Variant(22, 73190455),
    73190456: m.Variant(3, 73190456),
    73190457: m.Variant(6, 731904570000),
}
_CLIENT, _REMOTE, _PEER = Address("10.1.0.10", 40_000), Address("10.2.0.10", 4_455), Address("10.2.0.10", 50_000)
_BACK = Address("10.1.0.10", 59_999)
_SERVER, _LOG, _SET = 0x0100_0000_0000_0001, 0x0100_0000_0000_0002, 0x0100_0000_0000_0003
_TITLE = "sos::scheduler::com_objects::Com_"


def put(object_id: int, dispid: int, value: m.Variant, *index: m.Variant) -> m.Invoke:
    return m.Invoke(object_id, dispid, NULL_GUID, 0, 4, m.DispParams((-3,), (value, *index[::-1])))


def method(object_id: int, dispid: int, *natural: m.Variant) -> m.Invoke:
    return m.Invoke(object_id, dispid, NULL_GUID, 0, 1, m.DispParams((), natural[::-1]))


def get(object_id: int, dispid: int, *natural: m.Variant) -> m.Invoke:
    return m.Invoke(object_id, dispid, NULL_GUID, 0, 2, m.DispParams((), natural[::-1]))


def _names(object_id: int, name: str, dispid: int) -> Iterator[tuple[int, m.Body]]:
    yield 0, m.GetIdsOfNames(object_id, NULL_GUID, 0, (name,))
    yield 1, m.GetIdsOfNamesAnswer(0, (dispid,))


def _placed() -> Iterator[tuple[int, m.Body]]:
    """Calls whose texts are secret by what stands beside them."""
    done = m.InvokeAnswer(0, EMPTY, None)
    yield from _names(_SET, "value", 100)
    yield from _names(_SET, "set_var", 101)
    yield from _names(_SET, "Password", 102)
    yield 0, put(_SET, 100, bstr(PUT), bstr("db_password"))
    yield 1, done
    yield 0, method(_SET, 101, bstr("ssh_password"), bstr(METHOD))
    yield 1, done
    yield 0, method(_SET, 101, bstr(METHOD_BEHIND), bstr("PIN"))
    yield 1, done
    yield 0, put(_SET, 102, bstr(PROPERTY))
    yield 1, done
    yield 0, get(_SET, 102)
    yield 1, m.InvokeAnswer(0, bstr(PROPERTY_ANSWER), None)
    yield 0, get(_SET, 100, bstr("password"))
    yield 1, m.InvokeAnswer(0, bstr(ANSWER), None)
    yield 0, method(_SET, 101, bstr("Kennwort"), variants(bstr(ARRAY)))
    yield 1, done
    number = list(NUMBERS.values())
    yield 0, put(_SET, 100, number[0], bstr("db_password"))
    yield 1, done
    yield 0, method(_SET, 101, bstr("pin"), number[1])
    yield 1, done
    yield 0, put(_SET, 102, number[2])
    yield 1, done
    yield 0, get(_SET, 102)
    yield 1, m.InvokeAnswer(0, number[3], None)
    yield 0, get(_SET, 100, bstr("password"))
    yield 1, m.InvokeAnswer(0, number[4], None)
    yield 0, method(_SET, 101, bstr("Kennwort"), variants(number[6]))
    yield 1, done


def _dialog(texts: list[str]) -> Iterator[tuple[int, m.Body]]:
    yield 1, m.CreateInstance(0, SERVER_CLSID, m.Reference(0, None), 0, (SERVER_IID,))
    yield (
        0,
        m.CreateInstanceAnswer(
            0, (m.InterfaceResult(0, new_object(_SERVER, "sos::scheduler::Com_remote_module_instance_server")),)
        ),
    )
    script = escape("\n".join(text for text in texts if "\n" not in text), quote=True)
    variables = f'<variable name="PW" value="{ENVIRONMENT}"/><variable value="{ENVIRONMENT}" name="PIN"/>'
    settings = (
        "language=shell", "job=secrets", "task_id=1",
        f'script=<source><source_part linenr="1">{script}</source_part></source>',
        f"environment=<variables>{variables}</variables>",
    )  # fmt: skip
    yield 1, call(_SERVER, "construct", variants(*map(bstr, settings)))
    yield 0, m.CallAnswer(0, TRUE)
    password = m.Property("password", bstr(NEW))
    pin = m.Property("pin", NUMBERS[73190456])
    objects = variants(
        m.Variant(9, new_object(_LOG, f"{_TITLE}log", LOG_PROXY, password, pin)),
        m.Variant(9, new_object(_SET, f"{_TITLE}variable_set")),
    )
    yield 1, call(_SERVER, "begin", objects, variants(bstr("spooler_log"), bstr("params")))
    yield 0, m.CallAnswer(0, TRUE)
    yield 1, call(_SERVER, "step")
    for text in texts:
        yield 0, log_line(_LOG, text)
        yield 1, m.InvokeAnswer(0, bstr(text), None)
    yield from _placed()
    yield 0, method(_SET, 103, bstr("x"))
    yield 1, m.ErrorAnswer(("name=X", "code=COM-80020009", f"what=COM-80020009  password={ERROR}"))
    yield 0, m.CallAnswer(0, bstr('<process.result spooler_process_result="true" exit_code="0"/>'))
    yield 1, m.Release(_SERVER)
    yield 0, m.EmptyAnswer()


def _command(number: int) -> tuple[bytes, bytes]:
    param = f'<param value="{ATTRIBUTE}" name="ssh_password"/>'
    command = f'<add_order id="{number}" web_password="{ATTRIBUTE}"><params>{param}</params></add_order>'
    return command.encode(), xml_answer(
        f'<ERROR code="X-1" text="X-1 bad: value=&quot;{ERROR}&quot; name=&quot;ssh_password&quot;"/>'
    )


@lru_cache(maxsize=1)
def capture() -> bytes:
    """One task with every text of the corpus; an answer whose request was not captured; commands, also by HTTP."""
    network, script = Network(), TaskScript()
    texts = [*(marked.text for marked in SECRET), *HARMLESS]
    command = network.line(_CLIENT, _REMOTE)
    command.open(0)
    command.send(100_000, 0, start_command(script))
    command.send(300_000, 1, started_answer(script))
    callback = network.line(_PEER, _BACK)
    now = 2_000_000
    callback.open(now)
    for side, body in _dialog(texts):
        now += 1_000_000
        callback.send(now, side, encode_frame(body))
    for _ in range(2):  # nobody asked
        now += 1_000_000
        callback.send(now, 1, encode_frame(m.InvokeAnswer(0, bstr(LOST), None)))
    callback.finish(now + 50_000, 1)
    command.send(now + 100_000, 0, close_command(script))
    command.send(now + 400_000, 1, xml_answer("<ok/>"))
    for number in range(2):
        request, reply = _command(number)
        command.send(now + 500_000 + number * 200_000, 0, request)
        command.send(now + 600_000 + number * 200_000, 1, reply)
    command.finish(now + 2_000_000, 0)
    asked = start_command(TaskScript(callback_port=59_000))
    head = f"POST /?access_token={QUERY} HTTP/1.1\r\nCookie: a={QUERY}\r\nContent-Length: {len(asked)}\r\n\r\n"
    http = head.encode() + asked
    document = b"<spooler><answer/></spooler>"
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/xml\r\n\r\n%s" % (len(document), document)
    network.say(Address("10.1.0.11", 41_000), _REMOTE, (0, http), (1, reply), start=2 + now / SECOND)
    return network.capture()


def secrets() -> set[str]:
    """Every text that no output may have."""
    parts = (part for marked in SECRET for secret in marked.secrets for part in re.split(r"[\r\n]+", secret))
    return {part for part in parts if len(part) >= 4 and part.isascii()} | set(PLACED) | set(map(str, NUMBERS))


def left(output: str) -> list[str]:
    """The secrets that are in an output, as they are or as JSON or XML write them."""
    plain = "\n".join(HARMLESS)

    def forms(secret: str) -> set[str]:
        return {secret, secret.replace('"', '\\"'), escape(secret), secret.replace("\\", "\\\\")}

    return sorted(
        secret
        for secret in secrets()
        if secret not in plain
        and any(
            form in output
            for form in {secret, secret.replace('"', '\\"'), escape(secret), secret.replace("\\", "\\\\")}
        )
    )

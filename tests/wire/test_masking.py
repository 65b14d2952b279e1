"""Secrets: masked wherever they stand, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secrets_corpus import HARMLESS, SECRET, Marked
from strategies import bodies

from dissector.model import Connection, Endpoint, Message
from dissector.wire import messages as m
from dissector.wire.control import parse_answer, parse_command
from dissector.wire.decode import encode, fields
from dissector.wire.enums import VarType
from dissector.wire.http_message import parse_http
from dissector.wire.masked import NUMBERS, masked_json
from dissector.wire.masking import Mask
from dissector.wire.secrets import MASK, hide_text, looks_secret, mask_text, may_hold_secret

MASKED = Mask()
SHOWN = Mask(enabled=False)
DOUBLES = {VarType.R4, VarType.R8, VarType.DATE}


@pytest.mark.parametrize(
    "name", ["db_password", "PASSWD", "Pwd", "client_secret", "tunnelToken", "apiKey", "credentials"]
)
def test_names_of_secrets(name: str) -> None:
    assert looks_secret(name)
    assert MASKED.value(name, "x") == MASK
    assert SHOWN.value(name, "x") == "x"


def test_what_was_just_looked_at_is_remembered_by_its_bytes_alone() -> None:
    mask, harmless, telling = Mask(), b"job=x", b"password=x"
    for raw in (harmless, harmless, telling, telling, harmless, telling):
        assert mask.passes(raw) is (raw is harmless)
    assert SHOWN.passes(telling)
    assert not Mask().passes(b"@")
    assert Mask().passes(b"")


@pytest.mark.parametrize("name", ["SCHEDULER_TASK_ID", "bypass", "passive", "compass", "job", "session_id"])
def test_other_names(name: str) -> None:
    assert not looks_secret(name)
    assert MASKED.value(name, "x") == "x"
    assert MASKED.value(name, "ftp://u:p@h") == "ftp://u:***@h"


@pytest.mark.parametrize(
    "text",
    [
        "the token is here, the key too",
        "a password; another secret",
        "SCHEDULER_TASK_ID=1 SCHEDULER_PARAM_A=value",
        "http://host:4444/path?x=1",
        "mail to user@host: at 12:30",
        '<variable name="a" value="1"/><start_job job="/x"/>',
        '{"agentTaskId":"1-2","tunnel":{"id":"1"}}',
        "Content-Type: text/xml\r\nX-JobScheduler-Heartbeat: 1",
        "<keyboards/> <compass>north</compass>",
        "password=",
        'password=""',
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert MASKED.text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=hunter2;user=bob", "password=***;user=bob"),
        ("?user=bob&PWD=x&y=1", "?user=bob&PWD=***&y=1"),
        ("-Ddb.password=x -Da=b", "-Ddb.password=*** -Da=b"),
        ("isql --password hunter2 db", "isql --password *** db"),
        ('isql --password="a b" db', 'isql --password="***" db'),
        ("password='it'\\''s' rest", "password='***' rest"),
        ("password=a&amp;b&lt;c rest", "password=*** rest"),
        ("password='a\\'b' rest", "password='***' rest"),
        ("PWD={a;b};UID=u", "PWD=***;UID=u"),
        ("my key : x", "my key : ***"),
        ("token=Bearer abc rest", "token=*** rest"),
        ("password='unclosed and more", "password=***"),
        ('if password == "x":', 'if password == "***":'),
        ('params.set_var("db_password", "x")', 'params.set_var("db_password", "***")'),
        ('order.params.var("pwd") = "x"', 'order.params.var("pwd") = "***"'),
        ("params['pwd'] = 'x'", "params['pwd'] = '***'"),
        # URLs
        ("ftp://user:p@ss/w:rd@host/dir", "ftp://user:***@host/dir"),
        ("see http://a:b@c http://d:e@f", "see http://a:***@c http://d:***@f"),
        ("jdbc:oracle:thin:scott/tiger@db:1521", "jdbc:oracle:thin:scott/***@db:1521"),
        ("jdbc:oracle:thin:@jdbc:oracle:oci:scott/tiger@db", "jdbc:oracle:thin:@jdbc:oracle:oci:scott/***@db"),
        # JSON
        ('{"id":"1","secret":"Zm9v","x":1}', '{"id":"1","secret":"***","x":1}'),
        ('{"pin_key":1234,"user":"x"}', '{"pin_key":***,"user":"x"}'),
        ('{"passwords":["a","b]"],"n":1}', '{"passwords":***,"n":1}'),
        ('{"password":"a\\"b","n":1}', '{"password":"***","n":1}'),
        ('{"x":"{\\"secret\\":\\"a\\\\\\"b\\",\\"n\\":1}"}', '{"x":"{\\"secret\\":\\"***\\",\\"n\\":1}"}'),
        ('{"name":"db_password","value":"x"}', '{"name":"db_password","value":"***"}'),
        # XML
        ('<licence.use key="SOS-1"/>', '<licence.use key="***"/>'),
        ('<variable name="pwd" value="x y"/><p a="b"/>', '<variable name="pwd" value="***"/><p a="b"/>'),
        ("<variable value='x' name='pwd'/>", "<variable value='***' name='pwd'/>"),
        ('<variable name="pwd" hex_value="6162"/>', '<variable name="pwd" hex_value="***"/>'),
        ('<param name="pwd" type="t" value="a>b"/>', '<param name="pwd" type="t" value="***"/>'),
        ("<password>x y</password><a>b</a>", "<password>***</password><a>b</a>"),
        ("<param name='pwd'>x</param>", "<param name='pwd'>***</param>"),
        ("<password>\n<![CDATA[a]b]]>\n</password> c", "<password>\n<![CDATA[***]]>\n</password> c"),
        ("&lt;p name=&quot;pwd&quot; value=&quot;x&quot;/>", "&lt;p name=&quot;pwd&quot; value=&quot;***&quot;/>"),
        # HTTP
        ("X-JobScheduler-Tunnel-Secret: a b\r\nHost: h", "X-JobScheduler-Tunnel-Secret: ***\r\nHost: h"),
        ("X-JobScheduler-LicenseKey: a b\nHost: h", "X-JobScheduler-LicenseKey: ***\nHost: h"),
        ("X-JobScheduler-Session: a\r\nHost: h", "X-JobScheduler-Session: ***\r\nHost: h"),
        ("Authorization: Basic YTpi\r\nHost: h", "Authorization: ***\r\nHost: h"),
    ],
)  # fmt: skip
def test_secrets_in_text(text: str, shown: str) -> None:
    assert MASKED.text(text) == shown
    assert MASKED.text(shown) == shown
    assert SHOWN.text(text) == text
    assert not MASKED.passes(b"\0\0\0\x41" + text.encode() + b"A")
    assert SHOWN.passes(text.encode())


SECRETS = st.text(st.sampled_from("Zq7%$#/\\:@=!?*.,;&<>[]{}()'\" "), min_size=1, max_size=12).map(lambda s: f"ZZ{s}QQ")


def xml(text: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&apos;")):
        text = text.replace(character, entity)
    return text


@given(SECRETS, st.integers(0, 3))
def test_no_part_of_a_quoted_secret_is_left(secret: str, depth: int) -> None:
    for text in (
        json.dumps({"a": "b", "password": secret, "c": "d"}),
        json.dumps({"list": [{"name": "pwd", "value": secret}]}),
        json.dumps({"list": [{"value": secret, "name": "pwd"}]}),
        f'<p><variable name="password" value="{xml(secret)}"/><b/></p>',
        f"<p><variable value='{xml(secret)}' name='password'/><b/></p>",
        f'<connect password="{xml(secret)}" user="u"/>',
        f"<password>{xml(secret)}</password>",
        f"set_var('password', {json.dumps(secret)})",
    ):
        for level in range(depth):
            text = json.dumps(text) if level % 2 else xml(text)
        masked = MASKED.text(f"before {text} after")
        assert "ZZ" not in masked
        assert "QQ" not in masked


@pytest.mark.parametrize("marked", SECRET, ids=lambda marked: marked.text[:60])
def test_corpus(marked: Marked) -> None:
    """Each secret is masked, by as many asterisks where lengths stay, and what is around it is left."""
    text = marked.text
    masked, hidden = mask_text(text), hide_text(text)
    assert len(hidden) == len(text)
    for secret in filter(str.strip, marked.secrets):
        assert secret.strip() not in masked
        assert secret.strip() not in hidden
    assert masked.partition(MASK)[0] == text[: masked.index(MASK)]
    assert mask_text(masked) == masked
    assert may_hold_secret(text.encode("latin-1"))


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_texts_of_the_corpus_stay(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("write", [xml, lambda text: json.dumps(text)[1:-1]], ids=["xml", "json"])
def test_corpus_inside_of_others(write: Callable[[str], str], depth: int) -> None:
    """In XML, in a JSON text, and in such inside of such."""
    for marked in SECRET:
        text, secrets = marked.text, [secret for secret in marked.secrets if len(secret.strip()) > 3]
        if (
            not text.isascii()
            or "\n" in text
            or "PRIVATE KEY" in text
            or text.startswith(("quote", "--->", "user ", "AUTH "))
        ):
            continue
        for _ in range(depth):
            text, secrets = write(text), list(map(write, secrets))
        masked = mask_text(f"before {text} after")
        assert [secret for secret in secrets if secret in masked] == []


# --- messages ------------------------------------------------------------------------------------------------------


def bstr(text: str) -> m.Variant:
    return m.Variant(VarType.BSTR, text)


def call(*natural: m.Variant) -> m.Call:
    return m.Call(1, "call", m.DispParams((), natural[::-1]))


def test_argument_behind_a_secret_name() -> None:
    masked = MASKED.body(call(bstr("db_password"), bstr("x"), m.Variant(VarType.I4, 7)))
    assert masked == call(bstr("db_password"), bstr(MASK), m.Variant(VarType.I4, None))
    assert MASKED.body(call(bstr("the token is gone"), bstr("x"))) == call(bstr("the token is gone"), bstr("x"))


def test_argument_before_a_secret_name() -> None:
    assert MASKED.body(call(bstr("x"), bstr("db_password"))) == call(bstr(MASK), bstr("db_password"))
    assert MASKED.body(call(bstr("x"), bstr("a password"))) == call(bstr("x"), bstr("a password"))


def test_property_put_of_a_secret() -> None:
    put = m.Invoke(1, 0, bytes(16), 0, 4, m.DispParams((-3,), (bstr("x"), bstr("pwd"))))
    assert MASKED.body(put).params == m.DispParams((-3,), (bstr(MASK), bstr("pwd")))
    assert SHOWN.body(put) is put


def test_numbers_that_are_secret() -> None:
    numbers = [
        *(m.Variant(vt, 7) for vt in sorted(NUMBERS - DOUBLES)),
        *(m.Variant(vt, m.Double.of(7)) for vt in sorted(DOUBLES)),
    ]
    others = [m.Variant(VarType.EMPTY, None), m.Variant(VarType.BOOL, True), m.Variant(VarType.ERROR, 7)]
    for one in numbers:
        assert MASKED.body(call(bstr("pin"), one)) == call(bstr("pin"), m.Variant(one.vt, None))
        assert MASKED.body(m.InvokeAnswer(0, one, None), secret=True) == m.InvokeAnswer(
            0, m.Variant(one.vt, None), None
        )
        assert MASKED.body(call(bstr("spin"), one)) == call(bstr("spin"), one)
    for one in others:
        assert MASKED.body(call(bstr("pin"), one)) == call(bstr("pin"), one)


def test_arrays_references_and_bytes() -> None:
    array = m.Variant(0x200C, m.SafeArray(0x880, 0, 12, (bstr("job=x"), bstr("password=x"))))
    strings = m.Variant(0x2008, m.SafeArray(0x110, 0, 8, ("token=x", "y")))
    new = m.NewObject(
        "Key", bytes(16), (m.Property("secret", bstr("x")), m.Property("level", m.Variant(VarType.I4, 1)))
    )
    reference = m.Variant(VarType.DISPATCH, m.Reference(5, new))
    raw = m.Variant(0x2011, m.SafeArray(0x90, 0, 17, b"\0password\0x"))
    assert MASKED.body(call(array, strings, reference, raw)) == call(
        m.Variant(0x200C, m.SafeArray(0x880, 0, 12, (bstr("job=x"), bstr("password=***")))),
        m.Variant(0x2008, m.SafeArray(0x110, 0, 8, ("token=***", "y"))),
        m.Variant(
            VarType.DISPATCH,
            m.Reference(5, m.NewObject("Key", bytes(16), (m.Property("secret", bstr(MASK)), new.properties[1]))),
        ),
        m.Variant(0x2011, m.SafeArray(0x90, 0, 17, b"***")),
    )


def test_answers() -> None:
    answer = m.InvokeAnswer(0, bstr("x"), None)
    assert MASKED.body(answer) == answer
    assert MASKED.body(answer, secret=True) == m.InvokeAnswer(0, bstr(MASK), None)
    assert MASKED.body(m.ErrorAnswer(("name=", "what=bad password=x"))) == m.ErrorAnswer(
        ("name=", "what=bad password=***")
    )
    assert MASKED.body(m.Undecoded(b"A\0password\0x", "odd")) == m.Undecoded(b"***", "odd")
    for data, shown in ((b"A\0x", b"A\0x"), (b"A\0abc\0", b"A\0abc\0"), (b"A\0abcd", b"***"), (b"O\0abcd", b"O\0abcd")):
        assert MASKED.body(m.Undecoded(data, "odd")) == m.Undecoded(data if shown == data else shown, "odd")
    token = m.TunnelToken('{"tunnelToken":{"id":"1","secret":"x"}}')
    assert MASKED.body(token) == m.TunnelToken('{"tunnelToken":{"id":"1","secret":"***"}}')


@pytest.mark.parametrize(
    ("name", "member", "found"), [("pin", None, [7]), ("pin", "set_var", [7]), ("job", None, []), ("job", "pin", [7])]
)
def test_numbers_in_a_tree_of_fields(name: str, member: str | None, found: list[int]) -> None:
    """Those beside a secret's name, and all of a member with such a name."""
    body = call(bstr(name), m.Variant(VarType.I4, 7), m.Variant(VarType.BOOL, True))
    raw = encode(body)
    connection = Connection(Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2), 0, 1)
    told = Message(1, connection, 0, (1,), True, "request", None, body, raw, len(raw))
    told.member = member
    assert [node.value for node in MASKED.numbers(told, fields(raw, None))] == found
    assert SHOWN.numbers(told, fields(raw, None)) == []


def test_requests_for_secrets() -> None:
    assert MASKED.asks_for_secret(call(bstr("db_password")))
    assert not MASKED.asks_for_secret(call(bstr("job")))
    assert not MASKED.asks_for_secret(m.KeepAlive())
    assert not SHOWN.asks_for_secret(call(bstr("db_password")))


def test_an_answer_is_no_secret_because_its_request_has_one() -> None:
    connection = Connection(Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2), 0, 1)
    for argument, is_secret in (("password=x", False), ("password", True)):
        body = call(bstr(argument))
        request = Message(1, connection, 0, (1,), True, "request", None, body, encode(body), 0)
        answer = Message(2, connection, 0, (2,), False, "answer", None, m.EmptyAnswer(), b"", 0)
        answer.request = request
        assert MASKED.is_secret(answer) is is_secret


def test_documents() -> None:
    masked = MASKED.body(parse_command(b'<param name="db_password" value="x"/>'))
    assert masked.text == '<param name="db_password" value="***"/>'
    assert masked.attributes == (("name", "db_password"), ("value", MASK))
    answer = MASKED.body(parse_answer(b'<spooler><answer><ERROR code="X" text="bad password=x"/></answer></spooler>'))
    assert answer.error is not None
    assert answer.error.text == "bad password=***"
    assert dict(answer.attributes)["text"] == "bad password=***"
    broken = parse_command(b"<a b='1'")
    assert broken.reason
    assert MASKED.body(broken).reason == broken.reason


def test_http_messages() -> None:
    data = (
        b"POST /x?token=zz HTTP/1.1\r\nX-JobScheduler-Tunnel-Secret: zz\r\nX-JobScheduler-Session: zz\r\n\r\n"
        b'{"$TYPE":"Login","secret":"zz"}'
    )
    masked = MASKED.body(parse_http(data, is_request=True))
    assert "zz" not in repr(masked)
    assert masked.element == "POST /x?token=***"
    assert masked.reason is None
    cut = MASKED.body(parse_http(b"POST /x HTTP/1.1\r\nHost: r\r\n", is_request=True))
    assert cut.reason == "the HTTP head has no end"


def test_json_of_any_shape() -> None:
    """Of what is secret numbers too; nothing and a switch tell nothing."""
    plain = {"a": 1, "b": [True, None, 1.5, ""], "text": "password=x"}
    assert masked_json(plain) == {**plain, "text": "password=***"}
    secret = masked_json({"password": [plain, 7, ""], "agentTaskId": "1-4211", "taskId": "1-4211"})
    assert secret["password"] == [{"a": "***", "b": [True, None, "***", ""], "text": "***"}, "***", ""]
    assert (secret["agentTaskId"], secret["taskId"]) == ("***", "1-4211")
    assert masked_json({"text": "task 1-421100 of 1-42110"}) == {"text": "task *** of 1-42110"}


@given(bodies, st.booleans())
def test_any_body_keeps_its_shape(drawn: tuple[Any, Any], secret: bool) -> None:
    body = drawn[0]
    masked = MASKED.body(body, secret)
    assert type(masked) is type(body)
    assert SHOWN.body(body, secret) is body
    assert MASKED.body(masked, secret) == masked


#: All that ``looks_secret`` knows.
HINTED = (
    *(
        "password",
        "passwd",
        "pwd",
        "passwort",
        "passphrase",
        "kennwort",
        "secret",
        "token",
        "key",
        "credential",
        "pass",
    ),
    *("x-jobscheduler-tunnel-secret", "x-jobscheduler-license-keys", "x-jobscheduler-licencekey"),
    *("x-jobscheduler-session", "authorization", "proxy-authorization", "cookie", "set-cookie"),
)


@settings(deadline=None)
@given(bodies)
def test_what_passes_would_stay_as_it_is(drawn: tuple[Any, Any]) -> None:
    body = drawn[0]
    if MASKED.passes(encode(body)):
        assert MASKED.body(body) == body
        assert not MASKED.asks_for_secret(body)


@given(st.text(st.characters(max_codepoint=255)), st.sampled_from(HINTED), st.text(st.characters(max_codepoint=255)))
def test_no_name_of_a_secret_passes(before: str, name: str, behind: str) -> None:
    """However it is written, and whatever stands beside it in a message."""
    for text in (name, name.upper(), name.title()):
        assert looks_secret(text)
        assert not MASKED.passes((before + text + behind).encode("latin-1"))


def test_nothing_that_is_masked_passes() -> None:
    """In texts of the recordings with a word of secrets in it."""
    for text in _texts(TRUTHS):
        assert MASKED.text(text) == text or not MASKED.passes(text.encode())


def _texts(paths: list[Path]) -> set[str]:
    """The different texts of all of them, names included: recordings have most in common."""
    return {text for path in paths for text in re.findall(r'"((?:[^"\\]|\\.)*)"', path.read_text(encoding="utf-8"))}


TRUTHS = sorted((Path(__file__).resolve().parents[2] / "captures").rglob("*.truth.json"))


@pytest.mark.skipif(not TRUTHS, reason="the recordings' truth files are not there")
def test_genuine_recordings_have_no_secrets() -> None:
    without = [path for path in TRUTHS if not re.search("tunnel|scala113|^agent/", f"{path.parent.name}/{path.name}")]
    assert len(without) > 30
    for text in _texts(without):
        assert MASKED.text(text) == text

"""The code of an ERROR answer to the start decides what is said and what to change."""

from __future__ import annotations

import pytest
from kit import CLIENT, REMOTE, Story, nanoseconds, the, xml_answer

from dissector.model import Severity
from dissector.session.start_errors import code_of
from dissector.wire.control import XmlError

CASES = [
    ("SCHEDULER-121", "has a level below all", f'<allowed_host host="{CLIENT}" level="all"/>'),
    ("SCHEDULER-717", "licence keys of the remote scheduler do not allow", "add a licence key"),
    ("SCHEDULER-381", "is not active yet", "wait until it is active"),
    ("SCHEDULER-210", "already runs as many processes as it can", "max_processes"),
    ("SCHEDULER-361", "no connection to its database", "database"),
    ("SCHEDULER-105", "does not know this command", "TCP port"),
    ("SCHEDULER-353", "does not know this command", "TCP port"),
    ("LIBXML2-007", "does not accept the XML", "same release"),
    ("XML-ERROR", "does not accept the XML", "same release"),
    ("ERRNO-12", "no memory or no process left", "limits of processes"),
    ("MSWIN-00000008", "no memory or no process left", "limits of processes"),
    ("MSWIN-000005AF", "no memory or no process left", "limits of processes"),
    ("ERRNO-13", "could not open or run a file", "permissions"),
    ("SCHEDULER-203", "module instance closed at the server", "construct"),
    ("SCHEDULER-999", "SCHEDULER-999 says why", "log of the remote scheduler"),
]


@pytest.mark.parametrize(("code", "cause", "remedy"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("attribute", [True, False], ids=["attribute", "text"])
def test_what_to_change(code: str, cause: str, remedy: str, attribute: bool) -> None:
    where = f'code="{code}" ' if attribute else ""
    story = Story().start(answer=xml_answer(f'<ERROR {where}text="{code}  Some words"/>'))
    story.command.finish(nanoseconds(0.1), 0)
    problem = the("start_error", Severity.ERROR, story.found())
    assert problem.summary == f"The remote answered the start with an error: {code}  Some words"
    assert cause in problem.cause
    assert remedy in problem.remedy
    assert "refused" not in problem.summary + problem.cause
    others = {one[1] for one in CASES} - {cause}
    assert not any(other in problem.cause for other in others)


def test_an_error_without_a_code() -> None:
    story = Story().start(answer=xml_answer('<ERROR text="something went wrong"/>'))
    problem = the("start_error", Severity.ERROR, story.found())
    assert problem.summary == "The remote answered the start with an error: something went wrong"
    assert "the text of its error says why" in problem.cause
    assert REMOTE in problem.remedy


def test_words_of_the_wire_are_no_placeholders() -> None:
    story = Story().start(answer=xml_answer('<ERROR code="X-1{client}" text="{remote} {port}"/>'))
    problem = story.found().problem("start_error")
    assert problem.summary.endswith("X-1{client} {remote} {port}")
    assert "X-1{client}" in problem.cause


def test_code_of() -> None:
    assert code_of(XmlError("", "  Z-JAVA-105  Java exception")) == "Z-JAVA-105"
    assert code_of(XmlError("", "no code-7 here")) == ""
    assert code_of(XmlError("A-1", "B-2 x")) == "A-1"

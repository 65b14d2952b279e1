"""Who was heard lately on other connections."""

from __future__ import annotations

from dissector.limits import MAX_CONNECTIONS
from dissector.model import Connection, Endpoint, Mark
from dissector.session.hosts import Hosts


def connection(client: str, server: str, heard: int | None, port: int = 4_455) -> Connection:
    """``heard``: when its server sent something the last time."""
    made = Connection(Endpoint(client, 40_000), Endpoint(server, port), 0, 1)
    if heard is not None:
        made.sides[1].last = Mark(2, heard)
    return made


def test_the_port_that_answers_others() -> None:
    hosts, own = Hosts(), connection("a", "r", None)
    for other in (own, connection("b", "r", 100), connection("c", "r", 200), connection("d", "r", 300, port=1)):
        hosts.note(other)
        hosts.note(other)
    assert [hosts.answers(own, since) for since in (100, 101, 201)] == [2, 1, 0]


def test_a_host_that_is_heard() -> None:
    hosts, one = Hosts(), connection("a", "r", 100)
    hosts.note(one)
    assert hosts.heard("r", 100)
    assert not hosts.heard("r", 101)
    assert not hosts.heard("r", 100, *one.sides)
    assert not hosts.heard("a", 0)
    assert not hosts.heard("unknown", 0)


def test_of_a_connection_that_is_forgotten_stays_when_it_was_heard() -> None:
    hosts, one, other = Hosts(), connection("a", "r", 100), connection("b", "r", 100)
    one.sides[0].last, one.sides[1].first_data = Mark(1, 50), Mark(1, 50)
    hosts.forget(one)  # was not noted
    assert not hosts.heard("r", 0)
    for noted in (one, other):
        hosts.note(noted)
    hosts.forget(one)
    assert [hosts.heard(ip, since) for ip, since in (("r", 100), ("r", 101), ("a", 50), ("a", 51))] == [True, False] * 2
    assert hosts.answers(other, 100) == 1
    assert not hosts.answers(other, 101)
    assert hosts.heard("r", 100, *one.sides, *other.sides)  # a record of its own


def test_the_newest_are_remembered() -> None:
    hosts = Hosts()
    for number in range(9):
        hosts.note(connection(f"c{number}", "r", number))
    assert hosts.answers(connection("x", "r", None), 0) == 8


def test_it_does_not_grow_for_ever() -> None:
    hosts = Hosts()
    for number in range(MAX_CONNECTIONS + 10):
        hosts.note(connection("a", f"r{number}", 1))
    assert not hosts.heard("r0", 0)
    assert hosts.heard(f"r{MAX_CONNECTIONS + 9}", 0)

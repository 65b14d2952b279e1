"""Genuine recordings tell the same whatever they are wrapped in: encapsulations, IPv6, fragments, snap lengths, rings,
formats and compressions, each with each of the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import ip_address
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from rewrapping import (
    CASES,
    COMPRESSIONS,
    FILES,
    FORMATS,
    FRAGMENTS,
    RECORDINGS,
    WITH_TRAILER,
    Case,
    Json,
    pairs,
    without_packets,
    without_sizes,
)

from benchmarks.encapsulations import ENCAPSULATIONS

Trace = Callable[..., Json]


def told(document: Json, case: Case) -> Json:
    return without_sizes(document) if case.is_numbered_alike else without_packets(document)


def as_ipv4(document: Json, expected: Json) -> Json:
    """IPv6 addresses by those that they were made of."""
    text = json.dumps(document)
    for name in sorted({end["ip"] for one in expected["connections"] for end in (one["client"], one["server"])}):
        parts = ":".join(f"{byte:x}" for byte in ip_address(name).packed)
        made = ip_address(f"fd00::{parts}").compressed
        text = text.replace(f"[{made}]", name).replace(made, name)
    again: Json = json.loads(text)
    return again


@pytest.mark.one_in(5)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_equal(case: Case, captures: Path, tmp_path: Path, trace: Trace) -> None:
    records = case.records(captures)
    document, expected = trace(*case.write(records, tmp_path)), trace(captures / case.recording)
    assert sum(info["packets"] for info in document["captures"]) == len(records)
    assert {tuple(one["via"]) for one in document["connections"]} == {case.via}
    if case.version == 6:
        document = as_ipv4(document, expected)
    assert told(document, case) == told(expected, case)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("case", [one for one in CASES if one.encapsulation not in WITH_TRAILER][::3], ids=str)
@pytest.mark.parametrize("snap_length", [96, 256])
def test_equal_when_cut(case: Case, snap_length: int, captures: Path, tmp_path: Path, trace: Trace) -> None:
    """As the bare recording that lacks the same bytes."""
    case = case._replace(fragments="", files=1)
    bare = case._replace(encapsulation="", form="pcap", compression="")
    folder = tmp_path / "bare"
    folder.mkdir()
    expected = trace(*bare.write(bare.records(captures, snap_length), folder))
    document = trace(*case.write(case.records(captures, snap_length), tmp_path))
    assert told(document, case) == told(expected, case)


def test_every_two_choices_meet() -> None:
    """All encapsulations with both versions; recordings, fragments, formats, compressions and rings with each other."""
    assert {case.encapsulation for case in CASES} == {"", *ENCAPSULATIONS}
    assert sum(case.version == 6 for case in CASES) >= len(ENCAPSULATIONS) - 2
    met = set().union(*map(pairs, CASES))
    places = {0: RECORDINGS, 3: FRAGMENTS, 4: tuple(FORMATS), 5: tuple(COMPRESSIONS), 6: FILES}
    for (one, ones), (other, others) in combinations(places.items(), 2):
        wanted: set[Any] = {((one, value), (other, second)) for value, second in product(ones, others)}
        assert wanted - met == set()

"""Python and every tshark agree on all captures, and the two readers of the plugin on all messages."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from mixing import mixed, pcap
from verify_kit import MIXED, PLUGIN, ROOT, TSHARKS, WAYS, Way, disagreements


def in_turn(number: int) -> list[Path]:
    """As many mixes as ways: each has long and short captures."""
    return sorted(MIXED, key=lambda path: path.stat().st_size)[number :: len(WAYS)]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_together(way: Way, tmp_path: Path) -> None:
    """Whatever the tshark, in one pass or two, with segments out of order put together by TCP or not."""
    path = tmp_path / "mixed.pcap"
    path.write_bytes(pcap(mixed(in_turn(WAYS.index(way)))))
    assert list(disagreements(path, [way], least=500)) == []


def test_every_capture_is_in_a_mix() -> None:
    assert sorted(path for number in range(len(WAYS)) for path in in_turn(number)) == MIXED
    assert len(MIXED) > 90
    assert len({way.program for way in WAYS}) == len(TSHARKS) == 3


_READ = "    local ok, body, object_id, trailing = pcall(js.glimpse, s, start, operation, count or 0)\n"
#: Behind it: the careful reader has to find the same.
_COMPARED = """\
    local careful = read(cursor(sub(s, start), operation, count))
    local function same(one, other)
      if type(one) ~= "table" then return one == other end
      for name, value in pairs(one) do
        if not same(value, other[name]) then return false end
      end
      return true
    end
    if ok ~= (careful ~= nil) then error("one of the readers refuses a message") end
    if ok and not (same(body, careful.body) and object_id == careful.object_id and trailing == careful.trailing) then
      error("the readers find different things")
    end
"""


def lua_errors(program: str, plugin: Path, capture: Path) -> str:
    command = [program, "-n", "-X", f"lua_script:{plugin}", "-r", str(capture), "-Y", "_ws.lua.error"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout + "".join(line for line in done.stderr.splitlines() if "Lua" in line)


def test_a_difference_between_the_readers_is_seen(tmp_path: Path) -> None:
    plugin = tmp_path / "compared.lua"
    text = PLUGIN.read_text(encoding="utf-8")
    wrong = _READ + "    trailing = trailing and trailing + 1\n" + _COMPARED
    plugin.write_text(text.replace(_READ, wrong), encoding="utf-8")
    assert lua_errors("tshark", plugin, ROOT / "captures" / "h19_nested.pcap") != ""


@pytest.mark.one_in(5)
@pytest.mark.parametrize("program", TSHARKS)
def test_the_quick_and_the_careful_reader_agree(program: str, tmp_path: Path) -> None:
    path, plugin = tmp_path / "mixed.pcap", tmp_path / "compared.lua"
    path.write_bytes(pcap(mixed(MIXED[TSHARKS.index(program) :: len(TSHARKS)])))
    text = PLUGIN.read_text(encoding="utf-8")
    assert text.count(_READ) == 1
    plugin.write_text(text.replace(_READ, _READ + _COMPARED), encoding="utf-8")
    assert lua_errors(program, plugin, path) == ""


_LET_GO = (
    "    session.is_passing = pass and has_columns and not has_tree and not js.is_gui "
    "and not js.proto.prefs.task_table\n"
)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("program", TSHARKS)
def test_letting_go_of_what_is_over_changes_nothing(program: str, tmp_path: Path) -> None:
    """A tshark that only prints lines comes back to no packet, so nothing is kept for it: the lines are the same.  Each
    one has a third of the captures."""
    path, keeping = tmp_path / "mixed.pcap", tmp_path / "keeping.lua"
    path.write_bytes(pcap(mixed(MIXED[TSHARKS.index(program) :: len(TSHARKS)])))
    text = PLUGIN.read_text(encoding="utf-8")
    assert text.count(_LET_GO) == 1
    keeping.write_text(text.replace(_LET_GO, ""), encoding="utf-8")
    one, other = (
        subprocess.run(
            [program, "-n", "-X", f"lua_script:{plugin}", "-r", str(path)], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for plugin in (PLUGIN, keeping)
    )
    assert sum("▶" in line for line in one) > 500
    different = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
    assert different == []

"""When the plugin lets Lua collect garbage: what is kept decides, and what Lua had decided before is made good."""

from __future__ import annotations

from pathlib import Path

import plugin_kit as kit

#: Lua's collector does what it is asked, but says that other amounts are kept.
_SCRIPT = """
do
  local collect = collectgarbage
  collect("stop")
  for _, kept in ipairs({ 48 * 1024, 96 * 1024, 10, 1024 * 1024, 96 * 1024 }) do
    local pause, steps = nil, {}
    collectgarbage = function(what, size)
      if what == "count" then return kept end
      if what == "setpause" then pause = size else steps[#steps + 1] = what .. " " .. size end
    end
    collect("collect")
    js.count_in_advance()
    js.count_in_advance()
    collectgarbage = collect
    print(kept, string.format("%d", pause), table.concat(steps, ", "))
  end
end
"""


def test_the_less_is_kept_the_later_is_garbage_collected(tmp_path: Path) -> None:
    first, *more = kit.behind(_SCRIPT, tmp_path)
    assert first[:2] == ["49152", "250"]  # what was before depends on what Lua did until now
    assert more == [
        ["98304", "150", "step 98304"],
        ["10", "1000", ""],
        ["1048576", "130", "step 9122611"],
        ["98304", "150", ""],
    ]

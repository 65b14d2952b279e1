"""What the plugin remembers of texts that were searched for secrets: not all of them, and not for ever."""

from __future__ import annotations

from pathlib import Path

import plugin_kit as kit

#: The pattern that comes first counts who asks it.
_SCRIPT = """
do
  local asked, hint = 0, js.secrets.hint
  js.secrets.hint = { find = function(_, text)
    asked = asked + 1
    return hint:find(text)
  end }

  local function asks(text)
    local before = asked
    local masked = js.mask(text)
    return asked - before .. (masked ~= text and " masked" or "")
  end

  local function text(number, size)
    local word = string.format("%06d", number)
    return word .. string.rep("x", size - #word)
  end

  print("again", asks("password=one"), asks("password=one"), asks("nothing"), asks("nothing"))
  print("longest", asks(text(1, 2048)), asks(text(1, 2048)), asks(text(1, 2049)), asks(text(1, 2049)))
  js.secrets.forget()
  print("forgotten", asks("password=one"), asks(text(1, 2048)))
  js.secrets.forget()
  for number = 1, 250 do asks(text(number, 2048)) end  -- 4,196 bytes each, of 1,048,576: full with the last one
  print("full", asks(text(1, 2048)), asks(text(250, 2048)))
  print("emptied", asks("one more"), asks("one more"), asks(text(1, 2048)), asks(text(250, 2048)))
  js.secrets.hint = hint
  print("names", js.mask("badge=seven"), js.looks_secret("badge"))
  js.extend_secrets("badge", "")
  print("more names", js.mask("badge=seven"), js.looks_secret("badge"))
end
"""


def test_texts_are_remembered(tmp_path: Path) -> None:
    assert kit.behind(_SCRIPT, tmp_path) == [
        ["again", "1 masked", "0 masked", "1", "0"],
        ["longest", "1", "0", "1", "1"],
        ["forgotten", "1 masked", "1"],
        ["full", "0", "0"],
        ["emptied", "1", "0", "1", "1"],
        ["names", "badge=seven", "false"],
        ["more names", "badge=***", "true"],
    ]

"""The plugin's windows and menus without a screen: a script stands for Wireshark's, and says what was asked of it.

tshark itself runs the plugin; ``tests/wireshark/test_program.py`` looks at the same in Wireshark.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import plugin_kit as kit

#: In place of what only Wireshark has.  ``menu(name)`` chooses an item, ``packet_menu(name, field, value)`` one of a
#: packet that has such a field, ``button(name)`` one of the last window; dialogs are answered by ``answer``.
_SCREEN = """
local menus, packet_menus, windows, said, closers = {}, {}, {}, {}, {}
filter, applied = "", {}
local function say(...) print("> " .. table.concat({...}, " ")) end
_G.gui_enabled = function() return true end
_G.register_menu = function(name, act) menus[name] = act end
_G.register_packet_menu = function(name, act, field) packet_menus[name] = { act, field } end
_G.get_filter = function() return filter end
_G.set_filter = function(text) filter = text end
_G.apply_filter = function() say("filter", filter) end
_G.set_color_filter_slot = function(slot, text) say("colour", slot, text) end
_G.copy_to_clipboard = function(text) say("copied", text) end
_G.new_dialog = function(title, act) act(answer) end
_G.TextWindow = { new = function(title)
  local window = { title = title, buttons = {} }
  function window:set(text) self.text = text end
  function window:add_button(name, act) self.buttons[name] = act end
  function window:set_atclose(act) self.close = act end
  windows[#windows + 1] = window
  return window
end }
function menu(name) menus[name]() end
function packet_menu(name, field, value)
  local one = packet_menus[name]
  if one[2] ~= field then error(name .. " is of " .. one[2]) end
  one[1]({ name = "frame.number", value = 1 }, { name = field, value = value })
end
function button(name) windows[#windows].buttons[name]() end
function window() return windows[#windows] end
function show() print(windows[#windows].text) end
function names() local all = {} for name in pairs(menus) do all[#all+1] = name end
  for name in pairs(packet_menus) do all[#all+1] = name end table.sort(all) print(table.concat(all, "\\n")) end
local tap = Listener.new("frame")
local drawn = false
function tap.draw()
  if drawn then return end
  drawn = true
  local real = Listener.new
  _G.Listener = { new = function() listener = { remove = function() say("tap removed") end }; return listener end }
  local done, fault = pcall(steps)
  if not done then say("fault", tostring(fault)) end
end
"""


def screen(folder: Path, capture: Path, steps: str, program: str = "tshark") -> str:
    """What is printed when the steps (Lua) are done at the end of a capture."""
    script = folder / "screen.lua"
    script.write_text(f"{_SCREEN}\nfunction steps()\n{steps}\nend\n", encoding="utf-8")
    command = [program, "-X", f"lua_script:{script}", "-X", f"lua_script:{kit.PLUGIN}", "-q", "-r", str(capture)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    text = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == 0, text
    assert "Lua" not in text
    assert "> fault" not in text, text
    return done.stdout.decode()

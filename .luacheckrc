-- How luacheck judges the plugin (`make lint`): without a warning.  Lua 5.2 is that of Wireshark 4.0, the oldest supported.
std = "lua52"
cache = false
max_line_length = false  -- patterns and tables of the rules stand in one line each; ruff keeps the generator's own

-- What Wireshark gives to its plugins.
read_globals = {
  "ByteArray", "Dissector", "DissectorTable", "Field", "Int64", "Listener", "MENU_STAT_UNSORTED", "MENU_TOOLS_UNSORTED",
  "NSTime", "Pref", "Proto", "ProtoExpert", "ProtoField", "TextWindow", "Tvb", "UInt64", "apply_filter", "base", "copy_to_clipboard",
  "expert", "frametype", "gui_enabled", "new_dialog", "register_menu", "register_packet_menu", "register_postdissector",
  "rex_pcre2", "set_color_filter_slot", "set_filter",
}

ignore = {
  "212/self", -- methods of one kind have one form, whether they need themselves or not
  -- What is translated from Python and made from the grammar (dissector/codegen): each node has the same form wherever it stands.
  "211/_", "211/f%d+", "212/c", "231/v%d+", "311/v%d+", "331/v%d+", -- a value is named whether another node asks for it or not
  "4[23]./item_", "4[23]./found_", "431/problem", -- a comprehension in another one
  "542", -- `pass`, and what ends a choice
  "581", -- a condition refused: `not (a <= b)` is another one than `a > b` where b is no number
}

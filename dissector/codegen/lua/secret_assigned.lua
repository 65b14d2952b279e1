-- Secrets that stand behind their name: `password=...`, options, sentences (wire/secret_assigned.py).
do
  local find, sub, lower = string.find, string.sub, string.lower
  local S = js.secrets
  local piece, begins, value_end, inside, add, is_folder = S.piece, S.begins, S.value_end, S.inside, S.add, S.is_folder
  local BEFORE = 96

  local function count_of(text, what)
    local count, at = 0, 1
    while true do
      local from, to = find(text, what, at, true)
      if not from then return count end
      count, at = count + 1, to + 1
    end
  end

  --- True when the quote behind a name ends the text that the name is in.
  local function closes(text, name_start, from, behind)
    if begins("letter", text, behind) then return false end
    local before = string.match(sub(text, math.max(name_start - 2 * BEFORE, 1), name_start - 1), "[^\n]*$")
    local mark = sub(text, from, behind - 1)
    local count = count_of(before, mark)
    if #mark == 1 then count = count - count_of(before, "\\" .. mark) end
    return count % 2 == 1
  end

  local function sign_value(text, name_start, behind, quote, sign, blanks)
    if sign == "," then
      local follows = begins("quote", text, behind) or find(text, "^%d", behind)
      return quote and follows and behind or nil
    end
    local opened = not quote and begins("quote", text, behind)
    if find(blanks, "\n", 1, true) and not quote and not opened then return nil end
    if opened and closes(text, name_start, behind, opened) then return (begins("joined", text, behind)) end
    return behind
  end

  local function noun_value(text, stop, is_pin, is_weak, before, word)
    local behind = { is_pin and "follows_number" or "follows" }
    if not is_pin and not is_weak then
      behind[2], behind[3] = "follows_quoted", "follows_set"
      if piece("new_before"):find(before) then behind[#behind + 1] = "follows_set_new" end
      if lower(word) == "pwd" or piece("told_before"):find(before) then behind[#behind + 1] = "follows_word" end
    end
    for _, one in ipairs(behind) do
      local value = begins(one, text, stop)
      if value then return value end
    end
    return nil
  end

  local PLAIN = { { "option", "blanks", "option_hint" }, { "set_before", "set_between", "set_hint" } }

  --- The value, unless the name from `from` to `to` is one of sentences and the value looks like a word.
  local function unless_weak(text, from, to, value)
    if piece("weak"):find(sub(text, from, to)) and not begins("mixed", text, value) then return nil end
    return value
  end

  local function plain_value(text, from, to, stop)
    local before = sub(text, math.max(from - BEFORE, 1), from - 1)
    if find(text, "^[>&]", stop) then
      local tail = begins("tail", text, stop)
      return tail and piece("tail_before"):find(before) and unless_weak(text, from, to, tail) or nil
    end
    if not find(text, "^[ \t(\"']", stop) then return nil end
    for _, one in ipairs(PLAIN) do
      if piece(one[3]):find(before) and piece(one[1]):find(before) then return (begins(one[2], text, stop)) end
    end
    local value = begins("called", text, stop)
    if value then return value end
    value = begins("prose", text, stop)
    if value then return unless_weak(text, from, to, value) end
    local noun, is_pin, is_weak = begins("noun", text, from)
    if noun ~= stop then return nil end
    return noun_value(text, stop, is_pin, is_weak, before, sub(text, from, noun - 1))
  end

  local function whole_word(text, start, stop)
    local first = start
    while first > math.max(start - BEFORE, 1) and begins("letter", text, first - 1) do first = first - 1 end
    return sub(text, first, stop - 1)
  end

  local function assigned(text)
    local spans, position = {}, 1
    while true do
      local from, to, header = S.candidate:find(text, position)
      if not from then return spans end
      position = begins("name_rest", text, to + 1) or to + 1
      local name_stop = position
      local behind, quote, sign, blanks = begins("assignment", text, position)
      local start
      if behind then
        start = sign_value(text, from, behind, quote, sign, blanks)
      else
        start = plain_value(text, from, to, position)
      end
      if start then
        local stop = value_end(text, start, behind and sign or "", behind and quote and true, behind and header and true)
        local is_member = behind and sign == "," and begins("member_name", text, stop)
        if not is_member and not (behind and is_folder(whole_word(text, from, name_stop), text, start)) then
          local low, high = inside(text, start, stop)
          add(spans, low, high)
          position = math.max(position, stop)
        end
      end
    end
  end

  S.assigned = assigned
end

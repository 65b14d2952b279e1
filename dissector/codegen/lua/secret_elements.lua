-- Secrets of which the name stands in another place than right before: attributes of XML, members of JSON
-- (wire/secret_elements.py).
do
  local find, sub, byte = string.find, string.sub, string.byte
  local S, rules = js.secrets, js.secret_rules
  local piece, begins, value_end, inside, add, replaced = S.piece, S.begins, S.value_end, S.inside, S.add, S.replaced
  local CDATA, NAME = "![CDATA[", S.longest_name

  local function name_in(text, quote)
    if quote then
      local stop = find(text, quote, 1, true)
      return stop and sub(text, 1, stop - 1) or text
    end
    local stop = begins("tag_name", text, 1)
    return stop and sub(text, 1, stop - 1) or ""
  end

  local function secret_name(element, signs)
    if not S.candidate:find(element) then return nil end
    local at = 1
    while true do
      local from, to, sign, quote = piece("naming"):find(element, at)
      if not from then return nil end
      if find(signs, sign, 1, true) then
        local name = name_in(sub(element, to + 1, to + NAME), quote or nil)
        if S.candidate:find(name) then return name end
      end
      at = to + 1
    end
  end

  local function is_folder(name, text, start)
    return rules.folders[name] and byte(text, start) == 47 and begins("folder", text, start) ~= nil
  end

  --- Calls `take(from, to, stop)` with each value of an attribute `value`.
  local function attribute_values(text, start, stop, signs, take)
    local position = start
    while position < stop do
      local from, to, quote, sign = piece("valuing"):find(text, position)
      if not from or to >= stop then return end
      local value = to + 1
      position = value
      if find(signs, sign, 1, true) then
        position = math.max(value_end(text, value, sign, quote and true), value)
        local low, high = inside(text, value, position)
        take(low, high, position)
      end
    end
  end

  local function members(text)
    local spans = {}
    if secret_name(text, ":") then
      attribute_values(text, 1, #text + 1, ":", function(low, high) add(spans, low, high) end)
    end
    return spans
  end

  --- Index behind a start tag; nil for `<x/>` and for what has no end.
  local function start_tag_end(text, start, stop)
    local from, to = piece("tag_end"):find(text, start)
    if not from or to >= stop or find(sub(text, from - 1, from - 1), "[/?]") then return nil end
    return to + 1
  end

  local function content(text, start, stop)
    local behind = start_tag_end(text, start, stop)
    return behind and find(sub(text, behind, stop - 1), "%S") and behind or nil
  end

  local function is_note(text, start)
    return sub(text, start, start + 2) == "!--" or byte(text, start) == 63
  end

  --- Index behind a comment or an instruction; nil when it goes on behind `stop`.
  local function note_end(text, start, stop)
    local at = start
    while true do
      local from, to = piece("tag_end"):find(text, at)
      if not from or to >= stop then return nil end
      local said = sub(text, math.max(start, from - 2), from - 1)
      if said == "--" or sub(said, -1) == "?" then return to + 1 end
      at = to + 1
    end
  end

  --- True when the element is empty so far and has a secret's name in an attribute, or has one as its content.
  local function names_next(text, start, stop, name)
    local from = begins("naming_tag", text, start) and content(text, start, stop)
    if from then
      local word = string.match(sub(text, from, stop - 1), "^%s*(.-)%s*$")
      return begins("whole_name", word, 1) ~= nil and S.candidate:find(word) ~= nil
    end
    local first, last = piece("tag_end"):find(text, start)
    if not name or not first or last >= stop or sub(text, first - 1, first - 1) == "/" then return false end
    return not find(sub(text, last + 1, stop - 1), "%S")
  end

  local function tag_marks(text, beginning)
    local marks, at = { { 1, 1 } }, 1
    while true do
      local from, to = beginning:find(text, at)
      if not from then break end
      marks[#marks + 1] = { from, to + 1 }
      at = to + 1
    end
    marks[#marks + 1] = { #text + 1, #text + 1 }
    return marks
  end

  local function elements(text, beginning)
    local spans, marks = {}, tag_marks(text, beginning)
    local reached, in_content, in_cdata, in_note, is_open, named = 1, false, false, false, false, false
    for number = 1, #marks - 1 do
      local stop = marks[number + 1][1]
      local start = math.max(marks[number][2], reached)
      if start < stop then
        local is_cdata = sub(text, start, start + #CDATA - 1) == CDATA
        in_cdata = in_cdata or (in_content and is_cdata)
        in_note = in_note or (is_open and not in_cdata and is_note(text, start))
        if in_note then
          local behind = note_end(text, start, stop)
          in_note = not behind
          if behind and find(sub(text, behind, stop - 1), "%S") then add(spans, behind, stop) end
        elseif in_cdata then
          local closing = find(text, "]]", start, true)
          if closing and closing + 1 >= stop then closing = nil end
          in_content = not closing
          in_cdata = in_content
          add(spans, is_cdata and start + #CDATA or start, closing or stop)
        elseif named and begins("valuing_tag", text, start) then
          in_content, named = true, false
          local from = content(text, start, stop)
          if from then add(spans, from, stop) end
        else
          local name = secret_name(sub(text, start, stop - 1), ":=")
          local tag = not name and number > 1 and name_in(sub(text, start, math.min(stop - 1, start + NAME - 1)))
          if tag and S.candidate:find(tag) then name = tag end
          if name then
            attribute_values(text, start, stop, ":=", function(low, high, at)
              if not is_folder(name, text, low) then add(spans, low, high) end
              reached = at
            end)
          end
          in_content = number > 1 and name ~= nil
          is_open = in_content and start_tag_end(text, start, stop) ~= nil
          if number > 1 and byte(text, start) ~= 47 then named = names_next(text, start, stop, name) end
          local from = in_content and reached < stop and content(text, math.max(start, reached), stop)
          if from then
            add(spans, from, stop)
            reached = stop
          end
        end
      end
    end
    return spans
  end

  local ROUNDS = { { "", "tag_plain" }, { "&", "tag_once" }, { "&amp;", "tag_twice" }, { "&amp;amp;", "tag_deeper" } }

  --- The text without the secrets in elements, the plainest tags first, and in members.
  function S.without_elements(text)
    text = replaced(text, members(text))
    for _, one in ipairs(ROUNDS) do
      if find(text, one[1], 1, true) then text = replaced(text, elements(text, piece(one[2]))) end
    end
    return text
  end
  S.is_folder = is_folder
end

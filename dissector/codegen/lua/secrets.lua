-- Finds secrets in texts: the search of wire/secrets.py and its neighbours, by the same rules.
-- Places are indices from 1; a span reaches from its first character to before its second number.
do
  local find, sub, lower, byte, concat = string.find, string.sub, string.lower, string.byte, table.concat
  local rex, rules, known = rex_pcre2, js.secret_rules, {}
  local ANCHORED = rex.flags().ANCHORED
  local MASK, CDATA, NAME, BEFORE = "***", "![CDATA[", 256, 96
  local QUOTES = { ['"'] = { '"', "'\"'\"" }, ["'"] = { "'", "\"'\"'", "\\''" } }

  --- What is shown in the place of bytes with a secret among them.
  js.no_bytes = MASK

  local function compiled(source, exact)
    local key = exact and "=" .. source or source
    local found = known[key]
    if not found then
      found = rex.new(source, exact and "" or "i")
      known[key] = found
    end
    return found
  end

  local function piece(name) return compiled(rules.pieces[name]) end

  --- Where the piece that begins at `at` ends, and its groups.
  local function begins(name, text, at)
    local _, stop, one, two, three = piece(name):find(text, at, ANCHORED)
    if stop then return stop + 1, one, two, three end
    return nil
  end

  local candidate, hint, extra = compiled(rules.pieces.candidate), compiled(rules.hint, true), nil

  --- What a user calls secret besides: words in names, divided by commas, and a pattern.
  function js.extend_secrets(names, pattern)
    local more = ""
    for word in string.gmatch(lower(names or ""), "[^,%s]+") do
      more = more .. "|" .. string.gsub(word, "%W", "\\%0")
    end
    candidate, hint = compiled(rules.pieces.candidate .. more), compiled(rules.hint .. more, true)
    local ok, made = pcall(rex.new, pattern or "", "")
    extra = ok and pattern and pattern ~= "" and made or nil
    js.forget_names()
  end

  -- --- where a value ends ---

  local function closing_end(text, start, mark, backslashes)
    local group = byte(mark) == 38 and #text + 1 or 2 * (backslashes + 1)
    local position = start
    while true do
      local found = find(text, mark, position, true)
      if not found then return #text + 1 end
      local run = found
      while run > position and byte(text, run - 1) == 92 do run = run - 1 end
      if (found - run) % group == backslashes then return found + #mark end
      position = found + #mark
    end
  end

  local function quoted_end(text, start, behind)
    local backslashes = 0
    while byte(text, start + backslashes) == 92 do backslashes = backslashes + 1 end
    local mark = sub(text, start + backslashes, behind - 1)
    local stop = closing_end(text, behind, mark, backslashes)
    local going_on = QUOTES[mark]
    while backslashes == 0 and going_on and stop <= #text do
      local more
      for _, one in ipairs(going_on) do
        if not more and sub(text, stop, stop + #one - 1) == one then more = one end
      end
      if more then
        stop = closing_end(text, stop + #more, mark, backslashes)
      else
        local bare = begins("more_bare", text, stop)
        if not bare then break end
        stop = bare
      end
    end
    return stop
  end

  local function array_end(text, start)
    local position = start + 1
    while true do
      local from, to = piece("array_stop"):find(text, position)
      if not from then return #text + 1 end
      if sub(text, from, to) == "]" then return to + 1 end
      local run = from
      while run > position and byte(text, run - 1) == 92 do run = run - 1 end
      local behind = begins("quote", text, run)
      position = behind and quoted_end(text, run, behind) or to + 1
    end
  end

  --- Where one of `stops` is that is no beginning of `belonging`.
  local function stepped(text, start, stops, belonging)
    local position = start
    while true do
      local from = piece(stops):find(text, position)
      if not from then return #text + 1 end
      position = begins(belonging, text, from)
      if not position then return from end
    end
  end

  local function value_end(text, start, sign, quoted_name, header)
    local behind = begins("quote", text, start)
    if behind then return quoted_end(text, start, behind) end
    local first = byte(text, start)
    if first == 91 then return array_end(text, start) end
    if first == 123 and sign == ":" then return start end
    if first == 123 then return (find(text, "}", start, true) or #text) + 1 end
    local name = header and "line" or quoted_name and sign == ":" and "json_value"
    if name then return begins(name, text, start) or start end
    return stepped(text, begins("scheme", text, start) or start, "bare_stop", "entity")
  end

  --- The value without the quotes around it.
  local function inside(text, start, stop)
    local behind = begins("quote", text, start)
    local size = behind and behind - start
    if not behind or behind > stop - size or sub(text, stop - size, stop - 1) ~= sub(text, start, behind - 1) then
      return start, stop
    end
    return behind, stop - size
  end

  -- --- replacing ---

  local function add(spans, start, stop) spans[#spans + 1] = { start, stop } end

  local function replaced(text, spans)
    local parts, done = {}, 1
    for _, span in ipairs(spans) do
      local start = span[1] < done and done or span[1]
      if span[2] > start then
        parts[#parts + 1] = sub(text, done, start - 1)
        parts[#parts + 1] = MASK
        done = span[2]
      end
    end
    if done == 1 and #parts == 0 then return text end
    parts[#parts + 1] = sub(text, done)
    return concat(parts)
  end

  -- --- elements and members ---

  local function name_in(text, quote)
    if quote then
      local stop = find(text, quote, 1, true)
      return stop and sub(text, 1, stop - 1) or text
    end
    local stop = begins("tag_name", text, 1)
    return stop and sub(text, 1, stop - 1) or ""
  end

  local function secret_name(element, signs)
    if not candidate:find(element) then return nil end
    local at = 1
    while true do
      local from, to, sign, quote = piece("naming"):find(element, at)
      if not from then return nil end
      if find(signs, sign, 1, true) then
        local name = name_in(sub(element, to + 1, to + NAME), quote or nil)
        if candidate:find(name) then return name end
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

  local function content(text, start, stop)
    local from, to = piece("tag_end"):find(text, start)
    if not from or to >= stop or find(sub(text, from - 1, from - 1), "[/?]") then return nil end
    if not find(sub(text, to + 1, stop - 1), "%S") then return nil end
    return to + 1
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
    local reached, in_content, in_cdata = 1, false, false
    for number = 1, #marks - 1 do
      local stop = marks[number + 1][1]
      local start = math.max(marks[number][2], reached)
      if start < stop then
        local is_cdata = sub(text, start, start + #CDATA - 1) == CDATA
        in_cdata = in_cdata or (in_content and is_cdata)
        if in_cdata then
          local closing = find(text, "]]", start, true)
          if closing and closing + 1 >= stop then closing = nil end
          in_content = not closing
          in_cdata = in_content
          add(spans, is_cdata and start + #CDATA or start, closing or stop)
        else
          local name = secret_name(sub(text, start, stop - 1), ":=")
          local tag = not name and number > 1 and name_in(sub(text, start, math.min(stop - 1, start + NAME - 1)))
          if tag and candidate:find(tag) then name = tag end
          if name then
            attribute_values(text, start, stop, ":=", function(low, high, at)
              if not is_folder(name, text, low) then add(spans, low, high) end
              reached = at
            end)
          end
          in_content = number > 1 and name ~= nil
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

  -- --- name and value ---

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
    if find(blanks, "\n", 1, true) and not quote then return nil end
    local opened = not quote and begins("quote", text, behind)
    if opened and closes(text, name_start, behind, opened) then return (begins("joined", text, behind)) end
    return behind
  end

  local function noun_value(text, stop, is_pin, is_weak, before, word)
    local behind = { is_pin and "follows_number" or "follows" }
    if not is_pin and not is_weak then
      behind[2] = "follows_quoted"
      if lower(word) == "pwd" or piece("told_before"):find(before) then behind[3] = "follows_word" end
    end
    for _, one in ipairs(behind) do
      local value = begins(one, text, stop)
      if value then return value end
    end
    return nil
  end

  local PLAIN = { { "option", "blanks", "option_hint" }, { "set_before", "set_between", "set_hint" } }

  local function plain_value(text, from, to, stop)
    local before = sub(text, math.max(from - BEFORE, 1), from - 1)
    if not find(text, "^[ \t(\"']", stop) then return nil end
    for _, one in ipairs(PLAIN) do
      if piece(one[3]):find(before) and piece(one[1]):find(before) then return (begins(one[2], text, stop)) end
    end
    local value = begins("called", text, stop)
    if value then return value end
    value = begins("prose", text, stop)
    if value then
      if piece("weak"):find(sub(text, from, to)) and not begins("mixed", text, value) then return nil end
      return value
    end
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
      local from, to, header = candidate:find(text, position)
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

  -- --- shapes, command lines, URLs ---

  --- The group that matched of a list of places, false where one did not.
  local function group_of(places)
    for index = #places - 1, 1, -2 do
      if places[index] then return places[index], places[index + 1] + 1 end
    end
    return nil
  end

  --- Adds the secrets that `pattern` finds in the part of a text from `first` to before `stop`.
  local function matches(text, pattern, spans, first, stop)
    local part = (first > 1 or stop <= #text) and sub(text, first, stop - 1) or text
    local position, before = 1, first - 1
    while position <= #part do
      local from, to, places = pattern:exec(part, position)
      if not from then return end
      local low, high = group_of(places)
      if low then
        add(spans, before + low, before + high)
        position = math.max(to + 1, from + 1)
      else
        local value_stop = value_end(text, before + to + 1, "")
        add(spans, inside(text, before + to + 1, value_stop))
        position = math.max(value_stop - before, from + 1)
      end
    end
  end

  local function add_arguments(text, command, spans)
    local program, options, position = compiled(command.program), compiled(command.options), 1
    while position <= #text do
      local _, to = program:find(text, position)
      if not to then return end
      position = stepped(text, to + 1, "argument_stop", "argument_quoted")
      matches(text, options, spans, to + 1, position)
    end
  end

  local function is_needed(low, needs)
    for _, one in ipairs(needs) do
      if find(low, one, 1, true) then return true end
    end
    return false
  end

  --- Where the password in `jdbc:oracle:thin:user/password` begins.
  local function oracle_password(head)
    local position = 1
    while true do
      local _, driver = piece("oracle_url"):find(head, position)
      if not driver then return nil end
      local stop = find(head, "[/@]", driver + 1)
      if not stop then return nil end
      if byte(head, stop) == 47 then return stop + 1 end
      position = stop + 1
    end
  end

  local function url_masked(word)
    local at = string.match(word, ".*()@")
    if not at then return word end
    local head = sub(word, 1, at - 1)
    local oracle = oracle_password(head)
    if oracle then return oracle < at and sub(head, 1, oracle - 1) .. MASK .. sub(word, at) or word end
    local slashes = find(head, "//", 1, true)
    local colon = slashes and find(head, ":", slashes, true)
    return colon and colon + 1 < at and sub(head, 1, colon) .. MASK .. sub(word, at) or word
  end

  --- The plain text of what is escaped in XML or in a string, and what gives the place of one in the other.
  local function plain_of(source)
    local parts, places, shifts, done = {}, {}, { [0] = 0 }, 1
    local pattern, at = piece("escaped"), 1
    while true do
      local from, to, groups = pattern:exec(source, at)
      if not from then break end
      local which = 1
      for index = 1, #groups, 2 do
        if groups[index] then which = (index + 1) / 2 end
      end
      parts[#parts + 1] = sub(source, done, from - 1)
      parts[#parts + 1] = sub(rules.escaped, which, which)
      local shift = shifts[#places]
      places[#places + 1] = from - shift
      shifts[#places] = shift + to - from
      done, at = to + 1, to + 1
    end
    if done == 1 then return source, function(index) return index end end
    parts[#parts + 1] = sub(source, done)
    return concat(parts), function(index)
      local low, high = 0, #places  -- the number of places before the index
      while low < high do
        local middle = math.ceil((low + high) / 2)
        if places[middle] < index then low = middle else high = middle - 1 end
      end
      return index + shifts[low]
    end
  end

  --- What is secret by its form, and in command lines.
  local function shaped(text)
    local spans, plain, place = {}, plain_of(text)
    local low = lower(plain)
    for _, shape in ipairs(rules.shapes) do
      if is_needed(low, shape.needs) then matches(plain, compiled(shape.pattern, shape.exact), spans, 1, #plain + 1) end
    end
    for _, command in ipairs(rules.commands) do
      if is_needed(low, command.needs) then add_arguments(plain, command, spans) end
    end
    for _, span in ipairs(spans) do span[1], span[2] = place(span[1]), place(span[2]) end
    table.sort(spans, function(one, two) return one[1] < two[1] or (one[1] == two[1] and one[2] < two[2]) end)
    return spans
  end

  local function ours(text)
    if candidate:find(text) then
      text = replaced(text, members(text))
      for _, one in ipairs(ROUNDS) do
        if find(text, one[1], 1, true) then text = replaced(text, elements(text, piece(one[2]))) end
      end
      text = replaced(text, assigned(text))
    end
    text = replaced(text, shaped(text))
    if find(text, "@", 1, true) then text = string.gsub(text, "[^%s\"<>]+", url_masked) end
    return text
  end

  local function extended(text)
    local spans, position = {}, 1
    while position <= #text do
      local from, to, places = extra:exec(text, position)
      if not from then break end
      if places[1] ~= nil then
        if places[1] then add(spans, places[1], places[2] + 1) end
      else
        add(spans, from, to + 1)
      end
      position = math.max(to + 1, from + 1)
    end
    return replaced(text, spans)
  end

  local function covered(text)
    if hint:find(lower(text)) then text = ours(text) end
    if extra then text = extended(text) end
    return text
  end

  --- The text with every secret in it as `***`; all of it where PCRE2 gives up.
  function js.mask(text)
    local ok, masked = pcall(covered, text)
    return ok and masked or MASK
  end

  --- True for the name of something that is not to be shown.  The same names come again and again.
  local names, count = {}, 0

  function js.forget_names() names, count = {}, 0 end

  function js.looks_secret(name)
    if #name > NAME then return candidate:find(name) ~= nil end
    local found = names[name]
    if found ~= nil then return found end
    if count >= 4096 then js.forget_names() end
    found = candidate:find(name) ~= nil
    names[name], count = found, count + 1
    return found
  end

  --- True for a text that is nothing but such a name, no sentence with the word in it.
  function js.names_a_secret(text)
    return #text <= NAME and find(text, "^[%w_.$/:-]+$") ~= nil and js.looks_secret(text)
  end

  --- Text as it may be shown; `veil` has texts of the message that are secret as a whole.
  function js.masked(text, veil)
    if js.show_secrets then return text end
    return veil and veil[text] or js.mask(text)
  end

  --- The same as UTF-8, for a field of the tree.
  function js.shown(text, veil) return js.utf8(js.masked(text, veil)) end

  --- Value of an XML attribute, a pair of name and value, of a document's `attributes`.
  function js.attribute(pair, attributes)
    if js.show_secrets or pair[2] == "" then return pair[2] end
    if js.looks_secret(pair[1]) then return MASK end
    if pair[1] ~= "name" then
      for _, one in ipairs(attributes) do
        if one[1] == "name" and js.looks_secret(one[2]) then return MASK end
      end
    end
    return js.mask(pair[2])
  end

  -- --- what in a message is secret as a whole (the rules of wire/masking.py) ---

  local veiled

  local function veil_properties(veil, new, secret)
    for _, property in ipairs(new.properties) do
      veiled(veil, property.value, secret or js.looks_secret(property.name))
    end
  end

  function veiled(veil, value, secret)
    if type(value) == "string" then
      if secret and value ~= "" then veil[value] = MASK end
      return
    end
    value = type(value) == "table" and value.value or nil
    if type(value) == "string" then
      veiled(veil, value, secret)
    elseif type(value) == "table" and type(value.elements) == "table" then
      for _, one in ipairs(value.elements) do veiled(veil, one, secret) end
    elseif type(value) == "table" and value.new then
      veil_properties(veil, value.new, secret)
    end
  end

  local function veil_answer(veil, body, secret)
    if body.result then veiled(veil, body.result, secret) end
    for _, one in ipairs(body.results or {}) do
      if type(one) == "table" and one.object and one.object.new then veil_properties(veil, one.object.new, secret) end
    end
    if body.object and body.object.new then veil_properties(veil, body.object.new, secret) end
    if not secret then return end
    for _, one in ipairs(body.strings or {}) do veiled(veil, one, true) end
    local info = body.failure and body.failure.excepinfo
    if info then
      for _, name in ipairs({ "source", "description", "help_file" }) do veiled(veil, info[name] or "", true) end
    end
  end

  --- False when nothing in the bytes of a message can be a secret by itself, as in nearly all.
  function js.may_hold_secret(raw) return hint:find(lower(raw)) ~= nil end

  --- True when something in a message that can not be read may be a secret: the name of one is in it, or it is an answer
  --- of which nobody knows what was asked, and has a text.
  function js.is_opaque(raw)
    if js.show_secrets then return false end
    local text = "[\t\n\r\32-\126\160-\255]"
    return candidate:find(raw) ~= nil or (byte(raw) == 65 and find(raw, text .. text .. text .. text) ~= nil)
  end

  --- For every text of such a message.
  js.veil_of_all = setmetatable({}, { __index = function(_, text) return text ~= "" and MASK or nil end })

  --- Texts of a message's body that are secret whatever they say; `secret`: its request or its member says so.
  function js.veil(body, secret)
    if js.show_secrets or not body then return nil end
    local veil = {}
    if body.params then
      secret = secret or js.has_secret_name(body.params)
      for _, one in ipairs(body.params.arguments) do
        local is_name = one.vt == 8 and js.names_a_secret(one.value)
        if not is_name then veiled(veil, one, secret) end
      end
    else
      veil_answer(veil, body, secret)
    end
    return next(veil) and veil or nil
  end
end

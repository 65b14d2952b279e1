-- Where a secret ends that begins at some place of a text (wire/secret_values.py), and what all search of secrets needs.
-- Places are indices from 1; a span reaches from its first character to before its second number.
do
  local find, sub, lower, byte, concat = string.find, string.sub, string.lower, string.byte, table.concat
  local rex, rules = rex_pcre2, js.secret_rules
  local known, exactly, quick = {}, {}, {}  -- patterns that were compiled, by their sources
  local ANCHORED = rex.flags().ANCHORED
  local QUOTES = { ['"'] = { '"', "'\"'\"" }, ["'"] = { "'", "\"'\"'", "\\''" } }
  --- `candidate` and `hint` are patterns of `secret_rules`, with what a user adds; `extra` is a user's own pattern.
  local S = { mask = "***", longest_name = 256 }
  js.secrets = S

  local function compiled(source, exact)
    local patterns = exact and exactly or known
    local found = patterns[source]
    if not found then
      found = rex.new(source, exact and "" or "i")
      patterns[source] = found
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

  --- A pattern that nearly every text is searched for, as machine code where PCRE2 makes it.
  local function prepared(source, exact)
    local pattern = quick[source]
    if not pattern then
      pattern = rex.new(source, exact and "" or "i")
      pcall(pattern.jit_compile, pattern)
      quick[source] = pattern
    end
    return pattern
  end

  --- What a user calls secret besides: words in names, divided by commas, and a pattern.
  function js.extend_secrets(names, pattern)
    local more = ""
    for word in string.gmatch(lower(names or ""), "[^,%s]+") do
      more = more .. "|" .. string.gsub(word, "%W", "\\%0")
    end
    S.candidate, S.hint = prepared(rules.pieces.candidate .. more), prepared(rules.hint .. more, true)
    local ok, made = pcall(rex.new, pattern or "", "")
    S.extra = ok and pattern and pattern ~= "" and made or nil
    S.forget()
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

  --- Behind the parenthesis, or the backquote, that closes what opens right before `start`.
  local function call_end(text, start)
    local depth, position = 1, start
    local is_quoted = byte(text, start - 1) == 96
    while true do
      local from, to = piece("call_stop"):find(text, position)
      if not from then return #text + 1 end
      local sign = byte(text, from)
      position = to + 1
      if sign == 10 then return from end
      if is_quoted or sign == 96 then
        if is_quoted and sign == 96 then return position end
      elseif sign == 40 or sign == 41 then
        depth = depth + (sign == 40 and 1 or -1)
        if depth == 0 then return position end
      else
        local behind = begins("quote", text, from)
        if behind then position = quoted_end(text, from, behind) end
      end
    end
  end

  --- Behind the texts that are joined to the one that ends before `stop`.
  local function joined_end(text, stop)
    while true do
      local opening = begins("joined_to", text, stop)
      local behind = opening and begins("quote", text, opening)
      if not behind then return stop end
      stop = quoted_end(text, opening, behind)
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
    if behind then return joined_end(text, quoted_end(text, start, behind)) end
    local first = byte(text, start)
    if first == 91 then return array_end(text, start) end
    if first == 123 and sign == ":" then return start end
    if first == 123 then return (find(text, "}", start, true) or #text) + 1 end
    local name = header and "line" or quoted_name and sign == ":" and "json_value"
    if name then return begins(name, text, start) or start end
    local scheme = begins("scheme", text, start)
    local opening = scheme and begins("quote", text, scheme)
    if opening then return quoted_end(text, scheme, opening) end
    local call = begins("call", text, scheme or start)
    if call then return call_end(text, call) end
    return stepped(text, scheme or start, "bare_stop", "entity")
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
        parts[#parts + 1] = S.mask
        done = span[2]
      end
    end
    if done == 1 and #parts == 0 then return text end
    parts[#parts + 1] = sub(text, done)
    return concat(parts)
  end

  S.compiled, S.prepared, S.piece, S.begins, S.stepped = compiled, prepared, piece, begins, stepped
  S.value_end, S.inside, S.add, S.replaced = value_end, inside, add, replaced
end

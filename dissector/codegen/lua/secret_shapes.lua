-- Secrets that are known by their form, in command lines and in URLs (wire/secret_forms.py, wire/secret_plain.py).
do
  local find, sub, lower, byte, concat = string.find, string.sub, string.lower, string.byte, table.concat
  local S, rules = js.secrets, js.secret_rules
  local compiled, prepared, piece, value_end, inside, add = S.compiled, S.prepared, S.piece, S.value_end, S.inside, S.add
  local stepped, MASK = S.stepped, S.mask

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

  --- True when one of the words is in the text, without which it needs no search.
  local function is_needed(low, words) return prepared(words, true):find(low) ~= nil end

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

  S.shaped, S.url_masked = shaped, url_masked
end

-- The documents of a command connection: element, attributes and error, and whether the XML is well formed.
do
  local find, sub, match, gsub, byte = string.find, string.sub, string.match, string.gsub, string.byte
  local ENTITIES = { lt = "<", gt = ">", amp = "&", quot = '"', apos = "'" }
  local BROKEN = {}

  local function broken(reason) error({ BROKEN, reason }, 0) end

  --- The code that a reference such as #x41 names, nil when it is none of a character.
  local function code_of(name)
    local hex, dec = match(name, "^#x(%x+)$"), match(name, "^#(%d+)$")
    local code = hex and #hex < 8 and tonumber(hex, 16) or dec and #dec < 8 and tonumber(dec)
    return code and code > 0 and code <= 0x10FFFF and (code < 0xD800 or code >= 0xE000) and code or nil
  end

  local function entity(name)
    if ENTITIES[name] then return ENTITIES[name] end
    local code = code_of(name)
    if not code or (code < 32 and code ~= 9 and code ~= 10 and code ~= 13) then broken("undefined entity") end
    return js.character(code)
  end

  --- An attribute's value in text that need not be well-formed, as UTF-8: what looks like a reference and is none stays.
  function js.unescaped(text)
    return (gsub(gsub(js.latin1(text), "[\t\n\r]", " "), "&([%w#]+);", function(name)
      local code = code_of(name)
      return ENTITIES[name] or code and js.plain_character(code)
    end))
  end

  local function unescape(text)
    if not find(text, "&", 1, true) then return text end
    if find(gsub(text, "&[%w#]+;", ""), "&", 1, true) then broken("not well-formed") end
    return (gsub(text, "&([%w#]+);", entity))
  end

  --- Attributes of a tag's inside, as pairs in order.
  local function attributes(inside)
    local found, seen, at = {}, {}, 1
    while true do
      local _, blank = find(inside, "^%s*", at)
      if blank == #inside then return found end
      if blank < at then broken("not well-formed") end
      local name, quote, from = match(inside, "^([%a_:\128-\255][%w_:.\128-\255-]*)%s*=%s*([\"'])()", blank + 1)
      if not name then broken("not well-formed") end
      local stop = find(inside, quote, from, true)
      if not stop or seen[name] then broken(stop and "duplicate attribute" or "not well-formed") end
      local value = sub(inside, from, stop - 1)
      if find(value, "<", 1, true) then broken("not well-formed") end
      seen[name] = true
      found[#found + 1] = { name, unescape((gsub(value, "[\t\n\r]", " "))) }
      at = stop + 1
    end
  end

  --- Where a tag that begins at `from` ends: quoted values may hold a `>`.
  local function tag_end(text, from)
    local at = from
    while true do
      local stop = find(text, "[>\"'<]", at)
      if not stop then broken("unclosed token") end
      local c = byte(text, stop)
      if c == 62 then return stop end
      if c == 60 then broken("not well-formed") end
      local close = find(text, c == 34 and '"' or "'", stop + 1, true)
      if not close then broken("unclosed token") end
      at = close + 1
    end
  end

  local function skip(text, at, terminator)
    local _, stop = find(text, terminator, at, true)
    if not stop then broken("unclosed token") end
    return stop + 1
  end

  --- Calls `start(name, attributes, depth)` for each element.
  local function scan(text, start)
    local open, at, rooted = {}, 1, false
    while true do
      local from = find(text, "<", at, true)
      local between = sub(text, at, (from or #text + 1) - 1)
      if #open == 0 then
        if find(between, "%S") then broken(rooted and "junk after document element" or "syntax error") end
      else
        unescape(between)
        if find(between, "]]>", 1, true) then broken("not well-formed") end
      end
      if not from then
        if #open > 0 or not rooted then broken("no element found") end
        return
      end
      local second = byte(text, from + 1)
      if sub(text, from, from + 3) == "<!--" then
        at = skip(text, from + 4, "-->")
      elseif sub(text, from, from + 8) == "<![CDATA[" and #open > 0 then
        at = skip(text, from + 9, "]]>")
      elseif second == 63 then
        if from > 1 and match(text, "^<%?xml%s", from) then broken("XML or text declaration not at start of entity") end
        at = skip(text, from + 2, "?>")
      elseif second == 33 then
        broken("a DTD, which is refused")
      elseif second == 47 then
        local name, stop = match(text, "^</([^%s>]+)%s*>()", from)
        if not name or open[#open] ~= name then broken("mismatched tag") end
        open[#open] = nil
        at = stop
      else
        if rooted and #open == 0 then broken("junk after document element") end
        local name, behind = match(text, "^<([%a_:\128-\255][%w_:.\128-\255-]*)()", from)
        if not name then broken("not well-formed") end
        local stop = tag_end(text, behind)
        local inside = sub(text, behind, stop - 1)
        local empty = sub(inside, -1) == "/"
        if empty then inside = sub(inside, 1, -2) end
        rooted = true
        if #open >= js.limits.xml_depth then broken("elements nested too deep") end
        start(name, attributes(inside), #open + 1)
        if not empty then open[#open + 1] = name end
        at = stop + 1
      end
    end
  end

  local function well_formed(text, start)
    local ok, failure = pcall(scan, (gsub(text, "^%s+", "")), start)
    if ok then return nil end
    if type(failure) == "table" and failure[1] == BROKEN then return failure[2] end
    error(failure, 0)
  end

  local SHORTHANDS = { s = "show_state" }

  --- What a client sent: XML, or a typed command.
  function js.parse_command(data)
    local text = js.utf8((gsub(data, "[\0\r\n]+$", "")))
    local found = { text = text, form = "xml", attributes = {} }
    local function start(name, values, depth)
      if depth == 1 then found.element, found.attributes = name, values end
    end
    if not find(text, "^%s*<") then
      local word = match(text, "^%s*([%a_][%w_.-]*)")
      if not word then
        found.form, found.reason = "broken", find(text, "%S") and "neither XML nor a command" or "empty"
        return found
      end
      found.reason = well_formed("<" .. match(text, "^%s*(.-)%s*$") .. "/>", start)
      found.form, found.element = "shorthand", SHORTHANDS[word] or word
      return found
    end
    found.reason = well_formed(text, start)
    if found.reason then found.form = "broken" end
    return found
  end

  --- What a server sent: the first element inside `<answer>`, else the answer, else the root; and the first error.
  function js.parse_answer(data)
    local text = js.utf8((gsub(data, "[\0\r\n]+$", "")))
    local found, answered, inner = { text = text, form = "xml", attributes = {} }, false, false
    local function start(name, values, depth)
      if depth == 1 then found.element, found.attributes = name, values end
      if answered and not inner then
        inner, found.element, found.attributes = true, name, values
      elseif name == "answer" and depth <= 2 and not answered then
        answered, found.element, found.attributes = true, name, values
      end
      if name == "ERROR" and not found.error then
        local code, words = "", ""
        for _, one in ipairs(values) do
          if one[1] == "code" then code = one[2] elseif one[1] == "text" then words = one[2] end
        end
        found.error = { code = code, text = words }
      end
    end
    found.reason = well_formed(text, start)
    if found.reason then found.form = "broken" end
    return found
  end

  function js.get(document, name)
    for _, one in ipairs(document.attributes) do
      if one[1] == name then return one[2] end
    end
    return nil
  end

  --- A decimal number within the bounds of `kind` (js.bounds) as text without leading zeros, nil for anything else.
  function js.decimal(text, kind)
    local sign, digits = match(text or "", "^[ \t\r\n]*([+-]?)(%d+)[ \t\r\n]*$")
    if not digits then return nil end
    digits = match(digits, "^0*(%d+)$")
    sign = sign == "-" and digits ~= "0" and "-" or ""
    local least, most = js.bounds[kind][1], js.bounds[kind][2]
    if sign == "-" then
      if sub(least, 1, 1) ~= "-" then return nil end
      most, least = sub(least, 2), "0"
    end
    local function above(a, b) return #a > #b or (#a == #b and a > b) end
    if above(digits, most) or (sign == "" and sub(least, 1, 1) ~= "-" and above(least, digits)) then return nil end
    return sign .. digits
  end

  --- Calls `tell` with the words for each of `names` (kinds by attribute) that should be a number and is none.
  function js.odd_numbers(document, names, tell)
    for _, one in ipairs(document.attributes) do
      local kind = names[one[1]]
      if kind and find(one[2], "%S") and not js.decimal(one[2], kind) then
        tell(js.python.numbers.odd_words(one[1], one[2]), one[1])
      end
    end
  end
end

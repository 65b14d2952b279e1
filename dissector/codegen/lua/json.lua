-- JSON of agents' commands and answers (the bounds of wire/json_text.py).
do
  local find, match, sub, byte, gsub = string.find, string.match, string.sub, string.byte, string.gsub
  local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }
  local WORDS = { ["true"] = true, ["false"] = false }
  local read
  local BROKEN = {}

  --- Values other than texts, numbers and booleans: objects have `names` in their order, arrays are lists.
  js.json_null = setmetatable({}, { __tostring = function() return "null" end })

  local function skip(text, at) return find(text, "[^ \t\r\n]", at) or #text + 1 end

  --- Two halves of a character beyond 16 bits, or one as it stands.
  local function characters(text)
    text = gsub(text, "\\u([dD][89abAB]%x%x)\\u([dD][c-fC-F]%x%x)", function(high, low)
      return js.plain_character(0x10000 + (tonumber(high, 16) - 0xD800) * 0x400 + tonumber(low, 16) - 0xDC00)
    end)
    return (gsub(text, "\\u(%x%x%x%x)", function(hex) return js.plain_character(tonumber(hex, 16)) end))
  end

  local function string_at(text, at)
    local from, stop = at + 1, at + 1
    while true do
      stop = find(text, '["\\\0-\31]', stop)
      local code = stop and byte(text, stop)
      if code == 34 then break end
      if code ~= 92 then error(BROKEN) end
      stop = stop + 2
    end
    local raw = sub(text, from, stop - 1)
    if find(raw, "\\", 1, true) then
      -- An escaped backslash first, so that what follows it is no escape.
      raw = gsub(raw, "\\\\", "\\u005c")
      raw = gsub(raw, "\\(.)", function(letter)
        if letter ~= "u" and not ESCAPES[letter] then error(BROKEN) end
        return letter ~= "u" and ESCAPES[letter] or nil
      end)
      raw = characters(raw)
    end
    return raw, stop + 1
  end

  local function members(text, at, depth)
    local found = { names = {}, values = {} }
    at = skip(text, at + 1)
    if byte(text, at) == 125 then return found, at + 1 end
    while true do
      if byte(text, at) ~= 34 then error(BROKEN) end
      local name
      name, at = string_at(text, at)
      at = skip(text, at)
      if byte(text, at) ~= 58 then error(BROKEN) end
      if found.values[name] == nil then found.names[#found.names + 1] = name end
      found.values[name], at = read(text, skip(text, at + 1), depth)
      at = skip(text, at)
      local code = byte(text, at)
      if code == 125 then return found, at + 1 end
      if code ~= 44 then error(BROKEN) end
      at = skip(text, at + 1)
    end
  end

  local function items(text, at, depth)
    local found = {}
    at = skip(text, at + 1)
    if byte(text, at) == 93 then return found, at + 1 end
    while true do
      found[#found + 1], at = read(text, at, depth)
      at = skip(text, at)
      local code = byte(text, at)
      if code == 93 then return found, at + 1 end
      if code ~= 44 then error(BROKEN) end
      at = skip(text, at + 1)
    end
  end

  --- Numbers stay texts, in a table of their own: a double has no room for them.
  local function number_at(text, at)
    local found = match(text, "^-?%d+%.?%d*[eE]?[+-]?%d*", at)
    if not found then error(BROKEN) end
    return { number = found }, at + #found
  end

  function read(text, at, depth)
    if depth > js.limits.json_depth then error(BROKEN) end
    local code = byte(text, at)
    if code == 34 then return string_at(text, at) end
    if code == 123 then return members(text, at, depth + 1) end
    if code == 91 then return items(text, at, depth + 1) end
    local word = match(text, "^%l+", at)
    if word == "null" then return js.json_null, at + 4 end
    if word and WORDS[word] ~= nil then return WORDS[word], at + #word end
    return number_at(text, at)
  end

  --- The value of a whole JSON text, nil where it is none or more than is read.
  function js.json(text)
    if #text > js.limits.json then return nil end
    local is_read, value, stop = pcall(read, text, skip(text, 1), 0)
    if not is_read or skip(text, stop) <= #text then return nil end
    return value
  end

  --- A member of an object, if it is a text; of nested objects by several names.
  function js.json_text(value, ...)
    for _, name in ipairs({ ... }) do
      value = type(value) == "table" and value.values and value.values[name]
    end
    return type(value) == "string" and sub(value, 1, 8192) or nil
  end

  --- Numbers likewise.
  function js.json_digits(value, ...)
    for _, name in ipairs({ ... }) do
      value = type(value) == "table" and value.values and value.values[name]
    end
    return type(value) == "table" and value.number or (type(value) == "string" and value) or nil
  end
end

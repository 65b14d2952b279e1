-- Text from the wire: ISO-8859-1 to UTF-8, harmless, on one line.
do
  local find, match, sub, gsub, format = string.find, string.match, string.sub, string.gsub, string.format
  local UTF8 = { ["\0"] = "\226\144\128" }  -- a NUL would end the text in Wireshark: shown as its symbol
  local HOSTILE, UNPRINTED = js.tables.hostile, "[\0-\8\11\12\14-\31\127-\255]"
  for code = 1, 127 do UTF8[string.char(code)] = format("\\x%02x", code) end
  for code = 128, 255 do
    -- C1 controls and the soft hyphen become visible: a terminal would obey them.
    UTF8[string.char(code)] = (code < 160 or code == 173) and format("\\x%02x", code)
      or string.char(192 + math.floor(code / 64), 128 + code % 64)
  end

  --- UTF-8 of ISO-8859-1 bytes.
  function js.utf8(text)
    if find(text, UNPRINTED) then return (gsub(text, UNPRINTED, UTF8)) end
    return text
  end

  --- The same as it stands, with what a terminal would obey.
  function js.latin1(text)
    return text and (gsub(text, "[\128-\255]", function(c)
      local code = string.byte(c)
      return string.char(192 + math.floor(code / 64), 128 + code % 64)
    end))
  end

  --- UTF-8 of one character, whatever it is.
  function js.plain_character(code)
    local char, floor = string.char, math.floor
    if code < 0x80 then return char(code) end
    if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
    if code < 0x10000 then
      return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
    end
    return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
  end

  --- The same; but what a terminal would obey, or would not show, is written as an escape.
  function js.character(code)
    for _, range in ipairs(HOSTILE) do
      if code >= range[1] and code <= range[2] and code > 127 then
        return format(code < 0x100 and "\\x%02x" or code < 0x10000 and "\\u%04x" or "\\U%08x", code)
      end
    end
    return js.plain_character(code)
  end

  --- UTF-8 from the wire, harmless: what is none, and what a terminal would obey, is spelled out.
  function js.harmless(text)
    if not find(text, "[\128-\255]") then return text end
    return (gsub(text, "[\194-\244][\128-\191]+", function(bytes)
      local first = string.byte(bytes)
      local more = first < 224 and 1 or first < 240 and 2 or 3
      local code = first < 224 and first - 192 or first < 240 and first - 224 or first - 240
      if #bytes <= more then return nil end
      for at = 2, more + 1 do code = code * 64 + string.byte(bytes, at) - 128 end
      local rest = gsub(sub(bytes, more + 2), ".", function(c) return format("\\x%02x", string.byte(c)) end)
      return js.character(code) .. rest
    end))
  end

  --- One line for the Info column: control characters and line ends made visible, long text cut.
  local function escaped(c)
    return c == "\n" and "\\n" or c == "\r" and "\\r" or c == "\t" and "\\t" or format("\\x%02x", string.byte(c))
  end

  function js.line(text, limit)
    limit = limit or 200
    if #text <= limit and not find(text, "[\0-\31\127-\255]") then return text end
    text = match(text, "^.*[^\r\n]") or ""
    local cut = #text > limit
    if cut then text = sub(text, 1, limit) end
    return js.utf8((gsub(text, "[\0\1-\31\127-\159\173]", escaped))) .. (cut and "\226\128\166" or "")
  end

  --- The same of text that is UTF-8 already.
  function js.line_utf8(text, limit)
    if #text > limit then
      text = gsub(sub(text, 1, limit), "[\192-\255][\128-\191]*$", "") .. "\226\128\166"
    end
    return (gsub(text, "[\0\1-\31\127]", escaped))
  end

  function js.hex(raw)
    return (gsub(raw, ".", function(c) return format("%02x", string.byte(c)) end))
  end

  local function halves(raw)
    local a, b, c, d, e, f, g, h = string.byte(raw, 1, 8)
    return ((e * 256 + f) * 256 + g) * 256 + h, ((a * 256 + b) * 256 + c) * 256 + d
  end
  function js.uint64(raw) return UInt64.new(halves(raw)) end
  function js.int64(raw) return Int64.new(halves(raw)) end

  local BLANK = "^[ \t\n\v\f\r\28-\31]*(.-)[ \t\n\v\f\r\28-\31]*$"

  --- The number that a text says as Python's float reads it, nil for none.
  function js.number(text)
    if #text > 256 or find(text, "[\128-\255]") then return nil end
    local sign, word = string.match(string.match(text, BLANK), "^([+-]?)(.*)$")
    local lower = string.lower(word)
    if lower == "inf" or lower == "infinity" then return sign == "-" and -math.huge or math.huge end
    if lower == "nan" then return 0 / 0 end
    if find(word, "_", 1, true) then
      local plain, count = string.gsub(word, "(%d)_%f[%d]", "%1")
      if find(plain, "_", 1, true) or count == 0 then return nil end
      word = plain
    end
    if not (find(word, "^%d+%.?%d*$") or find(word, "^%.%d+$") or find(word, "^%d+%.?%d*[eE][+-]?%d+$")
        or find(word, "^%.%d+[eE][+-]?%d+$")) then
      return nil
    end
    local value = tonumber(word)
    return value and (sign == "-" and -value or value) + 0.0
  end
end

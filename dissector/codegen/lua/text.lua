-- Text from the wire: ISO-8859-1 to UTF-8, secrets masked.
do
  local find, match, sub, gsub, lower, format =
    string.find, string.match, string.sub, string.gsub, string.lower, string.format
  local UTF8 = { ["\0"] = "\226\144\128" }  -- a NUL would end the text in Wireshark: shown as its symbol
  for code = 128, 255 do
    UTF8[string.char(code)] = string.char(192 + math.floor(code / 64), 128 + code % 64)
  end

  --- UTF-8 of ISO-8859-1 bytes.
  function js.utf8(text)
    if find(text, "[\0\128-\255]") then return (gsub(text, "[\0\128-\255]", UTF8)) end
    return text
  end

  --- UTF-8 of one character.
  function js.character(code)
    local char, floor = string.char, math.floor
    if code < 0x80 then return char(code) end
    if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
    if code < 0x10000 then
      return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
    end
    return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
  end

  local WORDS = {
    "password", "passwd", "pwd", "passwort", "passphrase", "kennwort", "secret", "token", "key", "credential",
    "authorization", "cookie", "license", "licence",
  }

  -- Most texts have none of these, so one word of each kind is looked for by its most telling letters first.
  local HINTS = { "pass", "pwd", "secret", "token", "key", "kennw", "cred", "auth", "cook", "licen" }

  local function may_be_secret(low)
    for index = 1, #HINTS do
      if find(low, HINTS[index], 1, true) then return true end
    end
    return false
  end

  --- Where the name of a secret ends in lower-case text, nil when there is none.
  local function secret_end(low)
    local first
    for index = 1, #WORDS do
      local _, stop = find(low, WORDS[index], 1, true)
      if stop and (not first or stop < first) then first = stop end
    end
    local _, stop = find(low, "%f[%a]pass%f[%A]")
    if stop and (not first or stop < first) then first = stop end
    return first
  end

  --- True for a text that is nothing but the name of something that is not to be shown.
  --- The same names come again and again.
  local names, count = {}, 0

  function js.names_a_secret(text)
    local known = names[text]
    if known ~= nil then return known end
    if #text > 256 then return false end
    local low = lower(text)
    known = may_be_secret(low) and find(text, "^[%w_.$/:-]+$") ~= nil and secret_end(low) ~= nil
    if count >= 4096 then names, count = {}, 0 end
    names[text], count = known, count + 1
    return known
  end

  --- A word with ``user:password@`` in it, masked from the colon to the last at sign: each is looked for once, so that
  --- the time is linear whatever the word.
  local function mask_url(word)
    local head = match(word, "^.*@")
    local _, colon = find(head or "", "//[^:/@]*:")
    return colon and sub(word, 1, colon) .. "***@" .. sub(word, #head + 1) or nil
  end

  --- The text with everything behind the first name of a secret masked, if something is assigned there.
  function js.mask(text)
    if find(text, "@", 1, true) then text = gsub(text, "[^%s]+", mask_url) end
    local low = lower(text)
    local stop = may_be_secret(low) and secret_end(low)
    if stop and find(text, "[=:,\"'>%[{%s]", stop + 1) then return sub(text, 1, stop) .. "***" end
    return text
  end

  --- Text as it may be shown; `secret`: its name said that it is one.
  function js.masked(text, secret)
    if js.show_secrets then return text end
    if secret and text ~= "" and not js.names_a_secret(text) then return "***" end
    return js.mask(text)
  end

  --- The same as UTF-8, for a field of the tree.
  function js.shown(text, secret)
    return js.utf8(js.masked(text, secret))
  end

  --- Value of an XML attribute, a pair of name and value.
  function js.attribute(pair)
    return js.masked(pair[2], secret_end(lower(pair[1])) ~= nil)
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
    return js.utf8((gsub(text, "[\0\1-\31\127-\159]", escaped))) .. (cut and "\226\128\166" or "")
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
end

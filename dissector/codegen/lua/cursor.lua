-- A cursor reads one message: `s` holds its bytes (without length header), `p` the offset of the next one, `n` their
-- number.  With a `node` each field read is added to the tree; `range(offset, size)` gives its bytes there.
do
  local byte, sub, format = string.byte, string.sub, string.format
  local C = {}
  js.cursor = C

  --- Fields of values that are numbers; `veil[0]` says that those of a message are secret.
  local NUMBERS = {}
  for _, name in pairs(js.secret_rules.numbers) do NUMBERS[js.fields[name]] = true end

  --- Stops reading: everything behind the last field is undecoded.
  local function refuse(c, reason, offset)
    c.reason, c.offset = reason, offset or c.last
    error(c, 0)
  end
  C.refuse = refuse

  local function short(c, size)
    c.last = c.p
    refuse(c, format("needs %s, %d left", js.python.numbers.count(size, "byte"), c.n - c.p))
  end

  local function is_hidden(c, field) return c.veil and c.veil[0] and NUMBERS[field] end

  local function leaf(c, field, p, size, value)
    c.done = p + size
    if is_hidden(c, field) then return c.node:add(c.range(p, size), "***") end
    if value ~= nil then return c.node:add(field, c.range(p, size), value) end
    return c.node:add(field, c.range(p, size))
  end

  function C.u1(c, field)
    local p = c.p
    local a = byte(c.s, p + 1)
    if not a then short(c, 1) end
    c.last, c.p = p, p + 1
    if c.node then leaf(c, field, p, 1) end
    return a
  end

  function C.i1(c, field)
    local a = C.u1(c, field)
    return a < 128 and a or a - 256
  end

  function C.u2(c, field)
    local p = c.p
    local a, b = byte(c.s, p + 1, p + 2)
    if not b then short(c, 2) end
    c.last, c.p = p, p + 2
    if c.node then leaf(c, field, p, 2) end
    return a * 256 + b
  end

  function C.i2(c, field)
    local a = C.u2(c, field)
    return a < 32768 and a or a - 65536
  end

  local function u4(c, field)
    local p = c.p
    local a, b, d, e = byte(c.s, p + 1, p + 4)
    if not e then short(c, 4) end
    c.last, c.p = p, p + 4
    if c.node then leaf(c, field, p, 4) end
    return ((a * 256 + b) * 256 + d) * 256 + e
  end
  C.u4 = u4

  function C.i4(c, field)
    local a = u4(c, field)
    return a < 2147483648 and a or a - 4294967296
  end

  --- 64-bit values stay the eight bytes that they are: a Lua 5.2 number can not hold them.
  local function blob(c, field, size)
    local p = c.p
    if size > c.n - p then short(c, size) end
    c.last, c.p = p, p + size
    if c.node then
      c.done = p + size
      if size > 0 and is_hidden(c, field) then
        c.node:add(c.range(p, size), "***")
      elseif size > 0 then
        c.node:add(field, c.range(p, size))
      end
    end
    return sub(c.s, p + 1, p + size)
  end
  C.blob = blob
  function C.u8(c, field) return blob(c, field, 8) end
  C.i8 = C.u8

  function C.guid(c, field)
    local p = c.p
    if c.n - p < 16 then short(c, 16) end
    c.last, c.p = p, p + 16
    local raw = sub(c.s, p + 1, p + 16)
    if c.node then
      local item = leaf(c, field, p, 16)
      local name = js.tables.guid[raw]
      if name then item:append_text(" (" .. name .. ")") end
    end
    return raw
  end

  function C.letter(c, field, names)
    local p = c.p
    local a = byte(c.s, p + 1)
    if not a then short(c, 1) end
    c.last, c.p = p, p + 1
    if c.node then
      local known = names[a]
      local item = leaf(c, field, p, 1, (a >= 32 and a < 127) and string.char(a) or format("0x%02x", a))
      if known then item:append_text(" (" .. known .. ")") end
    end
    return a
  end

  function C.bool(c, field)
    local p = c.p
    local a = byte(c.s, p + 1)
    if not a then short(c, 1) end
    c.last, c.p = p, p + 1
    if a > 1 then refuse(c, "a bool is neither 0 nor 1") end
    if c.node then leaf(c, field, p, 1) end
    return a == 1
  end

  --- All but 0 is true; what nobody writes shows its byte.
  function C.truth(c, field)
    local p = c.p
    local a = byte(c.s, p + 1)
    if not a then short(c, 1) end
    c.last, c.p = p, p + 1
    if c.node then
      local item = leaf(c, field, p, 1)
      if a > 1 then item:append_text(format(" (0x%02x)", a)) end
    end
    return a ~= 0
  end

  --- A string's leaf begins with its length.
  function C.text(c, field, prefix, is_number)
    local p = c.p
    local size
    if prefix == 4 then
      local a, b, d, e = byte(c.s, p + 1, p + 4)
      if not e then short(c, 4) end
      size = ((a * 256 + b) * 256 + d) * 256 + e
    else
      size = byte(c.s, p + 1)
      if not size then short(c, 1) end
    end
    local from = p + prefix
    if size > c.n - from then
      c.last, c.p = from, from
      short(c, size)
    end
    c.last, c.p = from, from + size
    local text = sub(c.s, from + 1, from + size)
    if is_number and not js.number(text) then refuse(c, "text that is no number") end
    if c.node then
      local is_secret = is_number and c.veil and c.veil[0]
      leaf(c, field, p, prefix + size, is_secret and "***" or c.shown(text, c.veil))
    end
    return text
  end

  function C.rest(c, field)
    local p = c.p
    c.p = c.n
    if p < c.n and c.node then leaf(c, field, p, c.n - p) end
    return c.n - p
  end

  -- --- structure ---

  --- Begins a group's node; gives the node around it, for `close`.
  function C.open(c, field)
    local up = c.node
    if up then
      local opened = c.opened
      local whole = c.p < c.n
      if whole then c.node = up:add(field, c.range(c.p, c.n - c.p)) end
      opened[#opened + 1] = { c.p, whole and c.node }
    end
    return up
  end

  --- The same for a number's group, whose node shows the number.
  function C.open_number(c, field)
    local up = c.node
    if up then
      local opened = c.opened
      local text = sub(c.s, c.p + 3, c.p + 2 + (byte(c.s, c.p + 2) or 0))
      local whole = c.p < c.n
      if whole and is_hidden(c, field) then
        c.node = up:add(c.range(c.p, c.n - c.p), "***")
      elseif whole then
        c.node = up:add(field, c.range(c.p, c.n - c.p), js.number(text) or 0)
      end
      opened[#opened + 1] = { c.p, whole and c.node }
    end
    return up
  end

  function C.close(c, up)
    if not up then return end
    local opened = c.opened
    local from = opened[#opened][1]
    opened[#opened] = nil
    if from < c.n then c.node:set_len(c.p - from) end
    c.node = up
  end

  function C.fits(c, count, at_least)
    if count * at_least > c.n - c.p then
      local much, left = js.python.numbers.count(count, "element"), js.python.numbers.count(c.n - c.p, "byte")
      refuse(c, format("%s can not be in the %s left", much, left), c.p)
    end
  end

  --- True when `size` bytes are left and the first eight say `value`.
  function C.repeats(c, value, size)
    return c.n - c.p == size and sub(c.s, c.p + 1, c.p + 8) == value
  end

  function C.enter(c)
    if c.level == js.limits.variant_depth then
      refuse(c, format("nested deeper than %d", js.limits.variant_depth), c.p)
    end
    c.level = c.level + 1
  end
end

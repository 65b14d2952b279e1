-- IP datagrams put together from their fragments, within the bounds of stream/fragments.py.
--
-- Wireshark does that too, but hands what it made to dissectors only, not to a post-dissector.
do
  local byte, sub, char, floor = string.byte, string.sub, string.char, math.floor
  local CARRIERS, u2 = js.headers.CARRIERS, js.headers.u2
  local behind_ipv4, behind_ipv6 = js.headers.behind_ipv4, js.headers.behind_ipv6
  local TWICE = js.python.stream_sequence.TWICE
  local G = {}
  G.__index = G

  local function u2_text(number) return char(floor(number / 256), number % 256) end

  --- What says where a fragment with IPv4 belongs, and the header of the whole datagram by the length of its payload.
  local function fragment4(data, at)
    local field, ident = u2(data, at + 6), sub(data, at + 5, at + 6)
    local rest = sub(data, at + 9, at + 10) .. "\0\0" .. sub(data, at + 13, at + 20)
    local function header(length) return "\69\0" .. u2_text(length + 20) .. ident .. "\0\0" .. rest end
    return { offset = field % 8192 * 8, more = field % 16384 >= 8192, key = sub(data, at + 10, at + 10) .. ident
      .. sub(data, at + 13, at + 20), header = header, longest = 65515 }
  end

  local function fragment6(data, at, protocol, part)
    local field, kind = u2(data, part + 2), char(protocol)
    local rest = kind .. sub(data, at + 8, at + 40)
    local function header(length) return "\96\0\0\0" .. u2_text(length) .. rest end
    return { offset = field - field % 8, more = field % 2 == 1, key = kind .. sub(data, part + 5, part + 8)
      .. sub(data, at + 9, at + 40), header = header, longest = 65535 }
  end

  --- The fragment whose IP header begins at `at`; nil for one that is of no interest.
  local function read_fragment(data, at, wire)
    local is_old = byte(data, at + 1) < 0x60
    local protocol, from, _, part = (is_old and behind_ipv4 or behind_ipv6)(data, at)
    if not CARRIERS[protocol] then return nil end
    local size = u2(data, at + (is_old and 2 or 4))
    local stop = size > 0 and at + size + (is_old and 0 or 40) or wire
    local found = is_old and fragment4(data, at) or fragment6(data, at, protocol, part)
    found.payload, found.is_cut = sub(data, from + 1, stop), #data < stop
    return found
  end

  --- `open` are those of which something is missing, `done` those that were whole, both by key and the oldest first.
  function js.new_datagrams()
    return setmetatable({ open = {}, ages = js.new_queue(), bytes = 0, done = {}, latest = js.new_queue() }, G)
  end

  --- The datagram that is whole with the fragment at `at`, with a plain IP header; else nil.
  function G:take(data, at, wire, time)
    local fragment = read_fragment(data, at, wire)
    if not fragment then return nil end
    local key = fragment.key
    local one, before = self.open[key], self.done[key]
    if not one and before and time - before.time <= TWICE then return nil end
    if not one then
      one = { key = key, header = fragment.header, longest = fragment.longest, start = time, pieces = {}, have = 0 }
      self.open[key] = one
      self.ages:push(one)
    end
    self:place(one, fragment)
    local payload = one.size and one.have >= one.size and not one.is_damaged and self:joined(one)
    if payload then
      self:drop(one)
      self:note(key, time)
    end
    self:age(time)
    return payload and #payload <= one.longest and one.header(#payload) .. payload or nil
  end

  function G:place(one, fragment)
    local offset, payload = fragment.offset, fragment.payload
    local known, stop = one.pieces[offset], offset + #payload
    if known and #known == #payload then return end
    if not fragment.more then one.size = stop end
    if known or stop > 65535 or fragment.is_cut or (fragment.more and #payload % 8 > 0) then
      one.is_damaged = true
      return
    end
    one.pieces[offset], one.have = payload, one.have + #payload
    self.bytes = self.bytes + #payload
  end

  --- The pieces in order; nothing where they overlap.
  function G:joined(one)
    local found, offset = {}, 0
    while offset < one.size do
      local piece = one.pieces[offset]
      if not piece or piece == "" then
        one.is_damaged = true
        return nil
      end
      found[#found + 1], offset = piece, offset + #piece
    end
    local payload = table.concat(found)
    one.is_damaged = #payload ~= one.have
    return not one.is_damaged and payload or nil
  end

  --- Remembers that a datagram was whole: a fragment may be captured twice.
  function G:note(key, time)
    local known = self.done[key]
    if known then
      known.time = time
      return
    end
    local one = { key = key, time = time }
    self.done[key] = one
    self.latest:push(one)
    if self.latest.size > js.limits.fragmented then
      local oldest = self.latest:oldest()
      self.latest:remove(oldest)
      self.done[oldest.key] = nil
    end
  end

  function G:drop(one)
    self.open[one.key] = nil
    self.ages:remove(one)
    self.bytes = self.bytes - one.have
  end

  --- Gives up what waited too long, or is too much.
  function G:age(now)
    while self.ages.size > 0 do
      local oldest = self.ages:oldest()
      local is_full = self.ages.size > js.limits.fragmented or self.bytes > js.limits.fragment_bytes
      if not is_full and now - oldest.start < js.limits.fragment_seconds * 1e9 then return end
      self:drop(oldest)
    end
  end
end

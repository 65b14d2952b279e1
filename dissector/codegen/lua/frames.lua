-- One direction of a callback connection: bytes in stream order become frames (the rules of stream/framing.py).
do
  local sub, limits, say = string.sub, js.limits, js.python.stream_wrong_bytes
  local HEAD = js.python.stream_framing._HEAD  -- bytes that are kept of a message that is too long to be decoded
  local length_at, end_of_frame = js.framing.length_at, js.framing.end_of_frame
  local is_boundary, boundary, plausible = js.framing.is_boundary, js.framing.boundary, js.plausible_frame

  local R = {}
  R.__index = R

  --- `out` takes `frame(side, data, packets, time, at)`, `skipped(side, long, packets, time)` and
  --- `problem(code, side, text, number, time, is_cap)`.  Without `synced` the
  --- first byte may lie anywhere in a message.
  function js.frame_reader(side, synced, out)
    return setmetatable({
      side = side, synced = synced, firm = synced, out = out, held = {}, held_size = 0, size = 0, start = 0,
      to_skip = 0, long = nil, packets = {}, time = 0, mid_stream_at = not synced and -1 or nil,
    }, R)
  end

  function R:drop()
    self.held, self.held_size, self.size = {}, 0, 0
  end

  function R:lose_step()
    self:drop()
    self.synced, self.firm, self.to_skip, self.long = false, false, 0, nil
  end

  function R:hold(chunk, from, to)
    if to > from then
      self.held[#self.held + 1] = sub(chunk.data, from + 1, to)
      self.held_size = self.held_size + to - from
    end
    if chunk.time > self.time then self.time = chunk.time end
    if self.packets[#self.packets] ~= chunk.number then self.packets[#self.packets + 1] = chunk.number end
  end

  --- The message under way, its header included, as one string.
  function R:joined()
    if #self.held > 1 then self.held = { table.concat(self.held) } end
    return self.held[1] or ""
  end

  --- The packets of the message under way, each once and in order.
  function R:listed()
    table.sort(self.packets)
    local once = {}
    for _, number in ipairs(self.packets) do
      if once[#once] ~= number then once[#once + 1] = number end
    end
    return once
  end

  function R:complete()
    local data = self:joined()
    self:drop()
    self.out:frame(self.side, sub(data, 5), self:listed(), self.time, nil)
  end

  function R:problem(code, text, number, time, is_cap)
    self.out:problem(code, self.side, text, number, time, is_cap)
  end

  function R:feed(chunk)
    local at, size = 0, #chunk.data
    while at < size do
      if self.to_skip > 0 then
        local skipped = math.min(self.to_skip, size - at)
        if self.long then self:pass(chunk, at, skipped) end
        self:skip(skipped)
        at = at + skipped
      elseif self.synced then
        at = self:read(chunk, at)
      else
        at = self:search(chunk, at)
      end
    end
  end

  function R:gap(_, size, number, time, snapped, acknowledged)
    if self.to_skip >= size and self.to_skip > 0 then
      if self.long then self.long.has_hole = true end
      return self:skip(size)
    end
    if not self.synced then return self:drop() end
    local rest = self.size > 0 and self.size - self.held_size or 0
    local text = say.missing(size, snapped, acknowledged)
    if rest >= size then
      text = text .. say.message_lost(self.size - 4, self.start)
      self:drop()
      self.to_skip = rest - size
    else
      self:lose_step()
    end
    self:problem("gap", text, number, time)
  end

  --- Keeps what is wanted of a message that is too long to be decoded.
  function R:pass(chunk, at, size)
    local long, packets = self.long, self.packets
    if #packets >= limits.packets_listed then packets[#packets] = nil end
    self:hold(chunk, at, at)
    if not long.has_hole and #long.head < HEAD then
      long.head = long.head .. sub(chunk.data, at + 1, at + math.min(size, HEAD - #long.head))
    end
  end

  function R:skip(size)
    self.to_skip = self.to_skip - size
    local long = self.long
    if not long or self.to_skip > 0 then return end
    self.long = nil
    if long.head ~= "" then self.out:skipped(self.side, long, self:listed(), self.time) end
  end

  -- --- in step ---

  --- Reads one frame, or the part of it that is there; gives where it ended in the chunk.
  function R:read(chunk, at)
    local data = chunk.data
    local size = #data
    if self.held_size == 0 then
      self.start, self.time, self.packets = chunk.offset + at, chunk.time, {}
      if size - at > 4 then
        if not self.firm and not plausible(data, at) then
          self.synced = false
          return at
        end
        self.firm = true
        local length = length_at(data, at)
        local stop = at + 4 + length
        if length > 0 and length <= limits.decoded and stop <= size then
          self.out:frame(self.side, sub(data, at + 5, stop), { chunk.number }, chunk.time, chunk.at and chunk.at + at)
          return stop
        end
      end
    end
    local wanted = self.size > 0 and self.size or self.firm and 4 or 5
    local stop = math.min(size, at + wanted - self.held_size)
    self:hold(chunk, at, stop)
    if self.held_size == wanted then
      if self.size > 0 then self:complete() else self:header(chunk) end
    end
    return stop
  end

  --- The length is complete: what it says about the message.
  function R:header(chunk)
    local data = self:joined()
    if not self.firm and not plausible(data, 0) then
      self.synced = false
      return
    end
    self.firm = true
    local length = length_at(data, 0)
    if length <= 0 or length > limits.message then
      self:problem("impossible_length", say.impossible_length(length), chunk.number, chunk.time)
      if length == 0 then self:drop() else self:lose_step() end
    elseif length > limits.decoded then
      self.long = { size = length, head = sub(data, 5), reason = say.too_long(length) }
      self:problem("undecoded_frame", self.long.reason, chunk.number, chunk.time, true)
      self.to_skip = 4 + length - self.held_size
      self:drop()
    else
      self.size = 4 + length
      if self.size == self.held_size then self:complete() end
    end
  end

  -- --- searching ---

  function R:search(chunk, at)
    if self.mid_stream_at == -1 then self.mid_stream_at = chunk.offset end
    local data = chunk.data
    local stop = at == 0 and end_of_frame(data, 0) or nil
    if self.size > 0 and stop ~= #data then return self:continue_candidate(chunk) end
    if stop and stop <= #data and is_boundary(data, stop) then return self:found(chunk, 0) end
    if stop and stop > #data then
      self:drop()
      self.start, self.time, self.packets = chunk.offset, chunk.time, {}
      self:hold(chunk, 0, #data)
      self.size = stop
      return #data
    end
    local before = self.held_size
    local joined = self:joined() .. sub(data, at + 1)
    local edge = boundary(joined)
    if not edge then
      local tail = sub(joined, -4)
      self.held, self.held_size = { tail }, #tail
      return #data
    end
    return self:found(chunk, at + edge - before)
  end

  --- More bytes of the message that is believed to have begun with a chunk.
  function R:continue_candidate(chunk)
    local data = chunk.data
    local stop = math.min(#data, self.size - self.held_size)
    self:hold(chunk, 0, stop)
    if self.held_size < self.size then return stop end
    if not is_boundary(data, stop) then
      self:drop()
      return stop
    end
    self:report_mid_stream(self.start, chunk)
    self:complete()
    return self:found(chunk, stop)
  end

  --- In step again at `at`: the search is over unless no frame follows there.
  function R:found(chunk, at)
    self:drop()
    self:report_mid_stream(chunk.offset + at, chunk)
    self.synced, self.firm = true, false
    return at
  end

  function R:report_mid_stream(offset, chunk)
    local began = self.mid_stream_at
    self.mid_stream_at = nil
    if began and began >= 0 and began < offset then
      self:problem("mid_stream", say.begun_before(offset - began), chunk.number, chunk.time)
    end
  end
end

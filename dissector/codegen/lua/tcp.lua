-- One direction of a TCP connection: segments in any order become bytes in stream order.
--
-- The plugin puts segments in order itself, so that it shows the same whatever TCP's preferences for reassembly are.
-- A hole is given up (a gap, never filler bytes) when the other side acknowledged it twice, or once with data.
do
  local HALF, WHOLE = 2147483648, 4294967296
  local WINDOW = 1073741824
  local MOST_COUNTED = 32
  local TWICE = 0.001  -- seconds; so soon comes only what is captured a second time
  local D = {}
  D.__index = D
  D.walked = 0  -- pieces that were gone over while a hole is waited for
  js.direction = D

  --- `out` takes `chunk(side, offset, data, number, time, at)` and `gap(side, offset, size, number, time, snapped)`.
  function D.new(side, stream, out)
    return setmetatable({
      side = side, stream = stream, other = nil, out = out, known = false, anchored = false, expect = 0, next = 0,
      waiting = {}, held = 0, bytes = 0, packets = 0, syn = nil, again = false,
    }, D)
  end

  -- One of a connection that is over and of which nobody will ask: just what tells late segments from the next connection.
  -- There may be many of them, so what they have in common is in their class.
  local Rest = setmetatable({ stream = { over = true }, anchored = true }, { __index = D })
  Rest.__index = Rest

  function Rest:tells_nothing(_, flags) return flags % 8 == 0 end

  --- What is left of both directions.
  function D.rest(one, other)
    local first = setmetatable({ other = nil, syn = one.syn, expect = one.expect, next = one.next }, Rest)
    local second = setmetatable({ other = first, syn = other.syn, expect = other.expect, next = other.next }, Rest)
    first.other = second
    if not one.anchored then first.anchored = false end
    if not other.anchored then second.anchored = false end
    return first, second
  end

  function D:begin(seq, anchored)
    self.known, self.anchored, self.expect, self.next = true, anchored, seq % WHOLE, 0
  end

  --- True for a segment of the next connection between the same ports (the rules of stream/reassembly.py).
  function D:is_over_with(seq, ack, flags, length, time)
    local stream, other = self.stream, self.other
    if flags % 4 < 2 then
      return stream.over and length > 0 and self.anchored and math.abs(self:distance(seq)) > js.limits.near
    end
    if self.syn == seq then return false end
    if flags % 32 >= 16 and other.syn and (ack - other.syn) % WHOLE == 1 then return self.syn and self.next > 0 end
    if stream.over or self.syn then return true end
    if self.packets + other.packets == 0 then return false end
    -- Captured in the wrong order: its connection is just a moment old and begins where the SYN says.
    local begins_here = not self.known or (self.expect - self.next - seq) % WHOLE == 1
    return not begins_here or time - stream.start >= js.limits.shuffled
  end

  --- True for an acknowledgement of what is known already, without data, SYN, FIN or RST: nearly every second packet.
  function D:tells_nothing(ack, flags)
    return ack == self.other.expect and flags % 8 == 0 and self.packets > 0
  end

  --- Bytes from the next expected byte to `seq`, negative for what is behind.
  function D:distance(seq)
    return (seq - self.expect + HALF) % WHOLE - HALF
  end

  function D:advance(size)
    self.anchored = true
    self.next = self.next + size
    self.expect = (self.expect + size) % WHOLE
  end

  --- The next bytes came in order.
  function D:went_on(seq, length)
    self.next, self.expect = self.next + length, (seq + length) % WHOLE
    self.bytes = self.bytes + length
  end

  function D:deliver(piece)
    local offset = self.next
    self:advance(piece.stop - piece.start)
    self.bytes = self.bytes + piece.stop - piece.start
    if #piece.data > 0 then
      self.out:chunk(self.side, offset, piece.data, piece.number, piece.time, piece.at)
    end
    local cut = piece.stop - piece.start - #piece.data
    if cut > 0 then self.out:gap(self.side, offset + #piece.data, cut, piece.number, piece.time, true) end
  end

  --- The part of a piece from offset `start` up to `stop`.
  local function part(piece, start, stop)
    if start <= piece.start and stop >= piece.stop then return piece end
    local from = math.max(start, piece.start)
    local to = math.min(stop, piece.stop)
    return {
      start = from, stop = to, data = string.sub(piece.data, from - piece.start + 1, to - piece.start),
      number = piece.number, time = piece.time, at = piece.at and piece.at + from - piece.start,
    }
  end

  --- A segment with payload: `length` bytes on the wire, of which `data` was captured.
  function D:receive(seq, data, length, number, time, mid_stream)
    local at = number == self.out.session.last and 0 or nil  -- only bytes of the packet at hand lie in it
    if seq == self.expect and self.anchored and #self.waiting == 0 and not self.fin_at and #data == length then
      -- In order: nearly every segment.
      local offset = self.next
      self:went_on(seq, length)
      return self.out:chunk(self.side, offset, data, number, time, at)
    end
    if not self.anchored then
      local ahead = self.known and self:distance(seq) or 0
      if ahead == -1 and length == 1 then return end  -- the garbage byte of a TCP keep-alive
      if not self.known or ahead < 0 or mid_stream then self:begin(seq) end
      self.anchored = true
    end
    local ahead = self:distance(seq)
    if math.abs(ahead) > WINDOW then return end
    local piece = {
      start = self.next + ahead, stop = self.next + ahead + length, data = data, number = number, time = time, at = at,
    }
    if self.fin_at and piece.stop > self.fin_at then piece = part(piece, piece.start, self.fin_at) end
    if piece.stop <= self.next then return self:repeated(seq, length, time) end
    if piece.start < self.next then piece = part(piece, self.next, piece.stop) end
    if #self.waiting == 0 and piece.start == self.next then return self:deliver(piece) end
    local held = self.held
    self:hold(piece)
    if self.held == held then self:repeated(seq, length, time) end
    self:drain(number)
    local proof = self.proof
    if #self.waiting > 0 and proof and proof.upto > self.next and time - proof.since >= js.limits.jitter then self:give_up(self.proof.upto, number, time) end
    while self.waiting[1] and (self.held > js.limits.reorder or self.walked > js.limits.walked) do
      self.walked = nil
      self:give_up(self.waiting[1].start, number, time)
    end
  end

  --- Nothing but bytes that were there before.  Counts how often since the last new ones, until all are acknowledged.
  function D:repeated(seq, length, time)
    if length == 1 and self:distance(seq) == -1 then return end  -- a TCP keep-alive, or a probe of a closed window
    local again, reached = self.again, self.next + self.held
    if not again or again.reached ~= reached then
      again = { reached = reached, count = 0, since = self.stream.seen, times = {} }
      self.again, self.other.tells_nothing = again, D.listens
    end
    if again.count >= MOST_COUNTED then return end
    local before = again.times[seq] or again.since
    if time - before > TWICE then again.count = again.count + 1 end
    again.times[seq] = time
  end

  --- Stands in for `tells_nothing` while the other side sends something again.
  function D:listens(ack, flags)
    if ack == self.other.expect and flags % 32 >= 16 then self.other.again, self.tells_nothing = false, nil end
    return D.tells_nothing(self, ack, flags)
  end

  --- Stands in for `tells_nothing` until the SYN+ACK is acknowledged.
  function D:opens(ack, flags)
    if flags % 32 >= 16 and flags % 8 < 2 then self.stream.established, self.tells_nothing = true, nil end
    return D.tells_nothing(self, ack, flags)
  end

  --- True until then.
  function D:waits_for_ack() return rawget(self, "tells_nothing") == D.opens end

  --- Keeps what is new of a piece, in order; where two segments differ the one captured first wins.
  function D:hold(piece)
    local waiting, start = self.waiting, piece.start
    local first, behind = 1, #waiting + 1
    while first < behind do
      local middle = math.floor((first + behind) / 2)
      if waiting[middle].stop <= start then first = middle + 1 else behind = middle end
    end
    local at = first
    while start < piece.stop do
      local following = waiting[at]
      if following and following.start <= start then
        start = math.max(start, following.stop)
        at = at + 1
      else
        local stop = following and math.min(piece.stop, following.start) or piece.stop
        local new = part(piece, start, stop)
        table.insert(waiting, at, new)
        self.held = self.held + #new.data + 256
        start, at = stop, at + 1
      end
    end
    if at > first then self.walked = self.walked + at - first end
  end

  --- Delivers what waits no longer; only bytes of packet `number` lie in the packet at hand.  Every hole below offset
  --- `upto` is declared a gap before.
  function D:drain(number, upto, time)
    local waiting = self.waiting
    local done = 0
    while true do
      local piece = waiting[done + 1]
      if upto and self.next < upto then self:skip(piece and math.min(upto, piece.start) or upto, number, time) end
      if not piece or piece.start > self.next then break end
      done = done + 1
      self.held = self.held - #piece.data - 256
      if piece.stop > self.next then
        piece = part(piece, self.next, piece.stop)
        if piece.number ~= number then piece.at = nil end
        self:deliver(piece)
      end
    end
    if done > 0 then
      local left = {}
      for index = done + 1, #waiting do left[index - done] = waiting[index] end
      self.waiting, self.walked = left, nil
    end
  end

  --- Declares every hole below offset `upto` a gap and delivers what waits behind it.
  function D:give_up(upto, number, time) self:drain(number, upto, time) end

  --- The bytes up to offset `stop` are missing.
  function D:skip(stop, number, time)
    local size, offset = stop - self.next, self.next
    if size <= 0 then return end
    self:advance(size)
    self.out:gap(self.side, offset, size, number, time, false)
  end

  --- The other side acknowledged up to `ack`; `has_data`: in a segment with data.
  function D:acknowledged(ack, has_data, number, time)
    if not self.known then return self:begin(ack, false) end
    local ahead = self:distance(ack)
    if ahead <= 0 or ahead > WINDOW or self.packets == 0 then return end
    local upto = self.next + ahead
    if self.fin_at then upto = math.min(upto, self.fin_at) end
    if upto <= self.next or (upto == self.next + 1 and #self.waiting == 0) then return end
    local before = self.proof and self.proof.upto > self.next
    if not before then self.proof = { upto = upto, since = time } end
    self.proof.upto = math.max(upto, self.proof.upto)
    if has_data or time - self.proof.since >= js.limits.jitter then self:give_up(upto, number, time) end
  end

  --- A FIN stands at `seq`: nothing behind it counts.
  function D:finish_at(seq, mid_stream)
    if not self.known or (not self.anchored and mid_stream) then self:begin(seq) end
    if self.fin_at then return end
    self.fin_at = math.max(self.next, self.next + self:distance(seq))
    local left = {}
    self.held = 0
    for _, piece in ipairs(self.waiting) do
      if piece.start < self.fin_at then
        left[#left + 1] = part(piece, piece.start, self.fin_at)
        self.held = self.held + #left[#left].data + 256
      end
    end
    self.waiting = left
  end

  function D:ended()
    return self.fin_at ~= nil and self.next >= self.fin_at
  end

  --- No more segments will come: what waits is delivered behind its gaps.
  function D:flush(number, time)
    local last = self.waiting[#self.waiting]
    if last then
      -- A hole that nobody acknowledged is no fault of the capture.
      if not self.proof or self.proof.upto < self.waiting[1].start then self.lost = last.time end
      self:give_up(last.stop, number, time)
    end
    -- An acknowledgement may have been captured before the FIN that it includes.
    local upto = self.proof and math.min(self.proof.upto, self.fin_at or math.huge)
    if upto and upto > self.next then self:give_up(upto, number, time) end
    self.proof = nil
  end
end

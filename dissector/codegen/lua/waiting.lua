-- One direction of a TCP connection: segments that came too early wait for those before them, or until these are given up.
do
  local D, max = js.direction, math.max
  local OVERHEAD = js.python.stream_direction._OVERHEAD

  --- The part of a piece from offset `start` up to `stop`.
  function js.part_of_piece(piece, start, stop)
    if start <= piece.start and stop >= piece.stop then return piece end
    local from = math.max(start, piece.start)
    local to = math.min(stop, piece.stop)
    return {
      start = from, stop = to, data = string.sub(piece.data, from - piece.start + 1, to - piece.start),
      number = piece.number, time = piece.time, at = piece.at and piece.at + from - piece.start,
    }
  end
  local part = js.part_of_piece

  --- Keeps what is new of a piece, in order; where two segments differ the one captured first wins.  True when some of
  --- these bytes were there already.
  function D:hold(piece)
    local waiting, start, overlap = self.waiting, piece.start, false
    local first, behind = 1, #waiting + 1
    while first < behind do
      local middle = math.floor((first + behind) / 2)
      if waiting[middle].stop <= start then first = middle + 1 else behind = middle end
    end
    local at = first
    while start < piece.stop do
      local following = waiting[at]
      if following and following.start <= start then
        start, overlap = max(start, following.stop), true
        at = at + 1
      else
        local stop = following and math.min(piece.stop, following.start) or piece.stop
        local new = part(piece, start, stop)
        table.insert(waiting, at, new)
        self.held = self.held + #new.data + OVERHEAD
        start, at = stop, at + 1
      end
    end
    if at > first then self.walked = self.walked + at - first end
    return overlap
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
      self.held = self.held - #piece.data - OVERHEAD
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
    local facts = self.facts
    local acknowledged = stop <= self:proven()
    if acknowledged then facts.lost_to, facts.lost_by = stop, self.proof.number
    else facts.never_acknowledged = (facts.never_acknowledged or 0) + size end
    if stop > facts.sent then facts.sent = stop end
    self:advance(size)
    self.out:gap(self.side, offset, size, number, time, false, acknowledged)
  end

  --- Offset up to which bytes are known to exist without having been captured.
  function D:proven() return self.proof and self.proof.upto or 0 end

  --- A FIN stands at `seq`: nothing behind it counts.
  function D:finish_at(seq, mid_stream)
    if not self.known or (not self.anchored and mid_stream) then self:begin(seq) end
    if self.fin_at then return end
    self.fin_at = max(self.next, self.next + self:distance(seq))
    self.facts.sent = max(self.facts.sent, self.fin_at)
    local left = {}
    self.held = 0
    for _, piece in ipairs(self.waiting) do
      if piece.start < self.fin_at then
        left[#left + 1] = part(piece, piece.start, self.fin_at)
        self.held = self.held + #left[#left].data + OVERHEAD
      end
    end
    self.waiting = left
  end

  function D:ended()
    return self.fin_at ~= nil and self.next >= self.fin_at
  end

  --- No more segments will come: what waits is delivered behind its gaps, then what is proven but missing.
  function D:flush(number, time)
    local last = self.waiting[#self.waiting]
    if last then self:give_up(last.stop, number, time) end
    -- An acknowledgement may have been captured before the FIN that it includes.
    local proof, upto = self.proof, math.min(self:proven(), self.fin_at or math.huge)
    if upto > self.next then self:give_up(upto, proof.number, proof.time) end
    self:miss_counted()
    if self.fin_at and self.next < self.fin_at then self.facts.lost_to = self.fin_at end
    self.proof, self.counted, self.recent, self.ready = nil, nil, nil, nil
  end
end

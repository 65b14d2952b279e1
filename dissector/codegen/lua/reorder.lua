-- Segments that were captured before those that they follow: they wait for these a moment (the rules of
-- stream/reorder.py).
do
  local sequence, rules = js.python.stream_sequence, js.python.stream_reorder
  local HALF, WHOLE, NEAR = sequence.HALF, 2 * sequence.HALF, sequence.NEAR
  local OVERHEAD, LAST = rules._OVERHEAD, rules._LAST
  local S, D, find = js.Session, js.direction, string.find

  --- True for a request or an answer of HTTP, or what may be one in TLS.
  local function is_http(data)
    return find(data, "^[\20-\23]\3") or find(data, "^POST /") or find(data, "^GET /") or find(data, "^HTTP/1%.")
  end

  --- How many bytes are not there that come before a sequence number.
  function D:missing(number)
    local ahead = self:distance(number)
    if self.fin_at then ahead = math.min(ahead, self.fin_at - self.next) end
    return ahead <= NEAR and ahead or 0
  end

  --- True when something that a segment follows was not captured by `now`, but may come.
  function D:is_early(seq, ack, flags, length, now)
    local other, is_reset, is_fin = self.other, flags % 8 >= 4, flags % 2 == 1
    local stream = self.stream
    if not other.known and (flags % 32 >= 16 or not self.known) then return true end  -- that side has spoken before
    if not (length > 0 or is_reset or is_fin or stream.held) then return false end
    if is_reset and self.known and self:missing(seq) > 0 then return true end
    if ack == other.expect or flags % 32 < 16 then return false end
    -- Nothing of the other side is captured.
    if other.packets == 0 and now - stream.start >= js.limits.jitter then return false end
    local proof = other.proof
    if proof and proof.upto > other.next and now - proof.since >= js.limits.jitter then return false end
    return other:missing(ack) > (is_fin and 0 or 1)
  end

  local function near(number, base) return (number - base + HALF) % WHOLE - HALF end

  --- How far both directions have come with a segment: neither number ever goes back.
  local function place(base, side, seq, ack, flags)
    if flags % 32 < 16 then return LAST end
    return near(seq, base[side]) + near(ack, base[1 - side])
  end

  --- True for a segment of a connection that waits for its SYN, and has come too far by now for one.
  function S:is_under_way(stream, sender, seq, ack, flags)
    local held = stream.held
    if not (stream.is_new and held and held[1]) or flags % 4 >= 2 then return false end
    return math.abs(place(held.base, sender.side, seq, ack, flags) - held[1].place) > rules._BEGINNING
  end

  --- Keeps a segment: what `go_on` takes.
  function S:hold(stream, segment)
    local sender, seq, ack, flags, data, _, _, time = table.unpack(segment, 1, 8)
    local held = stream.held
    if not held then
      held = { base = { [sender.side] = seq, [1 - sender.side] = ack } }
      stream.held = held
      self:await(stream, time)
    end
    segment.place = place(held.base, sender.side, seq, ack, flags)
    local at = #held + 1
    while at > 1 and held[at - 1].place > segment.place do at = at - 1 end
    table.insert(held, at, segment)
    self.early_bytes = self.early_bytes + #data + OVERHEAD
    while self.early_bytes > js.limits.reorder and self.awaiting.size > 0 do self:release(self.awaiting:pop(), math.huge) end
    return #data > 0 and stream.role ~= nil and stream.role ~= "unknown"
  end

  function S:await(stream, time)
    self.awaiting:push(time + js.limits.jitter, stream)
    self.deadline = self.awaiting.times[1]
  end

  --- The held segments of a connection go on that wait no more at `now`.
  function S:release(stream, now)
    local held, seen, last = stream.held, stream.seen, stream.last_packet
    while held and held[1] do
      local sender, seq, ack, flags, data, length, _, time = table.unpack(held[1], 1, 8)
      local is_due = math.abs(now - time) >= js.limits.jitter or stream.over or stream.foreign
      if not is_due and sender:is_early(seq, ack, flags, length, now) then break end
      local segment = table.remove(held, 1)
      self.early_bytes = self.early_bytes - #data - OVERHEAD
      self:go_on(table.unpack(segment, 1, 10))
    end
    if last and stream.last_packet < last then stream.seen, stream.last_packet = seen, last end
    if held and not held[1] then stream.held = nil end
  end

  --- Those of all connections that have waited for long enough, before a packet of `stream`.
  function S:catch_up(now, stream)
    if stream and stream.role then self:entry(stream) end
    local awaiting = self.awaiting
    while awaiting:due(now) do
      local one = awaiting:pop()
      self:release(one, now)
      if one.held then self:await(one, one.held[1][8]) end
    end
    self.deadline = awaiting.times[1] or math.huge
  end

  --- Takes a segment of a connection that may be ours; true when it brought new bytes of one that is ours.
  function S:segment(sender, seq, ack, flags, data, length, number, time, hop, window)
    local stream = sender.stream
    sender.ready, sender.other.ready = nil, nil
    if stream.over then return self:late(sender, seq, flags, length, number, time, hop) end
    local is_web = is_http(data)
    if stream.held then
      local waits_no_more = is_web or self:is_under_way(stream, sender, seq, ack, flags)
      self:release(stream, waits_no_more and math.huge or time)
    end
    local may_wait = flags % 4 < 2 and not is_web and not stream.over and not stream.foreign
    if may_wait and sender:is_early(seq, ack, flags, length, time) then
      return self:hold(stream, { sender, seq, ack, flags, data, length, number, time, hop, window })
    end
    local is_ours = self:go_on(sender, seq, ack, flags, data, length, number, time, hop, window)
    if stream.held then self:release(stream, time) end
    return is_ours
  end
end

-- Segments that were captured before those that they follow: they wait for these a moment (the rules of
-- stream/reorder.py).
do
  local OVERHEAD, HALF, WHOLE, LAST = 512, 2147483648, 4294967296, 1099511627776
  local S, D, find = js.Session, js.direction, string.find

  local function is_http(data)
    return find(data, "^[\20-\23]\3") or find(data, "^POST /") or find(data, "^GET /") or find(data, "^HTTP/1%.")
  end
  js.is_http = is_http

  --- How many bytes are not there that come before a sequence number.
  function D:missing(number)
    local ahead = self:distance(number)
    if self.fin_at then ahead = math.min(ahead, self.fin_at - self.next) end
    return ahead <= js.limits.near and ahead or 0
  end

  --- True when something that a segment follows was not captured by `now`, but may come.
  function D:is_early(seq, ack, flags, length, now)
    local other, is_reset, is_fin = self.other, flags % 8 >= 4, flags % 2 == 1
    local stream = self.stream
    if not (length > 0 or is_reset or is_fin or stream.held) then return false end
    if is_reset and self.known and self:missing(seq) > 0 then return true end
    if length > 0 and (self.packets == 0 or other.packets == 0) then
      return js.may_be_ours(stream.client.port, stream.server.port) and now - stream.start < js.limits.jitter
    end
    if ack == other.expect or flags % 32 < 16 or other.packets == 0 then return false end
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

  local function keep(self, held, segment)
    local side, seq, ack, flags, data = segment.side, segment[2], segment[3], segment[4], segment[5]
    held.base = held.base or { [side] = seq, [1 - side] = ack }
    segment.place = place(held.base, side, seq, ack, flags)
    local at = #held + 1
    while at > 1 and held[at - 1].place > segment.place do at = at - 1 end
    table.insert(held, at, segment)
    self.early_bytes = self.early_bytes + #data + OVERHEAD
  end

  --- `owner` has held segments now.
  local function await(self, owner, time)
    self.awaiting:push(time + js.limits.jitter, owner)
    self.deadline = self.awaiting.times[1]
  end

  --- Keeps a segment: what `go_on` takes.
  function S:hold(stream, segment)
    if not stream.held then
      stream.held = {}
      await(self, stream, segment[8])
    end
    segment.side = segment[1].side
    keep(self, stream.held, segment)
    self:bound()
    return #segment[5] > 0 and stream.role ~= nil and stream.role ~= "unknown"
  end

  --- Of too many the oldest go on.
  function S:bound()
    while self.early_bytes > js.limits.reorder and self.awaiting.size > 0 do self:let_go_on(self.awaiting:pop(), math.huge) end
  end

  --- The held segments of a connection go on that wait no more at `now`.
  function S:release(stream, now)
    local held = stream.held
    while held and held[1] do
      local sender, seq, ack, flags, data, length, _, time = table.unpack(held[1], 1, 8)
      local is_due = math.abs(now - time) >= js.limits.jitter or stream.over or stream.foreign
      if not is_due and sender:is_early(seq, ack, flags, length, now) then return end
      local segment = table.remove(held, 1)
      self.early_bytes = self.early_bytes - #data - OVERHEAD
      self:go_on(table.unpack(segment, 1, 8))
    end
    stream.held = nil
  end

  --- True for a segment without a SYN of a connection that is not known so far, which waits for its SYN; `segment` as
  --- `go_on` takes it, but for its sender.
  function S:awaits_syn(key, pinfo, segment)
    local waiting = self.unopened[key]
    if not waiting and not js.may_be_ours(pinfo.src_port, pinfo.dst_port) then return false end
    if is_http(segment[5]) then
      if waiting then self:open_late(waiting, math.huge) end
      return false
    end
    if not waiting then
      waiting = { key = key, src = tostring(pinfo.src), dst = tostring(pinfo.dst), src_port = pinfo.src_port, dst_port = pinfo.dst_port }
      waiting.flags, waiting.seq, waiting.number, waiting.time = segment[4], segment[2], segment[7], segment[8]
      self.unopened[key], self.unopened[js.other_way(key)] = waiting, waiting
      await(self, waiting, segment[8])
    end
    segment.side = waiting.key == key and 0 or 1
    keep(self, waiting, segment)
    self:bound()
    return true
  end

  --- The segments of a connection that waited for its SYN are held by `stream` now, nil when it is none of ours.
  local function move(self, waiting, stream)
    local key = waiting.key
    self.unopened[key], self.unopened[js.other_way(key)] = nil, nil
    for _, segment in ipairs(waiting) do self.early_bytes = self.early_bytes - #segment[5] - OVERHEAD end
    local flow = stream and self.flows[key]
    if not flow then return end
    for _, segment in ipairs(waiting) do
      segment[1] = segment.side == 0 and flow or flow.other
      self:hold(stream, segment)
    end
  end

  --- Their SYN has come.
  function S:begun(key, stream, now)
    move(self, self.unopened[key], stream)
    self:release(stream, now)
  end

  --- It did not come.
  function S:open_late(waiting, now)
    if self.unopened[waiting.key] ~= waiting then return end
    local flow = self:open(waiting.key, waiting, waiting.flags, waiting.time, waiting.seq, nil, nil, waiting.number)
    move(self, waiting, flow and flow.stream)
    if flow then self:release(flow.stream, now) end
  end

  function S:let_go_on(owner, now)
    if owner.key and owner.src then self:open_late(owner, now) else self:release(owner, now) end
  end

  --- Those of all connections that have waited for long enough, before a packet of `stream`.
  function S:catch_up(now, stream)
    if stream and stream.role then self:entry(stream) end
    local awaiting = self.awaiting
    while awaiting:due(now) do
      local owner = awaiting:pop()
      self:let_go_on(owner, now)
      if owner.held then await(self, owner, owner.held[1][8]) end
    end
    self.deadline = awaiting.times[1] or math.huge
  end
end

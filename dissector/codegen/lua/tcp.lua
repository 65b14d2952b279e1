-- One direction of a TCP connection: segments in any order become bytes in stream order.
--
-- The plugin puts segments in order itself, so that it shows the same whatever TCP's preferences for reassembly are.
-- A hole is given up (a gap, never filler bytes) when it is proven that the bytes will not come (acknowledged.lua).
do
  local sequence, rules, floor = js.python.stream_sequence, js.python.stream_direction, math.floor
  local HALF, WHOLE = sequence.HALF, 2 * sequence.HALF
  local WINDOW = sequence.LARGEST_WINDOW
  local TWICE, TWICE_WITHOUT_ID = sequence.TWICE, rules._TWICE_WITHOUT_ID
  local NEAR, SHUFFLED, MOST = sequence.NEAR, js.python.stream_reassembly._SHUFFLED, js.python.limits.MAX_EVIDENCE
  local D = {}
  D.__index = D
  D.walked = 0  -- pieces that were gone over while a hole is waited for
  js.direction = D
  local REMEMBERED = rules.KEPT * 4  -- the latest segments with data: sequence number, length, hop, time
  D.remembered = REMEMBERED

  --- `out` takes `chunk(side, offset, data, number, time, at)` and `gap(side, offset, size, number, time, snapped, acknowledged)`.
  --- `facts` are what the rules need to know of this end (the names of model.SideFacts, but for what every packet changes:
  --- `last_*` and `data_*` are the last packet and the last one with data).  A `hop` is a TTL and 256 times an IP id.
  function D.new(side, stream, out)
    return setmetatable({
      side = side, stream = stream, other = nil, out = out, known = false, anchored = false, expect = 0, next = 0,
      waiting = {}, held = 0, bytes = 0, packets = 0, syn = nil,
      facts = {
        last_number = 0, last_time = 0, last_hop = 0, data_number = 0, data_time = 0, data_hop = 0, first_data = nil,
        acked = nil, sent = 0, window = 1, ttl = 0, first_seq = nil, fin = nil, rst = nil,
      },
    }, D)
  end

  -- One of a connection that is over and of which nobody will ask: just what tells late segments from the next connection.
  -- There may be many of them, so what they have in common is in their class.
  local Rest = setmetatable({ stream = { over = true }, anchored = true }, { __index = D })
  Rest.__index = Rest

  function Rest:tells_nothing(_, flags) return flags % 8 == 0 end

  function Rest:confirms() end

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
      return stream.over and length > 0 and self.anchored and math.abs(self:distance(seq)) > NEAR
    end
    if self.syn == seq then return false end
    if flags % 32 >= 16 and other.syn and (ack - other.syn) % WHOLE == 1 then return self.syn and self.next > 0 end
    if self.syn then return true end
    if self.packets + other.packets == 0 then return false end
    -- Captured in the wrong order: its connection is just a moment old and begins where the SYN says.
    local begins_here = not stream.over
    if self.known then begins_here = (self.expect - self.next - seq) % WHOLE == 1 end
    return not begins_here or time - stream.start >= SHUFFLED
  end

  --- True for an acknowledgement of what is known already, without data, SYN, FIN or RST: nearly every second packet.
  function D:tells_nothing(ack, flags)
    return ack == self.other.expect and flags % 8 == 0 and self.packets > 0
  end

  --- Counts a packet of this end.
  function D:note(number, time, hop, seq)
    local stream, facts = self.stream, self.facts
    local silence = time - stream.seen
    if silence > stream.silence then
      stream.silence, stream.silence_end = silence, js.mark(number, time, hop)
    end
    stream.seen, stream.last_packet = time, number
    if self.packets == 0 then facts.ttl, facts.first_seq = hop % 256, seq end
    self.packets = self.packets + 1
    facts.last_number, facts.last_time, facts.last_hop = number, time, hop
  end

  --- Such an acknowledgement, where somebody may ask for it.  (main.lua has this without its calls for the usual one.)
  function D:confirms(seq, number, time, hop, window)
    local stream, facts, acked = self.stream, self.facts, self.other.next
    if time - stream.seen > stream.silence then
      self:note(number, time, hop, seq)
    else
      stream.seen, stream.last_packet, self.packets = time, number, self.packets + 1
      facts.last_number, facts.last_time, facts.last_hop = number, time, hop
    end
    if not facts.acked or acked > facts.acked then facts.acked = acked end
    facts.window = window
    if window == 0 then self:keep("zero_windows", js.mark(number, time, hop)) end
  end

  --- Puts a packet into a list of them, the first ones.
  function D:keep(name, mark)
    local list = self.facts[name] or {}
    self.facts[name] = list
    if #list < MOST then list[#list + 1] = mark end
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

  --- A segment with payload: `length` bytes on the wire, of which `data` was captured.
  function D:receive(seq, data, length, number, time, hop)
    local at = number == self.out.session.last and 0 or nil  -- only bytes of the packet at hand lie in it
    if self.anchored and seq == self.expect and #self.waiting == 0 and not self.fin_at then
      -- In order: nearly every segment.
      if self.other.facts.window == 0 then self.probed = self.next + 1 end
      self:new_data(self.next + length, number, time, hop)
      self:remember(seq, length, time, hop)
      if #data < length then
        return self:deliver({ start = self.next, stop = self.next + length, data = data, number = number, time = time, at = at })
      end
      local offset = self.next
      self:went_on(seq, length)
      return self.out:chunk(self.side, offset, data, number, time, at)
    end
    if self.anchored or self:anchor(seq, length) then
      self:irregular(seq, data, length, number, time, hop, at)
      self:remember(seq, length, time, hop)
    end
  end

  --- First data of a direction without a SYN: false for the garbage byte of a TCP keep-alive.
  function D:anchor(seq, length)
    local ahead = self.known and self:distance(seq) or 0
    if ahead == -1 and length == 1 then return false end
    if not self.known or ahead < 0 or self.stream.mid_stream then self:begin(seq) end
    self.anchored = true
    return true
  end

  --- A segment that is not the next one: repeated, too early, or both.
  function D:irregular(seq, data, length, number, time, hop, at)
    local ahead = self:distance(seq)
    if math.abs(ahead) > WINDOW then return end
    local start, stop = self.next + ahead, self.next + ahead + length
    local piece = { start = start, stop = stop, data = data, number = number, time = time, at = at }
    if self.fin_at and stop > self.fin_at then
      piece, stop = js.part_of_piece(piece, start, self.fin_at), self.fin_at
    end
    if stop <= self.next then
      if start < stop and not self:is_probe(ahead, length) then self:repeated(seq, length, number, time, hop) end
      return
    end
    if start < self.next then
      if self.probed ~= self.next or start ~= self.next - 1 then self:repeated(seq, length, number, time, hop) end
      piece = js.part_of_piece(piece, self.next, stop)
    end
    if #self.waiting == 0 and piece.start == self.next then
      self:new_data(stop, number, time, hop)
      return self:deliver(piece)
    end
    local held = self.held
    if self:hold(piece) then self:repeated(seq, length, number, time, hop) end
    if self.held > held then self:new_data(stop, number, time, hop) end
    self:drain(number)
    local proof = self.proof
    if #self.waiting > 0 and proof and proof.upto > self.next and time - proof.since >= js.limits.jitter then
      self:give_up(proof.upto, number, time)
    end
    while self.waiting[1] and (self.held > js.limits.reorder or self.walked > js.limits.walked) do
      self.walked = nil
      self:give_up(self.waiting[1].start, number, time)
    end
  end

  --- A keep-alive repeats the last byte though it was acknowledged; a zero-window probe repeats its own byte.
  function D:is_probe(ahead, length)
    if length ~= 1 or ahead ~= -1 then return false end
    local facts = self.other.facts
    return facts.window == 0 or (facts.acked ~= nil and facts.acked >= self.next)
  end

  function D:new_data(stop, number, time, hop)
    local facts = self.facts
    facts.first_data = facts.first_data or js.mark(number, time, hop)
    facts.data_number, facts.data_time, facts.data_hop = number, time, hop
    if stop > facts.sent then facts.sent = stop end
  end

  --- Keeps what tells a retransmission from a packet that was captured twice.
  function D:remember(seq, length, time, hop)
    local recent = self.recent
    if not recent then
      recent = { at = 0 }
      self.recent = recent
    end
    local at = recent.at
    recent[at + 1], recent[at + 2], recent[at + 3], recent[at + 4] = seq, length, hop, time
    recent.at = (at + 4) % REMEMBERED
  end

  --- Counts a retransmission, unless it is the same packet captured a second time.
  function D:repeated(seq, length, number, time, hop)
    local recent, facts, id, before = self.recent or { at = 0 }, self.facts, floor(hop / 256), time
    local limit = id > 0 and TWICE or TWICE_WITHOUT_ID
    for index = 0, REMEMBERED - 4, 4 do
      local at = (recent.at + index) % REMEMBERED
      if recent[at + 1] == seq then
        if recent[at + 2] == length and floor(recent[at + 3] / 256) == id and time - recent[at + 4] <= limit then return end
        before = math.min(recent[at + 4], time)
      end
    end
    facts.retransmissions = (facts.retransmissions or 0) + 1
    facts.repeat_wait = (facts.repeat_wait or 0) + time - before
    facts.smallest_retransmitted = math.min(facts.smallest_retransmitted or length, length)
    local marks = facts.retransmitted or {}
    facts.retransmitted = marks
    if #marks == MOST then table.remove(marks, MOST / 2 + 1) end
    marks[#marks + 1] = js.mark(number, time, hop)
  end
end

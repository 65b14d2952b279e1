-- The way of a segment through a session, and how connections begin and end (the rules of stream/reassembly.py).
do
  local S = js.Session
  local abs = math.abs
  local REMEMBERED = js.direction.remembered
  local TWICE, NEAR = js.python.stream_sequence.TWICE, js.python.stream_sequence.NEAR
  local is_frame = js.is_frame

  --- Takes a segment that waits for nothing; true when it brought new bytes of a connection that is ours.
  function S:go_on(sender, seq, ack, flags, data, length, number, time, hop, window)
    local stream, other = sender.stream, sender.other
    if stream.is_new and flags % 4 < 2 then self:opened(stream, -1, hop) end
    if stream.foreign then return false end
    if stream.over then return self:late(sender, seq, flags, length, number, time, hop) end
    if flags % 8 >= 2 then return self:control(sender, seq, ack, flags, data, length, number, time, hop) end
    local before = stream.seen
    sender:note(number, time, hop, seq)
    if flags % 32 >= 16 then sender:acknowledges(ack, false, length, number, time) end
    sender.facts.window = window
    if window == 0 then sender:keep("zero_windows", js.mark(number, time, hop)) end
    local bytes, held = sender.bytes, sender.held
    if length > 0 then sender:receive(seq, data, length, number, time, hop) end
    if flags % 2 == 1 then
      self:idle(stream, time, before)
      sender.facts.fin = sender.facts.fin or js.mark(number, time, hop)
      sender:finish_at((seq + length) % 4294967296, stream.mid_stream)
      self:ending(stream, time)
    end
    if stream.ended and sender:ended() and other:ended() then self:close(stream, "fin", number, time) end
    return (sender.bytes > bytes or sender.held > held) and stream.role ~= nil and stream.role ~= "unknown"
  end

  --- The usual segment: the next bytes of a callback connection, which are one whole message; what is written down about
  --- the packet, nil for any other segment.  Its payload begins at index `from` of `data` and ends with it.
  function S:usual(sender, seq, ack, data, from, length, number, time, hop, window)
    local stream, reader, other = sender.stream, sender.ready, sender.other
    if seq ~= sender.expect or ack ~= other.expect or window == 0 then return nil end
    if not reader then
      reader = stream.handler and stream.handler:in_step(sender.side)
      if not reader or stream.held or sender.fin_at or sender.waiting[1] then return nil end
    end
    local facts = sender.facts
    if other.facts.window == 0 or not is_frame(data, from) then return nil end
    sender.ready = reader  -- until a segment takes another way
    -- What `note`, `new_data`, `remember` and `went_on` do, without their calls: nearly every segment comes here.
    local recent, stop = sender.recent, sender.next + length
    if time - stream.seen > stream.silence or not recent or not facts.first_data then
      sender:note(number, time, hop, seq)
      sender:new_data(stop, number, time, hop)
      sender:remember(seq, length, time, hop)
    else
      stream.seen, stream.last_packet, sender.packets = time, number, sender.packets + 1
      facts.last_number, facts.last_time, facts.last_hop = number, time, hop
      facts.data_number, facts.data_time, facts.data_hop = number, time, hop
      if stop > facts.sent then facts.sent = stop end
      local at = recent.at
      recent[at + 1], recent[at + 2], recent[at + 3], recent[at + 4] = seq, length, hop, time
      recent.at = (at + 4) % REMEMBERED
    end
    if not facts.acked or other.next > facts.acked then facts.acked = other.next end
    facts.window = window
    sender.next, sender.expect, sender.bytes = stop, (seq + length) % 4294967296, sender.bytes + length
    reader.out:frame(reader.side, data, nil, time, 0, from + 4)
    return self.current
  end

  --- The same for a SYN or a reset.
  function S:control(sender, seq, ack, flags, data, length, number, time, hop)
    local stream, facts = sender.stream, sender.facts
    local is_ack, before = flags % 32 >= 16, stream.seen
    local last = facts.last_number > 0 and js.mark(facts.last_number, facts.last_time, facts.last_hop) or nil
    sender:note(number, time, hop, seq)
    if flags % 4 >= 2 then
      self:syn(stream, is_ack, js.mark(number, time, hop))
      if sender.syn == seq then return false end
      sender.syn = seq
      if sender.next == 0 then sender:begin(seq + 1, true) end
      if stream.mid_stream then self:begins(stream, sender, is_ack) end
      if stream.is_new then self:opened(stream, is_ack and -1 or seq, hop) end
      if stream.foreign then return false end
      if is_ack then sender:acknowledges(ack, true, length, number, time) end
      if length > 0 then sender:receive((seq + 1) % 4294967296, data, length, number, time, hop) end
      return false
    end
    local outside = sender.anchored and abs(sender:distance(seq)) > NEAR
    if not facts.rst or (facts.rst_outside and not outside) then
      self:reset(facts, js.mark(number, time, hop), is_ack, last, outside)
    end
    if not outside then
      self:idle(stream, time, before)
      sender:counts(seq, number, time)
      local ahead = is_ack and sender.other:distance(ack) or 0
      if ahead > 0 and ahead <= NEAR then sender.other:acknowledged(ahead, length > 0, number, time) end
      self:ending(stream, time)
      self:close(stream, "rst", number, time)
    end
    return false
  end

  --- A connection whose SYN or SYN+ACK was captured behind other packets: both tell who is the client, but where bytes were
  --- delivered already the sides stay a guess.
  function S:begins(stream, sender, is_ack)
    local is_server = (sender.side == 1) ~= (stream.swapped_dirs == true)
    local wrong_way = is_server ~= is_ack
    if wrong_way and stream.dirs[0].bytes + stream.dirs[1].bytes == 0 then
      stream.client, stream.server, stream.swapped_dirs = stream.server, stream.client, not stream.swapped_dirs or nil
      wrong_way = false
    end
    stream.mid_stream = wrong_way or nil
  end

  --- A SYN or SYN+ACK, unless it was captured twice.
  function S:syn(stream, is_ack, mark)
    local list = stream[is_ack and "syn_acks" or "syns"] or {}
    stream[is_ack and "syn_acks" or "syns"] = list
    local last = list[#list]
    local is_copy = last and mark.time - last.time <= TWICE and mark.ip_id == last.ip_id
    if #list < js.python.limits.MAX_EVIDENCE and not is_copy then list[#list + 1] = mark end
    if #list > 1 then self:proves(stream) end
  end

  function S:reset(facts, mark, is_ack, last, outside)
    facts.rst, facts.rst_outside, facts.rst_unknown, facts.before_rst = mark, outside, not is_ack, last
  end

  --- How long nothing had come before the first FIN or reset of both sides.
  function S:idle(stream, time, before) stream.idle_before_end = stream.idle_before_end or time - before end

  --- A segment behind the end: counted.
  function S:late(sender, seq, flags, length, number, time, hop)
    local stream, facts = sender.stream, sender.facts
    if not facts then return false end  -- nobody will ask
    local last = facts.last_number > 0 and js.mark(facts.last_number, facts.last_time, facts.last_hop) or nil
    sender:note(number, time, hop, seq)
    local mark = js.mark(number, time, hop)
    if flags % 4 >= 2 then
      self:syn(stream, flags % 32 >= 16, mark)
    elseif flags % 8 >= 4 and not facts.rst then
      self:reset(facts, mark, flags % 32 >= 16, last, sender.anchored and abs(sender:distance(seq)) > NEAR)
    elseif flags % 2 == 1 and not facts.fin then
      facts.fin = mark
    elseif length > 0 and not facts.late_data and sender:distance(seq) >= 0 then
      facts.late_data = mark
    end
    return false
  end

  --- The first FIN or RST of a connection.
  function S:ending(stream, time)
    stream.ended = stream.ended or time
    self:proves(stream)
  end

  function S:close(stream, how, number, time)
    if stream.held and not how then self:release(stream, math.huge) end
    if stream.over then return end
    stream.over, stream.closed = time, how
    if stream.foreign then return end
    for side = 0, 1 do stream.dirs[side]:flush(number, time) end
    if stream.cut then self.cut:ended(stream) end
    if stream.sniffing then self:decide(stream, time, true) end
    if stream.foreign then return end
    stream.concerned = stream.handler and stream.handler.tasks or { stream.task }
    if stream.handler then
      stream.handler:closed()
      self:undecided_no_more(stream)
      stream.handler = nil  -- nothing comes any more, and later passes look messages up only
    elseif stream.sniffing then
      self:silent(stream, time)
    end
    self:linger(stream)
  end
end

-- The way of a segment through a session, and how connections begin and end.
do
  local S = js.Session
  local PROBE_WINDOW = 2  -- seconds
  local TWICE = 0.05  -- seconds; a SYN is retransmitted after more than that, sooner it is captured twice

  --- Takes a segment of a connection that may be ours; true when it brought new bytes of one that is ours.
  function S:segment(sender, seq, ack, flags, data, length, number, time)
    local stream = sender.stream
    if stream.over then return false end
    local is_http = js.is_http(data)
    if stream.held then self:release(stream, is_http and math.huge or time) end
    if flags % 4 < 2 and not is_http and sender:is_early(seq, ack, flags, length, time) then
      return self:hold(stream, { sender, seq, ack, flags, data, length, number, time })
    end
    local is_ours = self:go_on(sender, seq, ack, flags, data, length, number, time)
    if stream.held then self:release(stream, time) end
    return is_ours
  end

  --- The same for a segment that waits for nothing.
  function S:go_on(sender, seq, ack, flags, data, length, number, time)
    local stream, other = sender.stream, sender.other
    if stream.over or stream.foreign then return false end
    sender.packets = sender.packets + 1
    if flags % 8 >= 2 then return self:control(sender, seq, ack, flags, data, length, number, time) end
    if stream.mid_stream or sender.side == 0 then stream.established = true end
    if ack ~= other.expect then
      if flags % 32 >= 16 then other:acknowledged(ack, length > 0, number, time) end
    elseif other.again then
      other.again = false
    end
    local before, held = sender.bytes, sender.held
    if length > 0 then
      stream.established = true
      sender:receive(seq, data, length, number, time, stream.mid_stream)
    end
    if flags % 2 == 1 then
      sender:finish_at((seq + length) % 4294967296, stream.mid_stream)
      self:ending(stream, sender.side, time, false)
    end
    stream.seen = time
    if stream.closed_by and sender:ended() and other:ended() then self:close(stream, number, time) end
    return (sender.bytes > before or sender.held > held) and stream.role ~= nil and stream.role ~= "unknown"
  end

  --- The usual segment: the next bytes of a callback connection, which are one whole message; what is written down about
  --- the packet, nil for any other segment.  Its payload begins at index `from` of `data` and ends with it.
  function S:usual(sender, seq, ack, data, from, length, time)
    local stream = sender.stream
    local reader = stream.handler and stream.handler:in_step(sender.side)
    local other = sender.other
    if not reader or seq ~= sender.expect or ack ~= other.expect or stream.held or other.again or sender.fin_at or sender.waiting[1]
        or not js.is_frame(data, from) then
      return nil
    end
    sender.packets, stream.seen = sender.packets + 1, time
    sender:went_on(seq, length)
    stream.handler:frame(reader.side, data, nil, time, 0, from + 4)
    return self.current
  end

  --- The same for a SYN or a reset.
  function S:control(sender, seq, ack, flags, data, length, number, time)
    local stream, other = sender.stream, sender.other
    local is_ack, before = flags % 32 >= 16, stream.seen
    stream.seen = time
    if flags % 4 >= 2 then
      if sender.syn == seq then
        -- Retransmitted behind a SYN+ACK that nobody acknowledged: that never arrives.
        local client = is_ack and other or sender
        if client:waits_for_ack() and time - before > TWICE then stream.established = nil end
        return false
      end
      sender.syn = seq
      if is_ack then stream.established, other.tells_nothing = true, js.direction.opens end
      if sender.next == 0 then sender:begin(seq + 1, true) end
      if is_ack and not other.known then other:begin(ack, true) end
      if length > 0 then sender:receive((seq + 1) % 4294967296, data, length, number, time, false) end
    elseif not sender.anchored or math.abs(sender:distance(seq)) <= js.limits.near then
      self:ending(stream, sender.side, time, true)
      self:close(stream, number, time)
    end
    return false
  end

  --- The first FIN or RST of a connection.
  function S:ending(stream, side, time, is_reset)
    if stream.closed_by then return end
    stream.closed_by = stream.swapped_dirs and 1 - side or side
    stream.ended, stream.was_reset = time, is_reset
    if stream.role == "callback" then stream.handler:ending() end
  end

  function S:close(stream, number, time)
    stream.over = time
    if stream.foreign then return end
    for side = 0, 1 do stream.dirs[side]:flush(number, time) end
    if stream.cut then self.cut:ended(stream) end
    if stream.sniffing then self:decide(stream, time, true) end
    if stream.foreign then return end
    local tasks = stream.handler and stream.handler.tasks or { stream.task }
    if stream.handler then
      stream.handler:closed()
      self:undecided_no_more(stream)
      stream.handler = nil  -- nothing comes any more, and later passes look messages up only
    elseif stream.sniffing then
      self:silent(stream, time)
    end
    for _, task in ipairs(tasks) do self.silence:note(task) end
    if self.is_passing then self:let_go(stream, tasks) end
  end

  local function tries_key(stream) return stream.client.ip .. " " .. stream.server.key end

  --- The end of a connection that never said what it is.
  function S:silent(stream, time)
    if stream.stray and not stream.established then return self:attempt(stream, stream.stray) end
    if stream.undecided and self:came_to_nothing(stream) and self.unreached < js.limits.unreachable then
      self.unreached = self.unreached + 1
      local task = self:never_was(stream)
      stream.role, stream.task = "command", task
      self:began(stream, task)
      js.push(self.tries, tries_key(stream), task)
    else
      self:undecided_no_more(stream)
      self:forget_tries(stream, time)
    end
  end

  --- True for a command connection that is unreachable so far, and without a byte of anybody.
  function S:came_to_nothing(stream)
    local bytes = stream.dirs[0].bytes + stream.dirs[1].bytes
    return bytes == 0 and not stream.established
  end

  --- The task of such a connection.
  function S:never_was(stream)
    local task = js.new_task(stream.first_packet, stream.start)
    task.client, task.remote, task.command = stream.client, stream.server, stream
    return task
  end

  --- A connection that somebody opened and closed without a word, right after others failed: he waits for the port and is
  --- no scheduler, which sends its command at once.  A failure some time before `now` stands.
  function S:forget_tries(probe, now)
    local bytes = probe.dirs[0].bytes + probe.dirs[1].bytes
    if not (probe.established and probe.is_command_port and bytes == 0) then return end
    local key = tries_key(probe)
    local tries = self.tries[key]
    for _, task in ipairs(tries and tries:newest(tries.size) or {}) do
      local ended = task.command.over
      local since = probe.start - ended
      local is_old = since > PROBE_WINDOW or now - ended >= PROBE_WINDOW
      if since >= 0 and not is_old then
        self.order:remove(task)
        self.unreached = self.unreached - 1
      end
      if since >= 0 or is_old then js.drop(self.tries, key, task) end
    end
  end
end

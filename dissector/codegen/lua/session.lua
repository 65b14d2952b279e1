-- Segments in, messages by packet out.  All state of a capture is in one table that `init` makes anew.
--
-- The first pass goes through the packets in order and writes down what each of them completed; later passes, in whatever
-- order, only look it up.
do
  local format = string.format
  local S = {}
  S.__index = S

  function js.new_session()
    return setmetatable({
      last = 0, packets = {}, streams = {}, servers = {}, tasks = {}, order = js.new_order(), joiner = js.new_joiner(),
      heads = {}, callbacks = {},
    }, S)
  end

  function js.endpoint_key(ip, port) return format("%s:%d", ip, port) end

  local function endpoint(ip, port) return { ip = ip, port = port, key = js.endpoint_key(ip, port) } end

  --- What the packet at hand is about; made when there is something to say.  A message alone stands for itself.
  function S:entry(stream)
    local entry = self.packets[self.last]
    if not entry then
      entry = { stream = stream, message = nil, more = nil, problems = nil, parts = nil }
      self.packets[self.last] = entry
    elseif entry.size then
      entry = { stream = stream, message = entry, more = nil, problems = nil, parts = entry.parts }
      self.packets[self.last] = entry
    end
    return entry
  end

  function S:problem(stream, code, text)
    local entry = self:entry(stream)
    entry.problems = entry.problems or {}
    if #entry.problems < 32 then entry.problems[#entry.problems + 1] = { code = code, text = text } end
  end

  --- A message is complete with the packet at hand; `body` is kept until the next packet, for the Info column.
  function S:message(stream, message, body)
    message.number, message.stream = self.last, stream
    self.fresh, self.fresh_body = message, body
    if not self.packets[self.last] then
      -- A packet with one message and nothing else: nearly every one.
      self.packets[self.last] = message
    else
      local entry = self:entry(stream)
      if not entry.message then
        entry.message = message
      else
        entry.more = entry.more or {}
        entry.more[#entry.more + 1] = message
      end
    end
    if not message.packets then return end
    for _, number in ipairs(message.packets) do
      local before = number ~= self.last and self.packets[number]
      if before then
        before.parts = before.parts or {}
        before.parts[#before.parts + 1] = message
      end
    end
  end

  -- --- connections ---

  --- First packet of a connection.
  function S:open(id, src, sport, dst, dport, flags, number, time)
    local is_syn, is_ack = flags % 4 >= 2, flags % 32 >= 16
    local from_client = sport >= dport
    if is_syn then from_client = not is_ack end
    local source, target = endpoint(src, sport), endpoint(dst, dport)
    local stream = {
      id = id, client = from_client and source or target, server = from_client and target or source,
      start = time, first_packet = number, mid_stream = not is_syn, events = {},
      first_side = from_client and 0 or 1, first_ip = src, first_port = sport, same_ports = sport == dport,
    }
    stream.dirs = { [0] = js.direction.new(0, self:route(stream)), [1] = js.direction.new(1, self:route(stream)) }
    self.streams[id] = stream
    local task = self.joiner:announced(stream)
    if task then
      self:attempt(stream, task)
      return stream
    end
    stream.is_command_port = self:is_command_server(stream.server)
    stream.stray = self.joiner:elsewhere(stream)
    if not stream.is_command_port and not stream.stray and not js.heuristic
        and not js.in_ranges(js.callback_ports, stream.server.port)
        and not js.in_ranges(js.callback_ports, stream.client.port) then
      self.streams[id] = false
      return nil
    end
    stream.sniffing, stream.heads = true, { [0] = "", [1] = "" }
    if stream.is_command_port and is_syn then
      stream.undecided = true
      self.order:add(stream)
    end
    return stream
  end

  --- Where the bytes of a connection go: kept until they tell what it is, then to its handler.
  function S:route(stream)
    local session = self
    return {
      chunk = function(_, side, ...)
        if stream.swapped_dirs then side = 1 - side end
        if stream.handler then return stream.handler:chunk(side, ...) end
        if stream.sniffing then session:sniff(stream, side, ...) end
      end,
      gap = function(_, side, ...)
        if stream.swapped_dirs then side = 1 - side end
        stream.has_gaps = true
        if stream.handler then return stream.handler:gap(side, ...) end
        if stream.sniffing then stream.events[#stream.events + 1] = { "gap", side, ... } end
      end,
    }
  end

  function S:sniff(stream, side, offset, data, number, time, at)
    stream.events[#stream.events + 1] = { "chunk", side, offset, data, number, time, at }
    local head = stream.heads[side]
    stream.heads[side] = head .. string.sub(data, 1, math.max(0, js.limits.sniff - #head))
    self:decide(stream, js.verdict(stream.heads[0], stream.heads[1], stream.is_command_port, stream.mid_stream))
  end

  function S:decide(stream, role)
    if not role then return end
    stream.sniffing = false
    if role == "unknown" then
      self:undecided_no_more(stream)
      self.streams[stream.id] = false
      stream.events, stream.heads = nil, nil
      return
    end
    local events, swap = stream.events, false
    if stream.mid_stream then
      swap = js.swapped(stream.heads[0], stream.heads[1])
        or (role == "callback" and self.joiner:is_announced(stream.client))
    end
    stream.events, stream.heads = nil, nil
    if swap then
      stream.client, stream.server = stream.server, stream.client
      stream.swapped_dirs = true
    end
    if role == "command" then
      stream.role = "command"
      self.servers[stream.server.key] = true
      stream.handler = js.command_handler(stream)
    else
      self:undecided_no_more(stream)
      local task = stream.stray or self.joiner:announced(stream)
      if not task then
        task = js.new_task(stream.first_packet, stream.start)
        task.client, task.port = endpoint(stream.server.ip, stream.server.port), stream.server.port
        self.order:add(task)
        self.tasks[#self.tasks + 1] = task
      end
      self:attempt(stream, task)
    end
    for _, event in ipairs(events) do
      local side = swap and 1 - event[2] or event[2]
      if event[1] == "chunk" then
        -- Only bytes of the packet at hand lie in it.
        local at = event[5] == self.last and event[7] or nil
        stream.handler:chunk(side, event[3], event[4], event[5], event[6], at)
        if event[5] ~= self.last and not self.packets[event[5]] then
          self.packets[event[5]] = { stream = stream }
        end
      else
        stream.handler:gap(side, event[3], event[4], event[5], event[6], event[7])
      end
    end
  end

  --- A connection that is meant as the callback of a task, whether it gets through or not.
  function S:attempt(stream, task)
    stream.role, stream.task, stream.sniffing = "callback", task, false
    task.attempts = task.attempts + 1
    stream.handler = js.callback_handler(stream, task)
  end

  function S:undecided_no_more(stream)
    if stream.undecided then
      stream.undecided = nil
      self.order:remove(stream)
    end
  end

  function S:is_command_server(server)
    return js.in_ranges(js.command_ports, server.port) or self.servers[server.key] == true
  end

  -- --- what handlers report ---

  --- The first command of a connection: if it starts no task, it takes no number.
  function S:recognised(stream) self:undecided_no_more(stream) end

  function S:command_started(stream, task)
    self.tasks[#self.tasks + 1] = task
    stream.task = stream.task or task
    if stream.undecided then
      stream.undecided = nil
      self.order:replace(stream, task)
    else
      self.order:add(task)
    end
    self.joiner:announce(task)
  end

  --- First data on a callback connection: it got through.
  function S:callback_opened(task, stream)
    local chosen = self.joiner:announced(stream) or task
    if chosen ~= task then
      task.attempts, chosen.attempts = task.attempts - 1, chosen.attempts + 1
      stream.task = chosen
    end
    chosen.callback = stream
    return chosen
  end

  function S:callback_foreign(task, stream)
    task.attempts, task.callback = task.attempts - 1, nil
    stream.role = "unknown"
    self:problem(stream, "callback_foreign_bytes", "somebody else took the announced port")
  end

  --- Number of a task: its place among all that began before it.
  function S:number(task) return task and self.order:find(task) or nil end

  -- --- the way of a segment ---

  --- Takes a segment of a connection that may be ours; true when it brought new bytes of one that is ours.
  function S:segment(stream, side, seq, ack, flags, data, length, number, time)
    local sender, other = stream.dirs[side], stream.dirs[1 - side]
    if stream.over then return false end
    sender.packets = sender.packets + 1
    local is_ack = flags % 32 >= 16
    if flags % 8 >= 2 then return self:control(stream, side, seq, ack, flags, data, length, number, time) end
    if stream.mid_stream then stream.established = true end
    if is_ack and ack ~= other.expect then other:acknowledged(ack, length > 0, number, time) end
    local before, held = sender.bytes, sender.held
    if length > 0 then
      stream.established = true
      sender:receive(seq, data, length, number, time, stream.mid_stream)
    end
    if flags % 2 == 1 then
      sender:finish_at((seq + length) % 4294967296, stream.mid_stream)
      self:ending(stream, side)
    end
    if stream.ending and sender:ended() and other:ended() then self:close(stream, number, time) end
    return (sender.bytes > before or sender.held > held) and stream.role ~= nil and stream.role ~= "unknown"
  end

  --- The same for a SYN or a reset.
  function S:control(stream, side, seq, ack, flags, data, length, number, time)
    local sender, other = stream.dirs[side], stream.dirs[1 - side]
    local is_ack = flags % 32 >= 16
    if flags % 4 >= 2 then
      if is_ack then stream.established = true end
      if sender.next == 0 then sender:begin(seq + 1, true) end
      if is_ack and not other.known then other:begin(ack, true) end
      if length > 0 then sender:receive((seq + 1) % 4294967296, data, length, number, time, false) end
    elseif not sender.anchored or math.abs(sender:distance(seq)) <= 16777216 then
      self:ending(stream, side)
      self:close(stream, number, time)
    end
    return false
  end

  --- The first FIN or RST of a connection.
  function S:ending(stream, side)
    if stream.ending then return end
    stream.ending, stream.closed_by = true, stream.swapped_dirs and 1 - side or side
    if stream.role == "callback" then stream.handler:ending() end
  end

  function S:close(stream, number, time)
    stream.over, stream.closed = true, true
    for side = 0, 1 do stream.dirs[side]:flush(number, time) end
    if stream.handler then
      stream.handler:closed()
    elseif stream.sniffing then
      self:silent(stream, time)
    end
  end

  --- The end of a connection that never said what it is.
  function S:silent(stream, time)
    if stream.stray and not stream.established then return self:attempt(stream, stream.stray) end
    local bytes = stream.dirs[0].bytes + stream.dirs[1].bytes
    if stream.undecided and bytes == 0 and (not stream.established or stream.closed_by == 1) then
      -- Unreachable, or closed without a byte: a task that never was.
      local task = js.new_task(stream.first_packet, stream.start)
      task.client, task.remote, task.command, task.unreachable = stream.client, stream.server, stream, true
      stream.undecided, stream.role, stream.task = nil, "command", task
      task.ended, task.refused = time, not stream.established
      self.order:replace(stream, task)
      self.tasks[#self.tasks + 1] = task
    else
      self:undecided_no_more(stream)
      if stream.established and bytes == 0 and stream.is_command_port then self:forget_tries(stream) end
    end
  end

  --- A connection that somebody opened and closed without a word, right after others failed: he waits for the port and is
  --- no scheduler, which sends its command at once.
  function S:forget_tries(probe)
    for index = #self.tasks, 1, -1 do
      local task = self.tasks[index]
      if probe.start - task.start > 150 then return end
      local since = task.refused and probe.start - task.ended
      if since and since >= 0 and since <= 2 and task.client.ip == probe.client.ip and task.remote.key == probe.server.key then
        self.order:remove(task)
        table.remove(self.tasks, index)
      end
    end
  end
end

-- Where the bytes of a connection go: kept until they tell what it is, then to its handler.
do
  local S = js.Session
  local Route = {}
  Route.__index = Route

  --- The way of a connection's bytes.
  function js.new_route(stream, session) return setmetatable({ stream = stream, session = session }, Route) end

  --- Where the bytes of a connection go: kept until they tell what it is, then to its handler.
  function Route:chunk(side, offset, data, number, time, at)
    local stream = self.stream
    if stream.swapped_dirs then side = 1 - side end
    local handler = stream.handler
    if handler then return handler:chunk(side, offset, data, number, time, at) end
    if stream.sniffing then self.session:sniff(stream, side, offset, data, number, time, at) end
  end

  function Route:gap(side, ...)
    local stream = self.stream
    if stream.swapped_dirs then side = 1 - side end
    stream.has_gaps = true
    local offset, size, _, time, snapped = ...
    if snapped then
      stream.snapped = (stream.snapped or 0) + size
      if side == 0 and stream.role ~= "callback" then self.session.cut:note(stream, offset, time) end
    else
      stream.gaps = (stream.gaps or 0) + 1
    end
    if stream.handler then return stream.handler:gap(side, ...) end
    if stream.sniffing then
      stream.events[#stream.events + 1] = { "gap", side, ... }
      stream.heads[side], stream.gapped = "", true
    end
  end

  function S:sniff(stream, side, offset, data, number, time, at)
    stream.said = stream.said or time
    stream.events[#stream.events + 1] = { "chunk", side, offset, data, number, time, at }
    local head = stream.heads[side]
    stream.heads[side] = head .. string.sub(data, 1, math.max(0, js.limits.sniff - #head))
    self:decide(stream, time, false)
  end

  --- Hands the connection to its handler when it tells what it is; `over` when nothing more will come.
  function S:decide(stream, time, over)
    local heads = stream.heads
    local role = stream.is_callback and "callback"
      or js.verdict(heads[0], heads[1], stream.is_command_port, stream.mid_stream or stream.gapped)
    stream.is_callback = role == "callback" or nil
    if not role or (role == "callback" and not over and self.pairs:waits(stream, time)) then return end
    if role == "unknown" then
      self.cut:drop(stream)
      self:undecided_no_more(stream)
      self:disown(stream)
      return
    end
    stream.sniffing = nil
    local events, swap, head = stream.events, false, stream.heads[0]
    if stream.mid_stream then
      swap = js.swapped(stream.heads[0], stream.heads[1])
        or (role == "callback" and self.joiner:is_announced(stream.client))
    end
    stream.events, stream.heads = nil, nil
    if swap then
      stream.client, stream.server = stream.server, stream.client
      stream.swapped_dirs = true
    end
    stream.numbers = nil
    if role == "command" then
      stream.role = "command"
      self.hosts:note(stream)
      self.joiner:command(stream)
      self.servers[stream.server.key] = true
      stream.handler = js.command_handler(stream)
      stream.handler.head = head
    else
      self:undecided_no_more(stream)
      local task, is_unclear = self.pairs:owner(stream, time)
      if task then self.cut:found(task) end
      task = task or self:lone(stream, is_unclear)
      task.port = task.port or stream.server.port
      self:attempt(stream, task)
      stream.handler.may_be_copy = not task.command and next(self.agents.places) ~= nil
    end
    self:replay(stream, events, swap)
  end

  --- Gives a connection's handler what was kept of it; the sides the other way round if `swap`.
  function S:replay(stream, events, swap)
    for _, event in ipairs(events) do
      local side = swap and 1 - event[2] or event[2]
      if event[1] == "chunk" then
        -- Only bytes of the packet at hand lie in it.
        local at = event[5] == self.last and event[7] or nil
        stream.handler:chunk(side, event[3], event[4], event[5], event[6], at)
        if event[5] ~= self.last and not self:at(event[5]) then self:put(event[5], { stream = stream }) end
      else
        stream.handler:gap(side, table.unpack(event, 3))
      end
    end
  end

  --- A task of which only the callback is known; `is_unclear`: it fits several starts.
  function S:lone(stream, is_unclear)
    local task = js.new_task(stream.first_packet, stream.start)
    task.pair_unclear = is_unclear
    task.client, task.port = { ip = stream.server.ip }, stream.server.port
    self:began(stream, task)
    self.joiner:add_lone(task, stream)
    return task
  end

  --- A connection that is meant as the callback of a task, whether it gets through or not.
  function S:attempt(stream, task)
    stream.role, stream.task, stream.sniffing, stream.numbers = "callback", task, nil, nil
    self.hosts:note(stream)
    task.attempts[#task.attempts + 1] = stream
    stream.handler = js.callback_handler(stream, task)
    self.silence:note(task)
  end

  --- Gives up connections to command ports that have been silent for long and never said what they are.
  function S:age(now)
    local aging = self.aging
    while aging:due(now) do
      local stream = aging:pop()
      local patience = (stream.said and js.limits.idle or js.limits.half_open) * 1e9
      if stream.undecided and not stream.handler then
        if stream.seen + patience <= now then
          self:close(stream, nil, self.last, stream.seen)
        else
          aging:push(stream.seen + patience, stream)
        end
      end
    end
  end

  function S:undecided_no_more(stream)
    if stream.undecided then
      stream.undecided, self.undecided[stream] = nil, nil
      js.drop(self.quiet, js.tries_key(stream), stream)
      self.order:remove(stream)
    end
  end

  function S:is_command_server(server)
    return js.in_ranges(js.command_ports, server.port) or self.servers[server.key] == true
  end
end

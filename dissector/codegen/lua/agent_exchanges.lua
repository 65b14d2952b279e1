-- Requests to Universal Agents and their responses, paired on each connection (the rules of session/exchanges.py).
do
  local A = js.Agents
  local SHORTEST = js.python.session_tunnels._SHORTEST
  local MOST_OPEN = 64  -- on one connection

  --- What is known of a connection: the task that its problems are told of (`task`) and the one that it carried last.
  function A:carrier(one)
    local known = self.carriers[one.connection]
    if not known then
      known = { client = one.server, server = one.client, dirs = {}, snapped = 0, task = nil, last = nil }
      self.carriers[one.connection] = known
      self.carrying:push(one.connection)
      if self.carrying.size > js.python.limits.MAX_CONNECTIONS then
        self.carriers[self.carrying:oldest()] = nil
        self.carrying:remove(self.carrying:oldest())
      end
    end
    return known
  end

  --- Bytes of a message are not in the capture: nobody knows what it said, nor what is answered from here on.
  function A:lost(one)
    local carrier, side = self:carrier(one), one.is_answer and 1 or 0
    local last = carrier.last
    carrier.has_hole = true
    carrier.lost_since = carrier.lost_since or {}
    carrier.lost_since[side] = true
    local queue, place = self.open[one.connection], js.agent_place(one)
    local newest = queue and queue:newest(1)[1]
    if not one.is_answer then
      self.missing_at = one.time
      if self.places[place] then self.missing[place] = { time = one.time, number = one.number } end
    elseif newest and newest.starting then
      newest.task.agent.missing, newest.task.agent.missing_in = one.time, one.number
    end
    if last and js.is_under_way(last) then
      last.proof:lost(1 - side)
      last.callback.has_gaps, last.agent.missing, last.agent.missing_in = true, one.time, one.number
    end
  end

  --- The snap length cut a message.
  function A:cut(one, size)
    local carrier, side = self:carrier(one), one.is_answer and 1 or 0
    carrier.snapped = carrier.snapped + size
    self:lost(one)
    if not carrier.task or js.session.is_passing then return end
    local text = js.python.stream_wrong_bytes.missing_of_http(size)
    js.session:task_problem(carrier.task, carrier, "gap", side, text, one.number, one.time)
  end

  --- A request to an agent's API, in the order of packets.
  function A:request(exchange)
    self.outages[js.agent_place(exchange)] = nil
    self.count = self.count + 1
    exchange.n = self.count
    local queue = self.open[exchange.connection] or js.new_queue()
    self.open[exchange.connection] = queue
    local carrier = self:carrier(exchange)
    carrier.lost_since = nil
    if carrier.has_hole then
      while queue.size > 0 do self:leave(queue:oldest()) end
      self.open[exchange.connection] = queue
    end
    queue:push(exchange)
    self.waiting:push(exchange)
    if self.waiting.size > 4 * js.limits.pending or queue.size > MOST_OPEN then
      self:leave(self.waiting:oldest())
    end
    if exchange.kind == "command" then
      self:command(exchange)
    elseif exchange.kind == "tunnel" or exchange.kind == "continue" or exchange.kind == "heartbeat" then
      self:tunnelled(exchange)
    end
  end

  --- Takes an exchange out of those that wait for a response.
  function A:take(exchange)
    local queue = self.open[exchange.connection]
    if queue then
      queue:remove(exchange)
      if queue.size == 0 then self.open[exchange.connection] = nil end
    end
    self.waiting:remove(exchange)
  end

  --- Its response will not come any more.
  function A:leave(exchange)
    self:take(exchange)
    exchange.starting = nil
    local is_one = exchange.stranger and not exchange.has_rival and #(exchange.body or "") >= SHORTEST
    if is_one then self:asked(exchange, self:unannounced(exchange)) end
    exchange.stranger = nil
  end

  --- The exchange that a response belongs to: of the request in the packet `asked`, else the oldest that is open.
  function A:answered_by(connection, asked)
    local queue, carrier = self.open[connection], self.carriers[connection]
    if not queue then return nil end
    local lost = carrier and carrier.lost_since or {}
    if lost[0] and lost[1] then
      -- The answer to the request that is known may be lost, and this one be that to a request that is.
      while queue.size > 0 do self:leave(queue:oldest()) end
      return nil
    end
    for _, one in ipairs(queue:begin(MOST_OPEN)) do
      if not asked or one.number == asked then
        self:take(one)
        return one
      end
    end
    return nil
  end

  function A:response(exchange)
    local task = exchange.task
    if exchange.starting then
      exchange.starting = nil
      self:started(exchange)
    elseif exchange.stranger then
      exchange.stranger = nil
      self:settle_stranger(exchange)
    elseif task and js.is_under_way(task) then
      self:answered(exchange, task)
    elseif exchange.failure then
      exchange.code = js.agent_code(exchange, "agent_refused_request")
    end
  end

  -- --- connections without exchanges ---

  --- A connection to an agent that was refused or not answered so far: a task that waits for that agent.
  function A:unreached(stream, now)
    local place = js.agent_place(stream)
    local tasks = self.places[place]
    if not tasks then return nil end
    if not js.is_hopeless(stream, now) then return tasks:oldest() end
    local outage = self.outages[place] or { server = stream.server, count = 0, unanswered = 0, packets = js.py.pack() }
    self.outages[place], outage.count = outage, outage.count + 1
    if stream.dirs[1].packets == 0 then outage.unanswered = outage.unanswered + 1 end
    if outage.packets.n < js.python.limits.MAX_EVIDENCE then js.py.append(outage.packets, stream.first_packet) end
    return tasks:oldest()
  end

  --- The task of which a callback connection on this host is another leg: the agent's to the task process, which begins with
  --- the tunnel's secret, or the master's own, whose first answer names the same object.
  local function original(agents, task, message, data, start)
    if message.tunnel_token then task.token = js.json_text(js.json(string.sub(data, start)), "tunnelToken", "secret") end
    local is_secret = task.token and string.find(task.token, "[^*]")  -- all are alike where they were taken out
    return is_secret and agents.by_secret[task.token] or task.instance and agents.by_instance[task.instance]
  end

  --- Looks whether a callback connection is such a leg, until it is known: its messages are shown with the agent's task.
  function A:may_join(handler, message, data, start)
    local task, stream, was_named = handler.task, handler.stream, handler.is_named
    local found = original(self, task, message, data, start)
    handler.is_named = task.instance ~= nil
    handler.may_be_copy = not found and not was_named
    if not found then return end
    stream.task, stream.is_copy = found, true
    task.life:watched(js.python.session_life.LifeEvent.COPIED, js.session.last, message.time)
    js.session.silence:remove(task)
    js.session.joiner:let_go(task)
    js.session.order:remove(task)
  end

  --- The capture is over: requests that were never answered.
  function A:finish()
    while self.waiting.size > 0 do self:leave(self.waiting:oldest()) end
  end
end

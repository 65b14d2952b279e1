-- The end of a connection, of a task, of the capture, or of what a pass has to remember.
do
  local S, EVENTS = js.Session, js.python.session_life.LifeEvent
  local LINGER, WAKES = js.python.session_timeouts.LINGER, js.python.session_tracer._WAKES
  local PROBE_WINDOW, MOST_CLOSED = js.python.session_join.PROBE_WINDOW, js.python.limits.MAX_CLOSED

  --- A connection is over; late segments still count.
  function S:linger(stream)
    self.closing:push(stream)
    self.waits = true
    if self.closing.size > MOST_CLOSED then self:lingered(self.closing:oldest()) end
  end

  --- Looks after what only time changes.
  function S:wakes(now)
    self.wake = now + WAKES
    local closing, failed = self.closing, self.failed
    while closing.size > 0 and closing:oldest().seen + LINGER <= now do self:lingered(closing:oldest()) end
    while failed.size > 0 and failed:oldest().command.seen + PROBE_WINDOW <= now do
      local task = failed:oldest()
      failed:remove(task)
      if self:failed_for_good(task) then
        self.hosts:note(task.command)
        self:conclude(task, now, EVENTS.END)
      end
    end
    for _, task in js.py.each(self.silence:due(now)) do
      self:conclude(task, now, js.ask(task, "is_over") and EVENTS.END or EVENTS.MISSED)
    end
    self.agents:age(now)
    self.waits = closing.size + failed.size + self.agents.order.size > 0 or self.silence:is_waiting()
  end

  --- Nothing more is expected of a connection that is over.
  function S:lingered(stream)
    self.closing:remove(stream)
    for _, task in ipairs(stream.concerned or {}) do
      if self.silence.open[task] and js.ask(task, "is_through") then self:conclude(task, self.time, EVENTS.END) end
    end
    if self.is_passing then self:let_go(stream, stream.concerned or {}) end
    stream.concerned = nil
  end

  --- The task is over, by this event.
  function S:conclude(task, now, event)
    task.life:watched(event, task.first_packet, task.start)
    self.silence:remove(task)
    self.joiner:forget(task)
    if not self.is_passing and not task.verdict then task.verdict = js.judge(task, now) end
  end

  --- A later pass: what has not said by now what it is, is no task.
  function S:settle()
    self.is_first_pass, self.is_over = false, true
    self.cut:settle()
    self:finish()
    self.agents:finish()
    self.is_over = false
    for stream in pairs(self.undecided) do
      if not stream.handler and not self:came_to_nothing(stream) then
        self:forget_tries(stream, math.max(self.now, stream.seen))
      end
    end
    for stream in pairs(self.undecided) do
      if stream.handler or not self:came_to_nothing(stream) or self:is_try(stream) then self:undecided_no_more(stream) end
    end
    self:leave_out()
    self:find()
  end

  --- What is told of each task, and of each packet that proves a problem.
  function S:find()
    self.found = {}
    for _, one in ipairs(self.order:all()) do
      local task = one.dirs and self:never_was(one) or one
      self.told[one] = task.verdict or js.judge(task, math.max(self.now, self.time), true)
      for _, problem in ipairs(self.told[one].problems) do
        local packet = problem.packets[problem.packets.n]
        if packet then
          self.found[packet] = self.found[packet] or {}
          table.insert(self.found[packet], problem)
        end
      end
    end
  end

  --- Of connections that came to nothing so far the first ones are tasks, as of those that did so for good, but for those to
  --- an agent that a task waits for.
  function S:leave_out()
    if next(self.undecided) == nil then return end
    local room = js.limits.unreachable - self.unreached
    for _, one in ipairs(self.order:all()) do
      if self.undecided[one] then
        local waiting = not js.is_gui and self:came_to_nothing(one) and self.agents:unreached(one, math.max(self.now, self.time))
        if not waiting then room = room - 1 end
        if waiting or room < 0 then self:undecided_no_more(one) end
      end
    end
  end

  --- The capture is over: whose callback a connection is that was held back for rivals is told by what there is; holes
  --- and documents stay as they are, unless the capture may go on, as in Wireshark.
  function S:finish()
    local open = {}
    for _, flow in pairs(self.flows) do
      local stream = flow and flow.side == 0 and flow.stream
      if stream and not stream.over then open[#open + 1] = stream end
    end
    table.sort(open, function(one, other) return one.first_packet < other.first_packet end)
    for _, stream in ipairs(open) do
      self:release(stream, math.huge)
      for side = 0, 1 do
        if stream.dirs and not js.is_gui then stream.dirs[side]:flush(stream.last_packet or stream.first_packet, stream.seen) end
      end
      if stream.sniffing then
        self:decide(stream, self.time, true)
        if stream.role then js.claim.stream(stream) end
      end
      if stream.role == "callback" and stream.handler then stream.handler:accepted() end
      local is_command = stream.role == "command" and stream.handler
      if is_command and not js.is_gui then stream.handler:closed() end
    end
  end

  --- A connection is over and no later pass will ask for it: what is left tells late segments from the next connection,
  --- and its task goes with the last of its connections.
  function S:let_go(stream, tasks)
    local flows, key = self.flows, stream.key
    local back = js.other_way(key)
    if flows[key] and flows[key].stream == stream then
      flows[key], flows[back] = js.direction.rest(flows[key], flows[back])
    end
    self:forget_ports(stream)
    for _, task in ipairs(tasks) do
      if task.callback and task.callback.over and (not task.command or task.command.over) then
        self.order:remove(task)
        self.joiner:let_go(task)
      end
    end
  end
end

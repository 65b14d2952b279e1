-- The end of the capture, or of what a pass has to remember.
do
  local S = js.Session

  --- A later pass: what has not said by now what it is, is no task.
  function S:settle()
    self.is_first_pass, self.is_over = false, true
    self.cut:settle()
    self:finish()
    self.is_over = false
    for stream in pairs(self.undecided) do
      if stream.handler or not self:came_to_nothing(stream) then
        self:undecided_no_more(stream)
        if not stream.handler then self:forget_tries(stream, math.max(self.now, stream.seen)) end
      end
    end
    self:leave_out()
  end

  --- Of connections that came to nothing so far the first ones are tasks, as of those that did so for good.
  function S:leave_out()
    if next(self.undecided) == nil then return end
    local room = js.limits.unreachable - self.unreached
    for _, one in ipairs(self.order:all()) do
      if self.undecided[one] then
        room = room - 1
        if room < 0 then self:undecided_no_more(one) end
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
        if stream.dirs and not js.is_gui then stream.dirs[side]:flush(self.last, self.time) end
      end
      if stream.sniffing then
        self:decide(stream, self.time, true)
        if stream.role then js.claim.stream(stream) end
      end
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

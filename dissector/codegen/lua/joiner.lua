-- Which callback connection belongs to which start command: starts that wait for theirs (the rules of session/join.py).
do
  local LINGER, MOST_ALIKE = js.python.session_timeouts.LINGER, js.python.limits.MAX_ALIKE
  local life = js.python.session_life
  local CONFIRMED = life.JoinState.CONFIRMED
  local J = {}
  J.__index = J

  local function pair(client, remote) return client.ip .. " " .. remote.ip end

  --- `waiting` are starts by the place they announced, `expected` those that nobody called yet by the places where their
  --- remotes may call; `lone` are tasks without a command connection and `half_known` those whose port is not known, by
  --- the addresses of client and remote.
  function js.new_joiner() return setmetatable({ waiting = {}, expected = {}, newest = {}, lone = {}, half_known = {}, unread_ones = {} }, J) end

  --- A command connection, before it says what it wants: it may be that of a task of which no start command is read.
  function J:command(stream)
    local queue = js.push(self.unread_ones, pair(stream.client, stream.server), stream)
    if queue.size > MOST_ALIKE then queue:remove(queue:oldest()) end
  end

  --- A command connection that may be the one of a task without: between its two hosts, begun before its callback, and with
  --- bytes that the capture lacks.
  function J:unread(task)
    local callback = task.callback
    local queue = not task.command and callback and self.unread_ones[pair(callback.server, callback.client)]
    for _, command in ipairs(queue and queue:begin(MOST_ALIKE) or {}) do
      if (command.mid_stream or command.first_packet < callback.last_packet) and js.is_incomplete(command) then
        return command
      end
    end
    return nil
  end

  --- True when a connection has been over for so long that nothing more is expected of it.
  local function is_gone(stream, now) return stream ~= nil and stream.over ~= nil and stream.over + LINGER <= now end

  --- The newest tasks of a queue that are neither over nor known better by now, at most `most`.
  local function still(map, key, now, most, is_known)
    local found, queue = {}, map[key]
    for _, task in ipairs(queue and queue:newest(MOST_ALIKE) or {}) do
      if is_known(task) or is_gone(task.callback, now) or is_gone(task.command, now) then
        js.drop(map, key, task)
      elseif #found < most then
        found[#found + 1] = task
      else
        break
      end
    end
    return found
  end

  local function has_command(task) return task.command ~= nil end

  local function was_called(task) return #task.attempts > 0 end

  --- A task whose callback alone is known.
  function J:add_lone(task, callback)
    task.pair = pair(callback.server, callback.client)
    js.push(self.lone, task.pair, task)
  end

  --- A task whose port could not be read, maybe only the answer to the start.
  function J:add_half_known(task) js.push(self.half_known, pair(task.client, task.remote), task) end

  --- The task that a command, in packet `number`, is about whose start was not read: the only one that has no command
  --- connection.  It is closed when its callback connection has ended, unless it is to be killed.
  function J:without_command(stream, number, now, kill)
    local found = still(self.lone, pair(stream.client, stream.server), now, MOST_ALIKE, has_command)
    local task = #found == 1 and found[1].callback and found[1]
    local may_be = task and (kill or js.ended_before(task.callback, number))
    return may_be and task or nil
  end

  --- The newest tasks without a command connection between the hosts of a callback.
  function J:lone_tasks(stream, now)
    return still(self.lone, pair(stream.server, stream.client), now, MOST_ALIKE, has_command)
  end

  --- The newest two tasks whose port is not known and of which a connection can be the callback.
  function J:half_knowns(stream, now)
    return still(self.half_known, pair(stream.server, stream.client), now, 2, was_called)
  end

  --- Takes what is in a short list once out of it; the newest stand last.
  function js.take_out(list, one)
    for index = #list, 1, -1 do
      if list[index] == one then return table.remove(list, index) end
    end
  end

  --- Where the callback of a start is expected that does not come to the place announced.
  local function places(task)
    return task.remote.ip .. " " .. task.port, pair(task.client, task.remote)
  end

  function J:announce(task)
    if task.command then js.drop(self.unread_ones, pair(task.client, task.remote), task.command) end
    if not task.port then return end
    local key = js.endpoint_key(task.client.ip, task.port)
    local before = self.newest[key]
    -- A client that announces its port again does not hold it any more: the end of the task before was missed.
    if before and before.life.watch == life.WatchState.UNDER_WAY then
      before.life:watched(life.LifeEvent.AGAIN, task.first_packet, task.start)
      js.session.silence:note(before)
    end
    self.newest[key] = task
    local waiting = js.push(self.waiting, key, task)
    self:expect(task)
    if waiting.size > MOST_ALIKE then self:forget(waiting:oldest()) end
  end

  --- Nobody called the start yet, or what did was something else.
  function J:expect(task)
    local waiting = task.remote and task.port and self.waiting[js.endpoint_key(task.client.ip, task.port)]
    if not (waiting and waiting:has(task)) then return end
    local at_port, at_client = places(task)
    js.push(self.expected, at_port, task)
    js.push(self.expected, at_client, task)
  end

  --- The task's callback proved itself: nothing may join it any more.
  function J:forget(task)
    if not task.remote or not task.port then return end
    local at_port, at_client = places(task)
    js.drop(self.waiting, js.endpoint_key(task.client.ip, task.port), task)
    js.drop(self.expected, at_port, task)
    js.drop(self.expected, at_client, task)
  end

  --- The task is over, and no later pass will ask for it.
  function J:let_go(task)
    self:forget(task)
    local key = task.port and js.endpoint_key(task.client.ip, task.port)
    if key and self.newest[key] == task then self.newest[key] = nil end
    if task.pair then js.drop(self.lone, task.pair, task) end
    if task.remote then js.drop(self.half_known, pair(task.client, task.remote), task) end
  end

  --- The start that announced the port which a connection goes to: with an open command connection, the newest.
  function J:announced(stream)
    local best
    local waiting = self.waiting[stream.server.key]
    for _, task in ipairs(waiting and waiting:begin(2 * MOST_ALIKE) or {}) do
      if task.life.join ~= CONFIRMED and task.start <= (stream.said or stream.start) then
        local open, best_open = not task.command.over, best and not best.command.over
        if not best or (open and not best_open) or (open == best_open and task.start >= best.start) then best = task end
      end
    end
    return best
  end

  function J:is_announced(endpoint)
    return self.waiting[endpoint.key] ~= nil
  end

  --- Starts that expect a callback at a place and may have got a connection: two of them are as good as more.
  function J:fitting(place, stream, found)
    local queue = self.expected[place]
    for _, task in ipairs(queue and queue:begin(MOST_ALIKE) or {}) do
      if task.life.join == CONFIRMED or #task.attempts > 0 then
        js.drop(self.expected, place, task)
      elseif task.start_time <= stream.start and found[1] ~= task then
        found[#found + 1] = task
      end
      if #found > 1 then return end
    end
  end

  --- The start whose remote opens a connection to a place that nobody announced, if exactly one fits.
  function J:elsewhere(stream)
    if stream.mid_stream then return nil end
    local port, found = stream.server.port, {}
    self:fitting(stream.client.ip .. " " .. port, stream, found)
    if js.in_ranges(js.callback_ports, port) then self:fitting(pair(stream.server, stream.client), stream, found) end
    return #found == 1 and found[1] or nil
  end
end

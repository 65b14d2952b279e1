-- What the messages of a task say about it, and which callback connection belongs to which start command.
do
  local match, find, lower = string.match, string.find, string.lower
  local LINGER = 1  -- seconds
  local MOST_ALIKE = 64  -- starts with one port (as in session/join.py)
  local T = {}
  T.__index = T

  --- `stream` is the command connection, or the callback connection of a task whose command was not captured.
  function js.new_task(first_packet, start)
    return setmetatable({
      first_packet = first_packet, start = start, attempts = {},
      messages = 0, calls = 0, callbacks = 0, errors = 0, logs = 0,
      settled = true, asking = nil, losses = { [0] = 0, [1] = 0 }, before = nil,
    }, T)
  end

  -- --- whether what decides how the job went was captured (the rules of session/proof.py) ---

  --- Some of what an end sent can not be read.
  function T:lost(side)
    self.losses[side] = self.losses[side] + 1
    if side == 0 and not self.asking then self.settled = false end
  end

  --- The client's next outermost call; it would not come before the answer to the last one.
  function T:asked(message)
    if message.operation == "create_instance" then
      self.settled = true
    elseif self.asking then
      self.settled = false
    end
    self.asking, self.before = message, { [0] = self.losses[0], [1] = self.losses[1] }
  end

  --- An answer to the call under way; false when it may be that to another call.
  function T:answered(message)
    if not message.request or message.request ~= self.asking then return true end
    local certain = self.losses[0] == self.before[0] or self.losses[1] == self.before[1]
    self.asking = nil
    if not certain then
      self.settled = false
    elseif message.kind == "answer" and lower(message.request.member or "") == "step" then
      self.settled = true
    end
    return certain
  end

  --- True when a job that was left is known to have ended without an error.
  function T:went_well()
    if self.result_seen then return self.exit_code == "0" end
    return self.settled and (self.asking == nil or self.asking == self.release)
  end

  --- True for a request that is counted as a line of the task's log, whether its text is one or not.
  local function is_log_line(message, body)
    local object, member, count = message.object, message.member, #body.params.arguments
    if not member or not object or object.name ~= "spooler_log" then return false end
    if count == 1 then return (js.log_levels[member] or js.log_levels[lower(member)]) ~= nil end
    return count == 2 and lower(member) == "log" and type(body.params.arguments[2].value) == "number"
  end

  --- A frame of the callback connection, in order.
  function T:frame(message, body)
    self.messages = self.messages + 1
    if message.kind == "request" then
      if message.side == 1 then self.calls = self.calls + 1 else self.callbacks = self.callbacks + 1 end
      return self:request(message, body)
    elseif message.kind == "answer" then
      return self:answer(message, body)
    elseif message.kind == "error" then
      self.errors = self.errors + 1
      if message.side ~= 0 then return end
      -- One to the client's own call fails the task, unless it only asked whether a method exists.
      local request, certain = message.request, self:answered(message)
      if not (request and request.optional and certain) then self.failed = true end
    end
  end

  --- One that could not be read.  What a shell job's step answers is known without its request.
  function T:unread(message, data, start)
    self.messages = self.messages + 1
    if message.side ~= 0 then return end
    local request = message.request
    if message.class == 0x41 or message.class == 0x45 then
      if request and request == self.asking then self.asking = nil end
      if not request or request.side == 1 then self.settled = false end
    end
    local at = message.kind == "undecoded" and find(data, "<process.result", start, true)
    if at then self:result(string.sub(data, at)) end
  end

  function T:request(message, body)
    if message.side == 1 and message.depth == 0 then self:asked(message) end
    if body.record == "invoke" and message.side == 0 then
      if is_log_line(message, body) then self.logs = self.logs + 1 end
    elseif body.record == "call" and lower(body.name) == "construct" then
      self:construct(body)
    elseif body.record == "call" then
      local first = js.natural(body.params)[1]
      local name = first and first.value
      message.optional = type(name) == "string" and string.sub(name, 1, 1) == "?"
    elseif body.record == "release" and message.side == 1 and (not self.instance or self.instance == message.object_id) then
      self.release = message
    end
  end

  function T:construct(body)
    local array = js.natural(body.params)[1]
    local elements = array and type(array.value) == "table" and array.value.elements
    if type(elements) ~= "table" then return end
    for _, one in ipairs(elements) do
      local text = type(one) == "table" and one.vt == 8 and one.value or one
      if type(text) == "string" then
        local name, value = match(text, "^([%w_.]+)=(.*)$")
        if name == "job" then self.job = js.line(value, 120) end
        if name == "task_id" then self.task_id = js.decimal(value, "task_id") end
        if name == "language" and not self.kind then self.kind = lower(value) == "shell" and "process" or "api" end
      end
    end
  end

  function T:answer(message, body)
    local certain = self:answered(message)
    if body.record == "create_instance_answer" then
      local first = body.results and body.results[1]
      if first and not self.instance then self.instance = first.object.object_id end
    elseif message.request and message.request == self.release then
      self.released = message
    elseif body.record == "call_answer" then
      local member, value = lower(message.request and message.request.member or ""), body.result.value
      if member == "begin" and value == false and certain then
        self.failed = true
      elseif member == "step" and type(value) == "string" then
        self:result(value)
      end
    end
    if message.hresult and message.hresult >= 2147483648 then self.errors = self.errors + 1 end
  end

  --- How a shell job went, if the text is an element that says so.  It holds what the job wrote and need not be
  --- well-formed: its start tag is read as it stands, up to where it is no attribute any more.
  function T:result(text)
    text = string.gsub(text, "^%s*<%?[^>]*>", "")
    local at = match(text, "^%s*<process%.result()[%s/>]")
    if not at then return end
    local tag = { attributes = {} }
    while true do
      local name, quote, from = match(text, "^%s+([%a_:][%w_:.-]*)%s*=%s*([\"'])()", at)
      local stop = name and find(text, quote, from, true)
      if not stop then break end
      tag.attributes[#tag.attributes + 1] = { name, string.sub(text, from, stop - 1) }
      at = stop + 1
    end
    if not find(text, "%S", at) then return end  -- cut off inside of its start tag
    local signal = js.decimal(js.get(tag, "signal"), "signal")
    self.exit_code, self.result_seen = js.decimal(js.get(tag, "exit_code"), "exit_code"), true
    self.signal = signal ~= "0" and signal or nil
    js.odd_numbers(tag, { exit_code = "exit_code", signal = "signal" }, function() self.result_odd = true end)
  end

  --- A connection turned out to be none of this task.
  function T:no_attempt(stream) js.take_out(self.attempts, stream) end

  -- --- start commands that wait for their callback ---

  local J = {}
  J.__index = J

  --- `lone` are tasks without a command connection, `half_known` those whose port is not known.
  function js.new_joiner() return setmetatable({ waiting = {}, by_remote = {}, newest = {}, lone = {}, half_known = {} }, J) end

  --- True when a connection has been over for so long that nothing more is expected of it.
  local function is_gone(stream, now) return stream ~= nil and stream.over ~= nil and stream.over + LINGER <= now end

  --- The tasks of a list, without those that are over or known better by now.
  local function still(list, now, is_known)
    for index = #list, 1, -1 do
      local task = list[index]
      if is_known(task) or is_gone(task.callback, now) or is_gone(task.command, now) then table.remove(list, index) end
    end
    return list
  end

  --- The one of a list that fits; nil when several do.
  local function only(list, fits)
    local found
    for _, task in ipairs(list) do
      if fits(task) then
        if found then return nil end
        found = task
      end
    end
    return found
  end

  --- The task that a command is about whose start was not read: the only one that has no command connection.
  --- It is closed when its callback connection has ended, unless it is to be killed.
  function J:without_command(stream, now, kill)
    local task = only(self:lone_tasks(now), function(task)
      return task.callback and task.client.ip == stream.client.ip and task.callback.client.ip == stream.server.ip
    end)
    local may_be = task and (kill or task.callback.over or task.callback.ended)
    return may_be and task or nil
  end

  function J:lone_tasks(now)
    return still(self.lone, now, function(task) return task.command end)
  end

  --- Tasks whose port could not be read, maybe only the answer to the start.
  function J:half_knowns(now)
    return still(self.half_known, now, function(task) return #task.attempts > 0 end)
  end

  local function push(map, key, task)
    local list = map[key]
    if not list then
      list = {}
      map[key] = list
    end
    list[#list + 1] = task
  end

  --- Takes what is in a list once out of it; the newest stand last.
  function js.take_out(list, one)
    for index = #list, 1, -1 do
      if list[index] == one then return table.remove(list, index) end
    end
  end

  local function remove(map, key, task)
    local list = map[key]
    if list then js.take_out(list, task) end
    if list and #list == 0 then map[key] = nil end
  end

  function J:announce(task)
    if not task.port then return end
    local key = js.endpoint_key(task.client.ip, task.port)
    local before = self.newest[key]
    -- A client that announces its port again does not hold it any more: the end of the task before was missed.
    if before then before.superseded = true end
    self.newest[key] = task
    push(self.waiting, key, task)
    push(self.by_remote, task.remote.ip, task)
    if #self.waiting[key] > MOST_ALIKE then self:forget(self.waiting[key][1]) end
  end

  --- The task's callback proved itself: nothing may join it any more.
  function J:forget(task)
    if not task.remote or not task.port then return end
    remove(self.waiting, js.endpoint_key(task.client.ip, task.port), task)
    remove(self.by_remote, task.remote.ip, task)
  end

  --- The task is over, and no later pass will ask for it.
  function J:let_go(task)
    self:forget(task)
    local key = task.port and js.endpoint_key(task.client.ip, task.port)
    if key and self.newest[key] == task then self.newest[key] = nil end
    js.take_out(self.lone, task)
    js.take_out(self.half_known, task)
  end

  --- The start that announced the port which a connection goes to: with an open command connection, the newest.
  function J:announced(stream)
    local best
    for _, task in ipairs(self.waiting[stream.server.key] or {}) do
      if not task.confirmed and (stream.mid_stream or task.start <= (stream.said or stream.start)) then
        local open, best_open = not task.command.over, best and not best.command.over
        if not best or (open and not best_open) or (open == best_open and task.start >= best.start) then best = task end
      end
    end
    return best
  end

  function J:is_announced(endpoint)
    return self.waiting[endpoint.key] ~= nil and #self.waiting[endpoint.key] > 0
  end

  --- The start whose remote opens a connection to a place that nobody announced, if exactly one fits.
  function J:elsewhere(stream)
    if stream.mid_stream then return nil end
    local port = stream.server.port
    return only(self.by_remote[stream.client.ip] or {}, function(task)
      return not task.confirmed and #task.attempts == 0 and task.start_time <= stream.start
        and (port == task.port or (stream.server.ip == task.client.ip and js.in_ranges(js.callback_ports, port)))
    end)
  end
end

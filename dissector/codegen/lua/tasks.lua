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
    if self.given_up then return end
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
    if self.given_up then return end
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
    local seen = {}
    for _, one in ipairs(elements) do
      local text = type(one) == "table" and one.vt == 8 and one.value or one
      if type(text) == "string" then
        local name, value = match(text, "^([%w_.]+)=(.*)$")
        if name == "job" and not seen.job then self.job = js.line(value, 120) end
        if name == "task_id" and not seen.task_id then
          self.task_id = js.decimal(value, "task_id")
          self:odd_numbers({ attributes = { { name, value } } }, { task_id = "task_id" })
        end
        seen[name or ""] = true
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
    if self:odd_numbers(tag, { exit_code = "exit_code", signal = "signal" }) then self.result_odd = true end
  end

  --- What should be a number and is none counts as unknown; each is told once.
  function T:odd_numbers(tag, names)
    local found = false
    js.odd_numbers(tag, names, function(words)
      found, self.odd = true, self.odd or {}
      if not self.odd[words] then js.session:problem(self.callback, "odd_number", words) end
      self.odd[words] = true
    end)
    return found
  end

  --- A connection turned out to be none of this task.
  function T:no_attempt(stream)
    js.take_out(self.attempts, stream)
    js.session.silence:note(self)
    js.session.joiner:expect(self)
  end

  -- --- start commands that wait for their callback ---

  local J = {}
  J.__index = J

  --- `waiting` are starts by the place they announced, `expected` those that nobody called yet by the places where their
  --- remotes may call; `lone` are tasks without a command connection and `half_known` those whose port is not known, by
  --- the addresses of client and remote.
  function js.new_joiner() return setmetatable({ waiting = {}, expected = {}, newest = {}, lone = {}, half_known = {} }, J) end

  --- True when a connection has been over for so long that nothing more is expected of it.
  local function is_gone(stream, now) return stream ~= nil and stream.over ~= nil and stream.over + LINGER <= now end

  local function pair(client, remote) return client.ip .. " " .. remote.ip end

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

  --- The task that a command is about whose start was not read: the only one that has no command connection.
  --- It is closed when its callback connection has ended, unless it is to be killed.
  function J:without_command(stream, now, kill)
    local found = still(self.lone, pair(stream.client, stream.server), now, MOST_ALIKE, has_command)
    local task = #found == 1 and found[1].callback and found[1]
    local may_be = task and (kill or task.callback.over or task.callback.ended)
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
    if not task.port then return end
    local key = js.endpoint_key(task.client.ip, task.port)
    local before = self.newest[key]
    -- A client that announces its port again does not hold it any more: the end of the task before was missed.
    if before then
      before.superseded = true
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
    if not (waiting and waiting.places[task]) then return end
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
      if not task.confirmed and (stream.mid_stream or task.start <= (stream.said or stream.start)) then
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
      if task.confirmed or #task.attempts > 0 then
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

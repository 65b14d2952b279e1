-- What the messages of a task say about it.
do
  local match, find, lower, sub, format = string.match, string.find, string.lower, string.sub, string.format
  local py, rules = js.py, js.python
  local SLOW = rules.session_timeouts.SLOW_CALLBACK
  local MOST, USUAL = rules.limits.MAX_EVIDENCE, rules.session_run_pairs.USUAL_FAILURES
  local LET_GO, UNDER_WAY = rules.session_life.WatchState.LET_GO, rules.session_life.WatchState.UNDER_WAY
  local T = {}
  T.__index = T

  --- True for one that was not concluded.
  function js.is_under_way(task) return task.life.watch == UNDER_WAY end

  --- `stream` is the command connection, or the callback connection of a task whose command was not captured.
  function js.new_task(first_packet, start)
    return setmetatable({
      first_packet = first_packet, start = start, attempts = {},
      messages = 0, calls = 0, callbacks = 0, errors = 0, logs = 0, keep_alives = 0, call_time = 0, callback_time = 0,
      problems = {}, more = {}, odd = {}, undecoded = {}, trailing = {},
      life = rules.session_life.Life.new(), proof = rules.session_proof.Proof.new(),
    }, T)
  end

  --- False for the answer to the client's call under way that may be that to another call.
  function T:answered(message)
    local request = message.request
    if request and request.side == 0 then return true end  -- the task process asked: nearly every answer
    local is_step = message.kind == "answer" and request ~= nil and lower(request.member or "") == "step"
    return self.proof:answered(request, is_step)
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
    if self.life.watch == LET_GO then return end
    self.messages = self.messages + 1
    if message.trailing and #self.trailing < MOST then
      message.note = message.note or js.python.numbers.count(message.trailing, "byte") .. " left over behind the message"
      self.trailing[#self.trailing + 1] = message
    end
    local kind, request = message.kind, message.request
    if request then self:took(message, message.time - request.time) end
    if kind == "request" then
      if message.side == 1 then self.calls = self.calls + 1 else self.callbacks = self.callbacks + 1 end
      return self:request(message, body)
    elseif kind == "answer" then
      return self:answer(message, body)
    elseif kind == "keep_alive" then
      self.keep_alives = self.keep_alives + 1
    elseif kind == "error" then
      self.errors = self.errors + 1
      return self:error(message, body)
    end
  end

  --- An E answer: one to the client's own call fails the task, unless it only asked whether a method exists.
  function T:error(message, body)
    local request = message.request
    if message.side == 1 then return self:add_failure(message, js.error_text(body)) end
    local certain = self:answered(message)
    if request and not (request.optional and certain) and not self.client_error then
      self.client_error, message.error_text = message, js.error_text(body)
      js.session:proves(self.callback)
    elseif not request and not self.client_error then
      self.client_error, message.error_text = message, js.error_text(body)
      js.session:proves(self.callback)
    end
  end

  --- The time of an answer; that of a call inside of a callback is not the callback's.
  function T:took(answer, latency)
    if answer.side == 1 then
      self.callback_time = self.callback_time + latency
      if latency >= SLOW then
        self.slow = self.slow or py.dict()
        rules.session_slow.add_slow(self.slow, js.new_records():message(answer), latency)
      end
    elseif (answer.request.depth or 0) > 0 then
      self.callback_time = self.callback_time - latency
    else
      self.call_time = self.call_time + latency
      local longest = self.longest_call
      if not longest or latency > longest.time - longest.request.time then self.longest_call = answer end
    end
  end

  --- A call that failed; those that are alike are counted.
  function T:add_failure(message, text)
    self.failed = self.failed or py.dict()
    rules.session_tallies.add_failure(self.failed, js.new_records():message(message), js.latin1(text))
  end

  --- The packet that completed a message.
  function js.last_packet(message) return message.packets and message.packets[#message.packets] or message.number end

  --- One that could not be read.  What a shell job's step answers is known without its request.
  function T:unread(message, data, start)
    if self.life.watch == LET_GO then return end
    self.messages = self.messages + 1
    if message.note and not message.skipped and #self.undecoded < MOST then self.undecoded[#self.undecoded + 1] = message end
    local request = message.request
    if request then self:took(message, message.time - request.time) end
    if message.side ~= 0 then return end
    if message.class == 0x41 or message.class == 0x45 then
      self.proof:unread(request, request ~= nil and request.side == 1)
    end
    local at = message.kind == "undecoded" and find(data, "<process.result", start, true)
    if at then self:result(string.sub(data, at), message) end
  end

  function T:request(message, body)
    if message.side == 1 and message.depth == 0 then self.proof:asked(message, message.operation) end
    if body.record == "invoke" and message.side == 0 then
      if is_log_line(message, body) then self.logs = self.logs + 1 end
    elseif body.record == "call" and lower(body.name) == "construct" then
      self:construct(body, message)
    elseif body.record == "call" then
      local first = js.natural(body.params)[1]
      local name = first and first.value
      if type(name) == "string" and string.sub(name, 1, 1) == "?" then message.optional = true end
    elseif body.record == "release" and message.side == 1 and (not self.instance or self.instance == message.object_id) then
      self.release = message
    end
  end

  function T:construct(body, message)
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
          self:odd_numbers({ attributes = { { name, js.latin1(value) } } }, { task_id = "task_id" }, message)
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
        self.begin_refused = message
      elseif member == "step" and type(value) == "string" then
        self:result(value, message)
      end
    end
    if message.hresult and message.hresult >= 2147483648 then self:call_failed(message, body) end
  end

  --- An answer whose hresult says no: the usual one to the question for an optional member or interface.
  function T:call_failed(message, body)
    self.errors = self.errors + 1
    local operation, hresult = js.about(message).operation, message.hresult
    if operation == "query_interface" or (operation == "get_ids_of_names" and js.py.has(USUAL, hresult)) then return end
    local text = js.error_text(body)
    self:add_failure(message, text ~= "" and text or format("hresult %08X", hresult))
  end

  --- The words of an error answer or of a failed hresult's excepinfo; empty when there are none.
  function js.error_text(body)
    if body.failure then return body.failure.excepinfo.description end
    for _, start in ipairs({ "what=", "code=", "name=" }) do
      for _, one in ipairs(body.strings or {}) do
        if sub(one, 1, #start) == start then
          local text = sub(one, #start + 1)
          if text ~= "" then return text end
          break
        end
      end
    end
    return ""
  end

  --- How a shell job went, if the text is an element that says so.  It holds what the job wrote and need not be
  --- well-formed: its start tag is read as it stands, up to where it is no attribute any more.
  function T:result(text, message)
    text = string.gsub(text, "^%s*<%?[^>]*>", "")
    local at = match(text, "^%s*<process%.result()[%s/>]")
    if not at then return end
    local tag = { attributes = {} }
    while true do
      local name, quote, from = match(text, "^%s+([%a_:][%w_:.-]*)%s*=%s*([\"'])()", at)
      local stop = name and find(text, quote, from, true)
      if not stop then break end
      tag.attributes[#tag.attributes + 1] = { name, js.unescaped(string.sub(text, from, stop - 1)) }
      at = stop + 1
    end
    if not find(text, "%S", at) then return end  -- cut off inside of its start tag
    local signal = js.decimal(js.get(tag, "signal"), "signal")
    self.exit_code, self.result_message = js.decimal(js.get(tag, "exit_code"), "exit_code"), message
    js.session:proves(self.callback)
    self.signal, self.state_text = signal ~= "0" and signal or nil, js.get(tag, "state_text")
    if self:odd_numbers(tag, { exit_code = "exit_code", signal = "signal" }, message) then self.result_odd = true end
  end

  --- What should be a number and is none counts as unknown; each is told once.
  function T:odd_numbers(tag, names, message)
    local found = false
    js.odd_numbers(tag, names, function(words, name)
      found = true
      if not self.odd[name] then
        js.session:problem(self.callback, "odd_number", words)
        self.odd[name] = true
        self.odd[#self.odd + 1] = { message = message, words = words }
      end
    end)
    return found
  end

  --- A connection turned out to be none of this task.
  function T:no_attempt(stream)
    js.take_out(self.attempts, stream)
    js.session.silence:note(self)
    js.session.joiner:expect(self)
  end
end

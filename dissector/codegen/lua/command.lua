-- A command connection: documents of both sides, each answer paired with its command (the rules of session/handlers.py).
do
  local H, find = {}, string.find
  H.__index = H
  local EVENTS, LET_GO = js.python.session_life.LifeEvent, js.python.session_life.WatchState.LET_GO
  local PREFIX = "remote_scheduler."
  local NUMBERS = {
    [PREFIX .. "start_remote_task"] = { tcp_port = "port" },
    [PREFIX .. "remote_task.close"] = { process_id = "int64" },
    [PREFIX .. "remote_task.kill"] = { process_id = "int64" },
    process = { process_id = "int64", pid = "pid" },
  }

  --- True for such an element with a process_id, whether it is a number or not.
  local function names_process(document, element)
    return document.element == element and find(js.get(document, "process_id") or "", "%S") ~= nil
  end

  --- A document about a task.
  local function advance(task, event, message)
    task.life:commanded(event, message.packets[#message.packets], message.time)
  end

  function js.command_handler(stream)
    -- Commands without an answer are open[first] to open[last]; of those behind, `unpaired` are counted only.
    local self = setmetatable({
      stream = stream, open = {}, first = 1, last = 0, unpaired = 0, tasks = {}, by_process = {}, unnumbered = {}, task = nil,
    }, H)
    self.readers = {
      [0] = js.document_reader(0, true, stream.mid_stream, self),
      [1] = js.document_reader(1, false, stream.mid_stream, self),
    }
    return self
  end

  function H:in_step() end

  function H:chunk(side, offset, data, number, time, at)
    self.readers[side]:feed({ offset = offset, data = data, number = number, time = time, at = at })
  end

  function H:gap(side, _, size, number, time, snapped, acknowledged)
    local task = self.task
    if (snapped or acknowledged) and side == 0 and task then
      local facts = self.stream.dirs[0].facts
      -- What is not in the capture at all was sent before it was acknowledged.
      local sent = not snapped and facts.first_data and math.min(facts.data_time, time) or time
      task.cut_command = task.cut_command or sent
    end
    self.readers[side]:gap(size, number, time, snapped, acknowledged)
  end

  function H:closed()
    for side = 0, 1 do self.readers[side]:finish() end
  end

  function H:problem(code, side, text, number, time, is_cap)
    js.session:stream_problem(self.stream, side, code, text, number, time, is_cap)
  end

  --- HTTP is left to its own dissector; only an XML command in a body is looked at.
  function H:http(side, chunk)
    local body = string.match(chunk.data, "\r?\n\r?\n%s*(<.*)$") or string.match(chunk.data, "^%s*(<.*)$")
    self.stream.is_http = true
    if not body or self:is_other_text() then return end
    self:document(side, (string.gsub(body, "%s+$", "")), { chunk.number }, chunk.time, nil, "http", false)
  end

  --- True where the client's first line is whole, and none of HTTP: SMTP and others begin with capital letters too.
  function H:is_other_text()
    local line = string.match(self.head or "", "^([^\n]*)\n")
    return line ~= nil and not find(line, " HTTP/%d") and not find(line, "^HTTP/%d")
  end

  function H:document(side, data, packets, time, at, _, incomplete)
    local to_remote = side == 0
    local document = to_remote and js.parse_command(data) or js.parse_answer(data)
    local message = {
      document = true, side = side, kind = to_remote and "command" or "command_answer",
      packets = packets, time = time, at = at, size = #data, operation = document.element,
      note = document.reason or (incomplete and "the document is not complete") or nil,
      is_broken = document.form == "broken" or nil,
    }
    if not at then message.raw = data end
    message.stream = self.stream
    message.info = js.document_info(message, document)
    if to_remote then self:command(message, document) else self:answer(message, document) end
    js.session:message(self.stream, message)
  end

  function H:command(message, document)
    local name = document.element
    local port = name == PREFIX .. "start_remote_task" and js.get(document, "tcp_port")
    local is_start = port and port ~= ""
    if is_start then self:start(message, document, tonumber(js.decimal(port, "port") or "")) end
    local id = js.decimal(js.get(document, "process_id"), "int64")
    local is_close = names_process(document, PREFIX .. "remote_task.close")
    local is_kill = names_process(document, PREFIX .. "remote_task.kill")
    local wants_kill = find(",1,true,yes,", "," .. string.lower(js.get(document, "kill") or "") .. ",", 1, true)
    if is_start or is_close or is_kill then
      if #self.tasks == 0 then
        self.task = js.session:command_found(self.stream, message.packets[1], message.time, is_kill or wants_kill)
        self.tasks[1] = self.task
      end
      message.task = self.task
      if #self.tasks > 1 and not is_start then message.task = self:named(id) end
    end
    local task = message.task
    if task and is_close then
      task.close = message
      advance(task, EVENTS.CLOSE, message)
      if wants_kill then
        task.kill = task.kill or message
      end
    elseif task and is_kill then
      task.kill = task.kill or message
      advance(task, EVENTS.KILL, message)
    end
    js.session:recognised(self.stream)
    self:tell_odd_numbers(message, document)
    if self.last - self.first + 1 < js.limits.pending and self.unpaired == 0 then
      self.last = self.last + 1
      self.open[self.last] = message
    else
      self.unpaired = self.unpaired + 1
      message.note = message.note
        or string.format("behind %d commands without an answer: not paired", js.limits.pending)
    end
  end

  --- The task under way that a command of several is about: by its number, which the newest one may have though that
  --- was not captured; without one the only task that was answered with none.
  function H:named(id)
    local known
    if id then
      known = self.by_process[id] or (not self.task.process_id and self.task)
    else
      known = #self.unnumbered == 1 and self.unnumbered[1]
    end
    return known and known.life.watch ~= LET_GO and known or nil
  end

  --- Of several tasks with one process_id the first one counts; of those that were answered with no number, the only one.
  function H:name(task, document)
    local id = document.element == "process" and js.decimal(js.get(document, "process_id"), "int64")
    if id then
      task.process_id = id
      self.by_process[id] = self.by_process[id] or task
    elseif not document.error and #self.unnumbered < 2 then
      self.unnumbered[#self.unnumbered + 1] = task
    end
  end

  --- The engine starts one task a connection; a tool may start more, each a task of its own.
  function H:start(message, document, port)
    local stream = self.stream
    local first = #self.tasks == 0
    if self.task and not self.task.start_message then first = false end
    local task = js.new_task(first and stream.first_packet or message.packets[1], first and stream.start or message.time)
    self.task = task
    self.tasks[#self.tasks + 1] = task
    task.client, task.remote, task.port, task.command = stream.client, stream.server, port, stream
    task.kind = js.get(document, "kind") == "process" and "process" or "api"
    task.start_message, task.start_time = message, message.time
    advance(task, EVENTS.START, message)
    message.task = task
    js.session:command_started(stream, task)
  end

  function H:answer(message, document)
    local request = self:pair(document)
    if request then
      request.answer, message.request = message, request
      message.operation, message.task = request.operation, request.task
      local task = message.task
      if task and request == task.start_message and not task.start_answer then
        task.start_answer = message
        task.start_error = document.error
        advance(task, document.error and EVENTS.ERROR or EVENTS.ANSWER, message)
        js.session:proves(self.stream)
        self:name(task, document)
      elseif task and request == task.close then
        task.close_answer = message
        advance(task, EVENTS.CLOSE_ANSWER, message)
      end
    elseif #self.tasks == 0 and names_process(document, "process") then
      message.task = js.session:answer_found(self.stream, message)
      self:name(message.task, document)
      self.task, self.tasks[1] = message.task, message.task
    end
    self:tell_odd_numbers(message, document)
  end

  function H:tell_odd_numbers(message, document)
    js.odd_numbers(document, NUMBERS[document.element] or {}, function(words)
      self:problem("odd_number", message.side, words, message.packets[#message.packets], message.time)
    end)
  end

  --- The oldest open command, which is none any more.
  function H:take()
    local message = self.open[self.first]
    if message then
      self.open[self.first], self.first = nil, self.first + 1
    end
    return message
  end

  --- The oldest open command that is not broken; to an XML error the oldest one.
  function H:pair(document)
    local is_xml_error = document.error and string.sub(document.error.code, 1, 3) == "XML"
    local request
    repeat
      local candidate = self:take()
      if not candidate then break end
      if is_xml_error or not candidate.is_broken then request = candidate end
    until request
    if is_xml_error and request then
      local last = request.packets[#request.packets]
      local following = self.open[self.first]
      while following and following.packets[#following.packets] == last do
        self:take()
        following = self.open[self.first]
      end
    end
    if not request and self.unpaired > 0 then self.unpaired = self.unpaired - 1 end
    return request
  end
end

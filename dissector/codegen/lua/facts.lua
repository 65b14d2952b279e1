-- What the rules need to know of a task, as the records that they are written for: made when a task is judged.
do
  local floor, max = math.floor, math.max
  local rules, py = js.python, js.py
  local model, sides, traffic = rules.model, rules.sides, rules.traffic
  local NAMES = {  -- of messages, the same in both
    "kind", "operation", "time", "n", "size", "note",
  }

  --- A packet as evidence; a hop is a TTL and 256 times an IP id.
  function js.mark(number, time, hop)
    return sides.Mark.of({ number = number, time = time, ttl = hop % 256, ip_id = floor(hop / 256) })
  end

  local function list(items) return py.list_of({ table.unpack(items or {}) }, items and #items or 0) end

  local function endpoint(one) return one and rules.places.Endpoint.of({ ip = one.ip, port = one.port }) end

  -- --- connections ---

  --- What one end sent.
  local function side_of(direction)
    local facts, first = direction.facts, direction.facts.first_data
    local side = { packets = direction.packets, bytes = direction.bytes, source = direction }
    for name, value in pairs(facts) do side[name] = value end
    side.retransmitted, side.zero_windows = list(facts.retransmitted), list(facts.zero_windows)
    if facts.last_number > 0 then side.last = js.mark(facts.last_number, facts.last_time, facts.last_hop) end
    if first and facts.data_number == first.number then
      side.last_data = first
    elseif first then
      side.last_data = js.mark(facts.data_number, facts.data_time, facts.data_hop)
    end
    return sides.SideFacts.of(side)
  end

  --- One judgement: `known` are the records made so far, by what they are of.
  local Records = {}
  Records.__index = Records

  function js.new_records() return setmetatable({ known = {} }, Records) end

  function Records:connection(stream)
    if not stream then return nil end
    local known = self.known[stream]
    if known then return known end
    local one, other = stream.dirs[0], stream.dirs[1]
    -- The messages of a task on a Universal Agent, whose carriers are its master's connections.
    if not one then return self:carrier(stream, stream.server, stream.client, stream.snapped) end
    if stream.swapped_dirs then one, other = other, one end
    local record = model.Connection.of({
      client = endpoint(stream.client), server = endpoint(stream.server), start = stream.start,
      first_packet = stream.first_packet, ["end"] = stream.seen, last_packet = stream.last_packet or stream.first_packet,
      role = stream.role or "unknown", mid_stream = stream.mid_stream or false, closed = stream.closed,
      over = (stream.over or self.is_over) and true or false, packets = one.packets + other.packets,
      bytes = one.bytes + other.bytes, gaps = stream.gaps or 0, snapped = stream.snapped or 0,
      idle_before_end = stream.idle_before_end, silence = stream.silence, silence_end = stream.silence_end,
      syns = list(stream.syns), syn_acks = list(stream.syn_acks), icmp = list(stream.icmp),
      sides = py.pack(side_of(one), side_of(other)), source = stream,
    })
    self.known[stream] = record
    record.task = stream.task and self:task(stream.task)
    return record
  end

  --- True for a connection that was opened, whether it said something or not.
  function js.is_established(stream) return js.new_records():connection(stream).established end

  --- True when bytes of it are not in the capture.
  function js.is_incomplete(stream) return rules.session_verdict.is_incomplete(js.new_records():connection(stream)) end

  --- The remote accepted the command connection and closed it without a byte.
  function js.is_rejected(task) return rules.session_verdict.is_rejected(js.new_records():facts(task)) end

  --- Which end sent the first FIN or RST.
  function js.closed_by(stream) return rules.session_verdict.closed_by(js.new_records():connection(stream)) end

  -- --- tasks ---

  function Records:task(task)
    local known = self.known[task]
    if known then return known end
    local record = model.Task.of({
      start = task.start, first_packet = task.first_packet, client = endpoint(task.client), remote = endpoint(task.remote),
      callback_port = task.port, kind = task.kind, exit_code = tonumber(task.exit_code), signal = tonumber(task.signal),
      state_text = task.state_text, problems = py.pack(), outcome = "running",
      counts = model.Counts.of({
        messages = task.messages, calls = task.calls, callbacks = task.callbacks, errors = task.errors,
        keep_alives = task.keep_alives, log_lines = task.logs,
      }),
    })
    self.known[task] = record
    -- What is concluded changes the words of some of them.
    for _, one in ipairs(task.problems) do
      local copy = {}
      for name, value in pairs(one) do copy[name] = value end
      py.append(record.problems, model.Problem.of(copy))
    end
    record.command = self:connection(task.command)
    record.callback = not task.agent and self:connection(task.callback) or nil
    record.callback_peer = record.callback and record.callback.client
    return record
  end

  function Records:message(message)
    if not message then return nil end
    local known = self.known[message]
    if known then return known end
    local about = js.about(message)
    local object = about.object
    local record = {
      to_remote = (message.document and message.side == 0 or not message.document and message.side == 1),
      packets = message.packets and list(message.packets) or py.pack(message.number),
      raw = string.char(message.class or 0), object_id = about.object_id, member = js.latin1(about.member),
      object_name = object and js.latin1(object.name), object_class = object and js.latin1(object.class),
      depth = about.depth or 0, error_text = js.latin1(message.error_text), latency = message.request and message.time - message.request.time,
    }
    for _, name in ipairs(NAMES) do record[name] = message[name] end
    record.operation = about.operation
    self.known[message] = model.Message.of(record)
    record.connection = self:connection(message.carrier or message.stream)
    record.request = self:message(message.request)
    return record
  end

  function Records:messages(messages)
    return py.map(function(one) return self:message(one) end, list(messages))
  end

  --- Requests without an answer, outermost first.
  function Records:open_requests(task)
    if task.open_requests then return self:messages(task.open_requests) end
    local carrier = task.agent or task.callback and task.callback.handler
    return self:messages(self.is_over and carrier and carrier.dialog and carrier.dialog.stack or {})
  end

  function Records:facts(task)
    local known = self.known[task.attempts]
    if known then return known end
    local record = self:task(task)
    local facts = {
      record = record, start = self:message(task.start_message), start_answer = self:message(task.start_answer),
      start_error = task.start_error and { code = task.start_error.code, text = task.start_error.text } or nil,
      close = self:message(task.close), close_answer = self:message(task.close_answer), kill = self:message(task.kill),
      cut_command = task.cut_command, unread_command = self:connection(js.session.joiner:unread(task)),
      attempts = py.map(function(one) return self:connection(one) end, list(task.attempts)),
      more = py.dict(), given_up = task.given_up or false, intruder = self:connection(task.intruder),
      foreign_packet = task.foreign_packet, pair_unclear = task.pair_unclear or false,
      confirmed = task.confirmed or false, superseded = task.superseded or false,
      begin_refused = self:message(task.begin_refused), result = self:message(task.result_message),
      result_odd = task.result_odd or false, client_error = self:message(task.client_error),
      release = self:message(task.release), released = self:message(task.released),
      failed_calls = py.dict(), call_time = task.call_time, callback_time = task.callback_time,
      longest_call = self:message(task.longest_call), slow_callbacks = py.dict(),
      undecoded = self:messages(task.undecoded), trailing = self:messages(task.trailing), odd_numbers = py.dict(),
      open_requests = self:open_requests(task), agent = task.agent and self:agent(task.agent),
    }
    facts.proof = rules.session_proof.Proof.of({ settled = task.settled, asking = self:message(task.asking) })
    for noun, number in pairs(task.more) do py.put(facts.more, noun, number) end
    for _, failed in ipairs(task.failed) do
      local first = self:message(failed.first)
      local member, text = js.latin1(failed.member), js.latin1(failed.text)
      py.put(facts.failed_calls, py.pack(member, text), rules.session_tallies.FailedCalls.of({
        first = first, text = text, count = failed.count, packets = list(failed.packets),
      }))
    end
    for key, slow in ipairs(task.slow) do
      py.put(facts.slow_callbacks, key, rules.session_slow.SlowCallbacks.of({
        first = self:message(slow.first), count = slow.count, certain = slow.certain, longest = slow.longest,
        packets = list(slow.packets),
      }))
    end
    for key, odd in ipairs(task.odd) do py.put(facts.odd_numbers, key, py.pack(self:message(odd.message), odd.words)) end
    self.known[task.attempts] = rules.session_task.TaskFacts.of(facts)
    return facts
  end

  -- --- judgement ---

  --- How a task went as of the time `now`: its outcome, and its problems, the gravest first.  `is_over`: the capture, so that
  --- nothing comes any more; `missed`: the task is over, but how was not captured.
  function js.judge(task, now, missed, is_over)
    local records = js.new_records()
    records.is_over = is_over
    local facts, session = records:facts(task), js.session
    rules.session_diagnosis.conclude(facts, now, session.clock_steps, session.hosts, missed or false)
    local found = { outcome = facts.record.outcome, problems = {} }
    for at, one in py.each(facts.record.problems) do
      found.problems[at] = {
        code = one.code, severity = one.severity, packets = one.packets, summary = one.summary, cause = one.cause,
        remedy = one.remedy,
      }
    end
    return found
  end

  --- Asks one of the questions about a task that the rules of session/task.py answer.
  function js.ask(task, question)
    local facts = js.new_records():facts(task)
    return facts[question](facts)
  end

  --- A problem of a connection's bytes, as it was told.
  function js.problem_of(stream, code, side, text, number, time, is_cap)
    local told = traffic.StreamProblem.new(code, side, 0, number, time, text, is_cap or false)
    return rules.session_oddities.of_stream(told, js.new_records():connection(stream))
  end

  -- --- who was heard lately (the rules of session/hosts.py) ---

  local H = {}
  H.__index = H
  local NEWEST, MOST = rules.session_hosts._NEWEST, rules.limits.MAX_CONNECTIONS

  function js.new_hosts() return setmetatable({ ends = {}, hosts = js.new_queue() }, H) end

  function H:note(stream)
    local client, server = stream.dirs[0], stream.dirs[1]
    if stream.swapped_dirs then client, server = server, client end
    self:add(stream.server.key, server)
    self:add(stream.server.ip, server)
    self:add(stream.client.ip, client)
  end

  function H:add(key, direction)
    local ends = self.ends[key] or {}
    self.ends[key] = ends
    local is_known = false
    for _, one in ipairs(ends) do is_known = is_known or one == direction end
    if not is_known then ends[#ends + 1] = direction end
    if #ends > NEWEST then table.remove(ends, 1) end
    self.hosts:push(key)
    if self.hosts.size > MOST then
      self.ends[self.hosts:oldest()] = nil
      self.hosts:remove(self.hosts:oldest())
    end
  end

  --- How many ends of other connections sent something since.
  function H:count(key, since, besides)
    local found = 0
    for _, one in ipairs(self.ends[key] or {}) do
      local is_other = one.facts.last_number > 0 and one.facts.last_time >= since
      for _, side in py.each(besides) do is_other = is_other and side.source ~= one end
      if is_other then found = found + 1 end
    end
    return found
  end

  function H:answers(connection, since)
    local server = connection.server
    return self:count(js.endpoint_key(server.ip, server.port), since, py.pack(connection.sides[2]))
  end

  function H:heard(ip, since, ...) return self:count(ip, since, py.pack(...)) > 0 end

  rules.session_hosts.Hosts = { new = js.new_hosts }

  -- --- what the rules leave to Lua ---

  rules.places.address_text = function(text) return text end

  rules.session_bodies.error_text = function(message) return message.error_text or "" end

  --- The code of an error: its attribute, else what its text begins with.
  rules.session_start_errors.code_of = function(error)
    if error.code ~= "" then return error.code end
    local text = string.gsub(error.text, "^%s+", "")
    if string.find(text, "^XML%-ERROR") then return "XML-ERROR" end
    local code, rest = string.match(text, "^(%u[%u%d]*[%u%-]*%-[%dA-F]+)(.?)")
    return code and not string.find(rest, "[%w_]") and code or ""
  end

  rules.session_start_errors._is_xml = function(code)
    return string.find(string.gsub(string.gsub(code, "^LIB", ""), "^MS", ""), "^XML%d*%-") ~= nil
  end

  rules.session_start_errors._without_zeros = function(code) return (string.gsub(code, "%-0+(.)", "-%1")) end

  rules.wire_names.error_code = function(code) return js.tables.errors[code] end
end

-- What the rules need to know of a task, as the records that they are written for: made when a task is judged.
do
  local floor = math.floor
  local rules, py = js.python, js.py
  local model, sides = rules.model, rules.sides
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

  --- What one end sent: what its direction knows by the same names, and what stands there in parts.
  local SIDE = {
    packets = function(direction) return direction.packets end,
    bytes = function(direction) return direction.bytes end,
    retransmitted = function(direction) return list(direction.facts.retransmitted) end,
    zero_windows = function(direction) return list(direction.facts.zero_windows) end,
    last = function(direction)
      local facts = direction.facts
      return facts.last_number > 0 and js.mark(facts.last_number, facts.last_time, facts.last_hop) or nil
    end,
    last_data = function(direction)
      local facts = direction.facts
      local first = facts.first_data
      if not first or facts.data_number == first.number then return first end
      return js.mark(facts.data_number, facts.data_time, facts.data_hop)
    end,
    source = function(direction) return direction end,
  }

  local function side_of(direction) return sides.SideFacts.later(SIDE, direction, nil, direction.facts) end

  local CONNECTION = {
    client = function(stream) return endpoint(stream.client) end,
    server = function(stream) return endpoint(stream.server) end,
    ["end"] = function(stream) return stream.seen end,
    last_packet = function(stream) return stream.last_packet or stream.first_packet end,
    role = function(stream) return stream.role or "unknown" end,
    mid_stream = function(stream) return stream.mid_stream or false end,
    over = function(stream, records) return (stream.over or records.is_over) and true or false end,
    packets = function(stream) return stream.dirs[0].packets + stream.dirs[1].packets end,
    bytes = function(stream) return stream.dirs[0].bytes + stream.dirs[1].bytes end,
    syns = function(stream) return list(stream.syns) end,
    syn_acks = function(stream) return list(stream.syn_acks) end,
    icmp = function(stream) return list(stream.icmp) end,
    sides = function(stream)
      local one, other = stream.dirs[0], stream.dirs[1]
      if stream.swapped_dirs then one, other = other, one end
      return py.pack(side_of(one), side_of(other))
    end,
    source = function(stream) return stream end,
    task = function(stream, records) return stream.task and records:task(stream.task) end,
  }
  for _, name in ipairs({ "start", "first_packet", "closed", "gaps", "snapped", "idle_before_end", "silence", "silence_end" }) do
    CONNECTION[name] = function(stream) return stream[name] end
  end

  --- One judgement: `known` are the records made so far, by what they are of.
  local Records = {}
  Records.__index = Records

  function js.new_records() return setmetatable({ known = {} }, Records) end

  function Records:connection(stream)
    if not stream then return nil end
    local known = self.known[stream]
    if known then return known end
    -- The messages of a task on a Universal Agent, whose carriers are its master's connections.
    if not stream.dirs[0] then return self:carrier(stream, stream.server, stream.client, stream.snapped) end
    local record = model.Connection.later(CONNECTION, stream, self)
    self.known[stream] = record
    return record
  end

  --- True for a connection that was opened, whether it said something or not.
  function js.is_established(stream) return js.new_records():connection(stream).established end

  --- True when bytes of it are not in the capture.
  function js.is_incomplete(stream) return rules.session_verdict.is_incomplete(js.new_records():connection(stream)) end

  --- It was refused, or not answered in time.
  function js.is_hopeless(stream, now)
    return rules.session_verdict.is_hopeless(js.new_records():connection(stream), now)
  end

  --- The remote accepted the command connection and closed it without a byte.
  function js.is_rejected(task) return rules.session_verdict.is_rejected(js.new_records():facts(task)) end

  --- Which end sent the first FIN or RST.
  function js.closed_by(stream) return rules.session_verdict.closed_by(js.new_records():connection(stream)) end

  --- It ended before the packet.
  function js.ended_before(stream, number)
    return rules.session_verdict.ended_before(js.new_records():connection(stream), number)
  end

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

  local function of_message(name)
    return function(task, records) return records:message(task[name]) end
  end

  local function of_flag(name)
    return function(task) return task[name] or false end
  end

  local FACTS = {
    record = function(task, records) return records:task(task) end,
    start = of_message("start_message"), start_answer = of_message("start_answer"), close = of_message("close"),
    close_answer = of_message("close_answer"), kill = of_message("kill"), begin_refused = of_message("begin_refused"),
    result = of_message("result_message"), client_error = of_message("client_error"), release = of_message("release"),
    released = of_message("released"), longest_call = of_message("longest_call"),
    pair_unclear = of_flag("pair_unclear"), result_odd = of_flag("result_odd"),
    -- A copy: what is concluded may move it.
    life = function(task)
      local life = task.life
      return rules.session_life.Life.new(life.command, life.join, life.watch, py.joined(life.odd))
    end,
    start_error = function(task)
      return task.start_error and { code = task.start_error.code, text = task.start_error.text } or nil
    end,
    unread_command = function(task, records) return records:connection(js.session.joiner:unread(task)) end,
    attempts = function(task, records)
      return py.map(function(one) return records:connection(one) end, list(task.attempts))
    end,
    intruder = function(task, records) return records:connection(task.intruder) end,
    undecoded = function(task, records) return records:messages(task.undecoded) end,
    trailing = function(task, records) return records:messages(task.trailing) end,
    open_requests = function(task, records) return records:open_requests(task) end,
    agent = function(task, records) return task.agent and records:agent(task.agent) end,
    proof = function(task, records)
      return rules.session_proof.Proof.of({ state = task.proof.state, asking = records:message(task.proof.asking) })
    end,
    more = function(task)
      local found = py.dict()
      for noun, number in pairs(task.more) do py.put(found, noun, number) end
      return found
    end,
    failed_calls = function(task) return task.failed or py.dict() end,
    slow_callbacks = function(task) return task.slow or py.dict() end,
    odd_numbers = function(task, records)
      local found = py.dict()
      for key, odd in ipairs(task.odd) do py.put(found, key, py.pack(records:message(odd.message), odd.words)) end
      return found
    end,
  }

  for _, name in ipairs({ "cut_command", "foreign_packet", "call_time", "callback_time" }) do
    FACTS[name] = function(task) return task[name] end
  end

  function Records:facts(task)
    local known = self.known[task.attempts]
    if not known then
      known = rules.session_task.TaskFacts.later(FACTS, task, self)
      self.known[task.attempts] = known
    end
    return known
  end
end

-- What the rules need to know of a task on a Universal Agent (the records of session/agent_facts.py), beside facts.lua.
do
  local rules, py, match = js.python, js.py, string.match
  local Records = getmetatable(js.new_records())

  --- Why a command failed: the text of an error status, or that of StartTaskFailed, which comes with 200.
  function js.agent_failure(status, body, value, is_text)
    if js.json_text(value, "$TYPE") == "StartTaskFailed" then
      return js.json_text(value, "message") or "StartTaskFailed"
    end
    if not status or status < 300 then return nil end
    local text = is_text and match(body, "^%s*(.-)%s*$") or ""
    return text ~= "" and text or "HTTP " .. status
  end

  rules.wire_agent.failure_of = function(response) return response.failure end

  --- The problem code of an error response.
  function js.agent_code(exchange, otherwise) return rules.session_agent_errors.code_of(exchange, otherwise) end

  local function endpoint(one) return rules.places.Endpoint.of({ ip = one.ip, port = one.port }) end

  --- A connection that carries exchanges, by `key`; its packets are Wireshark's HTTP dissector's.  Of `snapped` bytes the
  --- snap length of the capture deprived it.
  function Records:carrier(key, client, server, snapped)
    local known = self.known[key]
    if not known then
      local sides = py.pack(rules.sides.SideFacts.of({}), rules.sides.SideFacts.of({}))
      known = rules.model.Connection.of({
        client = endpoint(client), server = endpoint(server), role = "http", sides = sides, snapped = snapped or 0,
      })
      self.known[key] = known
    end
    return known
  end

  local function packets_of(several, one) return several and py.list_of({ table.unpack(several) }) or py.pack(one) end

  function Records:exchange(exchange)
    if not exchange then return nil end
    local known = self.known[exchange]
    if known then return known end
    known = rules.model.Exchange.of({
      n = exchange.n, connection = self:carrier(exchange.connection, exchange.client, exchange.server), time = exchange.time,
      request_packets = packets_of(exchange.packets, exchange.number), kind = exchange.kind, type = exchange.type,
      request = { element = exchange.element }, request_id = exchange.request_id, answered = exchange.answered,
      status = exchange.answered and exchange.status,
      response = exchange.answered and { status = exchange.status, failure = exchange.failure } or nil,
      response_packets = exchange.answered and packets_of(exchange.reply_packets, exchange.answer_number) or py.pack(),
    })
    self.known[exchange] = known
    return known
  end

  --- When bytes were missing last that the task's end may be among, and the packet that showed it.
  function js.agent_missing(about)
    local missed = js.session.agents.missing[about.place]
    if missed and missed.time > about.missing then return missed.time, missed.number end
    return about.missing, about.missing_in
  end

  function Records:agent(about)
    local outage = about.outage or js.session.agents.outages[about.place]
    local missing, missing_in = js.agent_missing(about)
    return rules.session_agent_facts.AgentFacts.of({
      heard = about.heard, start = self:exchange(about.start), start_failure = about.start_failure,
      clock_skew = about.clock_skew, close = self:exchange(about.close), kill = self:exchange(about.kill),
      failed = self:exchange(about.failed), waiting = self:exchange(about.waiting), repeated = about.repeated,
      repetitions = py.map(function(one) return self:exchange(one) end, py.list_of({ table.unpack(about.repetitions) })),
      missing = missing, missing_in = missing_in, kill_unsure = about.kill_unsure or false,
      longest_wait = about.longest_wait, missed = about.missed, missed_by = self:exchange(about.missed_by),
      heartbeat = about.heartbeat and rules.wire_agent.Heartbeat.of(about.heartbeat), outage = outage and
        rules.session_agent_facts.Outage.of({
          server = endpoint(outage.server), count = outage.count, unanswered = outage.unanswered, packets = outage.packets,
        }),
    })
  end
end

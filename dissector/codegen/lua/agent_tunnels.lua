-- What goes through tunnels: requests and their responses bring messages of tasks on Universal Agents (the rules of
-- session/tunnel.py and session/tunnels.py).
do
  local rules, A = js.python, js.Agents
  local place_of, key_of = js.agent_place, js.tunnel_key
  local OK, ACCEPTED = rules.session_tunnels._OK, rules.session_tunnels._ACCEPTED
  local GRACE = rules.session_timeouts.HEARTBEAT_GRACE
  local REMEMBERED, MOST = rules.session_agent_facts._REMEMBERED, rules.limits.MAX_EVIDENCE

  function A:tunnelled(exchange)
    local task = self.by_key[key_of(exchange, exchange.target.tunnel)]
    local known, secret = task and task.agent.secret, exchange.secret
    exchange.has_rival = task ~= nil  -- only the response tells who is right
    -- Somebody else's, or the agent began anew and counts from 1 again.
    if known and secret and known ~= secret then task = nil end
    if not task then
      exchange.stranger = true
    else
      self:asked(exchange, task)
    end
  end

  --- True for a request that is not the repetition of one before.
  local function is_first(about, exchange)
    local number = exchange.request_id
    if not number then return true end
    if about.requests[number] or number <= about.last then
      exchange.repeats = about.requests[number]
      return false
    end
    about.last, about.requests[number] = number, exchange.number
    about.list[#about.list + 1] = number
    if #about.list > REMEMBERED then about.requests[table.remove(about.list, 1)] = nil end
    return true
  end

  --- The master lives: it says so as often as it announced, and the agent waits no longer than that.
  local function pulse(exchange, about)
    local known = about.heartbeat
    if about.asked and known and known.timeout then
      local late = exchange.time - about.asked - (known.period or 0)
      local is_known = js.session.agents.missing_at < about.asked
      if is_known and late > math.max(about.missed, GRACE) then about.missed, about.missed_by = late, exchange end
    end
    about.heartbeat = exchange.heartbeat or known
    about.asked, about.heard = exchange.time, exchange.time
  end

  --- How long the message waits for its response by now, the longest time.
  local function waited(about, now)
    if about.waiting then about.longest_wait = math.max(about.longest_wait, now - about.waiting.time) end
  end

  --- The agent said that a request came from somebody else: it repeated nothing.
  local function not_the_master(about, exchange)
    for place, one in ipairs(about.repetitions) do
      if one == exchange then
        table.remove(about.repetitions, place)
        about.repeated, exchange.is_repeated, exchange.repeats = about.repeated - 1, nil, nil
        return
      end
    end
  end

  function A:asked(exchange, task)
    local about, carrier = task.agent, self:carrier(exchange)
    exchange.task, carrier.task, carrier.last = task, carrier.task or task, task
    pulse(exchange, about)
    if exchange.kind == "heartbeat" then return end
    if exchange.request_id and exchange.request_id > about.last + 1 then
      task.proof:lost(1)
      task.proof:lost(0)
      task.callback.has_gaps, about.missing_in = true, exchange.number
    end
    if not is_first(about, exchange) then
      exchange.is_repeated, about.repeated = true, about.repeated + 1
      waited(about, exchange.time)
      if #about.repetitions < MOST then about.repetitions[#about.repetitions + 1] = exchange end
      return
    end
    if exchange.body or about.waiting then about.waiting = exchange end
    if exchange.body then exchange.message = self:message(exchange, task, 1, exchange.body, exchange.time, exchange.number) end
  end

  --- One message of a task: the body of a request (side 1) or of a response, of packet `number`.
  function A:message(exchange, task, side, data, time, number)
    local message, body = task.agent.dialog:feed(side, data, 1, time, 0)
    message.size, message.headless = #data, true
    message.number, message.stream, message.task = number, task.callback, task
    message.carrier = self:carrier(exchange)
    local job, task_id = task.job, task.task_id
    if body then task:frame(message, body) else task:unread(message, data, 1) end
    task.job, task.task_id = job or task.job, task_id or task.task_id  -- the start names the job with its folder
    js.session.fresh, js.session.fresh_body = message, body
    return message
  end

  --- A request to a tunnel that was not known turns out to be a task's, or was refused.
  function A:settle_stranger(exchange)
    if exchange.status ~= OK and exchange.status ~= ACCEPTED then
      exchange.code = js.agent_code(exchange, "tunnel_unknown")
      return
    end
    local task = self:unannounced(exchange)
    self:asked(exchange, task)
    self:answered(exchange, task)
  end

  --- The task of a tunnel whose start, or the answer to it, was not captured.
  function A:unannounced(exchange)
    local key = key_of(exchange, exchange.target.tunnel)
    local known = self.by_key[key]
    if known and known.agent.secret == exchange.secret then return known end
    local alike = self.nameless[place_of(exchange)]
    local task = alike and alike.size == 1 and alike:oldest() or nil
    -- A start that may still be answered is only that of a tunnel's first request.
    local start = task and task.agent.start
    if not task or (exchange.request_id ~= 1 and start and start.starting) then
      task = self:new(exchange)
      task.proof:begins(true)
    end
    self:named(task, key, exchange.secret, nil, exchange.time)
    return task
  end

  --- True for the response that brings the message for a request; those to repetitions are equal.
  local function delivers(about, exchange)
    local number = exchange.request_id
    if exchange.kind ~= "tunnel" and not about.waiting then return false end
    if not number then return true end
    if number <= about.delivered then return false end
    about.delivered = number
    return true
  end

  function A:answered(exchange, task)
    local about, status = task.agent, exchange.status
    about.heard = exchange.answered
    if exchange.kind == "command" then
      if exchange.failure then exchange.code = js.agent_code(exchange, "agent_refused_request") end
      if exchange == about.close and status == OK then self:over(task, exchange.answered) end
      return
    end
    if status == OK then
      if exchange.reply and delivers(about, exchange) then
        if #about.repetitions > 0 then waited(about, about.heard) end
        about.waiting = nil
        exchange.answer_message = self:message(exchange, task, 0, exchange.reply, exchange.answered, self.packet)
        if task.instance then self.by_instance[task.instance] = self.by_instance[task.instance] or task end
      end
    elseif status ~= ACCEPTED then
      if rules.session_agent_errors.is_impostor(exchange) then
        exchange.task, exchange.code = nil, js.agent_code(exchange, "tunnel_unknown")
        not_the_master(about, exchange)
      elseif not about.failed then
        about.failed, about.waiting = exchange, nil
        js.session:proves(task.callback)
      end
    end
    if task.released then about.waiting = nil end
  end
end

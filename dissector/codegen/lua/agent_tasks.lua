-- Tasks on Universal Agents: exchanges over HTTP in, messages of tasks out (the rules of session/tunnels.py).
--
-- A task is known by its agent and the tunnel's id, and by its agentTaskId, whichever connection carries it.
do
  local rules, py = js.python, js.py
  local PATIENCE = rules.session_timeouts.AGENT_PATIENCE
  local A = {}
  A.__index = A
  js.Agents = A

  --- `by_key`, `by_name` and so on hold the tasks under way, `nameless` those whose start was not answered, by master and
  --- agent, like `places` all and `outages` the connections to the agent that failed since it was heard; `ages` are tasks by
  --- when the agent has ended them; `open` are exchanges without a response, by connection, and `told` all that later passes
  --- ask for, by packet; `carriers` are what is known of connections, the latest of them.  When bytes of requests were
  --- missing last (`missing_at`) they may have been anybody's heartbeat, and (`missing`, by master and agent) any task's end.
  function js.new_agents()
    return setmetatable({
      by_key = {}, by_name = {}, by_secret = {}, by_instance = {}, nameless = {}, order = js.new_queue(),
      places = {}, outages = {}, open = {}, waiting = js.new_queue(), told = {}, packet = 0,
      count = 0, ages = js.new_heap(), carriers = {}, carrying = js.new_queue(), missing_at = -1, missing = {},
    }, A)
  end

  local function patience(about) return about.heartbeat and about.heartbeat.timeout or PATIENCE end

  --- When the agent has ended a task for certain of which nobody says anything more.
  local function deadline(about) return about.heard + 2 * patience(about) end

  --- A master's host and an agent, of an exchange or a connection.
  function js.agent_place(one) return one.client.ip .. " " .. one.server.key end
  local place_of = js.agent_place

  --- An agent and a tunnel.
  function js.tunnel_key(exchange, tunnel) return (exchange.target.host or exchange.server.key) .. " " .. tunnel end
  local key_of = js.tunnel_key

  -- --- tasks ---

  function A:new(exchange)
    local task = js.new_task(exchange.number, exchange.time)
    local stream = { client = exchange.server, server = exchange.client, role = "callback", task = task, dirs = {} }
    task.client, task.remote, task.callback = exchange.client, exchange.server, stream
    task.agent = {
      heard = exchange.time, dialog = js.dialog(1, stream), requests = {}, list = {}, last = 0, delivered = 0,
      place = place_of(exchange), repetitions = {}, repeated = 0, longest_wait = 0, missed = 0, missing = -1, missing_in = 0,
    }
    exchange.task = task
    local carrier = self:carrier(exchange)
    carrier.task = carrier.task or task
    js.push(self.nameless, task.agent.place, task)
    js.push(self.places, task.agent.place, task)
    self.order:push(task)
    self.ages:push(deadline(task.agent), task)
    js.session.waits = true
    js.session.order:add(task)
    if self.order.size > js.limits.open_tasks then self:over(self.order:oldest(), exchange.time) end
    return task
  end

  --- The tunnel has its id; a task that had the same one before is over: the agent began anew.
  function A:named(task, key, secret, name, now)
    local before, about = self.by_key[key], task.agent
    if before and before ~= task then self:over(before, now) end
    js.drop(self.nameless, about.place, task)
    about.key, about.secret, about.name = key, secret, name
    self.by_key[key] = task
    if secret then self.by_secret[secret] = task end
    if name then self.by_name[name] = task end
  end

  local function forget(map, key, task)
    if key and map[key] == task then map[key] = nil end
  end

  function A:over(task, now)
    if not js.is_under_way(task) then return end
    local about, session = task.agent, js.session
    task.life:watched(js.python.session_life.LifeEvent.END, self.packet, now)
    about.outage, task.open_requests = self.outages[about.place], { table.unpack(about.dialog.stack) }
    about.missing, about.missing_in = js.agent_missing(about)
    if not session.is_passing then task.verdict = js.judge(task, now) end
    js.drop(self.places, about.place, task)
    if not self.places[about.place] then self.outages[about.place], self.missing[about.place] = nil, nil end
    js.drop(self.nameless, about.place, task)
    forget(self.by_key, about.key, task)
    forget(self.by_name, about.name, task)
    forget(self.by_secret, about.secret, task)
    forget(self.by_instance, task.instance, task)
    self.order:remove(task)
    about.dialog, about.requests, about.waiting = nil, nil, nil
    if session.is_passing then session.order:remove(task) end
  end

  --- Tasks of which nothing was heard for longer than the agent would have kept them are over.
  function A:age(now)
    while self.ages:due(now) do
      local task = self.ages:pop()
      local until_then = deadline(task.agent)
      if until_then <= now then
        self:over(task, now)
      elseif js.is_under_way(task) then
        self.ages:push(until_then, task)
      end
    end
  end

  -- --- commands ---

  function A:command(exchange)
    local value = exchange.value
    local kind, name = py.get(rules.wire_agent.STARTS, exchange.type), js.json_text(value, "agentTaskId")
    if kind then
      local task = self:new(exchange)
      local job = js.json_text(value, "meta", "job")
      task.kind, task.job = kind, job and js.line_utf8(job, 120)
      task.task_id = js.decimal(js.json_digits(value, "meta", "taskId"), "task_id")
      task.agent.start, task.agent.waiting, exchange.starting = exchange, exchange, true
    elseif name then
      self:about_task(exchange, name)
    end
  end

  function A:about_task(exchange, name)
    local task = self.by_name[name] or self.by_key[key_of(exchange, string.match(name, "^[^-]*"))]
    local about = task and task.agent
    if not about or (about.name and about.name ~= name) then return end
    exchange.task, about.heard = task, exchange.time
    local carrier = self:carrier(exchange)
    carrier.task = carrier.task or task
    if exchange.type == "CloseTask" then
      about.close = exchange
      local is_first = exchange.value.values.kill == true and not about.kill
      if is_first then about.kill, about.kill_unsure = exchange, about.missing > (about.asked or task.start) end
    end
  end

  function A:started(exchange)
    local task, value = exchange.task, exchange.answer
    local about, name, tunnel = task.agent, js.json_text(value, "agentTaskId"), js.json_text(value, "tunnelToken", "id")
    if not js.is_under_way(task) then return end
    about.heard, about.waiting = exchange.answered, nil
    if exchange.date then  -- of a second that may be over by nearly another one
      about.clock_skew = math.max(exchange.date - about.heard, 0)
      if about.clock_skew == 0 then about.clock_skew = math.min(exchange.date + 1e9 - about.heard, 0) end
    end
    if not name or not tunnel then
      about.start_failure = exchange.failure or "the answer names no task"
      js.session:proves(task.callback)
      return self:over(task, exchange.answered)
    end
    local secret = js.json_text(value, "tunnelToken", "secret")
    self:named(task, key_of(exchange, tunnel), secret, name, exchange.answered)
  end
end

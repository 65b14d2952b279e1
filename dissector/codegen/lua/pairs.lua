-- Callback connections that no start announced, and connections that are there twice (the rules of session/pairs.py).
do
  local rules, life = js.python.session_pairs, js.python.session_life
  local PATIENCE, COPY_WINDOW, EARLIER = js.python.session_timeouts.PAIR_PATIENCE, rules._COPY_WINDOW, rules._EARLIER
  local MOST_HELD = rules._MOST_HELD
  local MOST_EVENTS = 64  -- that are kept of a connection while it is too early
  local P = {}
  P.__index = P

  function js.new_pairs(joiner, cut) return setmetatable({ joiner = joiner, cut = cut, held = js.new_queue(), newest = {}, count = 0 }, P) end

  --- When the start, or the answer to it, was seen.
  local function told(task)
    local message = task.start_message or task.start_answer
    return message and message.time or task.start
  end

  --- True when the snap length cut off the starts of all of them.
  function P:is_cut_only(stream, now)
    for _, task in ipairs(self.joiner:half_knowns(stream, now)) do
      if not task.command.cut then return false end
    end
    return true
  end

  --- The tasks whose callback a connection can be, though no start announced it.
  function P:fitting(stream, now)
    if stream.mid_stream then return {} end
    local found = {}
    if stream.stray and #stream.stray.attempts == 0 then found[1] = stream.stray end
    local halves = { table.unpack(self.joiner:half_knowns(stream, now)) }
    for _, task in ipairs(self.cut:fitting(stream)) do halves[#halves + 1] = task end
    for _, task in ipairs(halves) do
      if told(task) - EARLIER <= stream.start then found[#found + 1] = task end
    end
    return found
  end

  --- True while it is too early to tell whose callback it is.
  function P:waits(stream, now)
    local age = now - stream.start
    if age >= PATIENCE or #stream.events >= MOST_EVENTS or self.joiner:announced(stream) then return false end
    -- Where it fits nothing, its start may have been captured behind it: if there are commands in the capture at all.  A
    -- tshark that reads once shows the messages of a callback that waits on the packet that ends the wait.
    if #self:fitting(stream, now) == 0 then
      return self.joiner.has_commands and age < js.limits.jitter and not stream.mid_stream
    end
    local held = self.held
    if not held:has(stream) then held:push(stream) end
    if held.size > MOST_HELD then held:remove(held:oldest()) end
    return true
  end

  local function is_rival(other, stream, earliest)
    return other ~= nil and other ~= stream and not other.mid_stream and other.start >= earliest
      and other.client.ip == stream.client.ip and other.server.ip == stream.server.ip
  end

  --- Several callbacks may be the task's own.
  local function contest(task, stream) task.life:joined(life.LifeEvent.RIVAL, stream.first_packet, stream.start) end

  --- The task that a connection belongs to, if just one is possible; and whether several were.
  function P:owner(stream, now)
    local announced = self.joiner:announced(stream)
    if announced then
      self.held:remove(stream)
      return announced
    end
    local stray, fitting = stream.stray, self:fitting(stream, now)
    -- The start that it fitted got its own callback: what is left is a guess.
    if stray and #stray.attempts > 0 then return nil, #fitting > 0 end
    if #fitting ~= 1 then
      for _, task in ipairs(fitting) do contest(task, stream) end
      return nil, #fitting > 0
    end
    local task = fitting[1]
    local earliest = told(task) - EARLIER
    local is_contested = task.life.join == life.JoinState.CONTESTED
    self:settle(now)
    for _, other in ipairs(self.held:begin(MOST_HELD)) do
      if is_rival(other, stream, earliest) then is_contested = true end
    end
    for _, lone in ipairs(self.joiner:lone_tasks(stream, now)) do
      if is_rival(lone.callback, stream, earliest) then is_contested = true end
    end
    if is_contested then
      contest(task, stream)
      return nil, true
    end
    self.held:remove(stream)
    return task
  end

  --- Forgets what was held and is no rival of newer ones any more.
  function P:settle(now)
    local held = self.held
    while held.size > 0 and held:oldest().start + 2 * PATIENCE <= now do held:remove(held:oldest()) end
  end

  --- The tasks that may have got a connection in place of the one whose start announced its port: that client had left
  --- before, and who came then has taken the port, if the start that says so was not captured.
  function P:heirs(task, stream)
    local command, found = task.command, {}
    local left = command and command.ended
    if not left or left >= stream.start or js.closed_by(command) ~= 0 then return found end
    for _, half in ipairs(self.joiner:half_knowns(stream, stream.said or stream.start)) do
      if half.start >= left then found[#found + 1] = half end
    end
    return found
  end

  --- True for the SYN of a connection that was there already with other addresses: one hop later, or with the same IP id.
  function P:is_copy(stream, seq, hop)
    if stream.mid_stream then return false end
    local ttl, id = hop % 256, math.floor(hop / 256)
    local key = stream.client.port * 65536 + stream.server.port
    local known = self.newest[key]
    local is_same = known and known.seq == seq and ((id ~= 0 and known.id == id) or math.abs(known.ttl - ttl) == 1)
    local stands_off = known and (known.client ~= stream.client.key or known.server ~= stream.server.key)
    if is_same and stands_off and stream.start >= known.start and stream.start - known.start <= COPY_WINDOW then return true end
    if self.count >= js.limits.copies then self.newest, self.count = {}, 0 end
    if not known then self.count = self.count + 1 end
    self.newest[key] = {
      seq = seq, ttl = ttl, id = id, start = stream.start, client = stream.client.key, server = stream.server.key,
    }
    return false
  end
end

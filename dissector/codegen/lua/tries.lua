-- Command connections that came to nothing, and who only waited for the port to open (the rules of session/unreached.py).
do
  local S = js.Session
  local PROBE_WINDOW, MOST_ALIKE = js.python.session_join.PROBE_WINDOW, js.python.limits.MAX_ALIKE

  function js.tries_key(stream) return stream.client.ip .. " " .. stream.server.key end

  --- The end of a connection that never said what it is.
  function S:silent(stream, time)
    if stream.stray and not js.is_established(stream) then
      self:attempt(stream, stream.stray)
      stream.concerned = { stream.task }
      return
    end
    local is_unreached = stream.undecided and self:came_to_nothing(stream)
    local waiting = is_unreached and self.agents:unreached(stream, time)
    if waiting then
      stream.task = waiting
      self:undecided_no_more(stream)
    elseif is_unreached and self:is_try(stream) then
      self:undecided_no_more(stream)
    elseif is_unreached and self.unreached < js.limits.unreachable then
      self.unreached = self.unreached + 1
      local task = self:never_was(stream)
      stream.role, stream.task = "command", task
      self:began(stream, task)
      js.push(self.tries, js.tries_key(stream), task)
      self.failed:push(task)
      self.waits = true
    else
      self:undecided_no_more(stream)
      self:forget_tries(stream, time)
    end
  end

  --- True for a command connection that is unreachable so far, and without a byte of anybody.
  function S:came_to_nothing(stream)
    local bytes = stream.dirs[0].bytes + stream.dirs[1].bytes
    return bytes == 0 and not js.is_established(stream)
  end

  --- The task of such a connection.
  function S:never_was(stream)
    local task = js.new_task(stream.first_packet, stream.start)
    task.client, task.remote, task.command = stream.client, stream.server, stream
    return task
  end

  --- Of the newest open ones between the same ends that carried nothing so far the first for which `fits` is true.
  function S:find_quiet(stream, fits)
    local queue = self.quiet[js.tries_key(stream)]
    for _, one in ipairs(queue and queue:newest(MOST_ALIKE) or {}) do
      if one.dirs and one.dirs[0].bytes + one.dirs[1].bytes == 0 and fits(one) then return one end
    end
  end

  --- True when `failed` was an earlier try of whoever then opened a connection at `start`.
  local function is_probe(failed, start) return start >= failed.seen and start - failed.seen <= PROBE_WINDOW end

  --- True for a connection of which a probe was seen behind it (its end was not).
  function S:is_try(stream) return stream.probed_at ~= nil and is_probe(stream, stream.probed_at) end

  --- A connection that somebody opened and closed without a word, right after others failed: he waits for the port and is
  --- no scheduler, which sends its command at once.  A failure some time before `now` stands.
  function S:forget_tries(probe, now)
    local bytes = probe.dirs[0].bytes + probe.dirs[1].bytes
    if not (js.is_established(probe) and probe.is_command_port and bytes == 0) then return end
    self.hosts:note(probe)
    local key = js.tries_key(probe)
    local tries = self.tries[key]
    for _, task in ipairs(tries and tries:newest(tries.size) or {}) do
      local ended = task.command.over
      local since = probe.start - ended
      local is_old = since > PROBE_WINDOW or now - ended >= PROBE_WINDOW
      if since >= 0 and not is_old then self:was_try(task) end
      if since >= 0 or is_old then js.drop(self.tries, key, task) end
    end
    self:find_quiet(probe, function(one)
      if not js.is_established(one) then one.probed_at = probe.start end
    end)
  end

  --- A command connection that failed is no task.
  function S:was_try(task)
    self.order:remove(task)
    self.failed:remove(task)
    self.silence:remove(task)
    self.unreached = self.unreached - 1
  end

  --- The task of a connection that failed, for which no probe can come any more; false when an open one was its probe.
  function S:failed_for_good(task)
    local command = task.command
    local probe = self:find_quiet(command, function(one) return js.is_established(one) and is_probe(command, one.start) end)
    if probe then
      js.drop(self.tries, js.tries_key(command), task)
      self:was_try(task)
    end
    return not probe
  end
end

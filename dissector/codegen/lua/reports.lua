-- What the handlers of connections report to the session: tasks begin, answers come, callbacks get through.
do
  local S, life, format = js.Session, js.python.session_life, string.format

  --- The first command of a connection: if it starts no task, it takes no number.
  function S:recognised(stream)
    if not stream.cut then self:undecided_no_more(stream) end
  end

  --- A command about a task whose start was not read.
  function S:command_found(stream, number, now, kill)
    local task = self.joiner:without_command(stream, number, now, kill)
    if task then
      self.cut:drop(stream)
      task.command, task.client, task.remote, stream.task = stream, stream.client, stream.server, task
      self.silence:note(task)
    end
    return task or self.cut:told(stream)
  end

  --- A task by the answer to its start, which was not read.
  function S:answer_found(stream, message)
    local task = js.new_task(stream.first_packet, stream.start)
    task.client, task.remote, task.command, task.start_answer = stream.client, stream.server, stream, message
    task.life:commanded(life.LifeEvent.ANSWER, message.packets[#message.packets], message.time)
    self:command_started(stream, task)
    return task
  end

  function S:command_started(stream, task)
    stream.task = stream.task or task
    self:began(stream, task)
    self.cut:started(stream, task)
    self.joiner:announce(task)
    if not task.port then self.joiner:add_half_known(task) end
    for _, early in ipairs(self.early:callbacks(task)) do
      local events = early.events or {}
      self:undecided_no_more(early)
      self.pairs.held:remove(early)
      self:attempt(early, task)
      early.events, early.heads = nil, nil
      self:replay(early, events, false)
      if early.over then
        early.handler:closed()
        early.handler, early.concerned = nil, { task }
        self:linger(early)
      end
    end
  end

  --- A task of its own, at the place of its command connection if that waited for it.
  function S:began(stream, task)
    if stream.undecided then
      stream.undecided, self.undecided[stream] = nil, nil
      self.order:replace(stream, task)
    else
      self.order:add(task)
    end
    local idlest = self.silence:add(task, stream)
    if idlest then self:give_up(stream, idlest) end
  end

  --- A task is let go before its end: nothing may join it any more, and what its connections still say is not of it.
  function S:give_up(stream, task)
    self:conclude(task, self.time, life.LifeEvent.GIVEN_UP)
    self.joiner:let_go(task)
    if self.is_passing then self.order:remove(task) end
    local text = "more than %d tasks are under way: the one that began with packet %d is let go"
    self:problem(stream, "limit_reached", format(text, js.limits.open_tasks, self:shown(task.first_packet) or 0))
  end

  --- First data on a callback connection: it got through.
  function S:callback_opened(task, stream)
    local chosen = self.joiner:announced(stream) or task
    -- A task process calls once.
    if chosen.life.join == life.JoinState.CONFIRMED and chosen.callback and chosen.callback ~= stream then
      chosen = self:lone(stream)
    else
      local heirs = self.pairs:heirs(chosen, stream)
      if #heirs > 0 then
        chosen = #heirs == 1 and heirs[1] or self:lone(stream, true)
        chosen.port = stream.server.port
      end
    end
    if chosen ~= task then
      task:no_attempt(stream)
      chosen.attempts[#chosen.attempts + 1], stream.task = stream, chosen
    end
    chosen.callback = stream
    self.silence:note(chosen)
    return chosen
  end

  function S:callback_foreign(task, stream, number)
    task:no_attempt(stream)
    task.callback, task.intruder, task.foreign_packet = nil, stream, number
    self.silence:note(task)
    if stream.claimed then js.claim.begins(stream) end
    stream.role = "unknown"
  end

  --- Keeps what was read of an answer for others with the same bytes; `words` will be what the Info column says of it.
  function S:remember_answer(operation, data, body)
    if self.answer_count >= js.limits.answers then self.answers, self.answer_count = {}, 0 end
    local known = self.answers[operation] or {}
    self.answers[operation], known[data], self.answer_count = known, body, self.answer_count + 1
    body.words = false
  end

  --- Number of a task: its place among all that began before it.
  function S:number(task) return task and self.order:find(task) or nil end
end

-- Tasks under way by their last packet: there may be so many of them, and of more the idlest is given up.  What is kept for
-- it is translated from session/silence.py; here is what that asks.
do
  local rules, SUPERSEDED = js.python.session_silence, js.python.session_life.WatchState.SUPERSEDED
  local S = {}
  S.__index = S

  rules.heard = function(stream) return stream.seen end

  --- Its connection with the latest packet, or that by which it was found while it has none.
  rules.latest = function(task)
    local found = task.command
    for _, attempt in ipairs(task.attempts) do
      if not found or attempt.seen > found.seen then found = attempt end
    end
    local intruder = task.intruder
    if intruder and (not found or intruder.seen > found.seen) then found = intruder end
    return found or task.found_by
  end

  rules.may_be_due = function(task) return task.life.watch == SUPERSEDED or js.ask(task, "is_over") end

  --- `open` are the tasks that are looked at.
  function js.new_silence() return setmetatable({ known = rules.Silence.new(), open = {}, size = 0, count = 0 }, S) end

  --- A task under way has other connections than before, one of them is over, or its port was announced again.
  function S:note(task)
    if self.open[task] then self.known:note(task) end
  end

  function S:remove(task)
    if not self.open[task] then return end
    self.known:leave(task)
    self.open[task], self.size = nil, self.size - 1
  end

  --- Tasks that are over or superseded, and have been silent for long: each is told once.
  function S:due(now) return self.known:due(now) end

  --- True while there are some that silence would end.
  function S:is_waiting() return js.py.len(self.known._ripe._numbers) > 0 end

  --- One more task, found by a connection; returns the one that is given up for it, if there are too many.
  function S:add(task, stream)
    local idlest
    if self.size >= js.limits.open_tasks then
      idlest = self.known:idlest()
      self:remove(idlest)
    end
    self.count, self.size = self.count + 1, self.size + 1
    task.rank, task.found_by, self.open[task] = self.count, stream, true
    self.known:note(task)
    return idlest
  end
end

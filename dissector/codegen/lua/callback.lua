-- A callback connection: frames of both sides, paired by a dialog.  Its listening end (side 1) is the JobScheduler client.
do
  local H = {}
  H.__index = H

  function js.callback_handler(stream, task)
    local self = setmetatable({ stream = stream, task = task, dialog = js.dialog(1, stream) }, H)
    local synced = not stream.mid_stream
    self.readers = { [0] = js.frame_reader(0, synced, self), [1] = js.frame_reader(1, synced, self) }
    return self
  end

  function H:opened()
    if self.is_open then return end
    self.is_open = true
    self.task = js.session:callback_opened(self.task, self.stream)
    self.task.settled = not self.stream.mid_stream
  end

  function H:chunk(side, offset, data, number, time, at)
    if self.foreign then return end
    self:opened()
    if side == 0 and offset == 0 and not self.task.confirmed and not self.stream.mid_stream and js.is_foreign(data) then
      self.foreign = true
      js.session:callback_foreign(self.task, self.stream, number)
      return
    end
    self.readers[side]:feed({ offset = offset, data = data, number = number, time = time, at = at })
  end

  --- The reader of one direction (of TCP's) if a message of its own may come next.
  function H:in_step(side)
    local reader = self.readers[self.stream.swapped_dirs and 1 - side or side]
    return self.is_open and not self.foreign and reader.firm and reader.held_size == 0 and reader.to_skip == 0 and reader
  end

  function H:gap(side, offset, size, number, time, snapped, acknowledged)
    if self.foreign then return end
    self:opened()
    self.task:lost(side)
    self.readers[side]:gap(offset, size, number, time, snapped, acknowledged)
  end

  function H:problem(code, side, text, number, time, is_cap)
    if code ~= "gap" then self.task:lost(side) end
    js.session:stream_problem(self.stream, side, code, text, number, time, is_cap)
  end

  --- A message begins at index `start` of `data`, 1 without it.
  function H:frame(side, data, packets, time, at, start)
    local message, body = self.dialog:feed(side, data, start or 1, time, at)
    if packets then message.packets = packets end
    local task = self.task
    if side == 0 and not task.confirmed then
      task.confirmed = true
      js.session.joiner:forget(task)
    end
    message.stream, message.number = self.stream, js.session.last
    if body then task:frame(message, body) else task:unread(message, data, start or 1) end
    if self.may_be_copy then js.session.agents:may_join(self, message, data, start or 1) end
    js.session:message(self.stream, message, body)
  end

  --- One that is too long to be decoded: whose it is and what it asks for is known all the same.
  function H:skipped(side, long, packets, time)
    local message, task = self.dialog:skipped(side, long, time), self.task
    message.packets = packets
    if side == 0 and not task.confirmed then
      task.confirmed = true
      js.session.joiner:forget(task)
    end
    message.stream = self.stream
    task:unread(message, long.head, 1)
    js.session:message(self.stream, message)
  end

  --- Accepted, maybe without a word.
  function H:accepted()
    if not self.foreign and not self.is_open and js.is_established(self.stream) then self:opened() end
  end

  function H:closed()
    self:accepted()
    self.task.open_requests = { table.unpack(self.dialog.stack) }
  end
end

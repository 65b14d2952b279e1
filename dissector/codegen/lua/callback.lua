-- A callback connection: frames of both sides, paired by a dialog.  Its listening end (side 1) is the JobScheduler client.
do
  local life = js.python.session_life
  local CALLING, OPEN, PROVED, FOREIGN, ENDED = life.CallState.CALLING, life.CallState.OPEN, life.CallState.PROVED,
    life.CallState.FOREIGN, life.CallState.ENDED
  local EVENTS, CONFIRMED = life.LifeEvent, life.JoinState.CONFIRMED
  local H = {}
  H.__index = H

  function js.callback_handler(stream, task)
    local self = setmetatable({ stream = stream, task = task, state = CALLING, dialog = js.dialog(1, stream) }, H)
    local synced = not stream.mid_stream
    self.readers = { [0] = js.frame_reader(0, synced, self), [1] = js.frame_reader(1, synced, self) }
    return self
  end

  function H:advance(event, number, time) self.state = self.task.life:called(self.state, event, number, time) end

  --- It got through.
  function H:opened(number, time)
    if self.state ~= CALLING then return end
    self.task = js.session:callback_opened(self.task, self.stream)
    self:advance(EVENTS.OPENED, number, time)
    self.task.proof:begins(self.stream.mid_stream or false)
  end

  --- True when nobody listens: it is somebody else's, or over.
  function H:is_deaf() return self.state == FOREIGN or self.state == ENDED end

  function H:chunk(side, offset, data, number, time, at)
    if self:is_deaf() then return end
    self:opened(number, time)
    local is_first = side == 0 and offset == 0 and self.task.life.join ~= CONFIRMED and not self.stream.mid_stream
    if is_first and js.is_foreign(data) then
      self:advance(EVENTS.STRANGER, number, time)
      js.session:callback_foreign(self.task, self.stream, number)
      return
    end
    self.readers[side]:feed({ offset = offset, data = data, number = number, time = time, at = at })
  end

  --- The reader of one direction (of TCP's) if a message of its own may come next.
  function H:in_step(side)
    local reader = self.readers[self.stream.swapped_dirs and 1 - side or side]
    return (self.state == PROVED or self.state == OPEN) and reader.firm and reader.held_size == 0 and reader.to_skip == 0 and reader
  end

  function H:gap(side, offset, size, number, time, snapped, acknowledged)
    if self:is_deaf() then return end
    self:opened(number, time)
    self.task.proof:lost(side)
    self.readers[side]:gap(offset, size, number, time, snapped, acknowledged)
  end

  function H:problem(code, side, text, number, time, is_cap)
    if code ~= "gap" then self.task.proof:lost(side) end
    js.session:stream_problem(self.stream, side, code, text, number, time, is_cap)
  end

  --- A frame of the task process was read.
  function H:proved(time)
    self:advance(EVENTS.FRAME, js.session.last, time)
    js.session.joiner:forget(self.task)
  end

  --- A message begins at index `start` of `data`, 1 without it.
  function H:frame(side, data, packets, time, at, start)
    local message, body = self.dialog:feed(side, data, start or 1, time, at)
    if packets then message.packets = packets end
    local task = self.task
    if side == 0 and self.state == OPEN then self:proved(time) end
    message.stream, message.number = self.stream, js.session.last
    if body then task:frame(message, body) else task:unread(message, data, start or 1) end
    if self.may_be_copy then js.session.agents:may_join(self, message, data, start or 1) end
    js.session:message(self.stream, message, body)
  end

  --- One that is too long to be decoded: whose it is and what it asks for is known all the same.
  function H:skipped(side, long, packets, time)
    local message, task = self.dialog:skipped(side, long, time), self.task
    message.packets = packets
    if side == 0 and self.state == OPEN then self:proved(time) end
    message.stream = self.stream
    task:unread(message, long.head, 1)
    js.session:message(self.stream, message)
  end

  --- Accepted, maybe without a word.
  function H:accepted()
    local stream = self.stream
    if self.state == CALLING and js.is_established(stream) then
      self:opened(stream.last_packet or stream.first_packet, stream.seen)
    end
  end

  function H:closed()
    if self.state == ENDED then return end
    self:accepted()
    self:advance(EVENTS.END, self.stream.last_packet or self.stream.first_packet, self.stream.seen)
    self.task.open_requests = { table.unpack(self.dialog.stack) }
  end
end

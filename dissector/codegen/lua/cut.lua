-- Command connections whose start command the snap length cut off (the rules of session/cut.py).
do
  local PATIENCE, GIVE_UP_TO = js.python.session_timeouts.PAIR_PATIENCE, js.python.session_timeouts.GIVE_UP_TO
  local MOST_ALIKE = js.python.limits.MAX_ALIKE
  local C = {}
  C.__index = C

  --- `between` has the commands that wait, by the addresses of their ends.
  function js.new_cut(session) return setmetatable({ session = session, between = {}, all = {} }, C) end

  local function ends(client, server) return client.ip .. " " .. server.ip end

  local function bytes_of(stream) return stream.dirs[0].bytes + stream.dirs[1].bytes end

  --- Nobody knows what the connection is.
  local function is_open_question(stream) return stream.sniffing and not stream.foreign end

  --- The snap length cut off bytes of the client: those of its first document, as far as it may be a start.
  function C:note(stream, offset, time)
    local known, handler = stream.cut, stream.handler
    if known then
      known.task.cut_command = known.task.cut_command or time
      return
    end
    if stream.mid_stream or stream.task or not (stream.sniffing or stream.role == "command") then return end
    local head, is_command = handler and handler.head or stream.heads[0], handler ~= nil or stream.is_command_port
    local begins = offset == #head or handler ~= nil
    if not (begins and js.may_start(head) and (head ~= "" or is_command)) then return end
    local task = js.new_task(stream.first_packet, stream.start)
    task.client, task.remote, task.command = stream.client, stream.server, stream
    local cut = {
      stream = stream, task = task, time = time, is_start = js.is_start(head), is_command = is_command, tries = {},
    }
    stream.cut = cut
    local key = ends(stream.client, stream.server)
    local list = self.between[key] or {}
    self.between[key], list[#list + 1], self.all[#self.all + 1] = list, cut, cut
    if #list > MOST_ALIKE then self:drop(list[1].stream) end
  end

  --- It was read after all, or is something else.
  function C:drop(stream)
    local cut, key = stream.cut, ends(stream.client, stream.server)
    if not cut then return end
    stream.cut = nil
    local list = self.between[key]
    js.take_out(list, cut)
    js.take_out(self.all, cut)
    if #list == 0 then self.between[key] = nil end
  end

  --- A command connection turned out to be that of a task.
  function C:started(stream, task)
    if not stream.cut then return end
    if task.start_message or task.callback then return self:drop(stream) end
    stream.cut.task, stream.cut.is_task = task, true
  end

  --- Another callback of this command was under way for long when `callback` began.
  local function is_served(cut, callback)
    for _, one in ipairs(cut.tries) do
      local is_other = one ~= callback and is_open_question(one)
      if is_other and one.start + PATIENCE < callback.start and bytes_of(one) > 0 then return true end
    end
    return false
  end

  function C:waiting(callback)
    local list, found = self.between[ends(callback.server, callback.client)], {}
    if not list or not js.in_ranges(js.callback_ports, callback.server.port) then return found end
    for _, cut in ipairs(list) do
      local since = callback.start - cut.time
      if since >= 0 and since <= GIVE_UP_TO and not is_served(cut, callback) then found[#found + 1] = cut end
    end
    return found
  end

  --- A connection that no start announced.
  function C:opened(stream)
    if stream.mid_stream then return end
    local cuts = self:waiting(stream)
    for _, cut in ipairs(cuts) do
      if #cuts > 1 or #cut.tries == MOST_ALIKE then cut.is_unclear = true end
      if #cut.tries < MOST_ALIKE then cut.tries[#cut.tries + 1] = stream end
    end
  end

  --- The tasks, not known so far, whose callback this one can be.
  function C:fitting(callback)
    local found = {}
    for _, cut in ipairs(self:waiting(callback)) do
      if not cut.is_task then found[#found + 1] = cut.task end
    end
    return found
  end

  --- Hands on what a connection said while nobody knew what it is.
  local function replay(stream, handler)
    local events = stream.events or {}
    stream.sniffing, stream.events, stream.heads = nil, nil, nil
    for _, event in ipairs(events) do
      if event[1] == "chunk" then
        handler:chunk(event[2], event[3], event[4], event[5], event[6])
      else
        handler:gap(table.unpack(event, 2))
      end
    end
  end

  --- It is a start command.
  function C:start(cut)
    local stream = cut.stream
    local handler = stream.handler or js.command_handler(stream)
    stream.role, stream.handler, stream.task = "command", handler, stream.task or cut.task
    if stream.sniffing then replay(stream, handler) end
    handler.task, handler.tasks[#handler.tasks + 1] = cut.task, cut.task
    self.session:command_started(stream, cut.task)
  end

  --- One of those that are fitting has its callback.
  function C:found(task)
    local cut = task.command and task.command.cut
    if cut and cut.task == task and not cut.is_task then self:start(cut) end
  end

  --- The client closes or kills a task on the connection: what was cut off was its start.
  function C:told(stream)
    local cut = stream.cut
    if cut and not cut.is_task then self:start(cut) end
    return cut and cut.task
  end

  --- The callback connections of a cut command, if one pair is possible.
  local function tries_of(cut)
    local tries, talked, key = {}, 0, nil
    for _, stream in ipairs(cut.tries) do
      if is_open_question(stream) then
        if key and key ~= stream.server.key then return {} end
        tries[#tries + 1], key = stream, stream.server.key
        if bytes_of(stream) > 0 then talked = talked + 1 end
      end
    end
    return (talked < 2 and not cut.is_unclear) and tries or {}
  end

  --- The command connection is over: it is that of a task if one pair is possible, or if it tells so itself.
  function C:ended(stream)
    local cut, session = stream.cut, self.session
    if not cut then return end
    local tries = tries_of(cut)
    local is_rejection = cut.is_command and #cut.tries == 0 and js.is_rejected(cut.task)
    if not cut.is_task and (#tries > 0 or cut.is_start or is_rejection) then self:start(cut) end
    self:drop(stream)
    if stream.handler then session:recognised(stream) end
    if cut.task.callback then return end
    for _, one in ipairs(tries) do
      cut.task.port = one.server.port
      session:undecided_no_more(one)
      local events = one.events
      session:attempt(one, cut.task)
      one.events, one.sniffing = events, true
      replay(one, one.handler)
      if one.over then
        one.handler:closed()
        one.handler, one.concerned = nil, { cut.task }
        session:linger(one)
      end
    end
  end

  --- The capture is over.
  function C:settle()
    for index = #self.all, 1, -1 do self:ended(self.all[index].stream) end
  end
end

-- Callbacks that a capture has some milliseconds before their start command (the rules of session/early.py).
do
  local NEWEST = js.python.session_early._NEWEST  -- connections that are kept in mind
  local E = {}
  E.__index = E

  function js.new_early() return setmetatable({ list = {} }, E) end

  --- A connection that nobody waited for.
  function E:note(stream)
    local list = self.list
    list[#list + 1] = stream
    if #list > NEWEST then table.remove(list, 1) end
  end

  --- The answer to its SYN may stand before it: as a connection of its own, that began with a reset.
  function E:take_reset(stream)
    local one, two = stream.client.key, stream.server.key
    for _, other in ipairs(self.list) do
      local from, to = other.client.key, other.server.key
      local between = (from == one and to == two) or (from == two and to == one)
      local sent = between and other.dirs
      local reset = sent and (sent[0].facts.rst or sent[1].facts.rst)
      local is_near = math.abs(other.start - stream.start) <= js.limits.jitter
      if reset and is_near and sent[0].packets + sent[1].packets == 1 then
        local facts = stream.dirs[1].facts
        facts.rst = facts.rst or reset
      end
    end
  end

  --- Those that go to the port which a start command announces, began in the same moment, and did not tell yet what they
  --- are.
  function E:callbacks(task)
    local found = {}
    if not task.start_message or not task.port then return found end
    local target = js.endpoint_key(task.client.ip, task.port)
    for _, stream in ipairs(self.list) do
      local behind = stream.start - task.start_time
      local is_open = not stream.role and not stream.mid_stream and (stream.sniffing or not stream.said)
      if is_open and stream.server.key == target and math.abs(behind) <= js.limits.jitter then found[#found + 1] = stream end
    end
    for _, stream in ipairs(found) do
      js.take_out(self.list, stream)
      self:take_reset(stream)
    end
    return found
  end
end

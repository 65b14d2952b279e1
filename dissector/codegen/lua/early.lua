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
    for _, stream in ipairs(found) do js.take_out(self.list, stream) end
    return found
  end
end

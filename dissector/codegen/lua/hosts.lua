-- Who was heard lately (the rules of session/hosts.py), and what the rules of a judgement leave to Lua.
do
  local rules, py = js.python, js.py

  local H = {}
  H.__index = H
  local NEWEST, MOST = rules.session_hosts._NEWEST, rules.limits.MAX_CONNECTIONS

  function js.new_hosts() return setmetatable({ ends = {}, hosts = js.new_queue() }, H) end

  function H:note(stream)
    local client, server = stream.dirs[0], stream.dirs[1]
    if stream.swapped_dirs then client, server = server, client end
    self:add(stream.server.key, server)
    self:add(stream.server.ip, server)
    self:add(stream.client.ip, client)
  end

  function H:add(key, direction)
    local ends = self.ends[key] or {}
    self.ends[key] = ends
    local is_known = false
    for _, one in ipairs(ends) do is_known = is_known or one == direction end
    if not is_known then ends[#ends + 1] = direction end
    if #ends > NEWEST then table.remove(ends, 1) end
    self.hosts:push(key)
    if self.hosts.size > MOST then
      self.ends[self.hosts:oldest()] = nil
      self.hosts:remove(self.hosts:oldest())
    end
  end

  --- How many ends of other connections sent something since.
  function H:count(key, since, besides)
    local found = 0
    for _, one in ipairs(self.ends[key] or {}) do
      local is_other = one.facts.last_number > 0 and one.facts.last_time >= since
      for _, side in py.each(besides) do is_other = is_other and side.source ~= one end
      if is_other then found = found + 1 end
    end
    return found
  end

  function H:answers(connection, since)
    local server = connection.server
    return self:count(js.endpoint_key(server.ip, server.port), since, py.pack(connection.sides[2]))
  end

  function H:heard(ip, since, ...) return self:count(ip, since, py.pack(...)) > 0 end

  rules.session_hosts.Hosts = { new = js.new_hosts }

  rules.session_tallies.unnamed = function(message) return "object " .. js.hex(message.object_id or ("\0"):rep(8)) end

  rules.places.address_text = function(text) return text end

  rules.session_bodies.error_text = function(message) return message.error_text or "" end

  --- The code of an error: its attribute, else what its text begins with.
  rules.session_start_errors.code_of = function(error)
    if error.code ~= "" then return error.code end
    local text = string.gsub(error.text, "^%s+", "")
    if string.find(text, "^XML%-ERROR") then return "XML-ERROR" end
    local code, rest = string.match(text, "^(%u[%u%d]*[%u%-]*%-[%dA-F]+)(.?)")
    return code and not string.find(rest, "[%w_]") and code or ""
  end

  rules.session_start_errors._is_xml = function(code)
    return string.find(string.gsub(string.gsub(code, "^LIB", ""), "^MS", ""), "^XML%d*%-") ~= nil
  end

  rules.session_start_errors._without_zeros = function(code) return (string.gsub(code, "%-0+(.)", "-%1")) end

  rules.wire_names.error_code = function(code) return js.tables.errors[code] end
end

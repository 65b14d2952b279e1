-- Who answers whom on a callback connection, and what objects and members are called (the rules of session/dialog.py).
do
  local byte, char, lower = string.byte, string.char, string.lower
  local limits = js.limits
  local NULL = "\0\0\0\0\0\0\0\0"
  local OPERATIONS = {
    create_instance = "create_instance", release = "release", query_interface = "query_interface",
    java_query_interface = "query_interface", get_ids_of_names = "get_ids_of_names", invoke = "invoke", call = "call",
    keep_alive = "keep_alive",
  }
  local D = {}
  D.__index = D

  --- `client_side` is the end where the JobScheduler client (the listener) is.
  function js.dialog(client_side, stream)
    return setmetatable({ stream = stream, client_side = client_side, stack = {}, learnt = {}, keys = {}, objects = {}, count = 0 }, D)
  end

  --- A frame as a message; an answer also fills in `answer` of its `request`.
  function D:feed(side, data, packets, time, at)
    local class = byte(data)
    -- So many fields are named here that the table is made in its size.
    local message = {
      side = side, class = class, time = time, at = at, size = #data + 4, depth = 0, kind = nil, operation = nil,
      object_id = nil, object = nil, member = nil, number = nil, stream = nil, info = nil, answer = nil, dispid = nil,
    }
    if packets then message.packets = packets end
    if not at then message.raw = data end
    local body
    if class == 0x53 or class == 0x4F or class == 0x4B then
      body = self:request(message, data)
    elseif class == 0x41 or class == 0x45 then
      body = self:answer(message, data)
    else
      self:outsider(message, data)
    end
    return message, body
  end

  function D:request(message, data)
    local stack = self.stack
    local top = stack[#stack]
    -- Nobody asks twice without an answer in between: where bytes were lost, it was among them.
    if top and top.side == message.side and self.stream.has_gaps then stack[#stack] = nil end
    message.kind, message.depth = message.class == 0x4B and "keep_alive" or "request", #stack
    local found, failure = js.read(data, nil, 0)
    local body = found and found.body
    if not body then
      message.kind, message.note = "undecoded", failure
    else
      if found.trailing > 0 then message.trailing = found.trailing end
      message.operation = OPERATIONS[body.record]
      message.count = (body.iids and #body.iids) or (body.names and #body.names) or nil
      self:name(message, body, found.object_id)
      self:learn_objects(body)
    end
    if #stack >= limits.dialog_depth then table.remove(stack, 1) end
    stack[#stack + 1] = message
    return body
  end

  --- The JSON frame that opens the connection of a task process of releases 1.10+, and whatever is no message.
  function D:outsider(message, data)
    message.kind = "undecoded"
    if string.find(data, '^{%s*"tunnelToken"%s*:') then
      message.tunnel_token, message.operation = true, "tunnel_token"
    else
      message.note = string.format("unknown message class %d", message.class)
    end
  end

  function D:name(message, body, object_id)
    if object_id then
      message.object_id = object_id
      message.object = self.objects[object_id]
    end
    local kind = body.record
    if kind == "invoke" then
      message.dispid = body.dispid
      message.member = self:member(object_id, body)
      if js.has_secret_name(body.params) then message.secret = true end
    elseif kind == "call" then
      message.member = body.name
      if lower(body.name) == "begin" then self:learn_names(body) end
    elseif kind == "get_ids_of_names" then
      message.member, message.names = body.names[1], body.names
    end
    if message.member and js.names_a_secret(message.member) and kind == "invoke" then message.secret = true end
  end

  --- What was seen on the connection wins over the tables.
  function D:member(object_id, body)
    local key = self.keys[object_id]
    local learnt = self.learnt[object_id .. body.dispid] or (key and self.learnt[key .. body.dispid])
    if learnt then return learnt end
    return key and js.member_name(key, body.dispid, body.flags) or nil
  end

  function D:answer(message, data)
    local request, known = self:pop(message.side)
    message.kind = message.class == 0x45 and "error" or "answer"
    if request then
      request.answer = message
      message.request, message.depth, message.operation = request, request.depth, request.operation
      message.member = request.member
      if request.dispid then message.dispid = request.dispid end
      if request.secret then message.secret = true end
      message.object_id, message.object = request.object_id, request.object
    end
    known = request and request.kind ~= "undecoded"
    if not known and message.class == 0x41 then
      message.kind = "undecoded"
      message.note = request and "answer to a request that could not be decoded" or "answer without its request"
      return nil
    end
    local found, failure = js.read(data, known and request.operation or nil, known and request.count or 0)
    local body = found and found.body
    if not body then
      message.kind, message.note = "undecoded", failure
      return nil
    end
    if found.trailing > 0 then message.trailing = found.trailing end
    message.hresult = body.hresult
    self:learn_objects(body)
    if body.dispids and request.names then self:learn_members(request, body.dispids) end
    return body
  end

  function D:pop(side)
    local stack = self.stack
    for index = #stack, 1, -1 do
      if stack[index].side ~= side then
        local entry = stack[index]
        for above = #stack, index, -1 do stack[above] = nil end
        return entry
      end
    end
    return nil
  end

  -- --- names ---

  function D:learn_members(request, dispids)
    if self.count >= limits.objects then return end
    local id, key, learnt = request.object_id, self.keys[request.object_id], self.learnt
    for index = 1, math.min(#request.names, #dispids) do
      local name, dispid = request.names[index], dispids[index]
      -- Names are matched without case: the first spelling that was looked up stays.
      if not learnt[id .. dispid] then
        learnt[id .. dispid] = name
        self.count = self.count + 1
      end
      if key and not learnt[key .. dispid] then learnt[key .. dispid] = name end
    end
    request.names = nil
  end

  --- `begin(objects, names)`: two arrays of equal order give the objects their names.
  function D:learn_names(begin)
    local arguments = js.natural(begin.params)
    local objects, names = arguments[1] and arguments[1].value, arguments[2] and arguments[2].value
    if type(objects) ~= "table" or type(names) ~= "table" or type(objects.elements) ~= "table"
        or type(names.elements) ~= "table" then
      return
    end
    for index = 1, math.min(#objects.elements, #names.elements) do
      local reference, name = objects.elements[index], names.elements[index]
      if type(reference) == "table" then reference = reference.value end
      if type(name) == "table" then name = name.value end
      if type(reference) == "table" and reference.object_id and type(name) == "string" then self:learn(reference, name) end
    end
  end

  --- Every reference inside a body, by a walk that only enters what can hold one.
  function D:learn_objects(body)
    local kind = body.record
    if kind == "invoke" or kind == "call" then
      for _, one in ipairs(body.params.arguments) do self:learn_variant(one) end
    elseif kind == "invoke_answer" or kind == "call_answer" then
      if body.result then self:learn_variant(body.result) end
    elseif kind == "create_instance_answer" then
      for _, one in ipairs(body.results or {}) do self:learn(one.object, nil) end
    elseif kind == "query_interface_answer" then
      if body.object then self:learn(body.object, nil) end
    end
  end

  function D:learn_variant(variant)
    local value = variant.value
    if type(value) ~= "table" then return end
    if value.object_id then
      self:learn(value, nil)
    elseif value.element_vt == 12 then
      for _, one in ipairs(value.elements) do self:learn_variant(one) end
    end
  end

  function D:learn(reference, name)
    local id, new = reference.object_id, reference.new
    if id == NULL then return end
    local known = self.objects[id]
    if not known then
      if self.count >= limits.objects then return end
      self.count = self.count + 1
    end
    local old_name, class = known and known.name, known and known.class
    name = name or old_name
    if new or name ~= old_name then
      local key = js.class_key(new and new.title or class or "", new and new.proxy_clsid, name) or self.keys[id]
      self.keys[id] = key
      local title = class
      if new then title = new.title ~= "" and new.title or nil end
      class = title or class or key
    end
    self.objects[id] = { name = name, class = class }
    if new then
      for _, property in ipairs(new.properties) do self:learn_variant(property.value) end
    end
  end
end

-- Who answers whom on a callback connection (the rules of session/dialog.py).
do
  local byte, sub, lower = string.byte, string.sub, string.lower
  local limits = js.limits
  local NULL = "\0\0\0\0\0\0\0\0"
  local OPERATIONS = {
    create_instance = "create_instance", release = "release", query_interface = "query_interface",
    java_query_interface = "query_interface", get_ids_of_names = "get_ids_of_names", invoke = "invoke", call = "call",
    keep_alive = "keep_alive",
  }
  local D = {}
  D.__index = D
  js.Dialog = D

  --- `client_side` is the end where the JobScheduler client (the listener) is.
  function js.dialog(client_side, stream)
    return setmetatable({ stream = stream, client_side = client_side, stack = {}, learnt = {}, keys = {}, objects = {}, count = 0 }, D)
  end

  --- A frame, from index `start` of `data` on, as a message; an answer also fills in `answer` of its `request`.
  --- What an answer has in common with its request is found there: see `js.about`.
  function D:feed(side, data, start, time, at)
    local class, size = byte(data, start), #data + 5 - start
    local message, body
    -- All fields that most messages have are named, so that the tables are made in their size.
    if class == 0x41 or class == 0x45 then
      message = {
        side = side, class = class, time = time, at = at, size = size, kind = nil, request = nil, hresult = nil,
        number = nil, stream = nil, info = nil,
      }
      body = self:answer(message, data, start)
    else
      message = {
        side = side, class = class, time = time, at = at, size = size, depth = 0, kind = nil, operation = nil,
        object_id = nil, object = nil, member = nil, dispid = nil, number = nil, stream = nil, info = nil, answer = nil,
      }
      if class == 0x53 or class == 0x4F or class == 0x4B then
        body = self:request(message, data, start)
      else
        self:outsider(message, sub(data, start))
      end
    end
    if not at then message.raw = sub(data, start) end
    return message, body
  end

  --- The first bytes of an invoke or call as a whole message that has no arguments; others as they are.
  local function without_arguments(head)
    local command = byte(head, 1) == 0x4F and byte(head, 10)
    local last = command == 0x49 and 38
    if command == 0x41 and #head >= 14 then
      local a, b, c, d = byte(head, 11, 14)
      last = 14 + ((a * 256 + b) * 256 + c) * 256 + d
    end
    return last and last <= #head and sub(head, 1, last) .. NULL or head
  end

  --- A message that is too long to be decoded, in its place.
  function D:skipped(side, long, time)
    local message = self:feed(side, without_arguments(long.head), 1, time, nil)
    message.kind, message.raw, message.note, message.size = "undecoded", "", long.reason, long.size + 4
    message.skipped, message.trailing, message.hresult = true, nil, nil
    return message
  end

  --- The message that tells operation, object, member, depth and so on: for an answer its request.
  function js.about(message) return message.request or message end

  function D:request(message, data, start)
    local stack = self.stack
    local top = stack[#stack]
    -- Nobody asks twice without an answer in between: where bytes were lost, or the capture began late, it was among them.
    if top and top.side == message.side and (self.stream.has_gaps or self.stream.mid_stream) then stack[#stack] = nil end
    message.kind, message.depth = message.class == 0x4B and "keep_alive" or "request", #stack
    local body, failure, object_id = js.read(data, start)
    if not body then
      message.kind, message.note = "undecoded", failure
    else
      if body.trailing then message.trailing = body.trailing end
      message.operation = OPERATIONS[body.record]
      local asked = body.iids or body.names
      if asked then message.count = #asked end
      self:name(message, body, object_id)
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
      message.note = select(2, js.read(data, 1))
    end
  end

  function D:name(message, body, object_id)
    if object_id then message.object_id, message.object = object_id, self.objects[object_id] end
    local kind = body.record
    if kind == "invoke" then
      message.dispid = body.dispid
      message.member = self:member(object_id, body)
    elseif kind == "call" then
      message.member = body.name
      if lower(body.name) == "begin" then self:learn_names(body) end
    elseif kind == "get_ids_of_names" then
      message.member, message.names = body.names[1], body.names
    end
    local member, params = message.member, body.params
    if (params and js.has_secret_name(params)) or (member and js.looks_secret(member)) then message.secret = true end
  end

  --- What was seen on the connection wins over the tables.
  function D:member(object_id, body)
    local key = self.keys[object_id]
    local of_object, of_class = self.learnt[object_id], key and self.learnt[key]
    return of_object and of_object[body.dispid] or of_class and of_class[body.dispid]
      or key and js.member_name(key, body.dispid, body.flags) or nil
  end

  --- True for a request that tells how its answer is read.
  function js.is_known(request) return request.kind ~= "undecoded" or (request.skipped and request.operation ~= nil) end

  --- What an answer says.  The same short ones come again and again: they are read once.
  local function read_answer(data, start, request)
    local operation, count = request and request.operation or "error", request and request.count
    local is_alone = #data - start < limits.short and (count == nil or count == 1)
    local bytes = is_alone and sub(data, start)
    local known = is_alone and js.session.answers[operation]
    if known and known[bytes] then return known[bytes] end
    local body, failure = js.read(data, start, operation, count)
    if is_alone and body then js.session:remember_answer(operation, bytes, body) end
    return body, failure
  end

  function D:answer(message, data, start)
    local request = self:pop(message.side)
    message.kind, message.request = message.class == 0x45 and "error" or "answer", request
    if request then request.answer = message end
    local known = request and js.is_known(request)
    if not known and message.class == 0x41 then
      message.kind = "undecoded"
      message.note = request and "answer to a request that could not be decoded" or "answer without its request"
      return nil
    end
    local body, failure = read_answer(data, start, known and request)
    if not body then
      message.kind, message.note = "undecoded", failure
      return nil
    end
    if body.trailing then message.trailing = body.trailing end
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
    -- To what was asked before the capture began, and before all of them.
    if self.stream.mid_stream then self.stack = {} end
    return nil
  end
end

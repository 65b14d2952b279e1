-- What trees are drawn with: generated items, expert information, links to other packets, a message's bytes.
do
  local floor = math.floor
  local F, X = js.fields, js.experts

  local function generated(node, field, value)
    if value == nil then return nil end
    local item = node:add(field, value)
    item:set_generated()
    return item
  end

  local function expert(item, code, text, longest)
    local one = X[code]
    if one then item:add_proto_expert_info(one, js.line_utf8(text, longest or 200)) end
  end

  local words = js.problem_words

  --- What a packet proves to be wrong with a task; true when there is something.
  local function draw_problems(parent, number, told)
    local problems = js.session:problems_at(number)
    for _, one in ipairs(problems) do
      local item = generated(parent, F.problem, one.code)
      generated(item, F.problem_summary, words(one.summary))
      if one.cause ~= "" then generated(item, F.problem_cause, words(one.cause)) end
      if one.remedy ~= "" then generated(item, F.problem_remedy, words(one.remedy)) end
      local is_usual = js.python.session_codes.CODES.map[one.code][2].severity == one.severity
      expert(item, is_usual and one.code or "remark", words(one.summary) .. " Cause: " .. words(one.cause), 500)
      if told then told[one.code] = true end
    end
    return #problems > 0
  end


  --- A packet of TCP's own, or an ICMP error about one: whose it is, and what it proves.
  function js.draw_own(stream, pinfo, tree)
    js.look(tree, pinfo)
    if not js.wanted or not stream.task then return end
    local session = js.session
    -- A connection that was refused a moment ago may be that of somebody who waits for the port to open.
    if session.is_first_pass and session.failed:has(stream.task) then return end
    local item = generated(tree, F.task, session:number(stream.task))
    draw_problems(item or tree, session:packet_at(pinfo))
  end

  local function relative_time(nanoseconds)
    -- Both parts have the same sign: an answer may have been captured before its request.
    local whole = nanoseconds < 0 and -floor(-nanoseconds / 1e9) or floor(nanoseconds / 1e9)
    return NSTime.new(whole, nanoseconds - whole * 1e9)
  end

  --- Links to the other messages of the dialog, and to the other connection of the task.
  local function links(node, message)
    local task = message.task or (not message.document and message.stream.task) or nil
    generated(node, F.task, js.session:number(task))
    if message.request then
      generated(node, F.request_in, js.session:shown(message.request.number))
      generated(node, F.time, relative_time(message.time - message.request.time))
    end
    if message.answer then generated(node, F.response_in, js.session:shown(message.answer.number)) end
    if not task then return end
    if message.document then
      if task.callback and message == task.start_message then
        generated(node, F.callback_in, js.session:shown(task.callback.first_packet))
      end
    elseif task.start_message then
      generated(node, F.command_in, js.session:shown(task.start_message.number))
    end
  end

  local function segments(node, message)
    if not message.packets or (#message.packets < 2 and message.packets[1] == message.number) then return end
    for index = 1, math.min(#message.packets, 64) do
      generated(node, F.segment, js.session:shown(message.packets[index]))
    end
  end

  --- Gives `range(offset, size)` over a message's bytes, from the packet or put together from several.
  local function bytes_of(message, payload, title)
    if message.at and payload then
      local base = message.at
      return function(offset, size) return payload(base + offset, size) end
    end
    local raw = message.raw or ""
    if not message.document and not message.headless then
      local n = #raw
      local d = n % 256
      local c, b, a = floor(n / 256) % 256, floor(n / 65536) % 256, floor(n / 16777216) % 256
      raw = string.char(a, b, c, d) .. raw
    end
    if raw == "" then return nil end
    local tvb = ByteArray.new(raw, true):tvb(title)
    return function(offset, size) return tvb(offset, size) end
  end

  js.drawing = {
    generated = generated, expert = expert, links = links, segments = segments, bytes_of = bytes_of, problems = draw_problems,
  }
end

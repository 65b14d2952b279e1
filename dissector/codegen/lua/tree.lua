-- Draws what was written down about a packet: Info column, trees, expert information.
do
  local format, find, floor = string.format, string.find, math.floor
  local F, X = js.fields, js.experts
  local xml_dissector = Dissector.get("xml")

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

  js.draw_problems = draw_problems

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

  js.draw_segments = segments

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

  -- --- frames ---

  local function draw_words(node, message, body)
    if not body then return end
    local secret = js.about(message).secret
    local veil = secret and js.veil(body, secret)
    local level, text = js.log_call(message, body)
    if level and not message.stream.is_copy then  -- the task's log has it once
      generated(node, F.log_level, level)
      generated(node, F.log_text, js.shown(text, veil))
    end
    if body.params then
      for _, one in ipairs(js.natural(body.params)) do
        generated(node, F.argument, js.value_text(one, veil, 1000))
      end
    end
    if body.record ~= "error_answer" and (body.result or body.dispids or body.results or body.object) then
      generated(node, F.result, js.result_words(body, veil))
    end
  end

  --- What an answer is read with.
  local function asked(message)
    local request = message.request
    if request and js.is_known(request) then return request.operation, request.count end
  end

  --- Bytes in front of what is decoded: a message in the body of a request over HTTP has no length of its own.
  local function header_of(message) return message.headless and 0 or 4 end

  --- What the Info column says; the body is at hand only with the packet that completed the message.
  local function words_of(message, payload)
    if not message.info then
      local body
      if js.session.fresh == message then body = js.session.fresh_body end
      if not body and message.kind ~= "undecoded" then
        local header = header_of(message)
        local raw = message.raw or (payload and payload(message.at + header, message.size - header):raw())
        body = raw and js.read(raw, 1, asked(message))
      end
      message.info = js.info(message, body)
    end
    return message.info
  end

  local function has_failed(message)
    return message.hresult and message.hresult >= 2147483648 and js.about(message).operation ~= "query_interface"
  end

  --- True when there is something to warn of.
  local function has_expert(message)
    local kind = message.kind
    if kind == "request" then return message.trailing end
    return kind == "undecoded" or kind == "error" or message.trailing or has_failed(message)
  end

  local function draw_frame(tree, message, payload)
    words_of(message, payload)
    local whole, root
    if message.skipped then
      root = tree:add(js.proto, "JobScheduler")
    elseif message.at and payload and message.size == payload:len() then
      root = tree:add(js.proto, payload)
    else
      whole = bytes_of(message, payload, "Reassembled JobScheduler frame")
      root = tree:add(js.proto, whole(0, message.size))
    end
    local about, body = js.about(message), nil
    if js.wanted then
      root:set_text("JobScheduler " .. message.info)
      whole = whole or bytes_of(message, payload)
      local header = header_of(message)
      local raw = message.raw or whole(header, message.size - header):raw()
      local range = function(offset, size) return whole(header + offset, size) end
      if not (message.skipped or message.headless) then root:add(F.length, whole(0, 4)) end
      if message.skipped then
        body = nil
      elseif message.tunnel_token then
        root:add(F.tunnel_token, range(0, #raw), js.shown(raw))
      else
        local operation, count = asked(message)
        local veil
        if message.kind == "undecoded" then
          veil = (about.secret or js.is_opaque(raw)) and js.veil_of_all or nil
        elseif about.secret or js.may_hold_secret(raw) then
          veil = js.veil(js.read(raw, 1, operation, count), about.secret)
        end
        body = js.read_into(root, range, raw, operation, count, js.shown, veil)
      end
      generated(root, F.role, "callback")
      generated(root, F.kind, message.kind)
      generated(root, F.operation, about.operation)
      if about.object_id then
        generated(root, F.object_id_of, js.uint64(about.object_id))
        local object = about.object
        generated(root, F.object_name, object and object.name and js.utf8(object.name))
        generated(root, F.object_class, object and object.class and js.utf8(object.class))
      end
      generated(root, F.member, about.member and js.utf8(about.member))
      generated(root, F.dispid_of, about.dispid)
      generated(root, F.hresult_of, message.hresult)
      generated(root, F.depth, about.depth or 0)
      draw_words(root, message, body)
      links(root, message)
      segments(root, message)
      generated(root, F.note, message.note)
    end
    if message.kind == "undecoded" and not message.tunnel_token then
      expert(root, "undecoded_frame", message.note or "undecoded")
    end
    if message.trailing then expert(root, "trailing_bytes", js.python.numbers.count(message.trailing, "byte") .. " left over behind the message") end
    if message.kind == "error" then expert(root, "error_answer", message.info) end
    if has_failed(message) then expert(root, "failed_hresult", message.info) end
    return root
  end
  js.draw_frame = draw_frame

  -- --- documents ---

  local function draw_document(tree, message, payload, pinfo)
    local whole = bytes_of(message, payload, "Reassembled JobScheduler document")
    if not whole then return nil end
    local range = whole(0, message.size)
    local data = message.raw or range:raw()
    local document = message.side == 0 and js.parse_command(data) or js.parse_answer(data)
    local root = tree:add(js.proto, range, "JobScheduler ", message.info)
    root:add(F.xml_text, range, (js.masked(document.text)))
    generated(root, F.role, "command")
    generated(root, F.kind, message.kind)
    generated(root, F.operation, message.operation)
    generated(root, F.xml_form, document.form)
    generated(root, F.xml_element, document.element)
    for index = 1, math.min(#document.attributes, 100) do
      local one = document.attributes[index]
      generated(root, F.xml_attribute, one[1] .. "=" .. js.attribute(one, document.attributes))
    end
    if document.error then
      generated(root, F.xml_error_code, document.error.code)
      generated(root, F.xml_error_text, js.masked(document.error.text))
      expert(root, "xml_error", document.error.code .. "  " .. js.masked(document.error.text))
    end
    links(root, message)
    segments(root, message)
    generated(root, F.note, message.note)
    if message.is_broken then expert(root, "xml_broken", message.note or "broken") end
    -- Wireshark's own tree of the XML shows everything, so not where something is masked or a terminal would obey it.
    local is_harmless = not find(data, "[\1-\8\11\12\14-\31\127-\159\173]")
    if is_harmless and xml_dissector and document.form == "xml" and root.visible and js.masked(document.text) == document.text then
      xml_dissector:call(range:tvb(), pinfo, root)
    end
    return root
  end

  -- --- packets ---

  local function part_words(message)
    local number = js.session:shown(message.number)
    return number and format("part of the message that is complete in packet %d", number) or "part of a message"
  end

  local function draw_part(tree, entry, payload)
    local root
    if payload then root = tree:add(js.proto, payload, "JobScheduler") else root = tree:add(js.proto, "JobScheduler") end
    generated(root, F.role, entry.stream.role)
    generated(root, F.task, js.session:number(entry.stream.task))
    for _, message in ipairs(entry.parts or {}) do
      generated(root, F.reassembled_in, js.session:shown(message.number))
      root:append_text(", " .. part_words(message))
    end
    return root
  end

  --- True when somebody looks at fields of ours: the tree is shown, or a filter, a column or a tap asks for one.
  local function is_wanted(tree)
    if tree.visible then return true end
    for _, field in pairs(F) do
      if tree:referenced(field) then return true end
    end
    return false
  end

  local session, pass, has_tree, has_columns
  local own  -- not known before Wireshark has registered it

  --- Finds out what is asked for: the same for all packets of a pass in tshark, so there it is done once.
  local function find_out(tree, pinfo)
    session, pass, js.wanted = js.session, js.session.is_first_pass, is_wanted(tree)
    own = own or Dissector.get("jobscheduler")
    has_tree = js.wanted or tree:referenced(own)
    has_columns = tostring(pinfo.cols.info) ~= "(info)"
    -- A tshark that prints a line for each packet in its first pass, and no tree, never comes back to a packet.
    session.is_passing = pass and has_columns and not has_tree and not js.is_gui and not js.proto.prefs.task_table
    session.is_lending = session.is_passing and not tree:referenced(Dissector.get("data"))
  end

  function js.look(tree, pinfo)
    if js.is_gui or session ~= js.session or pass ~= session.is_first_pass then find_out(tree, pinfo) end
  end

  --- Fills the columns for a packet of which nobody wants to see more; false when there is more to be done, for `js.draw`.
  function js.glance(entry, pinfo, tree)
    if js.is_gui or session ~= js.session or pass ~= session.is_first_pass then find_out(tree, pinfo) end
    if has_tree or not entry.class or has_expert(entry) then return false end
    if not has_columns then return true end
    local info = entry.info
    if not info then
      if session.fresh ~= entry then return false end
      info = js.info(entry, session.fresh_body)
      if not session.is_passing then entry.info = info end
    end
    local columns = pinfo.cols
    columns.protocol, columns.info = "JobScheduler", info
    return true
  end

  --- Those of an entry's problems that are shown with its packet.
  local function here(problems, pinfo)
    if not problems or not pinfo.visited then return problems end
    local found = {}
    for _, one in ipairs(problems) do
      if not one.is_late then found[#found + 1] = one end
    end
    return #found > 0 and found or nil
  end

  --- Draws a packet, after `js.glance`.
  function js.draw(entry, pinfo, tree, payload)
    local infos, first = {}, nil  -- of the Info column
    for _, late in ipairs(not pinfo.visited and entry.late or {}) do
      first = (late.document and draw_document or draw_frame)(tree, late, nil, pinfo) or first
      infos[#infos + 1] = late.info
    end
    local message, more = entry.size and entry or entry.message, 0
    while message do
      local root
      if message.document then
        root = draw_document(tree, message, payload, pinfo)
      else
        root = draw_frame(tree, message, payload)
      end
      first = first or root
      if #infos < 8 then infos[#infos + 1] = message.info end
      more = more + 1
      message = entry.more and entry.more[more]
    end
    local problems, told = here(entry.problems, pinfo), {}
    if not first and (payload or problems) then first = draw_part(tree, entry, payload) end
    if js.wanted and first then draw_problems(first, js.session:packet_at(pinfo), told) end
    for index = 1, problems and #problems or 0 do
      if not told[problems[index].code] then expert(first, problems[index].code, problems[index].text) end
      if #infos < 8 then infos[#infos + 1] = problems[index].text end
    end
    if #infos == 0 and payload then
      local part = entry.parts and entry.parts[1]
      infos[1] = part and part_words(part) or "part of a message"
    end
    local columns = pinfo.cols
    if entry.stream.is_http and entry.stream.role ~= "callback" then
      -- Wireshark's own words for HTTP, which have the query.
      local info = tostring(columns.info)
      local masked = js.masked(info)
      if masked ~= info then
        columns.info:clear_fence()
        columns.info = masked
      end
    elseif #infos > 0 then
      columns.protocol = "JobScheduler"
      columns.info = #infos == 1 and infos[1] or table.concat(infos, " | ")
    end
  end
end

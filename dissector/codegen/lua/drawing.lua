-- Draws what was written down about a packet: Info column, trees, expert information.
do
  local format, F, D = string.format, js.fields, js.drawing
  local generated, expert = D.generated, D.expert

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
    if has_tree or not entry.class or D.has_expert(entry) then return false end
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
      first = (late.document and D.document or D.frame)(tree, late, nil, pinfo) or first
      infos[#infos + 1] = late.info
    end
    local message, more = entry.size and entry or entry.message, 0
    while message do
      local root
      if message.document then
        root = D.document(tree, message, payload, pinfo)
      else
        root = D.frame(tree, message, payload)
      end
      first = first or root
      if #infos < 8 then infos[#infos + 1] = message.info end
      more = more + 1
      message = entry.more and entry.more[more]
    end
    local problems, told = here(entry.problems, pinfo), {}
    if not first and (payload or problems) then first = draw_part(tree, entry, payload) end
    if js.wanted and first then D.problems(first, js.session:packet_at(pinfo), told) end
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

-- What a connection carries, told from its first bytes in both directions (the rules of session/detect.py).
do
  local byte, sub, find, match = string.byte, string.sub, string.find, string.match
  local EPHEMERAL, START_ALONE = js.python.session_detect._EPHEMERAL, js.python.session_detect._START_ALONE
  local CREATE, TUNNEL = "S\0\0\0\0\0\0\0\0C", '{"tunnelToken"'

  local function behind_prolog(text)
    text = match(text, "^%s*(.*)$")
    local prolog = match(text, "^<%?xml[^>]*%?>%s*")
    if prolog and #prolog < 300 then text = sub(text, #prolog + 1) end
    return text
  end

  local function is_engine_command(text)
    text = behind_prolog(text)
    return find(text, "^<remote_scheduler%.") or find(text, "^<register_remote_scheduler") or find(text, "^<supervisor%.")
  end

  local function is_engine_answer(text)
    local _, behind = find(text, "^HTTP/1%.[01] %d%d%d.-\r\n\r\n")
    if behind then text = sub(text, behind + 1) end
    return find(behind_prolog(text), "^<spooler>%s*<answer[%s>/]")
  end

  local function may_be_xml(text)
    return find(text, "^%s*$") or find(text, "^%s*<$") or find(text, "^%s*<[?!%a_]")
  end

  local START = "<remote_scheduler.start_remote_task"

  local function cut_off_text(head)
    local text = behind_prolog(head)
    return #text <= 205 and match(text, "^<%?xml[^>]*$") and "" or text
  end

  --- True when a document, cut off behind `head`, can be a start command.
  function js.may_start(head)
    local text = cut_off_text(head)
    return sub(START, 1, #text) == sub(text, 1, #START) or sub("<?xml", 1, #text) == text
  end

  --- True when such a document can be nothing else.
  function js.is_start(head) return #cut_off_text(head) >= START_ALONE and js.may_start(head) end

  --- True when one of the two sends what is certainly a command to the other, or its answer.
  local function commands(client, server) return is_engine_command(client) or is_engine_answer(server) end

  --- "command", "unknown" or nil (not clear yet).
  local function command(client, server, is_command_port)
    if is_engine_command(client) or is_engine_answer(server) then return "command" end
    if find(client, "^%u%u%u%u?%u?%u?%u?%u? [^ ]*/jobscheduler/") then return "command" end
    local said = find(client, "%S")
    if is_command_port then
      if said and find(client, "^[%s\4]*[<%a]") or find(client, "^[%s]*\4+[%s\4]*$") then return "command" end
      return said and "unknown" or nil
    end
    if not may_be_xml(client) or (server ~= "" and not may_be_xml(server)) then return "unknown" end
    if #match(server, "^%s*(.*)$") > 256 then return "unknown" end
    return nil
  end

  local function may_begin(head, start)
    local two = sub(head, 1, 2)
    local rest = sub(head, 5, 4 + #start)
    return (two == "" or two == "\0" or two == "\0\0") and sub(start, 1, #rest) == rest
  end

  local function is_dialog(head)
    local position, requests = 0, 0
    while position < #head do
      if not js.plausible_frame(head, position) then return false end
      local a, b, c, d, class = byte(head, position + 1, position + 5)
      local stop = position + 4 + ((a * 256 + b) * 256 + c) * 256 + d
      if (class == 0x4F or class == 0x53) and stop <= #head then requests = requests + 1 end
      position = stop
    end
    return requests > 0
  end

  local function is_frames(head)
    local position = 0
    while position < #head and js.plausible_frame(head, position) do
      local a, b, c, d = byte(head, position + 1, position + 4)
      if not d then return true end
      position = position + 4 + ((a * 256 + b) * 256 + c) * 256 + d
    end
    return position >= #head
  end

  local function callback(client, server, mid_stream)
    if sub(server, 5, 4 + #CREATE) == CREATE or sub(client, 5, 4 + #TUNNEL) == TUNNEL then return "callback" end
    if mid_stream then
      if is_dialog(client) or is_dialog(server) then return "callback" end
      return #client + #server >= js.limits.sniff and "unknown" or nil
    end
    if client ~= "" and server == "" and is_dialog(client) then return "callback" end  -- captured in one direction only
    local may_be = may_begin(server, CREATE) and (may_begin(client, TUNNEL) or (server == "" and is_frames(client)))
    return not may_be and "unknown" or nil
  end

  local AGENT_HEADERS = { "\r\nX%-JobScheduler%-%u", "\r\nServer: spray%-can/" }

  --- True for the API of a Universal Agent, which is left to Wireshark's own dissector of HTTP (agents.lua).
  local function is_agent(client, server, mid_stream)
    local REQUEST = "%u%u%u%u?%u?%u?%u?%u? [^ ]*/jobscheduler/agent/api[/ ?]"
    if find(client, "^" .. REQUEST) then return true end
    local is_classic = find(server, "\r\nContent-Type: text/xml", 1, true)
    for _, head in ipairs(mid_stream and not is_classic and { client, server } or {}) do
      if find(head, REQUEST) or find(head, AGENT_HEADERS[1]) or find(head, AGENT_HEADERS[2]) then return true end
    end
    return false
  end

  --- "command", "callback", "unknown" (none of ours) or nil (not clear yet).
  function js.verdict(client, server, is_command_port, mid_stream)
    if is_agent(client, server, mid_stream) then return "unknown" end
    if mid_stream and commands(server, client) then return "command" end
    local one, other = command(client, server, is_command_port), callback(client, server, mid_stream)
    if one == "command" or other == "callback" then return one == "command" and one or other end
    local full = #client >= js.limits.sniff or #server >= js.limits.sniff
    if full or (one == "unknown" and other == "unknown") then return "unknown" end
    return nil
  end

  -- Requests of one end only: the client creates and calls, the task process looks up, invokes and keeps alive.
  local function is_schedulers(class, order) return class == 0x53 or (class == 0x4F and order == 0x41) end
  local function is_task_process(class, order, head, position)
    if class == 0x41 then
      return find(sub(head, position + 18, position + 112), "<process.result", 1, true) ~= nil
    end
    return class == 0x4B or (class == 0x4F and (order == 0x49 or order == 0x47 or order == 0x51))
  end

  --- True when one of the whole plausible frames from the first byte on is such a request.
  local function sends(head, is_one)
    local position = 0
    while position < #head and js.plausible_frame(head, position) do
      local a, b, c, d, class = byte(head, position + 1, position + 5)
      if is_one(class, byte(head, position + 14), head, position) then return true end
      position = position + 4 + ((a * 256 + b) * 256 + c) * 256 + d
    end
    return false
  end

  --- True when the ends of a connection without SYN were guessed the wrong way round.
  function js.swapped(client, server)
    if sends(client, is_task_process) or sends(server, is_schedulers) or commands(client, server) then return false end
    if commands(server, client) then return true end
    return sends(client, is_schedulers) or sends(server, is_task_process)
  end

  --- True when of a connection without a SYN `other` is most likely the port that listens: a known command port, or the one
  --- in the callback range, which the engine uses from its upper end down; else the lower one.
  function js.listens(port, other)
    local is_command = js.in_ranges(js.command_ports, other)
    if js.in_ranges(js.command_ports, port) ~= is_command then return is_command end
    local mine, others = js.in_ranges(js.callback_ports, port), js.in_ranges(js.callback_ports, other)
    if mine and others then return other >= port end
    if (mine or others) and math.min(port, other) >= EPHEMERAL then return others end
    return port >= other
  end

  --- True when the first bytes from the calling end can not begin an answer, a keep-alive or a tunnel token: none has 16 MiB.
  function js.is_foreign(data)
    local class = byte(data, 5)
    return byte(data) > 0 or (class ~= nil and class ~= 0x41 and class ~= 0x45 and class ~= 0x4B and class ~= 0x7B)
  end
end

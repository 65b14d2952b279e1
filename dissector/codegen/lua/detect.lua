-- What a connection carries, told from its first bytes in both directions (the rules of session/detect.py).
do
  local byte, sub, find, match = string.byte, string.sub, string.find, string.match
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
    return find(behind_prolog(text), "^<spooler>%s*<answer[%s>/]")
  end

  local function may_be_xml(text)
    return find(text, "^%s*$") or find(text, "^%s*<$") or find(text, "^%s*<[?!%a_]")
  end

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

  local function callback(client, server, mid_stream)
    if sub(server, 5, 4 + #CREATE) == CREATE or sub(client, 5, 4 + #TUNNEL) == TUNNEL then return "callback" end
    if mid_stream then
      if is_dialog(client) or is_dialog(server) then return "callback" end
      return #client + #server >= js.limits.sniff and "unknown" or nil
    end
    return not (may_begin(server, CREATE) and may_begin(client, TUNNEL)) and "unknown" or nil
  end

  --- "command", "callback", "unknown" (none of ours) or nil (not clear yet).
  function js.verdict(client, server, is_command_port, mid_stream)
    local one, other = command(client, server, is_command_port), callback(client, server, mid_stream)
    if one == "command" or other == "callback" then return one == "command" and one or other end
    local full = #client >= js.limits.sniff or #server >= js.limits.sniff
    if full or (one == "unknown" and other == "unknown") then return "unknown" end
    return nil
  end

  local function drives(head)
    local class = byte(head, 5)
    return class == 0x53 or (class == 0x4F and byte(head, 14) == 0x41)
  end

  --- True when the end taken for the task process sends what only the JobScheduler client sends.
  function js.swapped(client, server)
    return drives(client) and not drives(server)
  end

  --- True when the first bytes from the calling end can not begin an answer frame or a tunnel token.
  function js.is_foreign(data)
    local class = byte(data, 5)
    return byte(data) > 0x3E or (class ~= nil and class ~= 0x41 and class ~= 0x45 and class ~= 0x7B)
  end
end

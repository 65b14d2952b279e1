-- Fields with fixed names, preferences and expert information; the grammar's own fields are generated above.
do
  local P = "jobscheduler."
  local F = js.fields

  F.length = ProtoField.int32(P .. "length", "Length", base.DEC, nil, nil, "Bytes of the message, without this header")
  F.kind = ProtoField.string(P .. "kind", "Kind")
  F.operation = ProtoField.string(P .. "operation", "Operation")
  F.object_id_of = ProtoField.uint64(P .. "object.id", "Object id", base.HEX)
  F.object_name = ProtoField.string(P .. "object.name", "Object name", base.NONE, "The name that begin gave it")
  F.object_class = ProtoField.string(P .. "object.class", "Object class")
  F.member = ProtoField.string(P .. "member", "Member")
  F.dispid_of = ProtoField.int32(P .. "dispid", "Dispid", base.DEC)
  F.hresult_of = ProtoField.uint32(P .. "hresult", "Hresult", base.HEX, js.tables.hresult)
  F.argument = ProtoField.string(P .. "argument", "Argument", base.NONE, "One argument, in natural order")
  F.result = ProtoField.string(P .. "result", "Result")
  F.depth = ProtoField.uint32(P .. "depth", "Depth", base.DEC, nil, nil, "Requests open around this one")
  F.task = ProtoField.uint32(P .. "task", "Task", base.DEC, nil, nil, "Tasks count in the order of their first packets")
  F.role = ProtoField.string(P .. "connection", "Connection")
  F.request_in = ProtoField.framenum(P .. "request_in", "Request in", base.NONE, frametype.REQUEST)
  F.response_in = ProtoField.framenum(P .. "response_in", "Answer in", base.NONE, frametype.RESPONSE)
  F.time = ProtoField.relative_time(P .. "time", "Time since the request")
  F.command_in = ProtoField.framenum(P .. "command_in", "Start command in", base.NONE)
  F.callback_in = ProtoField.framenum(P .. "callback_in", "Callback connection begins in", base.NONE)
  F.reassembled_in = ProtoField.framenum(P .. "reassembled_in", "Complete in", base.NONE)
  F.segment = ProtoField.framenum(P .. "segment", "Segment in", base.NONE)
  F.xml_element = ProtoField.string(P .. "xml.element", "Element")
  F.xml_attribute = ProtoField.string(P .. "xml.attribute", "Attribute")
  F.xml_text = ProtoField.string(P .. "xml.text", "Text")
  F.xml_form = ProtoField.string(P .. "xml.form", "Form")
  F.xml_error_code = ProtoField.string(P .. "xml.error.code", "Error code")
  F.xml_error_text = ProtoField.string(P .. "xml.error.text", "Error text")
  F.terminator = ProtoField.bytes(P .. "xml.terminator", "Terminator")
  F.keep_alive_bytes = ProtoField.bytes(P .. "xml.between", "Bytes between documents")
  F.log_level = ProtoField.string(P .. "log.level", "Log level")
  F.log_text = ProtoField.string(P .. "log.text", "Log text")
  F.tunnel_token = ProtoField.string(P .. "tunnel_token", "Tunnel token")
  F.undecoded = ProtoField.bytes(P .. "undecoded", "Undecoded")
  F.agent_request = ProtoField.string(P .. "agent.request", "Request", base.NONE, "To the API of a Universal Agent")
  F.agent_type = ProtoField.string(P .. "agent.type", "Type", base.NONE, "$TYPE of the command, or of its answer")
  F.agent_value = ProtoField.string(P .. "agent.value", "Value", base.NONE, "One of the command's, or of its answer")
  F.agent_tunnel = ProtoField.string(P .. "agent.tunnel", "Tunnel")
  F.agent_request_id = ProtoField.uint32(P .. "agent.request_id", "Request id", base.DEC, nil, nil, "Counts the task's requests")
  F.agent_repeats = ProtoField.framenum(P .. "agent.repeats", "Repeats the request in", base.NONE)
  F.agent_status = ProtoField.uint32(P .. "agent.status", "Status", base.DEC)
  F.agent_error = ProtoField.string(P .. "agent.error", "Error")
  F.problem = ProtoField.string(P .. "problem", "Problem", base.NONE, "Code of a problem that this packet proves")
  F.problem_summary = ProtoField.string(P .. "problem.summary", "What happened")
  F.problem_cause = ProtoField.string(P .. "problem.cause", "Cause")
  F.problem_remedy = ProtoField.string(P .. "problem.remedy", "Remedy")
  F.note = ProtoField.string(P .. "note", "Note")

  local X = {}
  local function declare(name, text, group, severity)
    X[name] = ProtoExpert.new(P .. "expert." .. name, text, group, severity)
  end
  -- Every problem of a task, with the weight that it has in jstrace.
  local WEIGHT = { error = expert.severity.ERROR, warning = expert.severity.WARN, info = expert.severity.NOTE }
  for _, code, entry in js.py.each_pair(js.python.session_codes.CODES) do
    declare(code, string.gsub(entry.meaning, "%.$", ""), expert.group.SEQUENCE, WEIGHT[entry.severity])
  end
  declare("remark", "A problem that follows from another one, or of less weight", expert.group.SEQUENCE, expert.severity.NOTE)
  declare("failed_hresult", "The call failed", expert.group.RESPONSE_CODE, expert.severity.NOTE)
  declare("xml_error", "The command was answered by an error", expert.group.RESPONSE_CODE, expert.severity.ERROR)
  declare("xml_broken", "The document is broken", expert.group.MALFORMED, expert.severity.WARN)
  js.experts = X

  local list, experts = {}, {}
  for _, field in pairs(F) do list[#list + 1] = field end
  for _, one in pairs(X) do experts[#experts + 1] = one end
  js.proto.fields = list
  js.proto.experts = experts

  local prefs = js.proto.prefs
  prefs.command_ports = Pref.range("Command ports", js.tables.command_ports, "TCP ports of remote schedulers", 65535)
  prefs.callback_ports = Pref.range("Callback ports", js.tables.callback_ports, "TCP ports that clients listen on for their task processes", 65535)
  prefs.heuristic = Pref.bool("Find connections by their content", true, "Look at the first bytes of TCP connections on any port")
  prefs.show_secrets = Pref.bool("Show secrets", false, "Do not mask passwords and the like")
  prefs.mask_names = Pref.string("Mask names", "", "More words in names of secrets, divided by commas, such as badge,vault_id")
  prefs.mask_pattern = Pref.string("Mask pattern", "", "A regular expression: what it matches, or its first group, is masked")
  prefs.task_table = Pref.bool("Print the task table at the end (tshark)", false, "A line for each remote task on standard output")
end

-- How a task on a Universal Agent ended, and what an agent's error means (the rules of session/verdict.py and rules_agent.py).
do
  local find, lower, match = string.find, string.lower, string.match
  local ERRORS = {  -- status, words in the text, code: the first that fits
    { { [401] = true, [407] = true, [403] = true }, nil, "agent_unauthorized" },
    { { [413] = true }, nil, "body_too_large" },
    { { [502] = true, [503] = true, [504] = true }, nil, "proxy_error" },
    { nil, { "licen[cs]e ?key" }, "agent_license" },
    { nil, { "agent is terminating" }, "agent_terminating" },
    { nil, { "unknown tunnel", "wrong tunnel secret" }, "tunnel_unknown" },
    { { [410] = true }, nil, "task_process_lost" },
    { nil, { "tunnelconnectionclosed", "has closed the connection" }, "task_process_lost" },
    { { [404] = true, [405] = true }, nil, "agent_wrong_target" },
  }

  local function has_one(text, words)
    for _, word in ipairs(words) do
      if find(text, word) then return true end
    end
    return false
  end

  --- The problem code of an error response with its text.
  function js.agent_code(status, text, otherwise)
    text = lower(text or "")
    for _, row in ipairs(ERRORS) do
      if (not row[1] or row[1][status]) and (not row[2] or has_one(text, row[2])) then return row[3] end
    end
    return otherwise
  end

  --- True where the agent says that a request is not the task's master's.
  function js.is_impostor(text) return find(lower(text or ""), "wrong tunnel secret", 1, true) ~= nil end

  --- Why a command failed: the text of an error status, or that of StartTaskFailed, which comes with 200.
  function js.agent_failure(status, body, value, is_text)
    if js.json_text(value, "$TYPE") == "StartTaskFailed" then
      return js.json_text(value, "message") or "StartTaskFailed"
    end
    if not status or status < 300 then return nil end
    local text = is_text and match(body, "^%s*(.-)%s*$") or ""
    return text ~= "" and text or "HTTP " .. status
  end

  --- True when an error was seen, or how the job's process ended.
  local function has_failed(task) return (task.exit_code and task.exit_code ~= "0") or task.signal or task.failed end

  --- The outcome of such a task as of the time `now`.
  function js.agent_outcome(task, now)
    local about = task.agent
    if about.judged then return about.judged end
    if about.start_failure then return "refused" end
    local kill, failed = about.kill, about.failed
    local killed = kill and not (failed and (failed.answered or 0) <= kill.time)
    if task.released then
      if killed then return "killed" end
      if has_failed(task) then return "failure" end
      return task:went_well() and not task.result_odd and "success" or "unknown"
    end
    if killed then return "killed" end
    if failed or js.session.agents.outages[about.place] or now - about.heard > js.agent_patience(about) then return "lost" end
    if about.close then return has_failed(task) and "failure" or "unknown" end
    return "running"
  end

  local classic = js.outcome
  function js.outcome(task, now)
    if task.agent then return js.agent_outcome(task, now) end
    return classic(task, now)
  end
end

-- The task list: a window in Wireshark, a table at the end in tshark.
do
  local format = string.format

  local HEADINGS = { "task", "packet", "job", "outcome", "calls", "logs", "kind", "remote", "callback to", "client" }
  local TO_THE_RIGHT = { true, true, false, false, true, true, false, false, false, false }

  --- An endpoint as text; the port is not known where the command connection was not captured.
  local function place(endpoint)
    if not endpoint then return "?" end
    local host = string.find(endpoint.ip, ":", 1, true) and "[" .. endpoint.ip .. "]" or endpoint.ip
    return endpoint.port and format("%s:%d", host, endpoint.port) or host
  end

  --- The word for how a task went, as its verdict says.
  local function outcome(task, told)
    local word = told.outcome
    return word == "failure" and task.exit_code and task.exit_code ~= "0" and "exit " .. task.exit_code or word
  end

  local function job(task)
    return (task.job or "?") .. (task.task_id and ":" .. task.task_id or "")
  end

  --- Where the task process was told to call back.
  local function announced(task)
    local client = task.client
    return client and place({ ip = client.ip, port = task.port }) .. (task.port and "" or ":?") or "?"
  end

  --- Cells in the order of the headings; what tells most comes first: Wireshark's window folds long lines.
  local function row(number, task, told)
    local packet = js.session:shown(task.first_packet)
    return {
      format("%d", number), packet and format("%d", packet) or "-", job(task), outcome(task, told),
      format("%d+%d", task.calls, task.callbacks), format("%d", task.logs), task.kind or "?",
      place(task.remote), announced(task), place(task.client),
    }
  end

  --- Widths in characters: what goes on the wire can hold UTF-8.
  local function width(text)
    local _, trailing = string.gsub(text, "[\128-\191]", "")
    return #text - trailing
  end

  local function aligned(rows)
    local widths, lines = {}, {}
    for _, cells in ipairs(rows) do
      for index, cell in ipairs(cells) do widths[index] = math.max(widths[index] or 0, width(cell)) end
    end
    for _, cells in ipairs(rows) do
      local parts = {}
      for index, cell in ipairs(cells) do
        local fill = string.rep(" ", widths[index] - width(cell))
        parts[index] = TO_THE_RIGHT[index] and fill .. cell or cell .. fill
      end
      lines[#lines + 1] = string.gsub(table.concat(parts, "  "), " +$", "")
    end
    return lines
  end

  local function shown(packets)
    local found = {}
    for _, packet in js.py.each(packets) do
      local number = js.session:shown(packet)
      if number then found[#found + 1] = format("%d", number) end
    end
    return #found > 0 and table.concat(found, ",") or "-"
  end

  --- What went wrong with a task, in the words of `jstrace read`.
  local function add_problems(lines, number, problems)
    for _, one in ipairs(problems) do
      lines[#lines + 1] = format("task %d  %s  %s  packets %s", number, one.severity, one.code, shown(one.packets))
      lines[#lines + 1] = "    " .. js.problem_words(one.summary)
      if one.cause ~= "" then lines[#lines + 1] = "    cause: " .. js.problem_words(one.cause) end
      if one.remedy ~= "" then lines[#lines + 1] = "    remedy: " .. js.problem_words(one.remedy) end
    end
  end

  --- Lines of the table, tasks in the order of their numbers, and of their problems; command connections that came to nothing
  --- so far are tasks.
  function js.task_lines()
    local rows, problems, session = { HEADINGS }, {}, js.session
    session:settle()
    for number, one in ipairs(session.order:all()) do
      rows[#rows + 1] = row(number, one.dirs and session:never_was(one) or one, session.told[one])
      add_problems(problems, number, session.told[one].problems)
    end
    local lines = aligned(rows)
    if #problems > 0 then lines[#lines + 1] = "" end
    for _, line in ipairs(problems) do lines[#lines + 1] = line end
    return lines
  end

  function js.show_tasks()
    local window = TextWindow.new("JobScheduler tasks")
    local function fill()
      local lines = js.enabled == false and { "The protocol is disabled: Analyze > Enabled Protocols." } or js.task_lines()
      window:set(table.concat(lines, "\n") .. "\n")
    end
    fill()
    window:add_button("Refresh", fill)
  end
end

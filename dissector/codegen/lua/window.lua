-- The table of tasks: at the end in tshark, in a window in Wireshark (task_window.lua).
do
  local format = string.format

  --- What tells most comes first: Wireshark's window folds long lines.
  local HEADINGS = { "task", "packet", "job", "outcome", "calls", "logs", "kind", "remote", "callback to", "client" }
  --- Columns of figures stand to the right.
  local TO_THE_RIGHT = { task = true, packet = true, calls = true, logs = true }
  for _, one in ipairs({ "tasks", "share", "n", "errors", "min", "mean", "p95", "max" }) do
    TO_THE_RIGHT[one] = true
  end

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

  --- Cells by their headings.
  function js.task_cells(number, task, told)
    local packet = js.session:shown(task.first_packet)
    return {
      task = format("%d", number), packet = packet and format("%d", packet) or "-", job = job(task), outcome = outcome(task, told),
      calls = format("%d+%d", task.calls, task.callbacks), logs = format("%d", task.logs), kind = task.kind or "?",
      remote = place(task.remote), ["callback to"] = announced(task), client = place(task.client),
    }
  end

  --- Widths in characters: what goes on the wire can hold UTF-8.
  local function width(text)
    local _, trailing = string.gsub(text, "[\128-\191]", "")
    return #text - trailing
  end
  js.width = width

  --- Lines of a table: `rows` are cells by their headings, the first line has the headings.
  function js.aligned(headings, rows)
    local widths, lines, first = {}, {}, {}
    for _, heading in ipairs(headings) do widths[heading], first[heading] = width(heading), heading end
    for _, cells in ipairs(rows) do
      for _, heading in ipairs(headings) do widths[heading] = math.max(widths[heading], width(cells[heading])) end
    end
    for index = 0, #rows do
      local cells, parts = rows[index] or first, {}
      for at, heading in ipairs(headings) do
        local fill = string.rep(" ", widths[heading] - width(cells[heading]))
        parts[at] = TO_THE_RIGHT[heading] and fill .. cells[heading] or cells[heading] .. fill
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
  function js.add_problems(lines, number, problems)
    for _, one in ipairs(problems) do
      lines[#lines + 1] = format("task %d  %s  %s  packets %s", number, one.severity, one.code, shown(one.packets))
      lines[#lines + 1] = "    " .. js.problem_words(one.summary)
      if one.cause ~= "" then lines[#lines + 1] = "    cause: " .. js.problem_words(one.cause) end
      if one.remedy ~= "" then lines[#lines + 1] = "    remedy: " .. js.problem_words(one.remedy) end
    end
  end

  --- Calls `see(number, task, told)` for all tasks in the order of their numbers; command connections that came to nothing so far
  --- are tasks.
  function js.each_task(see)
    local session = js.session
    session:settle()
    for number, one in ipairs(session.order:all()) do
      see(number, one.dirs and session:never_was(one) or one, session.told[one])
    end
  end

  --- Lines of the table, and of the tasks' problems.
  function js.task_lines()
    local rows, problems = {}, {}
    js.each_task(function(number, task, told)
      rows[#rows + 1] = js.task_cells(number, task, told)
      js.add_problems(problems, number, told.problems)
    end)
    local lines = js.aligned(HEADINGS, rows)
    if #problems > 0 then lines[#lines + 1] = "" end
    for _, line in ipairs(problems) do lines[#lines + 1] = line end
    return lines
  end
end

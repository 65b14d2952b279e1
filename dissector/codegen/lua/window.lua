-- The task list: a window in Wireshark, a table at the end in tshark.
do
  local format = string.format

  local function place(endpoint) return endpoint and endpoint.key or "?" end

  local COLUMNS = "%5s  %-9s  %-22s  %-22s  %5s  %-20s  %7s  %-12s  %5s  %5s  %5s  %s"

  --- Lines of the table, tasks in the order of their numbers.
  function js.task_lines()
    local lines = { format(COLUMNS, "task", "kind", "client", "remote", "port", "job", "id", "outcome", "calls", "backs", "logs", "packet") }
    for number, task in ipairs(js.session.order.list) do
      if task.outcome then
        local outcome = task:outcome()
        if task.exit_code and outcome == "failure" then outcome = "exit " .. task.exit_code end
        lines[#lines + 1] = format(COLUMNS, format("%d", number), task.kind or "?", place(task.client), place(task.remote),
          task.port and format("%d", task.port) or "?", task.job or "?", task.task_id or "?", outcome,
          format("%d", task.calls), format("%d", task.callbacks), format("%d", task.logs), format("%d", task.first_packet))
      end
    end
    return lines
  end

  function js.show_tasks()
    local window = TextWindow.new("JobScheduler tasks")
    local function fill() window:set(table.concat(js.task_lines(), "\n") .. "\n") end
    fill()
    window:add_button("Refresh", fill)
  end
end

-- The task list in Wireshark.  Its API has windows of text with buttons and no tables: a row can not be clicked, so buttons ask
-- for the number of a task; and it can not select a packet, so going to one takes a filter.
do
  --- What fits into the window as it opens, 74 characters; the filter finds what the other columns have as well.
  local HEADINGS = { "task", "packet", "job", "outcome", "calls", "problems" }
  local WIDEST = { job = 18, outcome = 12, problems = 18 }

  local function clipped(text, most)
    if not most or js.width(text) <= most then return text end
    return js.line_utf8(text, most - 1)
  end

  local function codes(problems)
    local seen, found = {}, {}
    for _, one in ipairs(problems) do
      if not seen[one.code] then found[#found + 1] = one.code end
      seen[one.code] = true
    end
    return table.concat(found, ", ")
  end

  --- True for a text that has all words of the filter, and none that stands behind a minus; upper and lower case are the same.
  function js.matches(text, filter)
    text = string.lower(text)
    for minus, word in string.gmatch(string.lower(filter), "(%-?)(%S+)") do
      if (string.find(text, word, 1, true) ~= nil) == (minus == "-") then return false end
    end
    return true
  end

  --- Lines of the window: the tasks that match, and what went wrong with them.
  function js.window_lines(filter)
    local rows, problems, all = {}, {}, 0
    js.each_task(function(number, task, told)
      all = all + 1
      local cells = js.task_cells(number, task, told)
      cells.problems = codes(told.problems)
      local text = {}
      for _, cell in pairs(cells) do text[#text + 1] = cell end
      if not js.matches(table.concat(text, " "), filter) then return end
      for heading, most in pairs(WIDEST) do cells[heading] = clipped(cells[heading], most) end
      rows[#rows + 1] = cells
      js.add_problems(problems, number, told.problems)
    end)
    local lines = {}
    if filter ~= "" then
      lines[1] = string.format("%d of %d tasks match: %s", #rows, all, js.line_utf8(filter, 80))
      lines[2] = ""
    end
    for _, line in ipairs(js.aligned(HEADINGS, rows)) do lines[#lines + 1] = line end
    if #problems > 0 then lines[#lines + 1] = "" end
    for _, line in ipairs(problems) do lines[#lines + 1] = line end
    return lines
  end

  local function show_only(filter)
    set_filter(filter)
    apply_filter()
  end

  --- Selects a packet: the only one that the filter leaves.  It stays selected when the user clears the filter; a script can not, as
  --- Wireshark takes one filter from it at a time.
  function js.go_to(packet)
    if packet then show_only(string.format("frame.number == %d", packet)) end
  end

  --- Sets Wireshark's own display filter.
  function js.filter_task(number) show_only(string.format("jobscheduler.task == %d", number)) end

  local SLOTS = 10  -- that Wireshark has for colours of conversations

  function js.colour_task(number)
    set_color_filter_slot((number - 1) % SLOTS + 1, string.format("jobscheduler.task == %d", number))
  end

  --- Fills the open window anew; called when a file was read, too.
  local function nothing() end
  js.refresh_tasks = nothing

  function js.show_tasks()
    local window, filter = TextWindow.new("JobScheduler tasks"), ""
    local function fill()
      local disabled = { "The protocol is disabled: Analyze > Enabled Protocols." }
      local lines = js.enabled == false and disabled or js.window_lines(filter)
      window:set(table.concat(lines, "\n") .. "\n")
    end
    local function asked_for_number(text, act)
      local number = tonumber(string.match(text or "", "%d+"))
      js.each_task(function(n, task) if n == number then act(n, task) end end)
    end
    window:add_button("Filter ...", function()
      new_dialog("Tasks with these words (-word: without it)", function(text)
        filter = text or ""
        fill()
      end, "Words")
    end)
    window:add_button("Go to ...", function()
      new_dialog("Go to the start of a task, or to its end: 3, 3 end", function(text)
        asked_for_number(text, function(_, task)
          js.go_to(string.find(text, "end", 1, true) and js.end_of(task) or js.session:shown(task.first_packet))
        end)
      end, "Task")
    end)
    window:add_button("Only ...", function()
      new_dialog("Show the packets of one task only", function(text) asked_for_number(text, js.filter_task) end, "Task")
    end)
    window:add_button("Colour ...", function()
      new_dialog("Colour the packets of a task", function(text) asked_for_number(text, js.colour_task) end, "Task")
    end)
    window:add_button("Refresh", fill)
    fill()
    -- Without a filter and without fields: Wireshark builds nothing more for it, and it goes with the window.
    local tap = Listener.new("frame")
    function tap.draw() js.refresh_tasks() end
    js.refresh_tasks = fill
    window:set_atclose(function()
      tap:remove()
      if js.refresh_tasks == fill then js.refresh_tasks = nothing end
    end)
  end
end

-- What the menu of a packet has for its task, from Wireshark 4.2 on.  Wireshark hands over the fields of the packet, and does not say of which file it is.
do
  --- The first value of a field of the packet at hand.
  local function value(name, ...)
    for index = 1, select("#", ...) do
      local one = select(index, ...)
      if one.name == name then return tonumber(tostring(one.value)) end
    end
  end

  local function task_of(number)
    local found
    js.each_task(function(n, task) if n == number then found = task end end)
    return found
  end

  --- Calls `see(message, task, number)` for all messages in the order of their packets, and with nil for exchanges over HTTP that
  --- carry none.
  function js.each_message(see)
    local session = js.session
    local told = session.agents.told
    for number = 1, session.last do
      local entry = session.packets[number]
      local message, more = entry and (entry.size and entry or entry.message), 0
      while message do
        if message.stream then see(message, message.task or message.stream.task, number) end
        more = more + 1
        message = entry.more and entry.more[more]
      end
      for place, exchange in pairs(told[number] or {}) do
        see(place < 0 and exchange.answer_message or place > 0 and exchange.message or nil, exchange.task, number)
      end
    end
  end

  --- Wireshark's number of the last packet that has something of the task.
  function js.end_of(task)
    local last = task.first_packet
    for _, stream in pairs({ task.command or false, task.callback or false }) do
      if stream then last = math.max(last, stream.last_packet or stream.first_packet or 0) end
    end
    js.each_message(function(_, of, number)
      if of == task then last = math.max(last, number) end
    end)
    return js.session:shown(last)
  end

  local ITEMS = {
    { "Filter this task", "jobscheduler.task", function(number) js.filter_task(number) end },
    { "Go to its start", "jobscheduler.task", function(number)
      local task = task_of(number)
      js.go_to(task and js.session:shown(task.first_packet))
    end },
    { "Go to its end", "jobscheduler.task", function(number)
      local task = task_of(number)
      js.go_to(task and js.end_of(task))
    end },
    { "Go to the answer", "jobscheduler.response_in", function(packet) js.go_to(packet) end },
    { "Go to the request", "jobscheduler.request_in", function(packet) js.go_to(packet) end },
    { "Colour this task", "jobscheduler.task", function(number) js.colour_task(number) end },
    { "Copy the jstrace command", "jobscheduler.task", function(number)
      copy_to_clipboard(string.format("jstrace read FILE --task %d", number))
    end },
  }

  function js.register_packet_menu()
    if not register_packet_menu then return end
    for _, item in ipairs(ITEMS) do
      local title, field, act = item[1], item[2], item[3]
      register_packet_menu("JobScheduler/" .. title, function(...)
        local found = value(field, ...)
        if found then act(found) end
      end, field)
    end
  end
end

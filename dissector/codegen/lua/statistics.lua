-- Statistics > JobScheduler: tasks by outcome, and calls by member with the times until their answers.  Both are counted when they
-- are asked for, from what is kept of every message anyway: a tap of its own would have Wireshark build trees of all packets.
do
  local format = string.format

  --- In seven characters as long as it is less than three hours.
  local function milliseconds(nanoseconds) return format(nanoseconds < 1e9 and "%.3f" or "%.0f", nanoseconds / 1e6) end

  --- The smallest value that `share` of the sorted ones do not exceed, as in `jstrace read --summary`.
  local function percentile(values, share) return values[math.max(math.ceil(#values * share), 1)] end

  --- Names in order; those with the most first.
  local function ordered(groups, size)
    local names = {}
    for name in pairs(groups) do names[#names + 1] = name end
    table.sort(names, function(a, b)
      local one, other = size(groups[a]), size(groups[b])
      if one ~= other then return one > other end
      return a < b
    end)
    return names
  end

  --- Lines of the table of outcomes.
  function js.outcome_lines()
    local counts, problems, all, rows = {}, {}, 0, {}
    js.each_task(function(_, _, told)
      all, counts[told.outcome] = all + 1, (counts[told.outcome] or 0) + 1
      local seen = {}
      for _, one in ipairs(told.problems) do
        if not seen[one.code] then problems[one.code] = (problems[one.code] or 0) + 1 end
        seen[one.code] = true
      end
    end)
    local function add(kind, groups)
      for _, name in ipairs(ordered(groups, function(count) return count end)) do
        rows[#rows + 1] = { kind = kind, name = name, tasks = format("%d", groups[name]), share = format("%.1f %%", groups[name] * 100 / all) }
      end
    end
    add("outcome", counts)
    add("problem", problems)
    return js.aligned({ "kind", "name", "tasks", "share" }, rows)
  end

  local function name_of(message)
    local about = js.about(message)
    if about.operation == "invoke" or about.operation == "call" then
      local object = about.operation == "invoke" and about.object
      local owner = object and (object.name or object.class and string.match(object.class, "[^:]*$"))
      return (owner and owner .. "." or "") .. (about.member or format("dispid %d", about.dispid or 0))
    end
    return about.operation or "?"
  end

  --- Lines of the table of calls: how often each was answered, how often by an error, and how long that took.
  function js.call_lines()
    local groups, rows = {}, {}
    js.each_message(function(message)
      local request = message and message.request
      if not request then return end
      local name = js.line_utf8(js.utf8(name_of(message)), 26)
      local group = groups[name] or { times = {}, errors = 0, sum = 0 }
      local time = message.time - request.time
      groups[name], group.sum = group, group.sum + time
      group.times[#group.times + 1] = time
      if message.kind == "error" or (message.hresult or 0) >= 2147483648 then group.errors = group.errors + 1 end
    end)
    for _, name in ipairs(ordered(groups, function(group) return group.sum end)) do
      local times = groups[name].times
      table.sort(times)
      rows[#rows + 1] = {
        member = name, n = format("%d", #times), errors = format("%d", groups[name].errors),
        min = milliseconds(times[1]), mean = milliseconds(groups[name].sum / #times),
        p95 = milliseconds(percentile(times, 0.95)), max = milliseconds(times[#times]),
      }
    end
    local lines = js.aligned({ "member", "n", "errors", "min", "mean", "p95", "max" }, rows)
    table.insert(lines, 1, "Times until the answer in milliseconds; what took most in all comes first.")
    return lines
  end

  local function show(title, lines)
    local window = TextWindow.new(title)
    local function fill() window:set(table.concat(lines(), "\n") .. "\n") end
    fill()
    window:add_button("Refresh", fill)
  end

  function js.register_statistics()
    register_menu("JobScheduler/Tasks by outcome", function() show("JobScheduler outcomes", js.outcome_lines) end, MENU_STAT_UNSORTED)
    register_menu("JobScheduler/Calls by member", function() show("JobScheduler calls", js.call_lines) end, MENU_STAT_UNSORTED)
  end
end

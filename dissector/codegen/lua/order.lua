-- Tasks count in the order of their first packets.  A connection to a command port whose bytes do not tell yet what it is
-- takes a place among them until they do, so that numbers given while packets still arrive rarely have to change.
do
  local O = {}
  O.__index = O
  function js.new_order() return setmetatable({ list = {} }, O) end

  --- Adds a task or an undecided connection; both know their `first_packet`.
  function O:add(one)
    local list = self.list
    local at = #list
    while at > 0 and list[at].first_packet > one.first_packet do at = at - 1 end
    table.insert(list, at + 1, one)
  end

  --- First place of those that begin with `packet`.
  local function place(list, packet)
    local low, high = 1, #list + 1
    while low < high do
      local middle = math.floor((low + high) / 2)
      if list[middle].first_packet < packet then low = middle + 1 else high = middle end
    end
    return low
  end

  function O:find(one)
    local list = self.list
    local at = place(list, one.first_packet)
    while list[at] and list[at] ~= one and list[at].first_packet == one.first_packet do at = at + 1 end
    return list[at] == one and at or nil
  end

  function O:remove(one)
    local at = self:find(one)
    if at then table.remove(self.list, at) end
  end

  --- A connection turns out to be the beginning of `task`.
  function O:replace(one, task)
    local at = self:find(one)
    if at and one.first_packet == task.first_packet then
      self.list[at] = task
    else
      if at then table.remove(self.list, at) end
      self:add(task)
    end
  end
end

-- What is due at a time, the earliest first: a binary heap.
do
  local P = {}
  P.__index = P
  function js.new_heap() return setmetatable({ times = {}, items = {}, size = 0 }, P) end

  function P:push(time, item)
    local times, items = self.times, self.items
    local at = self.size + 1
    self.size = at
    while at > 1 do
      local above = (at - at % 2) / 2
      if times[above] <= time then break end
      times[at], items[at] = times[above], items[above]
      at = above
    end
    times[at], items[at] = time, item
  end

  --- True when the earliest one is due.
  function P:due(now) return self.size > 0 and self.times[1] <= now end

  --- Takes the earliest one.
  function P:pop()
    local times, items, size = self.times, self.items, self.size
    local first, time, item = items[1], times[size], items[size]
    times[size], items[size] = nil, nil
    size = size - 1
    self.size = size
    local at = 1
    while 2 * at <= size do
      local below = 2 * at
      if below < size and times[below + 1] < times[below] then below = below + 1 end
      if times[below] >= time then break end
      times[at], items[at] = times[below], items[below]
      at = below
    end
    if size > 0 then times[at], items[at] = time, item end
    return first
  end
end

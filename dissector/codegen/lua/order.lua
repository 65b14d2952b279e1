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

-- Tasks count in the order of their first packets.  A connection to a command port whose bytes do not tell yet what it is
-- takes a place among them until they do, so that numbers given while packets still arrive rarely have to change.
--
-- They stand in chunks: to put one into a single long list, or to take it out, would move all those behind it.
do
  local LONGEST = 512
  local O = {}
  O.__index = O

  --- `before` of a chunk is how many stand in those before it, right up to the chunk with the number `counted`.
  function js.new_order() return setmetatable({ chunks = { { before = 0 } }, counted = 1 }, O) end

  --- First place of a list whose entry begins with `packet` or later.
  local function place(list, packet)
    local low, high = 1, #list + 1
    while low < high do
      local middle = math.floor((low + high) / 2)
      if list[middle].first_packet < packet then low = middle + 1 else high = middle end
    end
    return low
  end

  --- The first chunk whose last entry begins with `packet` or later, else the last one.
  function O:chunk_of(packet)
    local chunks = self.chunks
    local low, high = 1, #chunks
    while low < high do
      local middle = math.floor((low + high) / 2)
      local chunk = chunks[middle]
      if chunk[#chunk].first_packet < packet then low = middle + 1 else high = middle end
    end
    return low
  end

  function O:changed(number) self.counted = math.min(self.counted, number) end

  --- Adds a task or an undecided connection behind those that begin with the same packet; both know their `first_packet`.
  function O:add(one)
    local chunks, packet = self.chunks, one.first_packet
    local number = self:chunk_of(packet + 1)
    local chunk = chunks[number]
    if #chunk >= LONGEST then
      local rest = { before = 0, table.unpack(chunk, LONGEST / 2 + 1) }
      for at = #chunk, LONGEST / 2 + 1, -1 do chunk[at] = nil end
      table.insert(chunks, number + 1, rest)
      self:changed(number)
      return self:add(one)
    end
    table.insert(chunk, place(chunk, packet + 1), one)
    self:changed(number)
  end

  --- Chunk and place of an entry, nil when it is not there.
  function O:seek(one)
    local chunks, packet = self.chunks, one.first_packet
    local number = self:chunk_of(packet)
    local at = place(chunks[number], packet)
    while chunks[number] do
      local found = chunks[number][at]
      if found == one then return number, at end
      if found and found.first_packet ~= packet then return nil end
      if found then at = at + 1 else number, at = number + 1, 1 end
    end
    return nil
  end

  --- Its place among all; nil when it is not there.
  function O:find(one)
    local number, at = self:seek(one)
    if not number then return nil end
    local chunks = self.chunks
    for next_one = self.counted + 1, number do
      local last = chunks[next_one - 1]
      chunks[next_one].before = last.before + #last
      self.counted = next_one
    end
    return chunks[number].before + at
  end

  function O:remove(one)
    local number, at = self:seek(one)
    if not number then return end
    local chunks = self.chunks
    table.remove(chunks[number], at)
    self:changed(number)
    if #chunks[number] == 0 and #chunks > 1 then
      table.remove(chunks, number)
      chunks[1].before, self.counted = 0, math.max(1, math.min(self.counted, number - 1))
    end
  end

  --- A connection turns out to be the beginning of `task`.
  function O:replace(one, task)
    local number, at = self:seek(one)
    if number and one.first_packet == task.first_packet then
      self.chunks[number][at] = task
    else
      self:remove(one)
      self:add(task)
    end
  end

  --- All of them in order.
  function O:all()
    local found = {}
    for _, chunk in ipairs(self.chunks) do
      for _, one in ipairs(chunk) do found[#found + 1] = one end
    end
    return found
  end
end

-- Things in the order in which they came, each once; any of them leaves without a look at the others.  Things are tables or
-- addresses: the queue itself has the place of each under it, and by number what stands there, as most queues have one.
do
  local Q = {}
  Q.__index = Q
  function js.new_queue() return setmetatable({ first = 1, last = 0, size = 0 }, Q) end

  function Q:push(item)
    self:remove(item)
    local at = self.last + 1
    self.last, self.size, self[at], self[item] = at, self.size + 1, item, at
  end

  function Q:remove(item)
    local at = self[item]
    if not at then return end
    self[at], self[item], self.size = nil, nil, self.size - 1
    while self.first <= self.last and not self[self.first] do self.first = self.first + 1 end
    while self.last >= self.first and not self[self.last] do self.last = self.last - 1 end
    if self.last - self.first > 2 * self.size + 16 then self:close_up() end
  end

  function Q:has(item) return self[item] ~= nil end

  --- Leaves no holes.
  function Q:close_up()
    local last = 0
    for at = self.first, self.last do
      local item = self[at]
      if item then
        last, self[at] = last + 1, nil
        self[last], self[item] = item, last
      end
    end
    self.first, self.last = 1, last
  end

  --- The oldest one.
  function Q:oldest() return self[self.first] end

  --- A copy of up to `most` of them, the oldest first.
  function Q:begin(most)
    local found, at = {}, self.first
    while at <= self.last and #found < most do
      found[#found + 1], at = self[at], at + 1
    end
    return found
  end

  --- A copy of up to `most` of them, the newest first.
  function Q:newest(most)
    local found, at = {}, self.last
    while at >= self.first and #found < most do
      found[#found + 1], at = self[at], at - 1
    end
    return found
  end

  --- Queues by keys: none of them is empty.
  function js.push(map, key, item)
    local queue = map[key] or js.new_queue()
    map[key] = queue
    queue:push(item)
    return queue
  end

  function js.drop(map, key, item)
    local queue = map[key]
    if not queue then return end
    queue:remove(item)
    if queue.size == 0 then map[key] = nil end
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

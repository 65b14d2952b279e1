-- What the translated rules need of Python to go through lists: choices, order, heaps (beside python.lua).
do
  local py, floor, select, type = js.py, math.floor, select, type
  local Dict, items_of = py.Dict, py.list

  function py.map(change, list)
    local found = py.pack()
    for _, item in py.each(list) do py.append(found, (change(item))) end
    return found
  end

  function py.filter(test, list)
    local found = py.pack()
    for _, item in py.each(list) do
      if py.truth(test(item)) then py.append(found, item) end
    end
    return found
  end

  function py.any(list)
    for _, item in py.each(list) do
      if py.truth(item) then return true end
    end
    return false
  end

  function py.all(list)
    for _, item in py.each(list) do
      if not py.truth(item) then return false end
    end
    return true
  end

  function py.next(list, default)
    if list.n > 0 then return list[1] end
    return default
  end

  function py.sum(list)
    local total = 0
    for _, item in py.each(list) do total = total + (item == true and 1 or item or 0) end
    return total
  end

  function py.len(one)
    if type(one) == "string" then return select(2, one:gsub("[^\128-\191]", "")) end
    return getmetatable(one) == Dict and one.pairs_.n - one.gone or items_of(one).n
  end

  function py.zip(one, two)
    local found = py.pack()
    for at = 1, math.min(one.n, two.n) do py.append(found, py.pack(one[at], two[at])) end
    return found
  end

  function py.range(from, stop)
    local found = py.pack()
    for number = from, stop - 1 do py.append(found, number) end
    return found
  end

  function py.reversed(list)
    local found = py.pack()
    for at = list.n, 1, -1 do py.append(found, list[at]) end
    return found
  end

  --- True when a record, a number, a text or a list stands before another.
  local function before(one, two)
    if type(one) ~= "table" then return one < two end
    local left, right = items_of(one), items_of(two)
    for at = 1, math.min(left.n, right.n) do
      local a, b = left[at], right[at]
      if a ~= b and not py.same(a, b) then return before(a, b) end
    end
    return left.n < right.n
  end

  -- --- heaps: lists whose first one is the least ---

  local function sink(heap, at)
    local item = heap[at]
    while 2 * at <= heap.n do
      local below = 2 * at
      if below < heap.n and before(heap[below + 1], heap[below]) then below = below + 1 end
      if not before(heap[below], item) then break end
      heap[at], at = heap[below], below
    end
    heap[at] = item
  end

  function py.heappush(heap, item)
    py.append(heap, item)
    local at = heap.n
    while at > 1 and before(item, heap[floor(at / 2)]) do
      heap[at] = heap[floor(at / 2)]
      at = floor(at / 2)
    end
    heap[at] = item
  end

  function py.heapreplace(heap, item)
    heap[1] = item
    sink(heap, 1)
  end

  function py.heappop(heap)
    heap[1], heap[heap.n] = heap[heap.n], nil
    heap.n = heap.n - 1
    if heap.n > 0 then sink(heap, 1) end
  end

  function py.heapify(heap)
    for at = floor(heap.n / 2), 1, -1 do sink(heap, at) end
  end

  --- Stable, as Python's.
  function py.sorted(list, options)
    local key, found, order = options and options.key, py.pack(), {}
    for at, item in py.each(list) do
      local value = item
      if key then value = key(item) end
      order[at] = { value, at, item }
    end
    table.sort(order, function(one, two)
      if py.same(one[1], two[1]) then return one[2] < two[2] end
      return before(one[1], two[1])
    end)
    for _, one in ipairs(order) do py.append(found, one[3]) end
    return found
  end

  function py.sort(list, options)
    for at, item in py.each(py.sorted(list, options)) do list[at] = item end
  end

  --- The first of the greatest of several arguments or of one list.
  local function extreme(is_better)
    return function(...)
      local given, options = py.pack(...), nil
      local last = given[given.n]
      if type(last) == "table" and getmetatable(last) == nil then options, given.n = last, given.n - 1 end
      local list = given.n == 1 and given[1] or given
      local best, best_key
      for _, item in py.each(list) do
        local key = item
        if options and options.key then key = options.key(item) end
        if best_key == nil or is_better(key, best_key) then best, best_key = item, key end
      end
      if best_key == nil then return options and options.default end
      return best
    end
  end
  py.min = extreme(before)
  py.max = extreme(function(one, two) return before(two, one) end)
end

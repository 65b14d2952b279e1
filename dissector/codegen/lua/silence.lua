-- Tasks under way by their last packet: there may be so many of them, and of more the idlest is given up (the rules of
-- session/silence.py).
--
-- Tasks stand together under the connection that was heard last, and it is the connection that is looked at: of
-- thousands of starts on one connection each packet would else move all.
do
  local PATIENCE, SPARE = js.python.session_timeouts.CALLBACK_LINGER, js.python.session_silence._SPARE
  local H = {}
  H.__index = H

  --- Places by when they were heard last, as it was when they were put here; `numbers` are those of the entries that count.
  local function new_heap() return setmetatable({ heap = js.new_heap(), places = {}, numbers = {}, size = 0, count = 0 }, H) end

  function H:push(place)
    if self.numbers[place] then return end
    self.size = self.size + 1
    self:enter(place)
  end

  function H:enter(place)
    local number = self.count + 1
    self.count, self.numbers[place], self.places[number] = number, number, place
    self.heap:push(place.source.seen, number)
  end

  function H:drop(place)
    local number = self.numbers[place]
    if not number then return end
    self.numbers[place], self.places[number], self.size = nil, nil, self.size - 1
    if self.heap.size > 2 * self.size + SPARE then
      local all = self.places
      self.heap, self.places = js.new_heap(), {}
      for _, one in pairs(all) do self:enter(one) end
    end
  end

  --- The place that was heard before all others, if not after `til`.
  function H:first(til)
    local heap = self.heap
    while heap:due(til) do
      local heard = heap.times[1]
      local place = self.places[heap.items[1]]
      if place and place.source.seen <= heard then return place end
      local number = heap:pop()
      if place then
        self.places[number] = nil
        self:enter(place)
      end
    end
    return nil
  end

  local SUPERSEDED = js.python.session_life.WatchState.SUPERSEDED
  local S = {}
  S.__index = S

  --- `open` are the tasks with their places; of these `all` has every one, `ripe` those with tasks that may be over.
  function js.new_silence()
    return setmetatable({ open = {}, size = 0, count = 0, places = {}, all = new_heap(), ripe = new_heap() }, S)
  end

  --- Its connection with the latest packet.
  local function latest(task)
    local found = task.command
    for _, attempt in ipairs(task.attempts) do
      if not found or attempt.seen > found.seen then found = attempt end
    end
    local intruder = task.intruder
    if intruder and (not found or intruder.seen > found.seen) then found = intruder end
    return found
  end

  function S:leave(task)
    local place = self.open[task]
    place.tasks:remove(task)
    self:unripe(task, place)
    if place.tasks.size == 0 then
      self.all:drop(place)
      self.places[place.source] = nil
    end
  end

  function S:unripe(task, place)
    if not place.ripe[task] then return end
    place.ripe[task] = nil
    if next(place.ripe) == nil then self.ripe:drop(place) end
  end

  --- Puts the task where it belongs now: to its latest connection, or to `first` while it has none.
  function S:place(task, first)
    local source, known = latest(task) or first, self.open[task]
    if known and known.source == source then return known end
    if known then self:leave(task) else self.size = self.size + 1 end
    local place = self.places[source]
    if not place then
      place = { source = source, tasks = js.new_queue(), ripe = {} }
      self.places[source] = place
      self.all:push(place)
    end
    place.tasks:push(task)
    self.open[task] = place
    return place
  end

  --- A task under way has other connections than before, one of them is over, or its port was announced again.
  function S:note(task)
    if not self.open[task] then return end
    local place = self:place(task)
    if task.life.watch == SUPERSEDED or js.ask(task, "is_over") then
      place.ripe[task] = true
      self.ripe:push(place)
    else
      self:unripe(task, place)
    end
  end

  function S:remove(task)
    if not self.open[task] then return end
    self:leave(task)
    self.open[task], self.size = nil, self.size - 1
  end

  --- Tasks that are over or superseded, and have been silent for long: each is told once.
  function S:due(now)
    local found, til = {}, now - PATIENCE
    local place = self.ripe:first(til)
    while place do
      local ripe = place.ripe
      place.ripe = {}
      self.ripe:drop(place)
      for task in pairs(ripe) do
        if latest(task).seen > til then self:note(task) else found[#found + 1] = task end
      end
      place = self.ripe:first(til)
    end
    table.sort(found, function(one, other) return one.rank < other.rank end)
    return found
  end

  --- The task that has been silent for longest.
  function S:idlest()
    local place = self.all:first(math.huge)
    while place do
      local task = place.tasks:oldest()
      if latest(task) == place.source then return task end
      self:note(task)
      place = self.all:first(math.huge)
    end
    return nil
  end

  --- One more task, found by a connection; returns the one that is given up for it, if there are too many.
  function S:add(task, stream)
    local idlest
    if self.size >= js.limits.open_tasks then
      idlest = self:idlest()
      self:remove(idlest)
    end
    self.count = self.count + 1
    task.rank = self.count
    self:place(task, stream)
    if latest(task) then self:note(task) end
    return idlest
  end
end

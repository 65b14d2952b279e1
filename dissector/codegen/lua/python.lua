-- What the rules of session/*.py need of Python: they are translated by codegen/rules_*.py and run once a task.
--
-- A list or tuple is a table with its length in `n`; a dict keeps its entries in order, as pairs in the list `pairs_`.
do
  local format, floor, select, type = string.format, math.floor, select, type
  local py, List, Dict = {}, {}, {}
  js.py = py
  List.__index, Dict.__index = List, Dict

  function py.pack(...) return setmetatable({ n = select("#", ...), ... }, List) end

  --- A Lua table of a given length as a list.
  function py.list_of(items, n)
    items.n = n or #items
    return setmetatable(items, List)
  end

  function py.append(list, item)
    list.n = list.n + 1
    list[list.n] = item
  end

  --- A record's fields in their order, a dict's keys, a text's characters: whatever can be gone through, as a list.
  local function items_of(one)
    local kind = getmetatable(one)
    if kind == List then return one end
    local found = py.pack()
    if type(one) == "string" then
      for at = 1, #one do py.append(found, one:sub(at, at)) end
    elseif kind == Dict then
      for at = 1, one.pairs_.n do py.append(found, one.pairs_[at][1]) end
    elseif kind then
      for at, name in ipairs(kind.fields) do found[at] = one[name] end
      found.n = #kind.fields
    end
    return found
  end
  py.list, py.tuple, py.iter = items_of, items_of, items_of

  function py.each(one)
    local items, at = items_of(one), 0
    return function()
      at = at + 1
      if at <= items.n then return at, items[at] end
    end
  end

  --- A dict's keys and values.
  function py.each_pair(dict)
    local at, all = 0, dict.pairs_
    return function()
      at = at + 1
      if at <= all.n then return at, all[at][1], all[at][2] end
    end
  end

  function py.unpack(one)
    local items = items_of(one)
    return table.unpack(items, 1, items.n)
  end

  function py.extend(list, more)
    for _, item in py.each(more) do py.append(list, item) end
  end

  function py.joined(...)
    local found = py.pack()
    for at = 1, select("#", ...) do py.extend(found, (select(at, ...))) end
    return found
  end

  function py.remove(list, item)
    for at = 1, list.n do
      if list[at] == item then
        table.remove(list, at)
        list.n = list.n - 1
        return
      end
    end
  end

  -- --- dicts and sets ---

  local function key_of(key)
    return getmetatable(key) == List and py.join("\0", py.map(py.str, key)) or key
  end

  function py.dict(pairs_)
    local found = setmetatable({ pairs_ = py.pack(), map = {} }, Dict)
    for _, pair in py.each(pairs_ or py.pack()) do py.put(found, pair[1], pair[2]) end
    return found
  end

  function py.put(dict, key, value)
    local known = dict.map[key_of(key)]
    if known then
      known[2] = value
    else
      known = py.pack(key, value)
      dict.map[key_of(key)] = known
      py.append(dict.pairs_, known)
    end
  end

  function py.get(dict, key, default)
    local known = dict.map[key_of(key)]
    if known then return known[2] end
    return default
  end

  function py.items(dict) return dict.pairs_ end

  function py.values(dict) return py.map(function(pair) return pair[2] end, dict.pairs_) end

  py.keys = items_of

  function py.fromkeys(_, keys, value)
    return py.dict(py.map(function(key) return py.pack(key, value) end, keys))
  end

  function py.set(items)
    return py.dict(py.map(function(item) return py.pack(item, true) end, items or py.pack()))
  end
  py.frozenset = py.set

  function py.union(one, two) return py.dict(py.joined(one.pairs_, two.pairs_)) end

  function py.common(one, two) return py.set(py.filter(function(item) return py.has(two, item) end, one)) end

  function py.sub(one, two)
    if type(one) == "number" then return one - two end
    return py.set(py.filter(function(item) return not py.has(two, item) end, one))
  end

  -- --- truth, equality, places ---

  function py.truth(one)
    if one == nil or one == false or one == 0 or one == "" then return false end
    local kind = getmetatable(one)
    if kind == List then return one.n > 0 end
    if kind == Dict then return one.pairs_.n > 0 end
    return true
  end
  py.bool = py.truth

  function py.either(one, other)
    if py.truth(one) then return one end
    return other()
  end

  function py.both(one, other)
    if py.truth(one) then return other() end
    return one
  end

  --- Equal by value: lists, and records whose fields stand in order.
  function py.same(one, two)
    if one == two then return true end
    if type(one) ~= "table" or type(two) ~= "table" then return false end
    local left, right = items_of(one), items_of(two)
    if left.n ~= right.n or left.n == 0 then return left.n == right.n and getmetatable(one) == List end
    for at = 1, left.n do
      if not py.same(left[at], right[at]) then return false end
    end
    return true
  end

  function py.has(all, one)
    if type(all) == "string" then return all:find(one, 1, true) ~= nil end
    if getmetatable(all) == Dict then return all.map[key_of(one)] ~= nil end
    for _, item in py.each(all) do
      if py.same(item, one) then return true end
    end
    return false
  end

  function py.at(all, place)
    if getmetatable(all) == Dict then return py.get(all, place) end
    if type(all) == "string" then
      local from = place < 0 and place or place + 1
      return all:sub(from, from)
    end
    local items = items_of(all)
    return items[place < 0 and items.n + place + 1 or place + 1]
  end

  --- The characters of a text, which is UTF-8.
  local function characters(text)
    local found = py.pack()
    for one in text:gmatch("[\0-\127\194-\255][\128-\191]*") do py.append(found, one) end
    return found
  end

  function py.slice(all, from, to)
    if type(all) == "string" and all:find("[\128-\255]") then
      return table.concat(py.slice(characters(all), from, to))
    end
    local n = type(all) == "string" and #all or items_of(all).n
    from, to = from or 0, to or n
    if from < 0 then from = math.max(0, n + from) end
    if to < 0 then to = n + to end
    to = math.min(to, n)
    if type(all) == "string" then return all:sub(from + 1, to) end
    return py.pack(table.unpack(items_of(all), from + 1, to))
  end

  function py.index(list, item)
    for at, one in py.each(list) do
      if py.same(one, item) then return at - 1 end
    end
  end

  -- --- going through ---

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
    return getmetatable(one) == Dict and one.pairs_.n or items_of(one).n
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
      if not py.same(left[at], right[at]) then return before(left[at], right[at]) end
    end
    return left.n < right.n
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

  -- --- numbers and text ---

  function py.add(one, two)
    if type(one) == "string" then return one .. two end
    if type(one) == "table" then return py.joined(one, two) end
    return one + two
  end

  function py.floordiv(one, two) return floor(one / two) end

  function py.shift(number, bits) return floor(number / 2 ^ bits) end

  function py.int(one) return one == true and 1 or one == false and 0 or floor(tonumber(one)) end

  py.abs = math.abs

  --- What an enum's member is written as is the member itself.
  function py.word(one) return one end

  function py.fixed(number, digits) return format("%." .. digits .. "f", number) end

  function py.str(one)
    if type(one) == "number" then return format("%.0f", one) end
    if type(one) ~= "table" then return one == nil and "None" or tostring(one) end
    local text = one.__str__
    if text then return text(one) end
    return tostring(one)
  end

  function py.format(text, options)
    local words = options.words
    return (text:gsub("{([%a_]+)}", function(name)
      local word = words and py.get(words, name)
      if word == nil then word = options[name] end
      return py.str(word)
    end))
  end

  --- `{one.two}` is asked for as `one`, and `two` of that.
  function py.format_map(text, words)
    return (text:gsub("{([%w_.]+)}", function(names)
      local found
      for name in names:gmatch("[^.]+") do
        if found == nil then found = words:__getitem__(name) else found = found[name] end
      end
      return py.str(found)
    end))
  end

  function py.getattr(one, name) return one[name] end

  function py.join(glue, list) return table.concat(py.map(py.str, list), glue, 1, list.n) end

  --- Divided by white space.
  function py.split(text)
    local found = py.pack()
    for one in text:gmatch("%S+") do py.append(found, one) end
    return found
  end

  --- A regular expression: any of some patterns.
  function py.pattern(ignores_case, ...)
    local all = py.pack(...)
    return { ignores_case = ignores_case, all = ignores_case and py.map(py.lower, all) or all }
  end

  function py.search(pattern, text)
    if pattern.ignores_case then text = text:lower() end
    for _, one in py.each(pattern.all) do
      if text:find(one) then return true end
    end
    return false
  end

  function py.upper(text) return text:upper() end

  function py.lower(text) return text:lower() end

  function py.startswith(text, start) return text:sub(1, #start) == start end

  function py.rstrip(text) return (text:gsub("%s+$", "")) end

  function py.lstrip(text) return (text:gsub("^%s+", "")) end

  function py.replace(text, old, new)
    local found, from = {}, 1
    local at, stop = text:find(old, 1, true)
    while at do
      found[#found + 1] = text:sub(from, at - 1) .. new
      from = stop + 1
      at, stop = text:find(old, from, true)
    end
    return table.concat(found) .. text:sub(from)
  end

  -- --- classes ---

  local LATER = {}  -- a key that no field has

  --- `fields` are what the constructor takes, `made` what a field is where nobody gave it.
  function py.class(fields, made)
    local class = { fields = fields, members = {}, getters = {} }
    function class.__index(self, name)
      local getter = class.getters[name]
      if getter then return getter(self) end
      local later = rawget(self, LATER)
      if later then
        local make, value = later.makers[name], nil
        if make then value = make(later.source, later.context) elseif later.known then value = later.known[name] end
        if value ~= nil then
          rawset(self, name, value)
          return value
        end
      end
      local make = made[name]
      if not make then return class.members[name] end
      local value = make()
      rawset(self, name, value)
      return value
    end

    function class.new(...)
      local self = {}
      for at, name in ipairs(fields) do self[name] = (select(at, ...)) end
      return setmetatable(self, class)
    end

    --- A table with fields by name as one of these.
    function class.of(self) return setmetatable(self, class) end

    --- One whose fields are looked up when they are asked for: in `known`, or made from `source` and `context`.
    function class.later(makers, source, context, known)
      return class.of({ [LATER] = { makers = makers, source = source, context = context, known = known } })
    end

    return class
  end

  --- What a class has that its base has.
  function py.inherit(class, base)
    for _, name in ipairs({ "members", "getters" }) do
      for key, value in pairs(base[name]) do class[name][key] = class[name][key] or value end
    end
  end

  function py.isinstance(one, class) return getmetatable(one) == class end
end

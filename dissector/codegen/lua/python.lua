-- What the rules of session/*.py need of Python: they are translated by codegen/rules_*.py and run once a task.
--
-- A list or tuple is a table with its length in `n`; a dict keeps its entries in order, as pairs in the list `pairs_`:
-- what was taken out leaves `false` there, `gone` of them.
do
  local select, type = select, type
  local py, List, Dict = {}, {}, {}
  js.py = py
  List.__index, Dict.__index = List, Dict
  py.List, py.Dict = List, Dict

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
      for _, key in py.each_pair(one) do py.append(found, key) end
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
    local at, all = dict.head - 1, dict.pairs_
    return function()
      repeat at = at + 1 until all[at] ~= false
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
    local found = setmetatable({ pairs_ = py.pack(), map = {}, gone = 0, head = 1 }, Dict)
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
      known.at = dict.pairs_.n
    end
  end

  function py.setdefault(dict, key, value)
    if not dict.map[key_of(key)] then py.put(dict, key, value) end
    return py.get(dict, key)
  end

  --- Takes a key out of a dict: what it stood for, or `default`.
  function py.pop(dict, key, default)
    local known, all = dict.map[key_of(key)], dict.pairs_
    if not known then return default end
    dict.map[key_of(key)], all[known.at], dict.gone = nil, false, dict.gone + 1
    while all[dict.head] == false do dict.head = dict.head + 1 end
    if 2 * dict.gone > all.n + 16 then  -- closes up
      local kept = py.pack()
      for _, one in ipairs(py.list_of(all, all.n)) do
        if one then
          py.append(kept, one)
          one.at = kept.n
        end
      end
      dict.pairs_, dict.gone, dict.head = kept, 0, 1
    end
    return known[2]
  end

  --- The first key of a dict.
  function py.first(dict)
    local known = dict.pairs_[dict.head]
    return known and known[1] or nil
  end

  function py.get(dict, key, default)
    local known = dict.map[key_of(key)]
    if known then return known[2] end
    return default
  end

  function py.items(dict)
    if dict.gone == 0 then return dict.pairs_ end
    return py.filter(function(pair) return pair end, dict.pairs_)
  end

  function py.values(dict) return py.map(function(pair) return pair[2] end, py.items(dict)) end

  py.keys = items_of

  function py.fromkeys(_, keys, value)
    return py.dict(py.map(function(key) return py.pack(key, value) end, keys))
  end

  function py.set(items)
    return py.dict(py.map(function(item) return py.pack(item, true) end, items or py.pack()))
  end
  py.frozenset, py.OrderedDict = py.set, py.dict

  function py.union(one, two) return py.dict(py.joined(py.items(one), py.items(two))) end

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
    if kind == Dict then return one.pairs_.n > one.gone end
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
end

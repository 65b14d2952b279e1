-- What the translated rules need of Python: numbers, text, classes (beside python.lua).
do
  local py, format, floor, select, type = js.py, string.format, math.floor, select, type

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
    local members, getters = {}, {}
    local class = { fields = fields, members = members, getters = getters }
    function class.__index(self, name)
      local member = members[name]
      if member ~= nil then return member end
      local getter = getters[name]
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
      if not make then return nil end
      local value = make()
      rawset(self, name, value)
      return value
    end

    function class.new(...)
      local self = {}
      if class.members.__init__ then
        setmetatable(self, class):__init__(...)
        return self
      end
      for at = 1, math.min(select("#", ...), #fields) do self[fields[at]] = (select(at, ...)) end
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

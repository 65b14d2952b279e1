-- Why a message can not be read, with the field that it is about: `invoke.params.arguments[2].value at offset 40: ...`.
-- Such a message is read once more, by the same functions, which note their fields then.
do
  local C, NAMES = js.cursor, js.path_names
  local LEAVES = { "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "blob", "guid", "letter", "bool", "truth", "text" }
  local plain, abbreviations = {}, {}
  local around, leaf  -- the groups that are open, and the field that is being read

  --- What a path calls a field: an element by its place, what a code selects by the name that it has in all cases.
  local function name_of(field)
    local abbreviation = abbreviations[field]
    local name = NAMES[abbreviation] or string.match(abbreviation, "[^.]*$")
    return name == "[]" and string.format("[%d]", around[#around].count) or name
  end

  local function path(name)
    local found = ""
    for index = 2, #around + 1 do
      local one = around[index] and around[index].name or index == #around + 1 and name or ""
      found = (found == "" or one == "" or string.sub(one, 1, 1) == "[") and found .. one or found .. "." .. one
    end
    return found
  end

  local noting = {}

  for _, name in ipairs(LEAVES) do
    noting[name] = function(c, field, ...)
      if leaf then return plain[name](c, field, ...) end
      leaf = name_of(field)
      local value = plain[name](c, field, ...)
      leaf, around[#around].count = nil, around[#around].count + 1
      return value
    end
  end

  local function opening(name)
    return function(c, field)
      around[#around + 1] = { name = name_of(field), count = 0 }
      return plain[name](c, field)
    end
  end
  noting.open, noting.open_number = opening("open"), opening("open_number")

  function noting.close(c, up)
    around[#around] = nil
    around[#around].count = around[#around].count + 1
    return plain.close(c, up)
  end

  function noting.fits(c, count, at_least, field)
    leaf = name_of(field)
    plain.fits(c, count, at_least)
    leaf = nil
  end

  function noting.enter(c)
    leaf = string.format("[%d]", around[#around].count)
    plain.enter(c)
    leaf = nil
  end

  function noting.refuse(c, reason, offset, name)
    leaf = name
    plain.refuse(c, reason, offset)
  end

  --- The words for a message that `js.decode` refuses, read by the cursor `c`.
  function js.failure(c)
    if not next(abbreviations) then
      for abbreviation, field in pairs(js.fields) do abbreviations[field] = abbreviation end
    end
    around, leaf = { { name = "", count = 0 } }, nil
    for name, noted in pairs(noting) do plain[name], C[name] = C[name], noted end
    pcall(js.decode, c)
    for name in pairs(noting) do C[name] = plain[name] end
    local place = path(leaf or "")
    return string.format("%s at offset %d: %s", place ~= "" and place or "message", c.offset, c.reason)
  end
end

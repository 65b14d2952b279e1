-- What objects and members are called.
do
  local tables = js.tables
  local PROXIES, GUIDS = {}, {
    ["feee47a66c1b11d88103000476ee8afb"] = "Com_log",
    ["feee47aa6c1b11d88103000476ee8afb"] = "Com_task",
    ["feee47b36c1b11d88103000476ee8afb"] = "Com_spooler",
  }
  for hex, key in pairs(GUIDS) do
    PROXIES[(string.gsub(hex, "..", function(pair) return string.char(tonumber(pair, 16)) end))] = key
  end
  local BEGIN = { spooler = "Com_spooler", spooler_job = "Com_job", spooler_log = "Com_log", spooler_task = "Com_task" }

  local function last(text, separator)
    local from = 1
    while true do
      local at, stop = string.find(text, separator, from, true)
      if not at then return string.sub(text, from) end
      from = stop + 1
    end
  end

  --- What C++, Java and the table have in common of a class's name.
  local function plain(title)
    local name = string.lower(last(last(title, "::"), "."))
    if string.sub(name, 1, 4) == "com_" then name = string.sub(name, 5) end
    return (string.gsub(name, "_", ""))
  end

  --- Key of an object's interface: by its title, else its proxy's class id, else its `begin` name.
  function js.class_key(title, proxy, name)
    local key = title and title ~= "" and #title < 1024 and tables.class_keys[plain(title)]
    return key or (proxy and PROXIES[proxy]) or (name and BEGIN[name]) or nil
  end

  --- Name of the member that an invoke means; nil when the tables do not know it.
  function js.member_name(key, dispid, flags)
    local members = tables.classes[key]
    local names = members and members[dispid]
    if not names then return nil end
    local put = flags % 16 >= 4
    local found = names[put and 3 or flags % 2 == 1 and 1 or 2] or names[1]
    return found ~= "" and found or nil
  end

  function js.hresult_name(code)
    return tables.hresult[code] or string.format("%08X", code)
  end

  function js.guid_text(raw)
    local hex = js.hex(raw)
    return (string.gsub(hex, "^(........)(....)(....)(....)(............)$", "%1-%2-%3-%4-%5"))
  end
end

-- Reads a whole message with the decoders that are generated: into a table, and into the tree.
do
  local sub = string.sub

  --- Reads field by field, with `node` into the tree.
  local function read(c)
    local ok, found = pcall(js.decode, c)
    if ok then return found end
    if found ~= c then error(found, 0) end
    return nil
  end

  local function cursor(s, operation, count)
    return { s = s, p = 0, n = #s, last = 0, done = 0, level = 0, operation = operation, count = count or 0 }
  end

  --- What a message's bytes, from index `start` on, say, why they can not be read, and the id of the object that it is for;
  --- `operation` and `count` are what an answer is read with.
  function js.read(s, start, operation, count)
    local ok, body, object_id, trailing = pcall(js.glimpse, s, start, operation, count or 0)
    if not ok then
      local found = read(cursor(sub(s, start), operation, count))
      if not found then return nil, js.failure(cursor(sub(s, start), operation, count)) end
      body, object_id, trailing = found.body, found.object_id, found.trailing
    end
    if trailing > 0 then body.trailing = trailing end
    return body, nil, object_id
  end

  --- Draws a message below `node`; gives what it says.
  function js.read_into(node, range, s, operation, count, shown, veil)
    local c = cursor(s, operation, count)
    c.node, c.range, c.shown, c.veil, c.opened = node, range, shown, veil, {}
    local found = read(c)
    if found then return found.body end
    for _, one in ipairs(c.opened) do
      if one[2] then one[2]:set_len(math.max(c.done - one[1], 0)) end
    end
    if c.done < c.n then
      local bytes = range(c.done, c.n - c.done)
      -- As many as there are bytes: Wireshark reads the value as far as the range goes.
      if veil == js.veil_of_all then
        node:add(js.fields.undecoded, bytes, string.rep("*", c.n - c.done))
      else
        node:add(js.fields.undecoded, bytes)
      end
    end
    return nil
  end
end

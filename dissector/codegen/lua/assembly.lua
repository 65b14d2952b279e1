-- The bytes of a document of a command connection that is under way (the rules of stream/assembly.py).
do
  local sub = string.sub
  local say = js.python.stream_wrong_bytes

  --- The document under way: `parts` were looked at, `rest` is still to be looked at from index `at` (from 0) on.  Between
  --- documents it keeps no table: there may be thousands of connections that say nothing more.
  local A = {}
  A.__index = A

  --- `reader` has the `side`, and `out` that takes what is found.
  function js.new_assembly(reader) return setmetatable({ reader = reader, size = 0, rest = "", at = 0, offset = 0 }, A) end

  function A:under_way() return self.skipping or self.size > 0 or self.rest ~= "" end

  function A:add(chunk, from)
    if not self:under_way() then self.offset, self.packets = chunk.offset + from, {} end
    self.chunk = chunk
    self.rest = self.rest .. (from > 0 and sub(chunk.data, from + 1) or chunk.data)
    if self.packets[#self.packets] ~= chunk.number then self.packets[#self.packets + 1] = chunk.number end
  end

  --- Puts away what was looked at, so that no byte is copied again and again; `keep` bytes before `at` stay.
  function A:put_away(keep)
    local done = self.at - keep
    if done <= 0 then return end
    if not self.skipping then
      self.parts = self.parts or {}
      self.parts[#self.parts + 1] = sub(self.rest, 1, done)
    end
    self.size = self.size + done
    self.rest, self.at = sub(self.rest, done + 1), keep
    if not self.skipping and self.size > js.limits.document then
      local reader, chunk = self.reader, self.chunk
      self.skipping, self.parts = true, nil
      reader.out:problem("undecoded_frame", reader.side, say.document_too_long(), chunk.number, chunk.time, true)
    end
  end

  --- Forgets `count` bytes of `rest` and all before them; what is left came with the newest packet.
  function A:drop(count)
    self.offset = self.offset + self.size + count
    self.parts, self.size, self.at = nil, 0, 0
    self.rest = sub(self.rest, count + 1)
    self.packets = { self.chunk.number }
  end

  --- Nothing more is to be found in the newest packet.
  function A:rests()
    if not self:under_way() then self.chunk, self.packets = nil, nil end
  end

  function A:text() return table.concat(self.parts or {}) .. self.rest end

  --- Hands out the document that ends before index `stop` of `rest`.
  function A:take(stop, kind, incomplete)
    if not self.skipping then
      local data = table.concat(self.parts or {}) .. sub(self.rest, 1, stop)
      local reader, chunk, packets = self.reader, self.chunk, self.packets
      local at = #packets == 1 and chunk.at and chunk.at + self.offset - chunk.offset or nil
      if at and at < chunk.at then at = nil end
      reader.out:document(reader.side, data, packets, chunk.time, at, kind, incomplete)
    end
    self.skipping = nil
    self:drop(stop)
  end

  function A:clear()
    self.parts, self.size, self.rest, self.at, self.packets, self.chunk, self.skipping = nil, 0, "", 0, nil, nil, nil
  end
end

-- One direction of a command connection: bytes in stream order become documents (the rules of stream/documents.py).
do
  local byte, sub, find, match = string.byte, string.sub, string.find, string.match
  local say = js.python.stream_wrong_bytes

  local R = {}
  R.__index = R

  --- `out` takes `document(side, data, packets, time, at, kind, incomplete)` and
  --- `problem(code, side, text, number, time, is_cap)`.
  function js.document_reader(side, is_client, mid_stream, out)
    local self = setmetatable({
      side = side, is_client = is_client, mid_stream = mid_stream, lost = mid_stream, out = out,
      open = 0, terminator = nil, tag = nil,
    }, R)
    self.doc = js.new_assembly(self)
    return self
  end

  local function begins_http(data, mid_stream)
    if mid_stream then return match(data, "^HTTP/1%.") or match(data, "^%u%u%u+ [/*h]") end
    return match(data, "^%u")
  end

  function R:feed(chunk)
    if not self.begun then
      self.http = begins_http(chunk.data, self.mid_stream) ~= nil
      self.begun = self.http or not self.mid_stream or byte(chunk.data) == 60
    end
    if self.http then return self.out:http(self.side, chunk) end
    if self.is_client then return self:feed_client(chunk) end
    return self:feed_server(chunk)
  end

  --- A hole: the document under way is lost, reading goes on at the next beginning.
  function R:gap(size, number, time, snapped, acknowledged)
    local was_lost = self.lost
    self.mid_stream, self.lost = true, true
    self.open, self.terminator, self.tag, self.after_document = 0, nil, nil, false
    local text = self.doc:under_way() and say.missing_of_document(size) or not was_lost and say.missing(size, snapped, acknowledged)
    self.doc:clear()
    if text then self.out:problem("gap", self.side, text, number, time) end
  end

  --- The connection ended: what is left over, if it is more than blanks, as an incomplete document.
  function R:finish()
    local doc = self.doc
    if doc.skipping or not doc.chunk then return end
    if find(doc:text(), "[^ \0\r\n]") then
      doc.chunk = setmetatable({ at = false }, { __index = doc.chunk })
      doc:take(#doc.rest, "xml", true)
    end
  end

  -- --- server: documents end at a NUL ---

  function R:feed_server(chunk)
    local from = 0
    if self.lost then
      if not (match(chunk.data, "^<%?xml") or match(chunk.data, "^<spooler")) then
        local nul = find(chunk.data, "\0", 1, true)
        if not nul then return end
        from = nul - 1
      end
      self.lost = false
    end
    local doc = self.doc
    doc:add(chunk, from)
    while true do
      local stop = find(doc.rest, "\0", doc.at + 1, true)
      if not stop then break end
      if stop > 1 or doc.size > 0 or doc.skipping then doc:take(stop - 1, "xml") end
      doc:drop(1)
    end
    doc.at = #doc.rest
    doc:put_away(0)
    doc:rests()
  end

  -- --- client: documents end with their last tag, or at a line feed ---

  function R:feed_client(chunk)
    local doc = self.doc
    if self.lost and not match(chunk.data, "^[ \0\r\n]*<") then return end
    self.lost = false
    doc:add(chunk, 0)
    while doc.rest ~= "" and self:step() do end
    if self.open > js.limits.xml_depth then return self:give_up(chunk) end
    doc:put_away(1)  -- whether a tag is an empty element is told by the byte before its end
    doc:rests()
  end

  --- Elements nested without end: counting on would cost time for nothing.  Told once in a direction.
  function R:give_up(chunk)
    if not self.gave_up then
      self.out:problem("undecoded_frame", self.side, say.nested_too_deep(), chunk.number, chunk.time)
    end
    self.gave_up, self.lost = true, true
    self.doc:clear()
    self.open, self.terminator, self.tag = 0, nil, nil
  end

  --- Blanks, a poke or a document: false when more bytes are needed.
  function R:step()
    local doc = self.doc
    if doc.at == 0 and doc.size == 0 and not doc.skipping and not self.terminator then
      if self:between() then return true end
      self.is_xml = byte(doc.rest) == 60
    end
    local stop
    if self.is_xml then stop = self:xml_end() else stop = self:line_end() end
    if not stop then return false end
    doc:take(stop, self.is_xml and "xml" or "shorthand")
    self.open, self.terminator, self.tag = 0, nil, nil
    self.after_document = true
    return true
  end

  --- Takes what stands in front of a document: false when there is nothing.
  function R:between()
    local doc = self.doc
    local blanks = match(doc.rest, "^[ \0\r]+")
    if blanks then
      if find(blanks, " ", 1, true) then self.after_document = false end
      doc:drop(#blanks)
      return true
    end
    local first = byte(doc.rest)
    if first ~= 4 and first ~= 10 then return false end
    self.after_document = false
    doc:drop(1)
    return true
  end

  function R:line_end()
    local doc = self.doc
    local stop = find(doc.rest, "\n", doc.at + 1, true)
    doc.at = #doc.rest
    if not stop then return nil end
    return stop > 1 and byte(doc.rest, stop - 1) == 13 and stop - 2 or stop - 1
  end

  --- Goes to the next markup and tells what ends it: false when it is not there yet.
  function R:enter()
    local doc = self.doc
    local rest = doc.rest
    local from = find(rest, "<", doc.at + 1, true)
    if not from then
      doc.at = #rest
      return false
    end
    local head = sub(rest, from, from + 8)
    self.tag = nil
    local size = 2
    if sub(head, 1, 4) == "<!--" then
      self.terminator, size = "-->", 4
    elseif head == "<![CDATA[" then
      self.terminator, size = "]]>", 9
    elseif #head < 9 and (sub("<!--", 1, #head) == head or sub("<![CDATA[", 1, #head) == head) then
      doc.at = from - 1
      return false
    else
      self.terminator, self.tag = ">", sub(head, 2, 2)
    end
    doc.at = from - 1 + size
    return true
  end

  --- Index behind the document's last byte in `rest`, nil when it is not there yet.
  function R:xml_end()
    local doc = self.doc
    while self.open <= js.limits.xml_depth do
      if not self.terminator and not self:enter() then return nil end
      local stop = find(doc.rest, self.terminator, doc.at + 1, true)
      if not stop then
        doc.at = math.max(doc.at, #doc.rest - #self.terminator + 1)
        return nil
      end
      doc.at = stop + #self.terminator - 1
      self.terminator = nil
      if self.tag and self:leave(stop > 1 and byte(doc.rest, stop - 1) or 0) then return doc.at end
    end
    return nil
  end

  --- Counts the tag that ended; true when it was the document's last one.
  function R:leave(before_end)
    if self.tag == "/" then
      self.open = self.open - 1
      return self.open == 0
    end
    if not match(self.tag, "^%a") then return false end
    if before_end ~= 47 then
      self.open = self.open + 1
      return false
    end
    return self.open == 0
  end
end

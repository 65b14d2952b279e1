-- Where a frame may begin and where it ends, told from its bytes (the rules of stream/framing.py).
do
  local byte, find = string.byte, string.find
  local limits, rules = js.limits, js.python.stream_framing
  local MOST_DECODED = limits.decoded
  local SHORTEST_REQUEST, SHORTEST_ANSWER = rules._SHORTEST_REQUEST, rules._SHORTEST_ANSWER
  local CLASSES = { [0x53] = true, [0x4F] = true, [0x41] = true, [0x45] = true, [0x4B] = true }
  local COMMANDS = {
    [0x53] = { [0x43] = true },
    [0x4F] = { [0x52] = true, [0x51] = true, [0x47] = true, [0x49] = true, [0x41] = true },
  }

  --- Length in a frame's header at `start` (from 0), signed.
  local function length_at(data, start)
    local a, b, c, d = byte(data, start + 1, start + 4)
    local length = ((a * 256 + b) * 256 + c) * 256 + d
    return length < 2147483648 and length or length - 4294967296
  end

  --- True when a frame may begin at `start`: a possible length, a known class, and a body that can begin so.
  local function plausible(data, start)
    if #data - start <= 4 then return false end
    local length, class = length_at(data, start), byte(data, start + 5)
    if length <= 0 or length > limits.message or not CLASSES[class] then return false end
    local commands = COMMANDS[class]
    if commands then
      local command = byte(data, start + 14)
      return length >= SHORTEST_REQUEST and (command == nil or commands[command] == true)
    end
    if length == 1 or class == 0x4B then return length == 1 end
    if length < SHORTEST_ANSWER then return false end
    if class == 0x41 then
      local first = byte(data, start + 6) or 0  -- of its hresult
      return first == 0 or first >= 0x80
    end
    local size = #data - start >= 9 and length_at(data, start + 5) or 0  -- of an error's first string
    return size >= 0 and size <= length - SHORTEST_ANSWER
  end
  js.plausible_frame = plausible

  --- True when `data` is one whole frame from index `from` on.
  function js.is_frame(data, from)
    local size, a, b, c, d = #data - from - 3, byte(data, from, from + 3)
    return size > 0 and ((a * 256 + b) * 256 + c) * 256 + d == size and size <= MOST_DECODED
  end

  local function end_of_frame(data, start)
    if not plausible(data, start) then return nil end
    local length = length_at(data, start)
    return length <= limits.decoded and start + 4 + length or nil
  end

  local function is_boundary(data, at)
    return at == #data or plausible(data, at)
  end

  --- Where a frame that begins anywhere in `data` ends, with the data or before another frame.
  local function boundary(data)
    local from = 1
    while true do
      local at = find(data, "[\0-\4]...[SOAEK]", from)
      if not at then return nil end
      local stop = end_of_frame(data, at - 1)
      if stop and stop <= #data and is_boundary(data, stop) then return stop end
      from = at + 1
    end
  end

  js.framing = { length_at = length_at, end_of_frame = end_of_frame, is_boundary = is_boundary, boundary = boundary }
end

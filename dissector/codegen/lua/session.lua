-- Segments in, messages by packet out.  All state of a capture is in one table that `init` makes anew.
--
-- The first pass goes through the packets in order and writes down what each of them completed; later passes, in whatever
-- order, only look it up.
do
  local format, floor = string.format, math.floor
  local S = {}
  S.__index = S
  js.Session = S

  function js.new_session()
    local session = setmetatable({
      last = 0, away = 0, current = nil, packets = {}, flows = {}, by_ports = {}, hosts_of = {}, port_pairs = 0,
      servers = {}, tries = {}, quiet = {}, unreached = 0, undecided = {},
      order = js.new_order(), aging = js.new_heap(), joiner = js.new_joiner(), answers = {}, answer_count = 0, now = 0, time = 0, latest = -math.huge,
      awaiting = js.new_heap(), early_bytes = 0, deadline = math.huge,
      packet_of = {}, number_of = {}, hosts = js.new_hosts(), closing = js.new_queue(), failed = js.new_queue(), wake = 0,
      waits = false, found = {}, told = {}, clock_steps = nil, payloads = {}, datagrams = js.new_datagrams(),
    }, S)
    session.cut = js.new_cut(session)
    session.pairs, session.early = js.new_pairs(session.joiner, session.cut), js.new_early()
    session.silence, session.agents = js.new_silence(), js.new_agents()
    return session
  end

  function js.endpoint_key(ip, port) return format("%s:%d", ip, port) end

  local function endpoint(ip, port) return { ip = ip, port = port, key = js.endpoint_key(ip, port) } end

  --- What the packet at hand is about; made when there is something to say.  A message alone stands for itself.
  function S:entry(stream, number)
    number = number or self.last
    local entry = self:at(number)
    if not entry then
      entry = { stream = stream, message = nil, more = nil, problems = nil, parts = nil, late = nil }
      self:put(number, entry)
    elseif entry.size then
      entry = { stream = stream, message = entry, more = nil, problems = nil, parts = entry.parts, late = nil }
      self:put(number, entry)
    end
    return entry
  end

  --- What was written down about a packet.
  function S:at(number)
    if number == self.last then return self.current end
    local entry = self.packets[number]
    if entry and entry.dirs then return nil end  -- nothing but its connection
    return entry
  end

  --- Writes it down: for this pass, and unless nobody will ask again, for later ones.
  function S:put(number, entry)
    if number == self.last then self.current = entry end
    if not self.is_passing then self.packets[number] = entry end
  end

  --- With the packet at hand; `is_late`: another one proves it, and shows it from the next pass on.
  function S:problem(stream, code, text, is_late)
    local entry = self:entry(stream)
    entry.problems = entry.problems or {}
    if #entry.problems < 32 then
      entry.problems[#entry.problems + 1] = { code = code, text = text, is_late = is_late }
    end
  end

  --- A connection's bytes are none that can be read: shown with the packet, and told with the task (session/bounds.py).
  function S:stream_problem(stream, side, code, text, number, time, is_cap)
    local task = stream.task
    self:problem(stream, code, text, task ~= nil and number ~= self.last)
    if task and not self.is_passing then self:task_problem(task, stream, code, side, text, number, time, is_cap) end
  end

  --- The task keeps it, or counts it.
  function S:task_problem(task, stream, code, side, text, number, time, is_cap)
    if #task.problems < js.python.limits.MAX_PROBLEMS then
      task.problems[#task.problems + 1] = js.problem_of(stream, code, side, text, number, time, is_cap)
    elseif self.silence.open[task] then
      task.more.problem = (task.more.problem or 0) + 1
    end
  end

  --- The time of a packet, in nanoseconds from the full second in which the capture begins.
  function S:time_of(pinfo)
    local base, since = self.base, pinfo.rel_ts
    if not base then
      base = floor((pinfo.abs_ts - since) % 1 * 1e6 + 0.5) * 1000
      self.base, self.second = base, floor(pinfo.abs_ts - since)
    end
    return floor(since * 1e9 + 0.5) + base
  end

  --- The time goes on to that of the packet at hand, which is of `stream`: what waited for others comes before what only
  --- time changes.
  function S:tick(time, number, stream)
    self.time = time
    if time >= self.latest then
      self.latest = time
    elseif time < self.latest - js.limits.jitter then
      self.clock_steps = js.py.pack(self.clock_steps and self.clock_steps[1] or number, number)
    end
    if time >= self.deadline then self:catch_up(time, stream) end
    if self.latest >= self.wake then self:wakes(self.latest) end
  end

  --- Whose a packet of TCP's own is; asked for in later passes.
  function S:belongs(stream, number)
    if self.is_passing then return end
    if self.packets[number] == nil then self.packets[number] = stream end
    if stream.numbers then stream.numbers[#stream.numbers + 1] = number end
  end

  --- A message is complete with the packet at hand; `body` is kept until the next packet, for the Info column.
  function S:message(stream, message, body)
    if not message.packets and not self.current then  -- alone in its packet: nearly every one
      local number = self.last
      message.number, message.stream, self.fresh, self.fresh_body, self.current = number, stream, message, body, message
      if not self.is_passing then self.packets[number] = message end
      return
    end
    local last = message.packets and message.packets[#message.packets] or self.last
    message.number, message.stream = last, stream
    self.fresh, self.fresh_body = message, body
    if last ~= self.last and not self.is_over then
      -- Told later than by the packet that completed it, which is gone in the first pass.
      local now = self:entry(stream)
      now.late = now.late or {}
      now.late[#now.late + 1] = message
    end
    if not self:at(last) then
      -- A packet with one message and nothing else: nearly every one.
      self:put(last, message)
    else
      local entry = self:entry(stream, last)
      if not entry.message then
        entry.message = message
      else
        entry.more = entry.more or {}
        entry.more[#entry.more + 1] = message
      end
    end
    if not message.packets then return end
    for _, number in ipairs(message.packets) do
      local before = number ~= last and self:at(number)
      if before then
        before.parts = before.parts or {}
        before.parts[#before.parts + 1] = message
      end
    end
  end

  -- --- connections ---

  --- First packet of a connection; gives the direction of the packet, nil when the connection is none of ours.  One that
  --- begins with another segment than a SYN is looked at when no SYN can come any more.
  function S:open(key, pinfo, flags, time, seq, hop)
    local sport, dport = pinfo.src_port, pinfo.dst_port
    self:age(time)
    self:note_ports(key, sport * 65536 + dport, dport * 65536 + sport)
    local is_syn, is_ack = flags % 4 >= 2, flags % 32 >= 16
    local from_client = not is_ack
    if not is_syn then from_client = js.listens(sport, dport) end
    local source, target = endpoint(tostring(pinfo.src), sport), endpoint(tostring(pinfo.dst), dport)
    -- At most 16 fields, here and later: a larger table is slow to make and to throw away.
    local stream = {
      key = key, client = from_client and source or target, server = from_client and target or source,
      start = time, seen = time, first_packet = self.last, mid_stream = not is_syn or nil, silence = 0,
      is_new = true, numbers = {},
    }
    local route = js.new_route(stream, self)
    local sender = js.direction.new(from_client and 0 or 1, stream, route)
    local receiver = js.direction.new(1 - sender.side, stream, route)
    sender.other, receiver.other = receiver, sender
    stream.dirs = { [sender.side] = sender, [receiver.side] = receiver }
    self.flows[js.other_way(key)], self.flows[key] = receiver, sender
    js.claim.begins(stream)
    self.joiner.has_commands = self.joiner.has_commands or self:is_command_server(stream.server)
    if is_syn then self:opened(stream, is_ack and -1 or seq, hop) end
    return not stream.foreign and sender or nil
  end

  --- It is known which end of a connection is the client; `seq` is that of its SYN (-1: that was not captured).
  function S:opened(stream, seq, hop)
    local sport, dport, time = stream.client.port, stream.server.port, stream.start
    stream.is_new = nil
    if self.pairs:is_copy(stream, seq, hop) then return end
    local task = self.joiner:announced(stream)
    if task and #task.attempts < js.limits.attempts then
      self:attempt(stream, task)
      return
    elseif task then
      task.more.connection = (task.more.connection or 0) + 1
    end
    stream.is_command_port = self:is_command_server(stream.server)
    if js.in_ranges(js.command_ports, sport) or js.in_ranges(js.command_ports, dport) then self:remember(stream) end
    stream.stray = self.joiner:elsewhere(stream)
    if not stream.stray and self.pairs:is_cut_only(stream, time) then self.cut:opened(stream) end
    if not stream.is_command_port and not stream.stray and not js.heuristic
        and not js.in_ranges(js.callback_ports, stream.server.port)
        and not js.in_ranges(js.callback_ports, stream.client.port) then
      self:disown(stream)
      return
    end
    stream.sniffing, stream.events, stream.heads = true, {}, { [0] = "", [1] = "" }
    self.early:note(stream)
    if stream.is_command_port and not stream.mid_stream then
      stream.undecided, self.undecided[stream] = true, true
      js.push(self.quiet, js.tries_key(stream), stream)
      self.aging:push(time + js.limits.half_open * 1e9, stream)
      self.order:add(stream)
    end
  end

  --- Notes the time, for the task list.
  function S:clock(pinfo) self.now = math.max(self.now, self:time_of(pinfo)) end

  --- An ICMP error is about a packet with this key; its connection, if that may be one of ours.
  function S:icmp(key, version, kind, code, pinfo)
    local flow = self.flows[key]
    local reason = flow and js.python.stream_icmp.reason(version, kind, code)
    if not reason or not flow.facts then return nil end
    local stream = flow.stream
    if not pinfo.visited then self:proves(stream) end
    local list = stream.icmp or {}
    stream.icmp = list
    if not pinfo.visited and #list < js.python.limits.MAX_EVIDENCE then
      list[#list + 1] = js.python.traffic.IcmpError.of({
        number = self.last, time = self:time_of(pinfo), sender = tostring(pinfo.src), reason = reason,
      })
    end
    return stream
  end

  --- A connection that is none of ours: its packets are not looked at any more.
  function S:disown(stream)
    local flows, key = self.flows, stream.key
    flows[key], flows[js.other_way(key)] = false, false
    for _, number in ipairs(stream.numbers or {}) do
      if self.packets[number] == stream then self.packets[number] = nil end
    end
    stream.foreign, stream.sniffing, stream.events, stream.heads, stream.dirs, stream.numbers = true, nil, nil, nil, nil, nil
  end
end

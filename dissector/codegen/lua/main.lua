-- Registration with Wireshark.
--
-- The post-dissector does the work: it sees each packet once and whole, also those that TCP withholds from dissectors
-- (out of order, pure acknowledgements).  The dissector that TCP calls only claims the payload (claim.lua).
do
  local byte, sub, floor = string.byte, string.sub, math.floor
  local proto, garbage = js.proto, js.garbage

  --- True when a number is in one of the ranges of `js.ranges`.
  function js.in_ranges(ranges, number)
    for index = 1, #ranges do
      if number >= ranges[index][1] and number <= ranges[index][2] then return true end
    end
    return false
  end

  --- Ranges of a preference such as `1024,4000-4010`.
  function js.ranges(text)
    local found = {}
    for low, high in string.gmatch(tostring(text), "(%d+)%-?(%d*)") do
      found[#found + 1] = { tonumber(low), tonumber(high ~= "" and high or low) }
    end
    return found
  end

  local tap

  local function apply_preferences()
    js.command_ports = js.ranges(proto.prefs.command_ports)
    js.callback_ports = js.ranges(proto.prefs.callback_ports)
    js.heuristic, js.show_secrets = proto.prefs.heuristic, proto.prefs.show_secrets
    js.claim.command_ports(tostring(proto.prefs.command_ports))
    js.extend_secrets(proto.prefs.mask_names, proto.prefs.mask_pattern)
    if proto.prefs.task_table and not js.is_gui and not tap then
      -- Made only now: with a tap, tshark builds trees of all packets.
      tap = Listener.new("frame")
      function tap.packet(pinfo) js.session:clock(pinfo) end
      function tap.draw()
        if js.enabled ~= false then print(table.concat(js.task_lines(), "\n")) end
      end
    end
  end

  function proto.prefs_changed() apply_preferences() end

  function proto.init()
    js.claim.nothing()
    apply_preferences()
    js.session, js.enabled = js.new_session(), nil
  end

  -- For each packet, so looked up just once.
  local len, raw, locate, has_http, HEAD = Tvb.len, Tvb.raw, js.locate, js.agent_http.is_there, js.head_size

  --- The datagram that is whole with a fragment whose IP header begins at `at`, and the segment in it.
  local function whole(session, data, at, pinfo)
    local wire, time, key, tcp, stop = pinfo.len, session:time_of(pinfo), nil, at, nil
    while tcp and not key do
      data = session.datagrams:take(data, tcp, wire, time)
      if not data then return nil end
      key, tcp, stop = js.locate_in(data, pinfo)
      wire = #data
    end
    return data, key, tcp, stop
  end

  --- What `touch` gives, for later passes too.
  local function keep(session, entry, number, at, captured, datagram)
    if not datagram then return entry, at, captured end
    local payload = sub(datagram, at + 1, at + captured)
    if entry and not entry.dirs and not session.is_passing then session.payloads[number] = payload end
    return entry, 0, captured, payload
  end

  --- The usual acknowledgement: nothing but what is known already, of an end that was heard before.  What `confirms` does,
  --- without its calls: every second packet comes here.
  local function is_usual_ack(flow, facts, ack, number, time, hop, window)
    local stream, other = flow.stream, flow.other
    if ack ~= other.expect or window == 0 or time - stream.seen > stream.silence or flow.packets == 0 then return false end
    stream.seen, stream.last_packet, flow.packets = time, number, flow.packets + 1
    facts.last_number, facts.last_time, facts.last_hop, facts.window = number, time, hop, window
    local acked = facts.acked
    if not acked or other.next > acked then facts.acked = other.next end
    return true
  end

  --- The packet at hand in a later pass: what is known of it, and its payload where that came in fragments.
  local function again(session, number)
    if session.is_first_pass then session:settle() end
    number = session:packet(number)
    local entry = session.packets[number]
    return entry, not (entry and entry.dirs) and session.payloads[number] or nil
  end

  --- What is known of the packet at hand, and where its payload is; the first time, its segment is taken.  Of a datagram
  --- that came in fragments the payload itself.  Last, true for one that can not have anything of HTTP.
  local function touch(tvb, pinfo)
    local session, number, entry = js.session, pinfo.number, nil
    local is_new = session.is_passing or not pinfo.visited
    if not is_new then
      local payload
      entry, payload = again(session, number)
      if payload then return entry, 0, #payload, payload end
      if not entry or entry.dirs then return entry end
    elseif number > session.last and session.away == 0 and not session.ahead then
      session.last, session.current, session.is_first_pass = number, nil, true
    else  -- packets are taken out
      number = session:arrived(number)
    end
    local caplen, known = len(tvb), session.flows
    if caplen <= 20 then return entry end  -- less than an IP header and a byte of a fragment
    local head = raw(tvb, 0, caplen < HEAD and caplen or HEAD)
    local key, tcp, stop, flow = locate(head, pinfo, known)
    local datagram
    if not key then
      local about = stop
      if about and is_new then session:belongs(about, number) end
      if about or not tcp or not is_new then return about or entry end
      datagram, key, tcp, stop = whole(session, raw(tvb, 0, caplen), tcp, pinfo)
      if not key then return entry end
      head, caplen = datagram, #datagram
    end
    if not flow then flow = known[key] end
    local i, j, _, _, ttl, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, a, b, c, d, e, f, g, h, offset, flags, high,
      low = byte(head, tcp - 15, tcp + 16)
    if not flags or (flow == false and is_new and flags % 4 < 2) then
      if is_new and session.waits then session:tick(session:time_of(pinfo), number) end
      return entry
    end
    local at = tcp + floor(offset / 16) * 4
    local length = stop - at
    if offset < 80 or length < 0 then return entry end
    local captured = caplen - at
    if length < captured then captured = length end
    if not is_new then return entry, at, captured end

    local seq, ack = ((a * 256 + b) * 256 + c) * 256 + d, ((e * 256 + f) * 256 + g) * 256 + h
    local base, window = session.base, (high or 0) * 256 + (low or 0)
    local time = base and floor(pinfo.rel_ts * 1e9 + 0.5) + base or session:time_of(pinfo)
    if time < session.latest or time >= session.wake then
      session:tick(time, number, flow and flow.stream)
      flow = known[key]
      if flow == false and flags % 4 < 2 then return session.current end
    else
      session.time, session.latest = time, time
    end
    local hop = #key == 12 and ttl + (i * 256 + j) * 256 or js.hop(head, tcp)
    local facts = flow and flow.facts
    if length == 0 and flow and flags % 8 == 0 then
      local is_taken = facts and is_usual_ack(flow, facts, ack, number, time, hop, window)
      if not is_taken and flow:tells_nothing(ack, flags) then
        flow:confirms(seq, number, time, hop, window)
        is_taken = true
      end
      if is_taken then
        local stream = flow.stream
        if session.is_passing or not stream.dirs then return nil, nil, nil, nil, true end  -- nobody asks whose it is
        session:belongs(stream, number)
        return stream, nil, nil, nil, true
      end
    end
    if time >= session.deadline then
      session:catch_up(time, flow and flow.stream)
      flow = known[key]
      if flow == false and flags % 4 < 2 then return session.current end
      facts = flow and flow.facts
    end
    if facts and length > 4 and length == captured and at + length == #head and flags % 8 == 0 then
      entry = session:usual(flow, seq, ack, head, at + 1, length, number, time, hop, window)
      if entry and not datagram then return entry, at, captured, nil, true end
      if entry then return keep(session, entry, number, at, captured, datagram) end
    end
    local data = ""
    if captured > 0 then
      if at + captured <= #head then data = sub(head, at + 1, at + captured) else data = raw(tvb, at, captured) end
    end
    if not flow or flow:is_over_with(seq, ack, flags, length, time) then
      local before = facts and flow.stream
      if before and not before.over then session:close(before, nil, before.last_packet, before.seen) end
      flow = session:open(key, pinfo, flags, time, seq, hop)
      if not flow then return nil end
    end
    local stream = flow.stream
    local ours = session:segment(flow, seq, ack, flags, data, length, number, time, hop, window)
    entry = session.current
    if not stream.dirs then return entry end
    if ours and not entry then entry = session:entry(stream) end
    if not entry then session:belongs(stream, number) end
    if stream.role and not stream.claimed and not stream.is_http then
      stream.claimed = true
      js.claim.stream(stream)
    end
    return keep(session, entry or stream, number, at, captured, datagram)
  end

  --- True unless the user disabled the protocol.  Wireshark has no word for it, but calls no dissector of a disabled one.
  local function is_enabled(tvb, pinfo, tree)
    if js.enabled == nil and len(tvb) > 0 then js.enabled = js.claim.is_called(tvb, pinfo, tree) end
    return js.enabled
  end

  local post = Proto("jobscheduler_packets", "JobScheduler packets")
  local function dissect(tvb, pinfo, tree)
    if not js.enabled and not is_enabled(tvb, pinfo, tree) then return 0 end
    if garbage.excess ~= 0 then js.count_in_advance() end
    local entry, at, length, payload, is_usual = touch(tvb, pinfo)
    if not is_usual then
      if has_http() then js.exchanges(pinfo, tree) elseif js.session.agents.carrying.size > 0 then js.missed(pinfo) end
    end
    if not entry then return 0 end
    if entry.dirs then
      js.draw_own(entry, pinfo, tree)
    elseif not js.glance(entry, pinfo, tree) then
      if payload and length > 0 then tvb = ByteArray.new(payload, true):tvb("Reassembled IP payload") end
      js.draw(entry, pinfo, tree, at and length > 0 and tvb(at, length) or nil)
    end
    return 0
  end
  post.dissector = dissect
  if js.is_gui then
    -- The task list may be asked for at any time.
    function post.dissector(tvb, pinfo, tree)
      js.session:clock(pinfo)
      return dissect(tvb, pinfo, tree)
    end
  end
  register_postdissector(post)

  js.session = js.new_session()
  apply_preferences()

  if js.is_gui then
    register_menu("JobScheduler/Task list", js.show_tasks, MENU_TOOLS_UNSORTED)
    js.register_packet_menu()
    js.register_statistics()
  end
end

-- Registration with Wireshark.
--
-- The post-dissector does the work: it sees each packet once and whole, also those that TCP withholds from dissectors
-- (out of order, pure acknowledgements).  The dissector that TCP calls only claims the payload.
do
  local byte, find = string.byte, string.find
  local proto = js.proto
  local get_stream, get_tcp = Field.new("tcp.stream"), Field.new("tcp")
  local get_payload, get_length, get_icmp = Field.new("tcp.payload"), Field.new("tcp.len"), Field.new("icmp")

  --- True when a number is in one of the ranges of `js.ranges`.
  function js.in_ranges(ranges, number)
    for index = 1, #ranges do
      if number >= ranges[index][1] and number <= ranges[index][2] then return true end
    end
    return false
  end

  --- Ranges of a preference such as `4444,4455-4460`.
  function js.ranges(text)
    local found = {}
    for low, high in string.gmatch(tostring(text), "(%d+)%-?(%d*)") do
      found[#found + 1] = { tonumber(low), tonumber(high ~= "" and high or low) }
    end
    return found
  end

  local registered
  local tcp_ports = DissectorTable.get("tcp.port")

  local function apply_preferences()
    js.command_ports = js.ranges(proto.prefs.command_ports)
    js.callback_ports = js.ranges(proto.prefs.callback_ports)
    js.heuristic, js.show_secrets = proto.prefs.heuristic, proto.prefs.show_secrets
    local ports = tostring(proto.prefs.command_ports)
    if ports ~= registered then
      if registered and registered ~= "" then tcp_ports:remove(registered, proto) end
      if ports ~= "" then tcp_ports:add(ports, proto) end
      registered = ports
    end
  end

  function proto.prefs_changed() apply_preferences() end

  function proto.init()
    apply_preferences()
    js.session = js.new_session()
  end

  --- Places of the TCP header and payload in the packet's bytes; nil where they are not in it (IP fragments put together).
  local function places(tvb, pinfo)
    local tcp = get_tcp()
    if not tcp then return nil end
    local from = tcp.offset
    if from + 20 > tvb:len() then return nil end
    local header = tvb:raw(from, 14)
    local a, b, c, d = byte(header, 1, 4)
    local size = math.floor(byte(header, 13) / 16) * 4
    if size < 20 or a * 256 + b ~= pinfo.src_port or c * 256 + d ~= pinfo.dst_port then return nil end
    local length = 0
    if from + size < tvb:len() then
      local payload = get_payload()
      length = payload and payload.len or 0
      if from + size + length > tvb:len() then return nil end
    end
    return header, from + size, length
  end

  --- The same by way of the fields' own bytes.
  local function elsewhere()
    local tcp, payload = get_tcp(), get_payload()
    local header = tcp and tcp.range
    header = header and header:raw()
    if not header or #header < 20 then return nil end
    return string.sub(header, 1, 14), payload and payload.range
  end

  --- What is known of the packet at hand; the first time, its segment is taken.
  local function touch(tvb, pinfo)
    local session, number = js.session, pinfo.number
    if number <= session.last then return session.packets[number] end
    session.last, session.fresh = number, nil
    local id = get_stream()
    id = id and id.value
    if not id then return nil end
    local stream = session.streams[id]
    if stream == false then return nil end
    local header, at, length = places(tvb, pinfo)
    local data = ""
    if header then
      if length > 0 then data = tvb:raw(at, length) end
    else
      local range
      header, range = elsewhere()
      if not header then return nil end
      if range then data = range:raw() end
      length = #data
    end
    local s1, s2, d1, d2, a, b, c, d, e, f, g, h, _, flags = byte(header, 1, 14)
    local sport, time = s1 * 256 + s2, pinfo.rel_ts
    if not stream then
      if get_icmp() then return nil end
      stream = session:open(id, tostring(pinfo.src), sport, tostring(pinfo.dst), d1 * 256 + d2, flags, number, time)
      if not stream then return nil end
    end
    -- Which end sent it: the ports tell, unless both are the same.
    local side = stream.first_side
    if stream.same_ports then
      if tostring(pinfo.src) ~= stream.first_ip then side = 1 - side end
    elseif sport ~= stream.first_port then
      side = 1 - side
    end
    if pinfo.caplen < pinfo.len then
      local told = get_length()
      if told and told.value > length then length = told.value end
    end
    local ours = session:segment(stream, side, ((a * 256 + b) * 256 + c) * 256 + d, ((e * 256 + f) * 256 + g) * 256 + h,
      flags, data, length, number, time)
    local entry = session.packets[number]
    if ours and not entry then entry = session:entry(stream) end
    if stream.role and not stream.claimed and not stream.is_http then
      stream.claimed = true
      pinfo.conversation = proto
    end
    return entry, at, length
  end

  --- Claims payload: that of connections known to be ours, else what may begin a command.
  function proto.dissector(tvb)
    local id, length = get_stream(), tvb:len()
    local stream = id and js.session.streams[id.value]
    if stream and stream.role then return stream.is_http and 0 or length end
    if stream == false or length == 0 then return 0 end
    return find(tvb:raw(0, 1), "[<%s%l]") and length or 0
  end

  local post = Proto("jobscheduler_packets", "JobScheduler packets")
  function post.dissector(tvb, pinfo, tree)
    local entry, at, length = touch(tvb, pinfo)
    if entry then
      local payload, _
      if not at then _, at, length = places(tvb, pinfo) end
      if at then
        if length > 0 then payload = tvb(at, length) end
      else
        _, payload = elsewhere()
      end
      js.draw(entry, pinfo, tree, payload)
    end
    return 0
  end
  register_postdissector(post)

  js.session = js.new_session()
  apply_preferences()

  if gui_enabled() then
    register_menu("JobScheduler/Task list", js.show_tasks, MENU_TOOLS_UNSORTED)
  else
    local tap = Listener.new("frame")
    function tap.draw()
      if proto.prefs.task_table then print(table.concat(js.task_lines(), "\n")) end
    end
  end
end

-- Whose payload a segment is: TCP asks the dissectors of its ports, and those of our connections are entered there.
--
-- Not by `pinfo.conversation`, which would be one line: a conversation keeps its dissector when Wireshark reloads the Lua
-- plugins, and the next packet drawn, which may be before the capture is read anew, calls one that is gone (SIGSEGV).
-- From the table of ports Wireshark takes ours away by itself.
do
  local find, len = string.find, Tvb.len
  local proto, claim = js.proto, {}
  js.claim = claim
  local tcp_ports = DissectorTable.get("tcp.port")
  local numbers  -- the command ports as they are entered
  local taken = {}  -- ports of connections: the dissector that had the port before, or false
  local is_asked, own = false, nil
  -- Those that end the program when they are called without what TCP knows of the segment, which Lua can not hand on.
  local FRAGILE = { DOF = true }

  --- The port's dissector, nil when there is none or it is ours.
  local function owner_of(port)
    local owner = tcp_ports:get_dissector(port)
    own = own or tostring(Dissector.get("jobscheduler"))
    if owner and tostring(owner) == own then return nil end
    return owner
  end

  local function take(port, owner)
    if taken[port] ~= nil or js.in_ranges(js.command_ports, port) then return end
    taken[port] = owner or false
    tcp_ports:add(port, proto)
  end

  --- A connection of ours: TCP tries the server's port first where it saw the SYN, else the lower one.
  function claim.stream(stream)
    local session, client, server = js.session, stream.client.port, stream.server.port
    session:remember(stream)
    take(server, owner_of(server))
    local other = owner_of(client)
    if other then take(client, other) end
  end

  --- Gives the ports of connections back, for the next capture.
  function claim.nothing()
    for port, owner in pairs(taken) do
      tcp_ports:remove(port, proto)
      if owner then tcp_ports:add(port, owner) end
    end
    taken = {}
  end

  --- Enters the command ports, text with commas and ranges.
  function claim.command_ports(text)
    if text == numbers then return end
    if numbers and numbers ~= "" then tcp_ports:remove(numbers, proto) end
    if text ~= "" then tcp_ports:add(text, proto) end
    numbers = text
  end

  --- True when Wireshark calls our dissector, which it does not when the protocol is disabled.
  function claim.is_called(tvb, pinfo, tree)
    is_asked = true
    Dissector.get("jobscheduler"):call(tvb(0, 0):tvb(), pinfo, tree)
    local was_called = not is_asked
    is_asked = false
    return was_called
  end

  --- Bytes claimed.  On command ports what may begin a command, as long as nothing else is known; on a port that the user
  --- decodes as this protocol everything.
  function proto.dissector(tvb, pinfo, tree)
    if is_asked then
      is_asked = false
      return 0
    end
    local stream, length = js.session:connection(pinfo), len(tvb)
    local is_ours = stream and stream.role and stream.role ~= "unknown"
    if is_ours and not stream.is_http then return length end
    local from, to = pinfo.src_port, pinfo.dst_port
    local owner = taken[to]
    if owner == nil then owner = taken[from] end
    if owner and not FRAGILE[tostring(owner)] then
      -- What is malformed for it is an error of Lua here; the rest of the packet is shown all the same.
      local is_whole, used = pcall(owner.call, owner, tvb, pinfo, tree)
      return is_whole and used or length
    end
    if js.in_ranges(js.command_ports, from) or js.in_ranges(js.command_ports, to) then
      local may_be = not is_ours and not (stream and stream.foreign) and length > 0 and find(tvb:raw(0, 1), "[<%s%l]")
      return may_be and length or 0
    end
    return owner == nil and length or 0
  end

  tcp_ports:add_for_decode_as(proto)
end

-- Whose payload a segment is: TCP asks the dissectors of its ports, and those of our connections are entered there.
--
-- Not by `pinfo.conversation`, which would be one line: a conversation keeps its dissector when Wireshark reloads the Lua
-- plugins, and the next packet drawn, which may be before the capture is read anew, calls one that is gone (SIGSEGV).
-- From the table of ports Wireshark takes ours away by itself.
--
-- Where lines are printed and no tree, that payload is claimed is all that a dissector of ours would have to say.  Then
-- Wireshark's own for bytes gets the ports of callback connections, which is much faster, as long as nobody else has them.
do
  local find, len = string.find, Tvb.len
  local proto, claim = js.proto, {}
  js.claim = claim
  local tcp_ports = DissectorTable.get("tcp.port")
  local numbers  -- the command ports as they are entered
  local taken = {}  -- ports of connections: the dissector that had the port before, or false
  local lent, others = {}, {}  -- ports that the dissector of bytes has; how many connections have a port that are none
  local bytes = Dissector.get("data")
  local is_asked, own = false, nil
  -- Those that end the program when they are called without what TCP knows of the segment, which Lua can not hand on.
  local FRAGILE = { DOF = true }

  --- The port's dissector, nil when there is none or it is ours.
  local function owner_of(port)
    local owner = tcp_ports:get_dissector(port)
    own = own or tostring(Dissector.get("jobscheduler"))
    if owner and (tostring(owner) == own or lent[port]) then return nil end
    return owner
  end

  local function take(port, owner)
    if js.in_ranges(js.command_ports, port) then return end
    local is_free = not owner and not taken[port] and others[port] == 0 and js.session.is_lending
    if taken[port] ~= nil and (lent[port] or not is_free) then return end
    taken[port], lent[port] = owner or taken[port] or false, is_free or nil
    tcp_ports:add(port, is_free and bytes or proto)
  end

  --- A connection begins, or is no callback: other dissectors are to be asked for its payload.
  function claim.begins(stream)
    for _, one in ipairs({ stream.client.port, stream.server.port }) do
      others[one] = (others[one] or 0) + 1
      if lent[one] then
        lent[one] = nil
        tcp_ports:add(one, proto)
      end
    end
  end

  --- A connection of ours: TCP tries the server's port first where it saw the SYN, else the lower one.
  function claim.stream(stream)
    local session, client, server = js.session, stream.client.port, stream.server.port
    session:remember(stream)
    if stream.role == "callback" then others[client], others[server] = others[client] - 1, others[server] - 1 end
    take(server, owner_of(server))
    local other = owner_of(client)
    if other then take(client, other) end
  end

  --- Gives the ports of connections back, for the next capture.
  function claim.nothing()
    for port, owner in pairs(taken) do
      tcp_ports:remove(port, lent[port] and bytes or proto)
      if owner then tcp_ports:add(port, owner) end
    end
    taken, lent, others = {}, {}, {}
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

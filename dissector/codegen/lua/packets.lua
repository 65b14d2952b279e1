-- Where IP and TCP lie in the bytes of a packet.
--
-- The plugin reads the headers itself: fields of other dissectors would make tshark build trees of all packets, also of
-- those that nobody looks at.  Lua is not told of which link type a packet is, so headers are known by what is in them.
do
  local byte, sub, find, char, floor = string.byte, string.sub, string.find, string.char, math.floor
  local TCP, UDP, ICMP, ICMP6, PORT_TYPE_TCP = 6, 17, 1, 58, 2
  local H = js.headers
  local CARRIERS, u2, ip_before, is_tunnel, fragment = H.CARRIERS, H.u2, H.ip_before, H.is_tunnel, H.fragment
  local headers_before, part_of = H.headers_before, H.part_of

  --- Bytes of a packet that hold its headers.
  js.head_size = 512

  --- Where the IP header began last, the same in nearly all packets of a capture, and those of the tunnels in front of it
  --- (nil when there are none).
  local link, outer = 14, nil

  --- True when the packet's IP header is where it was last, and neither a tunnel's nor a fragment's.
  local function is_plain(head)
    local first, _, _, _, _, _, following, rest, _, protocol = byte(head, link + 1, link + 10)
    if outer or not protocol or first < 0x45 or first >= 0x70 then return false end
    local behind = link + 40
    if first == 0x45 then
      if following % 64 > 0 or rest > 0 then return false end
      behind = link + 20
    elseif first >= 0x60 then
      protocol = following
    else
      return false
    end
    return not CARRIERS[protocol] or (protocol == UDP and not is_tunnel(head, behind))
  end

  --- The key of the TCP segment that an ICMP error quotes, for a packet whose IP header begins where it did last; and the
  --- version, type and code of the error.
  local function quoted(head)
    local first = byte(head, link + 1)
    local is_old = first < 0x60
    local icmp = link + (is_old and first % 16 * 4 or 40)
    local ip = icmp + 8
    local inner, kind = byte(head, ip + 1), byte(head, icmp + 1)
    if not inner or byte(head, ip + (is_old and 10 or 7)) ~= TCP then return nil end
    local code = byte(head, icmp + 2)
    if is_old and (kind == 3 or kind == 11) then
      local tcp = ip + inner % 16 * 4
      return sub(head, ip + 13, ip + 20) .. sub(head, tcp + 1, tcp + 4), 4, kind, code
    end
    return not is_old and kind <= 3 and sub(head, ip + 9, ip + 44) or nil, 6, kind, code
  end

  --- The TCP header with the packet's ports that lies behind an IP header, whatever is in front of that: where the IP
  --- header begins, its version, whether it is a fragment's, and where TCP's begins.
  local function search(head, pinfo)
    if pinfo.port_type ~= PORT_TYPE_TCP then return nil end
    local from, to = pinfo.src_port, pinfo.dst_port
    local ports = char(floor(from / 256), from % 256, floor(to / 256), to % 256)
    local tcp = 20
    while true do
      tcp = find(head, ports, tcp + 1, true)
      if not tcp then return nil end
      tcp = tcp - 1
      local at, version, is_part = ip_before(head, tcp, TCP, TCP)
      if at then
        -- An ICMP error quotes the headers of the packet that it is about.
        if at >= 28 and ip_before(head, at - 8, ICMP, ICMP6) then return nil end
        return at, version, is_part, tcp
      end
      tcp = tcp + 1
    end
  end

  --- Addresses and ports of a segment, where its TCP header and where it ends.
  local function segment(head, at, version, tcp, wire)
    local size, addresses
    if version == 4 then
      size, addresses = u2(head, at + 2), sub(head, at + 13, at + 20)
    else
      size, addresses = u2(head, at + 4), sub(head, at + 9, at + 40)
      if size > 0 then size = size + 40 end
    end
    -- Without a length the sender left segmentation to the network card.
    return addresses .. sub(head, tcp + 1, tcp + 4), tcp, size > 0 and at + size or wire
  end

  --- What a packet's first bytes tell of its TCP segment: its key (addresses and ports in the order of the packet), where
  --- the TCP header and where the segment ends.  Nothing for a packet without one; of a fragment nil and where its IP header
  --- begins; of an ICMP error nil, nil and the connection that it is about.  Of the plain headers of a connection in `known`
  --- nothing more is checked.
  function js.locate(head, pinfo, known)
    local first, _, c, d, e, f, fragment_field, rest, _, protocol = byte(head, link + 1, link + 10)
    local part = outer and part_of(head, outer, pinfo.len)
    if part then return nil, part end
    local key
    if first == 0x45 then
      if protocol == TCP and fragment_field % 64 == 0 and rest == 0 and (c > 0 or d > 0) then
        key = sub(head, link + 13, link + 24)
        local flow = known[key]
        if flow ~= nil then return key, link + 20, link + c * 256 + d, flow end
      end
    elseif first and first >= 0x60 and first < 0x70 and fragment_field == TCP and (e > 0 or f > 0) then
      key = sub(head, link + 9, link + 44)
      if known[key] ~= nil then return key, link + 40, link + 40 + e * 256 + f end
    end
    local at, version, is_part, tcp = search(head, pinfo)
    if not at then
      local is_icmp = protocol == ICMP or (fragment_field == ICMP6 and first >= 0x60)
      if is_icmp then
        local about, ip_version, kind, code = quoted(head)
        return nil, nil, about and js.session:icmp(about, ip_version, kind, code, pinfo)
      end
      if is_plain(head) then return nil end
      return nil, fragment(head, pinfo.len)
    end
    link, outer = at, headers_before(head, at, pinfo.len)
    part = outer and part_of(head, outer, pinfo.len) or is_part and at
    if part then return nil, part end
    return segment(head, at, version, tcp, pinfo.len)
  end

  --- The same for a datagram of its own, which begins with its IP header.
  function js.locate_in(datagram, pinfo)
    local head = sub(datagram, 1, js.head_size)
    local at, version, is_part, tcp = search(head, pinfo)
    local headers = at and headers_before(head, at, #datagram)
    local part
    if at then
      part = headers and part_of(head, headers, #datagram) or is_part and at
    else
      part = fragment(head, #datagram)
    end
    if part or not at then return nil, part end
    return segment(head, at, version, tcp, #datagram)
  end

  --- How many hops a packet has left and 256 times its IP id (0: none), where its TCP header begins at `tcp`.
  --- That of a header of IPv6, which has no id; of IPv4 it is told where the TCP header is read (main.lua).
  function js.hop(head, tcp) return byte(head, tcp - 32) or 0 end

  --- The key of the other direction.
  function js.other_way(key)
    local width = (#key - 4) / 2
    return sub(key, width + 1, 2 * width) .. sub(key, 1, width) .. sub(key, -2) .. sub(key, -4, -3)
  end
end

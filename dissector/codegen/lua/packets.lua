-- Where IP and TCP lie in the bytes of a packet.
--
-- The plugin reads the headers itself: fields of other dissectors would make tshark build trees of all packets, also of
-- those that nobody looks at.  Lua is not told of which link type a packet is, so headers are known by what is in them.
do
  local byte, sub, find, char, floor = string.byte, string.sub, string.find, string.char, math.floor
  local TCP, UDP, ICMP, ICMP6, PORT_TYPE_TCP = 6, 17, 1, 58, 2
  local EXTENSIONS = { [0] = true, [43] = true, [44] = true, [51] = true, [60] = true, [140] = true }
  local FRAGMENT, AUTHENTICATION = js.python.stream_ip.FRAGMENT, js.python.stream_ip.AUTHENTICATION
  local BEGINNING = "[E-O`-o]"  -- of an IP header: 0x45 to 0x4f, 0x60 to 0x6f
  local MOST_BEHIND = 48  -- bytes of padding and check sequences behind an IP packet

  local function set(...)
    local found = {}
    for _, number in ipairs({ ... }) do found[number] = true end
    return found
  end

  --- Protocols whose packets may have TCP in them, and UDP's ports of tunnels (those of stream/packets.py and tunnels.py).
  local CARRIERS = set(0, 4, 6, 17, 41, 43, 44, 47, 51, 60, 97, 137, 140)
  local TUNNEL_PORTS = set(1701, 2152, 3544, 4341, 4789, 4790, 6081, 6635, 8472)

  --- Bytes of a packet that hold its headers.
  js.head_size = 512

  --- Where the IP header began last, the same in nearly all packets of a capture, and those of the tunnels in front of it
  --- (nil when there are none).
  local link, outer = 14, nil

  local function u2(head, at)
    local a, b = byte(head, at + 1, at + 2)
    return a * 256 + (b or 0)
  end

  --- Protocol behind the IPv4 header at `at`, where it begins, and whether it is a fragment's: what follows may be in
  --- another packet.
  local function behind_ipv4(head, at)
    local protocol, stop, is_part = byte(head, at + 10), at + byte(head, at + 1) % 16 * 4, u2(head, at + 6) % 16384 > 0
    if protocol == AUTHENTICATION and not is_part then
      local following, size = byte(head, stop + 1, stop + 2)
      if not size then return nil end
      protocol, stop = following, stop + (size + 2) * 4
    end
    return protocol, stop, is_part
  end

  --- The same for IPv6 and its extensions, and of a fragment where the header is that says so.
  local function behind_ipv6(head, at)
    local protocol, stop = byte(head, at + 7), at + 40
    while EXTENSIONS[protocol] do
      local following, size, place, rest = byte(head, stop + 1, stop + 4)
      if not rest then return nil end
      if protocol == FRAGMENT then
        if place > 0 or rest >= 8 or rest % 2 == 1 then return following, stop + 8, true, stop end
        size = 0
      end
      stop = stop + (protocol == AUTHENTICATION and (size + 2) * 4 or (size + 1) * 8)
      protocol = following
    end
    return protocol, stop, false
  end

  --- Where the IP header begins that ends at `stop` in front of `protocol` (`protocol6` under IPv6), its version, and
  --- whether it is a fragment's.
  local function ip_before(head, stop, protocol, protocol6)
    for size = 20, math.min(104, stop), 4 do
      local at = stop - size
      local first = byte(head, at + 1)
      if first >= 0x45 and first <= 0x4f then
        local found, behind, is_part = behind_ipv4(head, at)
        if found == protocol and behind == stop then return at, 4, is_part end
      elseif first >= 0x60 and first < 0x70 and size >= 40 then
        local found, behind, is_part = behind_ipv6(head, at)
        if found == protocol6 and behind == stop then return at, 6, is_part end
      end
    end
    return nil
  end

  --- What is behind the IP header at `at`, if it is one that has a packet of `wire` bytes nearly for itself from there on.
  local function behind_ip(head, at, wire)
    local first, _, c, d, e, f, g, h, hops, protocol = byte(head, at + 1, at + 10)
    if not protocol or first < 0x45 or first >= 0x70 then return nil end
    local is_old = first < 0x50
    if is_old then
      if g >= 0x80 or hops == 0 or (EXTENSIONS[protocol] and protocol ~= AUTHENTICATION) then return nil end
    elseif first < 0x60 or h == 0 then
      return nil
    end
    local front = is_old and first % 16 * 4 or 40
    local size = is_old and c * 256 + d or 40 + e * 256 + f
    local left = wire - at - size
    if left < 0 or left > MOST_BEHIND or size <= front then return nil end
    return (is_old and behind_ipv4 or behind_ipv6)(head, at)
  end

  --- The next such header from `from` on: where it begins, and what is behind it.
  local function next_ip(head, from, wire)
    while true do
      local at = find(head, BEGINNING, from + 1)
      if not at then return nil end
      local protocol, behind, is_part = behind_ip(head, at - 1, wire)
      if protocol then return at - 1, protocol, behind, is_part end
      from = at
    end
  end

  --- True when UDP at `at` is a tunnel.
  local function is_tunnel(head, at)
    return byte(head, at + 4) and (TUNNEL_PORTS[u2(head, at)] or TUNNEL_PORTS[u2(head, at + 2)]) or false
  end

  --- Where the IP header of the fragment is that a packet of `wire` bytes carries, maybe in a tunnel; else nil.
  local function fragment(head, wire)
    local from = 0
    while true do
      local at, protocol, behind, is_part = next_ip(head, from, wire)
      -- An ICMP error quotes the headers of the packet that it is about.
      if not at or protocol == ICMP or protocol == ICMP6 then return nil end
      local may_carry = CARRIERS[protocol]
      if may_carry and is_part then return at end
      if protocol == TCP or (protocol == UDP and not is_tunnel(head, behind)) then return nil end
      from = may_carry and behind or at + 1
    end
  end

  --- The IP headers in front of the one at `stop`.
  local function headers_before(head, stop, wire)
    local found, from = nil, 0
    while stop - from >= 20 do
      local at, _, behind, is_part = next_ip(head, from, wire)
      if not at or behind > stop then break end
      found = found or {}
      found[#found + 1] = at
      if is_part then break end
      from = behind
    end
    return found
  end

  --- The first of the headers that is a fragment's.
  local function part_of(head, headers, wire)
    for index = 1, #headers do
      local _, _, is_part = behind_ip(head, headers[index], wire)
      if is_part then return headers[index] end
    end
    return nil
  end

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

  local function u2_text(number) return char(floor(number / 256), number % 256) end

  --- What says where a fragment with IPv4 belongs, and the header of the whole datagram by the length of its payload.
  local function fragment4(data, at)
    local field, ident = u2(data, at + 6), sub(data, at + 5, at + 6)
    local rest = sub(data, at + 9, at + 10) .. "\0\0" .. sub(data, at + 13, at + 20)
    local function header(length) return "\69\0" .. u2_text(length + 20) .. ident .. "\0\0" .. rest end
    return { offset = field % 8192 * 8, more = field % 16384 >= 8192, key = sub(data, at + 10, at + 10) .. ident
      .. sub(data, at + 13, at + 20), header = header, longest = 65515 }
  end

  local function fragment6(data, at, protocol, part)
    local field, kind = u2(data, part + 2), char(protocol)
    local rest = kind .. sub(data, at + 8, at + 40)
    local function header(length) return "\96\0\0\0" .. u2_text(length) .. rest end
    return { offset = field - field % 8, more = field % 2 == 1, key = kind .. sub(data, part + 5, part + 8)
      .. sub(data, at + 9, at + 40), header = header, longest = 65535 }
  end

  --- The fragment whose IP header begins at `at`; nil for one that is of no interest.
  function js.read_fragment(data, at, wire)
    local is_old = byte(data, at + 1) < 0x60
    local protocol, from, _, part = (is_old and behind_ipv4 or behind_ipv6)(data, at)
    if not CARRIERS[protocol] then return nil end
    local size = u2(data, at + (is_old and 2 or 4))
    local stop = size > 0 and at + size + (is_old and 0 or 40) or wire
    local found = is_old and fragment4(data, at) or fragment6(data, at, protocol, part)
    found.payload, found.is_cut = sub(data, from + 1, stop), #data < stop
    return found
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

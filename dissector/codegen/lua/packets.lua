-- Where IP and TCP lie in the bytes of a packet.
--
-- The plugin reads the headers itself: fields of other dissectors would make tshark build trees of all packets, also of
-- those that nobody looks at.  As in `jstrace`, fragments of IP packets are not put together.
do
  local byte, sub, find, char, floor = string.byte, string.sub, string.find, string.char, math.floor
  local TCP, ICMP, ICMP6, PORT_TYPE_TCP = 6, 1, 58, 2
  local EXTENSIONS = { [0] = true, [43] = true, [51] = true, [60] = true, [135] = true }

  --- Bytes of a packet that hold its headers.
  js.head_size = 512

  --- Where the IP header began last: it is the same in nearly all packets of a capture.
  local link = 14

  local function u2(head, at)
    local a, b = byte(head, at + 1, at + 2)
    return a * 256 + b
  end

  --- Protocol behind the IPv6 header at `at` and its extensions, and where it begins.
  local function behind_ipv6(head, at)
    local protocol, stop = byte(head, at + 7), at + 40
    while EXTENSIONS[protocol] do
      local following, size = byte(head, stop + 1, stop + 2)
      if not size then return nil end
      stop = stop + (protocol == 51 and (size + 2) * 4 or (size + 1) * 8)
      protocol = following
    end
    return protocol, stop
  end

  --- Where the IP header begins that ends at `stop` in front of `protocol` (`protocol6` under IPv6), and its version.
  local function ip_before(head, stop, protocol, protocol6)
    for size = 20, math.min(60, stop), 4 do
      local at = stop - size
      if byte(head, at + 1) == 64 + size / 4 and byte(head, at + 10) == protocol then return at, 4 end
    end
    for size = 40, math.min(104, stop), 4 do
      local at = stop - size
      if floor(byte(head, at + 1) / 16) == 6 then
        local found, behind = behind_ipv6(head, at)
        if found == protocol6 and behind == stop then return at, 6 end
      end
    end
    return nil
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

  --- The TCP header with the packet's ports that lies behind an IP header, whatever is in front of that.
  local function search(head, pinfo)
    if pinfo.port_type ~= PORT_TYPE_TCP then return nil end
    local from, to = pinfo.src_port, pinfo.dst_port
    local ports = char(floor(from / 256), from % 256, floor(to / 256), to % 256)
    local tcp = 20
    while true do
      tcp = find(head, ports, tcp + 1, true)
      if not tcp then return nil end
      tcp = tcp - 1
      local at, version = ip_before(head, tcp, TCP, TCP)
      if at then
        -- An ICMP error quotes the headers of the packet that it is about.
        if at >= 28 and ip_before(head, at - 8, ICMP, ICMP6) then return nil end
        return at, version, tcp
      end
      tcp = tcp + 1
    end
  end

  --- What a packet's first bytes tell of its TCP segment: its key (addresses and ports in the order of the packet), where
  --- the TCP header and where the segment ends.  Nothing for a packet without one.  Of the plain headers of a connection in
  --- `known` nothing more is checked.
  function js.locate(head, pinfo, known)
    local first, _, c, d, e, f, fragment, rest, _, protocol = byte(head, link + 1, link + 10)
    local key
    if first == 0x45 then
      if protocol == TCP and fragment % 64 == 0 and rest == 0 and (c > 0 or d > 0) then
        key = sub(head, link + 13, link + 24)
        if known[key] ~= nil then return key, link + 20, link + c * 256 + d end
      end
    elseif first and first >= 0x60 and first < 0x70 and fragment == TCP and (e > 0 or f > 0) then
      key = sub(head, link + 9, link + 44)
      if known[key] ~= nil then return key, link + 40, link + 40 + e * 256 + f end
    end
    local at, version, tcp = search(head, pinfo)
    if not at then
      local is_icmp = protocol == ICMP or (fragment == ICMP6 and first >= 0x60)
      if not is_icmp then return nil end
      local about, ip_version, kind, code = quoted(head)
      return nil, about and js.session:icmp(about, ip_version, kind, code, pinfo)
    end
    link = at
    local size, addresses
    if version == 4 then
      if u2(head, at + 6) % 16384 > 0 then return nil end
      size, addresses = u2(head, at + 2), sub(head, at + 13, at + 20)
    else
      size, addresses = u2(head, at + 4), sub(head, at + 9, at + 40)
      if size > 0 then size = size + 40 end
    end
    -- Without a length the sender left segmentation to the network card.
    return addresses .. sub(head, tcp + 1, tcp + 4), tcp, size > 0 and at + size or pinfo.len
  end

  --- How many hops a packet has left and 256 times its IP id (0: none), where its TCP header begins at `tcp`.
  function js.hop(head, tcp, key_size)
    if key_size > 12 then return byte(head, tcp - 32) or 0 end
    local a, b, _, _, ttl = byte(head, tcp - 15, tcp - 11)
    return ttl and ttl + (a * 256 + b) * 256 or 0
  end

  --- The key of the other direction.
  function js.other_way(key)
    local width = (#key - 4) / 2
    return sub(key, width + 1, 2 * width) .. sub(key, 1, width) .. sub(key, -2) .. sub(key, -4, -3)
  end
end

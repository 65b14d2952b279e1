-- IP headers in the bytes of a packet, whatever is in front of them: tunnels, tags, other headers of IP.
do
  local byte, find = string.byte, string.find
  local TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
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

  js.headers = {
    CARRIERS = CARRIERS, u2 = u2, behind_ipv4 = behind_ipv4, behind_ipv6 = behind_ipv6, ip_before = ip_before,
    is_tunnel = is_tunnel, fragment = fragment, headers_before = headers_before, part_of = part_of,
  }
end

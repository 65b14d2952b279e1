-- Whose connection a packet that TCP hands over belongs to: by its ports, and by its addresses, which are slow to ask for,
-- only where several pairs of hosts use the same ports.
do
  local MOST_PORT_PAIRS = 2 ^ 17
  local S = js.Session

  --- Notes a connection of ours or of a command port for the time when TCP asks who its payload is for.
  function S:remember(stream)
    local sport, dport = stream.client.port, stream.server.port
    local queue = self.by_ports[sport * 65536 + dport]
    if not queue then
      queue = js.new_queue()
      self.by_ports[sport * 65536 + dport], self.by_ports[dport * 65536 + sport] = queue, queue
    end
    if not queue:has(stream) then queue:push(stream) end
  end

  function S:forget_ports(stream)
    local from, to = stream.client.port, stream.server.port
    local queue = self.by_ports[from * 65536 + to]
    if queue then queue:remove(stream) end
    if queue and queue.size == 0 then self.by_ports[from * 65536 + to], self.by_ports[to * 65536 + from] = nil, nil end
  end

  --- Notes the hosts that use two ports, as the key of their connection: false for several.  Of very many connections
  --- nothing is noted any more: their packets are asked for their addresses then.
  function S:note_ports(key, ports, back)
    local known = self.hosts_of[ports]
    if known == nil and self.port_pairs < MOST_PORT_PAIRS then
      self.port_pairs = self.port_pairs + 1
      self.hosts_of[ports], self.hosts_of[back] = key, js.other_way(key)
    elseif known == nil and self.port_pairs == MOST_PORT_PAIRS then
      self.hosts_of, self.port_pairs = {}, MOST_PORT_PAIRS + 1
    elseif known and known ~= key then
      self.hosts_of[ports], self.hosts_of[back] = false, false
    end
  end

  --- The connection of a packet that TCP hands over: the last one with its ports that had begun then, and where several
  --- hosts use the same ports, with its addresses, which are slow to ask for.
  function S:connection(pinfo)
    local ports = pinfo.src_port * 65536 + pinfo.dst_port
    local queue = self.by_ports[ports]
    if not queue then return nil end
    local is_old = not self.is_passing and pinfo.visited
    local packet, src, dst = is_old and self:packet(pinfo.number) or self.last, nil, nil
    for at = queue.last, queue.first, -1 do
      local stream = queue[at]
      if stream and stream.first_packet <= packet then
        if self.hosts_of[ports] then return stream end
        src, dst = src or tostring(pinfo.src), dst or tostring(pinfo.dst)
        local one, other = stream.client.ip, stream.server.ip
        if (src == one and dst == other) or (src == other and dst == one) then return stream end
      end
    end
    return nil
  end
end

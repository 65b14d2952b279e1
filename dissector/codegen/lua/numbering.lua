-- Numbers of packets.  A read filter (`tshark -2 -R`) takes packets out in the first pass, and each leaves its number to the
-- next one.  In here every packet has a number of its own: without such a filter, Wireshark's.
do
  local S = js.Session

  --- The same for what is inside of the packet and is dissected before it.
  function S:arrived_inside(number)
    self.ahead = self.ahead or self:arrived(number)
    return self.ahead
  end

  --- The next packet of the first pass, with Wireshark's number; its own.
  function S:arrived(number)
    if self.ahead then
      local packet = self.ahead
      self.ahead = nil
      return packet
    end
    local last, packet = self.last, number + self.away
    if packet <= last then
      self.number_of[last] = false
      packet = last + 1
      self.away = packet - number
    end
    if self.away > 0 then self.packet_of[number], self.number_of[packet] = packet, number end
    self.last, self.current, self.is_first_pass = packet, nil, true
    return packet
  end

  --- The packet that has Wireshark's number in a later pass.
  function S:packet(number) return self.packet_of[number] or number end

  --- Wireshark's number of a packet, nil when it was taken out.  Of the last one nobody says whether it was.
  function S:shown(packet)
    if self.away == 0 then return packet end
    if packet == self.last and not self.is_first_pass then return nil end
    local number = self.number_of[packet]
    if number == nil then return packet end
    return number or nil
  end

  --- The number in here of the packet that is drawn.
  function S:packet_at(pinfo) return pinfo.visited and self:packet(pinfo.number) or self.last end

  --- The problems that a packet proves, the last one of what proves them.  While packets arrive for the first time: those that
  --- are known with it.
  function S:problems_at(packet)
    if not self.is_first_pass then return self.found[packet] or {} end
    local found, event = {}, self.event
    self.event = nil
    for _, task in ipairs(event and event.tasks or {}) do
      for _, one in ipairs(js.judge(task, self.time).problems) do
        if one.packets[one.packets.n] == packet then found[#found + 1] = one end
      end
    end
    return found
  end

  --- Something came that may be a problem's proof.
  function S:proves(stream)
    local tasks = stream.handler and stream.handler.tasks or { stream.task }
    if not self.is_passing then self.event = { tasks = tasks } end
  end
end

-- What one end acknowledges was sent by the other one, captured or not.
--
-- A hole that was acknowledged twice, or once with data, is given up; what is missing at the end may be the end itself.
do
  local D, sequence, max = js.direction, js.python.stream_sequence, math.max
  local WINDOW, NEAR = sequence.LARGEST_WINDOW, sequence.NEAR

  --- This end acknowledged up to `ack` of the other one, in a segment with `length` bytes of data.
  function D:acknowledges(ack, is_syn, length, number, time)
    local other, facts = self.other, self.facts
    if not other.known then other:begin(ack, is_syn) end
    local acked = other.next
    if ack ~= other.expect then
      local ahead = other:distance(ack)
      acked = acked + ahead
      if ahead > 0 then
        other:acknowledged(ahead, length > 0, number, time)
        acked = math.min(acked, other.fin_at or max(other.next, other:proven()))
      end
    end
    if not facts.acked or acked > facts.acked then facts.acked = max(0, acked) end
  end

  --- The other side has `ahead` more bytes than were delivered; `has_data`: a segment with data says so.
  function D:acknowledged(ahead, has_data, number, time)
    if ahead > WINDOW or self.packets == 0 then return end
    local upto = self.next + ahead
    if self.fin_at then upto = math.min(upto, self.fin_at) end
    if upto <= self.next then return end
    if upto == self.next + 1 and #self.waiting == 0 then return self:end_acknowledged(upto, number) end
    if self:proven() <= self.next then self.proof = { upto = -1, since = time } end
    local proof = self.proof
    if upto > proof.upto then proof.upto, proof.number, proof.time = upto, number, time end
    if has_data or time - proof.since >= js.limits.jitter then self:give_up(upto, number, time) end
  end

  --- A reset of this end says how many bytes were sent before it, captured or not.  One byte more than the tail is its own
  --- FIN.
  function D:counts(seq, number, time)
    local ahead, may_count = self:distance(seq), self.anchored and not self.fin_at
    self.facts.fin_counted = may_count and ahead == 1
    if ahead <= 1 or ahead > NEAR or not may_count then return end
    self.counted = { upto = self.next + ahead, number = number, time = time }
  end

  --- No more segments will come: what its reset counts is missing.
  function D:miss_counted()
    local counted = self.counted
    if not counted or counted.upto <= self.next or self.fin_at then return end
    self.proof, self.facts.only_counted = counted, true
    self:give_up(counted.upto, counted.number, counted.time)
  end

  --- One byte more than the tail is most likely a FIN that was not captured.
  function D:end_acknowledged(upto, number)
    local facts = self.facts
    if upto > (facts.end_acked or 0) then facts.end_acked, facts.lost_by = upto, number end
  end
end

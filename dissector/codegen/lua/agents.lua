-- Universal Agents: bodies that Wireshark's HTTP dissector hands over, in the clear or deciphered by its TLS, and the
-- messages without a body, which the post-dissector finds by their fields.
do
  local H = js.agent_http
  local media = DissectorTable.get("media_type")
  local TYPES = {  -- and who has them where the plugin was loaded before
    ["application/octet-stream"] = "data", ["application/json"] = "json", ["text/plain"] = "data-text-lines",
  }
  local bodies = Proto("jobscheduler_http", "JobScheduler bodies over HTTP")
  local originals = {}

  local function endpoint(address, port)
    local ip = tostring(address)
    return { ip = ip, port = port, key = js.endpoint_key(ip, port) }
  end

  --- Exchanges with a message in a packet: requests by their places, responses by those below zero.  Where nobody will ask
  --- again, those of the packet at hand are kept only.
  local function told(packet)
    local all = js.session.agents.told
    if js.session.is_passing and not all[packet] then
      all = {}
      js.session.agents.told = all
    end
    return all[packet]
  end

  local function write_down(packet, place, exchange)
    local found = told(packet) or {}
    js.session.agents.told[packet], found[place] = found, exchange
  end

  --- The exchange without what is needed only to read it.
  local function slim(exchange)
    if exchange and not exchange.stranger then exchange.body = nil end
    if exchange then exchange.reply, exchange.answer = nil, nil end
    return exchange
  end

  --- The first time that a request is seen.
  local function request(pinfo, index, body)
    local exchange = H.request(index, body ~= nil)
    if not exchange then return nil end
    local session = js.session
    exchange.number, exchange.time, exchange.connection = session.agents.packet, session:time_of(pinfo), H.connection()
    exchange.client, exchange.server = endpoint(pinfo.src, pinfo.src_port), endpoint(pinfo.dst, pinfo.dst_port)
    exchange.body, exchange.is_empty = body, body == nil
    if exchange.kind == "command" and body then
      exchange.value = js.json(body)
      exchange.type = js.json_text(exchange.value, "$TYPE")
    end
    session.agents:request(exchange)
    exchange.value = nil
    return slim(exchange)
  end

  --- The first time that a response is seen.
  local function response(pinfo, index, body, is_text)
    local session, asked = js.session, H.request_packet(index)
    local exchange = session.agents:answered_by(H.connection(), asked and session:packet(asked))
    if not exchange then return nil end
    exchange.status, exchange.answered, exchange.answer_number = H.status(index), session:time_of(pinfo), session.agents.packet
    exchange.reply, exchange.is_empty_answer = body, body == nil
    if body and not exchange.target.tunnel then exchange.answer = js.json(body) end
    exchange.failure = js.agent_failure(exchange.status, body or "", exchange.answer, is_text)
    local date = H.date()
    exchange.date = date and (date - session.second) * 1e9
    session.agents:response(exchange)
    return slim(exchange)
  end

  --- True when a message is to be read now: in the first pass, or where that had no fields of HTTP, as with `tshark -2` and no
  --- filter, in the next one, which goes through the packets in order as well.  The packet is noted.
  local function is_due(pinfo)
    local agents, session = js.session.agents, js.session
    local is_new = not pinfo.visited
    local packet = is_new and session.last or session:packet(pinfo.number)
    local may_be_read = is_new or (agents.is_blind and packet >= agents.packet)
    if may_be_read then agents.packet = packet end
    return may_be_read
  end

  --- A message of which bytes are not in the capture: that of the packet at hand is a response or not (`from_agent`), the
  --- damaged one is a response or not (`is_answer`).
  local function damage(pinfo, packet, from_agent, is_answer)
    return {
      is_answer = is_answer, connection = H.connection(), number = packet, time = js.session:time_of(pinfo),
      client = endpoint(from_agent and pinfo.dst or pinfo.src, from_agent and pinfo.dst_port or pinfo.src_port),
      server = endpoint(from_agent and pinfo.src or pinfo.dst, from_agent and pinfo.src_port or pinfo.dst_port),
    }
  end

  --- TCP says that segments before the packet at hand were not captured: of its sender, or of the other end.
  local function missed(pinfo, packet, from_agent)
    local own, others = H.missing()
    if own then js.session.agents:lost(damage(pinfo, packet, from_agent, from_agent)) end
    if others then js.session.agents:lost(damage(pinfo, packet, from_agent, not from_agent)) end
  end

  --- The exchange with the message at `index` of the packet at hand.
  local function take(pinfo, index, is_answer, body, is_cut)
    local session, place = js.session, is_answer and -index or index
    if pinfo.visited and session.is_first_pass then session:settle() end
    local packet = pinfo.visited and session:packet(pinfo.number) or session.last
    local found = told(packet)
    if found and found[place] ~= nil or not is_due(pinfo) then return found and found[place] end
    local exchange
    missed(pinfo, packet, is_answer)
    if is_cut then
      exchange = false
      session.agents:cut(damage(pinfo, packet, is_answer, is_answer), pinfo.len - pinfo.caplen)
    elseif is_answer then
      exchange = response(pinfo, index, body, body ~= nil and H.is_text())
    else
      exchange = request(pinfo, index, body)
    end
    if exchange ~= nil then write_down(packet, place, exchange) end
    return exchange
  end

  --- Takes the body of the HTTP message at hand; false when it is none of ours.
  local function dissect(tvb, pinfo, tree)
    if js.enabled == nil then js.enabled = js.claim.is_called(tvb, pinfo, tree) end
    if not js.enabled then return false end
    local requests, responses = H.counts()
    local is_answer = responses > 0
    local index = is_answer and responses or requests
    if index == 0 then js.session.agents.is_blind = true end
    if index == 0 or (is_answer and not H.may_be_answer()) then return false end
    js.look(tree, pinfo)
    if not pinfo.visited then js.session:arrived_inside(pinfo.number) end
    local is_whole = tvb:len() > 0 and tvb:len() == tvb:reported_len()
    -- What is cut off HTTP's dissector hands over as if it were all, in bytes of its own.
    local is_before = is_whole and tvb:offset() > 0 and tvb:offset() + tvb:len() < pinfo.caplen
    local is_cut = pinfo.caplen < pinfo.len and not is_before
    local exchange = take(pinfo, index, is_answer, is_whole and tvb:raw() or nil, is_cut)
    if not exchange then return false end
    local root = js.draw_exchange(tree, exchange, is_answer, tvb:range(), pinfo)
    js.session.agents.fresh = { exchange = exchange, is_answer = is_answer, root = root, packet = js.session:packet_at(pinfo) }
    return true
  end

  --- The packets in which the one message of the packet at hand came: which they are TCP says behind it.
  local function complete(pinfo)
    local agents = js.session.agents
    local fresh, packets = agents.fresh, nil
    agents.fresh = nil
    if fresh and fresh.packet == js.session:packet_at(pinfo) then packets = H.packets(pinfo.number) end
    if not packets then return end
    local exchange, is_answer = fresh.exchange, fresh.is_answer
    local message, task = is_answer and exchange.answer_message or not is_answer and exchange.message, exchange.task
    local known = is_answer and exchange.reply_packets or not is_answer and exchange.packets
    if known then return end  -- and shown with the message
    exchange[is_answer and "reply_packets" or "packets"] = packets
    if task and task.first_packet == exchange.number and not is_answer then task.first_packet = packets[1] end
    if not message then return end
    message.packets = packets
    if js.wanted then js.drawing.segments(fresh.root, message) end
  end

  function bodies.dissector(tvb, pinfo, tree)
    if tvb:len() > 0 and dissect(tvb, pinfo, tree) then return tvb:len() end
    local original = originals[pinfo.match_string] or originals["application/octet-stream"]
    return original and original:call(tvb, pinfo, tree) or 0
  end

  for kind, name in pairs(TYPES) do
    local own = tostring(bodies.name)
    local known = media:get_dissector(kind)
    originals[kind] = known and tostring(known) ~= own and known or Dissector.get(name)
    media:add(kind, bodies)
  end

  --- Messages without a body: heartbeats, requests that go on waiting and their responses.
  local function without_body(pinfo, tree, is_answer, count)
    for index = 1, count do
      local found = not pinfo.visited and told(js.session.last)
      if not found or found[is_answer and -index or index] == nil then
        local exchange = take(pinfo, index, is_answer, nil, index == count and pinfo.caplen < pinfo.len)
        local is_empty = exchange and (is_answer and exchange.is_empty_answer or not is_answer and exchange.is_empty)
        if is_empty and js.wanted then js.draw_exchange(tree, exchange, is_answer, nil, pinfo) end
      end
    end
  end

  --- For the post-dissector, in a packet without HTTP while there are connections to agents.
  function js.missed(pinfo)
    local own, others = H.missing()
    if not (own or others) or pinfo.visited then return end
    local carrier = js.session.agents.carriers[H.connection()]
    local agent = carrier and carrier.client  -- as of a callback connection
    local source, target = tostring(pinfo.src), tostring(pinfo.dst)
    if agent then
      missed(pinfo, js.session.last, agent.port == pinfo.src_port and agent.ip == source)
    elseif js.session.agents.places[target .. " " .. js.endpoint_key(source, pinfo.src_port)] then
      missed(pinfo, js.session.last, true)  -- of a connection that began with what is missing
    elseif js.session.agents.places[source .. " " .. js.endpoint_key(target, pinfo.dst_port)] then
      missed(pinfo, js.session.last, false)
    end
  end

  --- For the post-dissector, in a packet with HTTP.
  function js.exchanges(pinfo, tree)
    local requests, responses = H.counts()
    js.look(tree, pinfo)
    if requests + responses == 1 then complete(pinfo) end
    without_body(pinfo, tree, true, responses)
    without_body(pinfo, tree, false, requests)
    if js.wanted then js.drawing.problems(tree, js.session:packet_at(pinfo)) end
  end
end

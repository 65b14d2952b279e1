-- What Wireshark's HTTP dissector says of a message to or from a Universal Agent (the rules of wire/agent.py).
do
  local match, lower, find, sub, floor = string.match, string.lower, string.find, string.sub, math.floor
  local A = {}
  js.agent_http = A

  --- A field of another dissector; without it, what it would tell is not known.
  local function reader(name)
    local is_there, field = pcall(Field.new, name)
    if not is_there then return function() end end
    return field
  end

  local method, uri, code = reader("http.request.method"), reader("http.request.uri"), reader("http.response.code")
  local response_for, request_in = reader("http.response_for.uri"), reader("http.request_in")
  local request_line, stream = reader("http.request.line"), reader("tcp.stream")
  local tcp_segment, tls_segment = reader("tcp.segment"), reader("tls.segment")
  local content_type, date = reader("http.content_type"), reader("http.date")

  local lost_segment, lost_other = reader("tcp.analysis.lost_segment"), reader("tcp.analysis.ack_lost_segment")

  --- Whether segments before the one at hand are missing: of its sender, and of the other end.
  function A.missing() return lost_segment() ~= nil, lost_other() ~= nil end

  --- True for a packet with HTTP: what most are asked only.
  A.is_there = reader("http")

  --- How many requests and responses of the packet at hand have been dissected so far.
  function A.counts() return select("#", method()), select("#", code()) end

  local function last(read)
    local count = select("#", read())
    if count == 0 then return nil end
    return (select(count, read()))
  end

  local function at(read, index)
    local found = select(index, read())
    return found
  end

  --- Host of an absolute URI, prefix without slashes at its ends, the rest behind the API's root, and a tunnel's id; nil
  --- for anything else.
  function A.target(path)
    local host
    if sub(path, 1, 1) ~= "/" then
      host, path = match(path, "^[hH][tT][tT][pP][sS]?://([^/?#]*)(.*)$")
      if not host then return nil end
    end
    path = match(path, "^[^?#]*")
    local prefix, rest = match(path, "^(.*)/jobscheduler/agent/api(.*)$")
    if not prefix or not (rest == "" or sub(rest, 1, 1) == "/") then return nil end
    if prefix ~= "" and sub(prefix, 1, 1) ~= "/" then return nil end
    prefix = match(prefix, "^/*(.-)/*$")
    return { host = host, prefix = prefix, rest = rest, tunnel = match(rest, "^/tunnel/([^/]+)/?$") }
  end

  --- A Java duration in nanoseconds.
  local function nanoseconds(text)
    local rest = match(text, "^PT(.+)$")
    local hours, more = match(rest or "", "^(%d+)H(.*)$")
    local minutes, most = match(more or rest or "", "^(%d+)M(.*)$")
    local tail = most or more or rest
    local count = tail and match(tail, "^(%d+%.?%d*)S$")
    if not tail or (tail ~= "" and not count) then return nil end
    local seconds = 3600 * tonumber(hours or 0) + 60 * tonumber(minutes or 0) + tonumber(count or 0)
    return floor(seconds * 1e9 + 0.5)
  end

  local HEARTBEATS = { "x-jobscheduler-heartbeat-start", "x-jobscheduler-heartbeat-continue", "x-jobscheduler-heartbeat" }

  --- The last headers with their names in lower case.
  local function headers()
    local found = {}
    for _, line in ipairs({ request_line() }) do
      local name, value = match(tostring(line), "^([^:%s]+):%s*(.-)%s*$")
      if name then found[lower(name)] = value end
    end
    return found
  end

  local function heartbeat(known)
    for _, name in ipairs(HEARTBEATS) do
      if known[name] then
        local times = {}
        for word in string.gmatch(known[name], "PT%S*") do times[#times + 1] = nanoseconds(word) or false end
        if #times < 2 then return {} end
        return { period = times[1] or nil, timeout = times[2] or nil }
      end
    end
    return nil
  end

  --- Connection, by TCP's number of it.
  function A.connection() return tonumber(tostring(last(stream) or -1)) end

  --- The packet of the request that the response at `index` answers, where Wireshark knows it.
  function A.request_packet(index)
    if select("#", request_in()) < index then return nil end
    return tonumber(tostring(at(request_in, index)))
  end

  --- False when the response at hand is one to a request of others.  Releases name the URI in different fields, or in none
  --- where they did not see the request.
  function A.may_be_answer()
    local path = last(response_for) or last(uri)
    return path == nil or A.target(tostring(path)) ~= nil
  end

  --- The request at `index` of the packet at hand; nil when it is none to an agent's API.
  function A.request(index, has_body)
    local path = index <= select("#", uri()) and tostring(at(uri, index))
    local target = path and A.target(path)
    if not target then return nil end
    local verb, known = tostring(at(method, index)), headers()
    local kind = "other"
    if verb == "POST" and target.rest == "/command" then
      kind = "command"
    elseif verb == "POST" and target.tunnel then
      kind = known[HEARTBEATS[2]] and "continue" or (not has_body and known[HEARTBEATS[3]] and "heartbeat") or "tunnel"
    elseif verb == "GET" or verb == "HEAD" then
      kind = "view"
    end
    return {
      target = target, kind = kind, method = verb, element = verb .. " " .. path, secret = known["x-jobscheduler-tunnel-secret"],
      request_id = tonumber(match(known["x-jobscheduler-request-id"] or "", "^%d+")), heartbeat = heartbeat(known),
    }
  end

  local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12 }

  --- The clock of whoever answers, in seconds since the epoch: that of the last response.
  function A.date()
    local day, name, year, hour, minute, second =
      match(tostring(last(date) or ""), "^%a%a%a, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$")
    local month = MONTHS[name or ""]
    if not month then return nil end
    -- Days by the calendar in which a year begins in March.
    local years, months = tonumber(year), month
    if month < 3 then years, months = years - 1, month + 12 end
    local days = 365 * years + floor(years / 4) - floor(years / 100) + floor(years / 400)
      + floor((153 * months - 457) / 5) + tonumber(day) - 719469
    return 86400 * days + 3600 * tonumber(hour) + 60 * tonumber(minute) + tonumber(second)
  end

  function A.status(index) return tonumber(tostring(at(code, index))) end

  function A.is_text() return find(lower(tostring(last(content_type) or "")), "text/plain", 1, true) ~= nil end

  --- Packets that the one message of the packet at hand came in, where TCP put it together.
  function A.packets(number)
    local found, seen = {}, {}
    for _, read in ipairs({ tcp_segment, tls_segment }) do
      for _, one in ipairs({ read() }) do
        local packet = tonumber(tostring(one))
        if packet and packet < number and not seen[packet] then found[#found + 1], seen[packet] = packet, true end
      end
    end
    if #found == 0 then return nil end
    found[#found + 1] = number
    table.sort(found)
    return found
  end
end

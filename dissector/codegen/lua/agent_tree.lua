-- Draws the exchanges with Universal Agents: messages of tasks like those of callback connections, commands, heartbeats.
do
  local format, gsub = string.format, string.gsub
  local F, X, MASK = js.fields, js.experts, js.secrets.mask
  local MOST_VALUES = 200
  -- An agentTaskId in a text: who knows it can kill the task.
  local AGENT_TASK = "%f[%w_-]%d+%-%d%d%d%d%d%d+%f[^%w_-]"

  --- A text of an agent as it may be shown, on one line.
  local function shown(text, limit)
    if not js.show_secrets then text = gsub(js.mask(text), AGENT_TASK, MASK) end
    return js.line_utf8(js.harmless(text), limit or 300)
  end

  local function is_key(name) return name == "agentTaskId" or js.looks_secret(name) end

  --- Texts such as `meta.job=/shell`, one for each value.
  local function add_values(found, value, path, secret)
    if #found >= MOST_VALUES then return end
    if type(value) == "table" and value.names then
      for _, name in ipairs(value.names) do
        local inner = path == "" and name or path .. "." .. name
        add_values(found, value.values[name], inner, secret or is_key(name))
      end
    elseif type(value) == "table" and not value.number and value ~= js.json_null then
      for index, one in ipairs(value) do add_values(found, one, format("%s[%d]", path, index - 1), secret) end
    else
      local text = type(value) == "table" and value.number or tostring(value)
      local is_hidden = secret and text ~= "" and value ~= js.json_null and type(value) ~= "boolean"
      found[#found + 1] = shown(path) .. "=" .. (is_hidden and not js.show_secrets and MASK or shown(text, 1000))
    end
  end

  local function generated(node, field, value)
    if value == nil then return end
    node:add(field, value):set_generated()
  end

  --- What a request or response is, in a few words for people.
  function js.agent_words(exchange, is_answer)
    local what = exchange.type or (exchange.kind == "tunnel" and "request") or exchange.kind
    if exchange.kind == "view" or exchange.kind == "other" then what = exchange.method .. " " .. exchange.target.rest end
    if exchange.target.tunnel then what = format("%s of tunnel %s", what, exchange.target.tunnel) end
    what = shown(what)
    if not is_answer then return what .. (exchange.is_repeated and ", repeated" or "") end
    if exchange.failure then return format("answer to %s: %s", what, shown(exchange.failure)) end
    if exchange.status == 202 then return format("%s: go on waiting", what) end
    return format("answer to %s: HTTP %s", what, exchange.status or "?")
  end

  local function draw_values(root, value)
    if type(value) ~= "table" then return end
    local kind, found = js.json_text(value, "$TYPE"), {}
    generated(root, F.agent_type, kind and shown(kind))
    add_values(found, value, "", false)
    for _, text in ipairs(found) do generated(root, F.agent_value, text) end
  end

  --- What the exchange says of a message, or of itself.
  local function describe(root, exchange, is_answer, message)
    local session = js.session
    generated(root, F.agent_request, shown(exchange.method .. " " .. exchange.target.rest))
    generated(root, F.agent_tunnel, exchange.target.tunnel and shown(exchange.target.tunnel))
    generated(root, F.agent_request_id, exchange.request_id)
    if exchange.is_repeated and not is_answer then
      generated(root, F.agent_repeats, exchange.repeats and session:shown(exchange.repeats))
    end
    if is_answer then
      generated(root, F.agent_status, exchange.status)
      generated(root, F.agent_error, exchange.failure and shown(exchange.failure))
    end
    if message then return end
    generated(root, F.task, session:number(exchange.task))
    if is_answer then
      generated(root, F.request_in, session:shown(exchange.number))
    else
      generated(root, F.response_in, exchange.answer_number and session:shown(exchange.answer_number))
    end
  end

  --- One side of an exchange; `range` is its body, nil without one.
  function js.draw_exchange(tree, exchange, is_answer, range, pinfo)
    local message, root = is_answer and exchange.answer_message or not is_answer and exchange.message or nil
    if message and range then
      root = js.drawing.frame(tree, message, range)
    elseif range then
      root = tree:add(js.proto, range, "JobScheduler")
    else
      root = tree:add(js.proto, "JobScheduler")
      root:set_generated()
    end
    local words = message and message.info or js.agent_words(exchange, is_answer)
    if js.wanted then
      if not message then root:append_text(" " .. words) end
      describe(root, exchange, is_answer, message)
      if range and not message then draw_values(root, js.json(range:raw())) end
    end
    local code = is_answer and exchange.code
    if code then root:add_proto_expert_info(X[code], shown(exchange.failure)) end
    if range then
      pinfo.cols.protocol = "JobScheduler"
      pinfo.cols.info = words
    end
    return root
  end
end

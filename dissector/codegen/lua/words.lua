-- Messages in words, for the Info column and the task list.
do
  local format, sub, lower, concat, byte = string.format, string.sub, string.lower, table.concat, string.byte
  local REQUEST, ANSWER = "\226\150\182 ", "\226\151\128 "
  local ASKING, ANSWERING = {}, {}  -- by depth
  for depth = 0, 8 do
    local nested = string.rep("\194\183 ", depth)
    ASKING[depth], ANSWERING[depth] = nested .. REQUEST, nested .. ANSWER
  end
  local LEVELS = { [2] = "error", [1] = "warn", [0] = "info" }
  local LEVEL_OF = { error = "error", warn = "warn", info = "info", debug = "debug1" }  -- by member
  for n = 1, 9 do
    LEVELS[-n] = "debug" .. n
    LEVEL_OF["debug" .. n] = "debug" .. n
  end
  js.log_levels = LEVEL_OF
  local unpack = table.unpack
  local value_text

  local function quoted(text, veil, limit)
    if text == "" then return '""' end
    if veil and veil[text] then return '"' .. veil[text] .. '"' end
    if byte(text) == 60 then text = string.gsub(text, "^<%?xml.-%?>%s*", "") end
    if #text > 2000 then text = sub(text, 1, 2000) end
    return '"' .. js.line(js.masked(text, veil), limit) .. '"'
  end

  local function item_text(one, veil)
    return type(one) == "string" and quoted(one, veil, 60) or value_text(one, veil, 60)
  end

  local function list_text(values, veil)
    if #values == 0 then return "" end
    if #values == 1 then return item_text(values[1], veil) end
    local words, size = {}, 0
    for index = 1, #values do
      local one = values[index]
      words[index] = item_text(one, veil)
      size = size + #words[index]
      if size > 200 and index < #values then
        words[index + 1] = "\226\128\166"
        break
      end
    end
    return concat(words, ", ")
  end

  local function reference_text(reference)
    if reference.object_id == "\0\0\0\0\0\0\0\0" then return "null" end
    if reference.new and reference.new.title ~= "" then
      return "<" .. js.line(string.match(reference.new.title, "[^:]*$"), 80) .. ">"
    end
    return "<object " .. js.hex(reference.object_id) .. ">"
  end

  local function currency(raw)
    local text = tostring(js.int64(raw))
    local sign, digits = string.match(text, "^(-?)(%d+)$")
    digits = string.rep("0", math.max(0, 5 - #digits)) .. digits
    return sign .. sub(digits, 1, -5) .. "." .. sub(digits, -4)
  end

  --- One VARIANT as text; strings are cut at `limit`.
  function value_text(variant, veil, limit)
    local vt, value = variant.vt, variant.value
    if value == nil then return vt == 1 and "null" or "empty" end
    if vt == 8 then return quoted(value, veil, limit) end
    if veil and veil[0] and js.secret_rules.numbers[vt] then return veil[0] end
    if vt == 11 then return tostring(value) end
    if vt == 9 or vt == 13 then return reference_text(value) end
    if vt == 4 or vt == 5 or vt == 7 then return format("%.6g", js.number(value.text) or 0) end
    if vt == 6 then return currency(value) end
    if vt == 20 then return tostring(js.int64(value)) end
    if vt == 21 then return tostring(js.uint64(value)) end
    if vt >= 0x2000 then
      local elements = value.elements
      if type(elements) == "string" then return js.python.numbers.count(#elements, "byte") end
      return "[" .. list_text(elements, veil) .. "]"
    end
    return format("%.0f", value)
  end
  js.value_text = value_text

  --- Arguments in natural order.
  function js.natural(params)
    local found, wire = {}, params.arguments
    if #wire < 2 then return wire end
    for index = #wire, 1, -1 do found[#found + 1] = wire[index] end
    return found
  end

  --- True when an argument is the name of a secret, so that texts beside it are masked.
  function js.has_secret_name(params)
    for _, one in ipairs(params.arguments) do
      if one.vt == 8 and js.names_a_secret(one.value) then return true end
    end
    return false
  end

  --- Level and text of a log line that an invoke writes; nothing when it writes none.
  function js.log_call(message, body)
    if body.record ~= "invoke" or not message.member then return nil end
    local object = message.object
    if not object or (object.name ~= "spooler_log" and not string.find(object.class or "", "Com_log$")) then return nil end
    local member, wire = lower(message.member), body.params.arguments
    local last = wire[1]
    if not last or last.vt ~= 8 then return nil end
    if member == "log" and #wire == 2 and type(wire[2].value) == "number" then
      return LEVELS[math.max(-9, math.min(wire[2].value, 2))], last.value
    elseif LEVEL_OF[member] and #wire == 1 then
      return LEVEL_OF[member], last.value
    end
    return nil
  end

  function js.object_text(message)
    local object = message.object
    if object and not object.text then
      object.text = object.name and js.line(object.name, 80)
        or object.class and js.line(string.match(object.class, "[^:]*$"), 80) or nil
    end
    if object and object.text then return object.text end
    return message.object_id and "object " .. js.hex(message.object_id) or "object"
  end

  local function invoke_text(message, body, veil)
    local level, text = js.log_call(message, body)
    if level then return format("%s.%s(%s)", js.object_text(message), level, quoted(text, veil)) end
    local member = message.member and js.line(message.member, 80) or format("dispid %.0f", body.dispid)
    local name = js.object_text(message) .. "." .. member
    local values = js.natural(body.params)
    if body.flags % 16 >= 4 and #values > 0 then
      local put, others = values[#values], { unpack(values, 1, #values - 1) }
      local index = #others > 0 and "(" .. list_text(others, veil) .. ")" or ""
      return name .. index .. " = " .. value_text(put, veil, 120)
    end
    if #values == 0 and (math.floor(body.flags / 2) % 2 == 1 or not message.member) then return name end
    return name .. "(" .. list_text(values, veil) .. ")"
  end

  local function request_words(message, body)
    local kind, veil = body and body.record, message.secret and js.veil(body, true)
    if kind == "invoke" then return invoke_text(message, body, veil) end
    if kind == "call" then
      local name = js.line(body.name, 80)
      return name .. "(" .. list_text(js.natural(body.params), veil) .. ")"
    end
    if kind == "get_ids_of_names" and #body.names == 1 then
      return "get_ids_of_names " .. js.object_text(message) .. "." .. js.line(body.names[1], 80)
    end
    if kind == "get_ids_of_names" then
      local names = {}
      for index = 1, math.min(#body.names, 8) do names[index] = js.line(body.names[index], 80) end
      return "get_ids_of_names " .. js.object_text(message) .. "." .. concat(names, ", ")
    end
    if kind == "release" then return "release " .. js.object_text(message) end
    if kind == "create_instance" then
      return "create_instance " .. (js.tables.guid[body.clsid] or js.guid_text(body.clsid))
    end
    if kind == "query_interface" or kind == "java_query_interface" then
      return "query_interface " .. js.object_text(message) .. " " .. (js.tables.guid[body.iid] or js.guid_text(body.iid))
    end
    if kind == "keep_alive" then return "keep-alive" end
    return format("undecoded, %s: %s", js.python.numbers.count(message.size - 4, "byte"), message.note or "")
  end

  local function result_words(body, veil)
    if body.result then return value_text(body.result, veil, 120) end
    if body.dispids then return "dispid " .. concat(body.dispids, ", ") end
    if body.results then return body.results[1] and reference_text(body.results[1].object) or "nothing" end
    return body.object and reference_text(body.object) or nil
  end
  js.result_words = result_words

  local function words_of_answer(body, veil)
    if body.record == "error_answer" then
      local words, what = {}, nil
      for index, one in ipairs(body.strings) do
        words[index] = js.masked(one, veil)
        if sub(one, 1, 5) == "what=" then what = string.gsub(words[index], "^what=", "") end
      end
      return "error " .. js.line(what or concat(words, "  "), 160)
    end
    if body.record == "empty_answer" then return "answer" end
    local words = "answer " .. js.hresult_name(body.hresult)
    if body.failure then return words .. "  " .. js.line(js.masked(body.failure.excepinfo.description, veil), 160) end
    local result = result_words(body, veil)
    return result and result ~= "empty" and words .. " => " .. result or words
  end

  local function answer_words(message, body)
    if not body then return format("undecoded answer, %s: %s", js.python.numbers.count(message.size - 4, "byte"), message.note or "") end
    local secret = js.about(message).secret
    if body.words and not secret then return body.words end
    local words = words_of_answer(body, secret and js.veil(body, true))
    if body.words == false and not secret then body.words = words end
    return words
  end

  --- What the Info column says of a frame.
  function js.info(message, body)
    local class, depth = message.class, js.about(message).depth or 0
    if depth > 8 then depth = 8 end
    if class == 0x41 or class == 0x45 then return ANSWERING[depth] .. answer_words(message, body) end
    if message.tunnel_token then return ANSWER .. "tunnel token" end
    if class == 0x4F or class == 0x53 or class == 0x4B then return ASKING[depth] .. request_words(message, body) end
    return ANSWERING[depth] .. answer_words(message, body)
  end

  --- What it says of a document.
  function js.document_info(message, document)
    local arrow = message.side == 0 and REQUEST or ANSWER
    local error = document.error
    if error then
      local text = js.masked(error.text)
      if sub(text, 1, #error.code) ~= error.code then text = error.code .. "  " .. text end
      return arrow .. "ERROR " .. js.line_utf8(text, 160)
    end
    if not document.element then return arrow .. js.line_utf8(js.masked(document.text), 120) end
    local words = { (string.gsub(document.element, "^remote_scheduler%.", "")) }
    for index = 1, math.min(#document.attributes, 8) do
      local one = document.attributes[index]
      words[#words + 1] = one[1] .. "=" .. js.attribute(one, document.attributes)
    end
    return arrow .. js.line_utf8(concat(words, " "), 240)
  end
end

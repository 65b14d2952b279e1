-- Draws messages: frames of callback connections with what they say, and documents of command connections.
do
  local find, F, D = string.find, js.fields, js.drawing
  local generated, expert, links, segments, bytes_of = D.generated, D.expert, D.links, D.segments, D.bytes_of
  local xml_dissector = Dissector.get("xml")

  local function draw_words(node, message, body)
    if not body then return end
    local secret = js.about(message).secret
    local veil = secret and js.veil(body, secret)
    local level, text = js.log_call(message, body)
    if level and not message.stream.is_copy then  -- the task's log has it once
      generated(node, F.log_level, level)
      generated(node, F.log_text, js.shown(text, veil))
    end
    if body.params then
      for _, one in ipairs(js.natural(body.params)) do
        generated(node, F.argument, js.value_text(one, veil, 1000))
      end
    end
    if body.record ~= "error_answer" and (body.result or body.dispids or body.results or body.object) then
      generated(node, F.result, js.result_words(body, veil))
    end
  end

  --- What an answer is read with.
  local function asked(message)
    local request = message.request
    if request and js.is_known(request) then return request.operation, request.count end
  end

  --- Bytes in front of what is decoded: a message in the body of a request over HTTP has no length of its own.
  local function header_of(message) return message.headless and 0 or 4 end

  --- What the Info column says; the body is at hand only with the packet that completed the message.
  local function words_of(message, payload)
    if not message.info then
      local body
      if js.session.fresh == message then body = js.session.fresh_body end
      if not body and message.kind ~= "undecoded" then
        local header = header_of(message)
        local raw = message.raw or (payload and payload(message.at + header, message.size - header):raw())
        body = raw and js.read(raw, 1, asked(message))
      end
      message.info = js.info(message, body)
    end
    return message.info
  end

  local function has_failed(message)
    return message.hresult and message.hresult >= 2147483648 and js.about(message).operation ~= "query_interface"
  end

  --- True when there is something to warn of.
  local function has_expert(message)
    local kind = message.kind
    if kind == "request" then return message.trailing end
    return kind == "undecoded" or kind == "error" or message.trailing or has_failed(message)
  end

  local function draw_frame(tree, message, payload)
    words_of(message, payload)
    local whole, root
    if message.skipped then
      root = tree:add(js.proto, "JobScheduler")
    elseif message.at and payload and message.size == payload:len() then
      root = tree:add(js.proto, payload)
    else
      whole = bytes_of(message, payload, "Reassembled JobScheduler frame")
      root = tree:add(js.proto, whole(0, message.size))
    end
    local about, body = js.about(message), nil
    if js.wanted then
      root:set_text("JobScheduler " .. message.info)
      whole = whole or bytes_of(message, payload)
      local header = header_of(message)
      local raw = message.raw or whole(header, message.size - header):raw()
      local range = function(offset, size) return whole(header + offset, size) end
      if not (message.skipped or message.headless) then root:add(F.length, whole(0, 4)) end
      if message.skipped then
        body = nil
      elseif message.tunnel_token then
        root:add(F.tunnel_token, range(0, #raw), js.shown(raw))
      else
        local operation, count = asked(message)
        local veil
        if message.kind == "undecoded" then
          veil = (about.secret or js.is_opaque(raw)) and js.veil_of_all or nil
        elseif about.secret or js.may_hold_secret(raw) then
          veil = js.veil(js.read(raw, 1, operation, count), about.secret)
        end
        body = js.read_into(root, range, raw, operation, count, js.shown, veil)
      end
      generated(root, F.role, "callback")
      generated(root, F.kind, message.kind)
      generated(root, F.operation, about.operation)
      if about.object_id then
        generated(root, F.object_id_of, js.uint64(about.object_id))
        local object = about.object
        generated(root, F.object_name, object and object.name and js.utf8(object.name))
        generated(root, F.object_class, object and object.class and js.utf8(object.class))
      end
      generated(root, F.member, about.member and js.utf8(about.member))
      generated(root, F.dispid_of, about.dispid)
      generated(root, F.hresult_of, message.hresult)
      generated(root, F.depth, about.depth or 0)
      draw_words(root, message, body)
      links(root, message)
      segments(root, message)
      generated(root, F.note, message.note)
    end
    if message.kind == "undecoded" and not message.tunnel_token then
      expert(root, "undecoded_frame", message.note or "undecoded")
    end
    if message.trailing then expert(root, "trailing_bytes", js.python.numbers.count(message.trailing, "byte") .. " left over behind the message") end
    if message.kind == "error" then expert(root, "error_answer", message.info) end
    if has_failed(message) then expert(root, "failed_hresult", message.info) end
    return root
  end
  D.frame, D.has_expert = draw_frame, has_expert

  local function draw_document(tree, message, payload, pinfo)
    local whole = bytes_of(message, payload, "Reassembled JobScheduler document")
    if not whole then return nil end
    local range = whole(0, message.size)
    local data = message.raw or range:raw()
    local document = message.side == 0 and js.parse_command(data) or js.parse_answer(data)
    local root = tree:add(js.proto, range, "JobScheduler ", message.info)
    root:add(F.xml_text, range, (js.masked(document.text)))
    generated(root, F.role, "command")
    generated(root, F.kind, message.kind)
    generated(root, F.operation, message.operation)
    generated(root, F.xml_form, document.form)
    generated(root, F.xml_element, document.element)
    for index = 1, math.min(#document.attributes, 100) do
      local one = document.attributes[index]
      generated(root, F.xml_attribute, one[1] .. "=" .. js.attribute(one, document.attributes))
    end
    if document.error then
      generated(root, F.xml_error_code, document.error.code)
      generated(root, F.xml_error_text, js.masked(document.error.text))
      expert(root, "xml_error", document.error.code .. "  " .. js.masked(document.error.text))
    end
    links(root, message)
    segments(root, message)
    generated(root, F.note, message.note)
    if message.is_broken then expert(root, "xml_broken", message.note or "broken") end
    -- Wireshark's own tree of the XML shows everything, so not where something is masked or a terminal would obey it.
    local is_harmless = not find(data, "[\1-\8\11\12\14-\31\127-\159\173]")
    if is_harmless and xml_dissector and document.form == "xml" and root.visible and js.masked(document.text) == document.text then
      xml_dissector:call(range:tvb(), pinfo, root)
    end
    return root
  end
  D.document = draw_document
end

-- What in a message is secret as a whole (the rules of wire/masking.py).
do
  local find, byte = string.find, string.byte
  local S = js.secrets
  local MASK = S.mask

  local veiled

  local function veil_properties(veil, new, secret)
    for _, property in ipairs(new.properties) do
      veiled(veil, property.value, secret or js.looks_secret(property.name))
    end
  end

  function veiled(veil, value, secret)
    if type(value) == "string" then
      if secret and value ~= "" then veil[value] = MASK end
      return
    end
    if secret and type(value) == "table" and js.secret_rules.numbers[value.vt] then
      veil[0] = MASK  -- for all numbers of the message
      return
    end
    value = type(value) == "table" and value.value or nil
    if type(value) == "string" then
      veiled(veil, value, secret)
    elseif type(value) == "table" and type(value.elements) == "table" then
      for _, one in ipairs(value.elements) do veiled(veil, one, secret) end
    elseif type(value) == "table" and value.new then
      veil_properties(veil, value.new, secret)
    end
  end

  --- What is said without arguments: an answer, or the object that a new instance is made in.
  local function veil_others(veil, body, secret)
    if body.result then veiled(veil, body.result, secret) end
    for _, one in ipairs(body.results or {}) do
      if type(one) == "table" and one.object and one.object.new then veil_properties(veil, one.object.new, secret) end
    end
    local object = body.object or body.outer
    if object and object.new then veil_properties(veil, object.new, secret) end
    if not secret then return end
    for _, one in ipairs(body.strings or {}) do veiled(veil, one, true) end
    local info = body.failure and body.failure.excepinfo
    if info then
      for _, one in ipairs({ info.source, info.description, info.help_file }) do veiled(veil, one, true) end
    end
  end

  --- True when something in a message that can not be read may be a secret: the name of one is in it, or it is an answer
  --- of which nobody knows what was asked, and has a text.
  function js.is_opaque(raw)
    if js.show_secrets then return false end
    local text = "[\t\n\r\32-\126\160-\255]"
    return S.candidate:find(raw) ~= nil or (byte(raw) == 65 and find(raw, text .. text .. text .. text) ~= nil)
  end

  --- For every text of such a message.
  js.veil_of_all = setmetatable({}, { __index = function(_, text) return type(text) == "string" and text ~= "" and MASK or nil end })

  --- Texts of a message's body that are secret whatever they say, at 0 whether its numbers are; `secret`: its request or its member says so.
  function js.veil(body, secret)
    if js.show_secrets or not body then return nil end
    local veil = {}
    if body.params then
      secret = secret or js.has_secret_name(body.params)
      for _, one in ipairs(body.params.arguments) do
        local is_name = one.vt == 8 and js.names_a_secret(one.value)
        if not is_name then veiled(veil, one, secret) end
      end
    else
      veil_others(veil, body, secret)
    end
    return next(veil) and veil or nil
  end
end

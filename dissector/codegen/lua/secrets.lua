-- Text without its secrets: the search of wire/secrets.py, by the same rules, and what all views ask.
do
  local find, lower, gsub = string.find, string.lower, string.gsub
  local S = js.secrets
  local add, replaced, MASK = S.add, S.replaced, S.mask

  local function ours(text)
    if S.candidate:find(text) then
      text = S.without_elements(text)
      text = replaced(text, S.assigned(text))
    end
    text = replaced(text, S.shaped(text))
    if find(text, "@", 1, true) then text = gsub(text, "[^%s\"<>]+", S.url_masked) end
    return text
  end

  local function extended(text)
    local spans, position = {}, 1
    while position <= #text do
      local from, to, places = S.extra:exec(text, position)
      if not from then break end
      if places[1] ~= nil then
        if places[1] then add(spans, places[1], places[2] + 1) end
      else
        add(spans, from, to + 1)
      end
      position = math.max(to + 1, from + 1)
    end
    return replaced(text, spans)
  end

  local function covered(text)
    if S.hint:find(lower(text)) then text = ours(text) end
    if S.extra then text = extended(text) end
    return text
  end

  --- `answer` with a memory for texts that are not long: the same ones come again and again.
  local longest, most, one_more = 2048, 2 ^ 20, 100  -- bytes of a text, of a memory, and what a text takes in it besides
  local memories = {}

  local function remembered(answer)
    local memory = { size = 0, known = {} }
    memories[#memories + 1] = memory
    return function(text)
      local found = memory.known[text]
      if found ~= nil then return found end
      found = answer(text)
      if #text > longest then return found end
      if memory.size >= most then memory.known, memory.size = {}, 0 end
      memory.known[text], memory.size = found, memory.size + 2 * #text + one_more
      return found
    end
  end

  function S.forget()
    for _, memory in ipairs(memories) do memory.known, memory.size = {}, 0 end
  end

  --- The text with every secret in it as `***`; all of it where PCRE2 gives up.
  js.mask = remembered(function(text)
    local ok, masked = pcall(covered, text)
    return ok and masked or MASK
  end)

  --- True for the name of something that is not to be shown.
  js.looks_secret = remembered(function(name) return S.candidate:find(name) ~= nil end)

  --- True for a text that is nothing but such a name, no sentence with the word in it, nor a token that has it in its form.
  function js.names_a_secret(text)
    local is_name = #text <= S.longest_name and find(text, "^[%w_.$/:-]+$") ~= nil and js.looks_secret(text)
    return is_name and js.mask(text) == text
  end

  --- Text as it may be shown; `veil` has texts of the message that are secret as a whole.
  function js.masked(text, veil)
    if js.show_secrets then return text end
    return veil and veil[text] or js.mask(text)
  end

  --- The same as UTF-8, for a field of the tree.
  function js.shown(text, veil) return js.utf8(js.masked(text, veil)) end

  --- What is said of a problem, as it may be shown on one line.
  function js.problem_words(text) return js.line_utf8(js.harmless(js.masked(text)), math.huge) end

  --- Value of an XML attribute, a pair of name and value, of a document's `attributes`.
  function js.attribute(pair, attributes)
    if js.show_secrets or pair[2] == "" then return pair[2] end
    if js.looks_secret(pair[1]) then return MASK end
    if pair[1] ~= "name" then
      for _, one in ipairs(attributes) do
        if one[1] == "name" and js.looks_secret(one[2]) then return MASK end
      end
    end
    return js.mask(pair[2])
  end

  --- False when nothing in the bytes of a message can be a secret by itself, as in nearly all.
  function js.may_hold_secret(raw) return S.extra ~= nil or S.hint:find(lower(raw)) ~= nil end
end

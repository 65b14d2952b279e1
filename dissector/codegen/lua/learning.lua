-- What a dialog learns of objects and members: their names (the rules of session/dialog.py).
do
  local limits, D = js.limits, js.Dialog
  local NULL = "\0\0\0\0\0\0\0\0"

  function D:learn_members(request, dispids)
    if self.count >= limits.objects then return end
    local of_object, of_class = self:members(request.object_id), self:members(self.keys[request.object_id])
    for index = 1, math.min(#request.names, #dispids) do
      local name, dispid = request.names[index], dispids[index]
      -- Names are matched without case: the first spelling that was looked up stays.
      if not of_object[dispid] then
        of_object[dispid] = name
        self.count = self.count + 1
      end
      if of_class and not of_class[dispid] then of_class[dispid] = name end
    end
    request.names = nil
  end

  --- The names that were learnt of an object or of a class, by their dispids.
  function D:members(key)
    if key and not self.learnt[key] then self.learnt[key] = {} end
    return key and self.learnt[key]
  end

  --- `begin(objects, names)`: two arrays of equal order give the objects their names.
  function D:learn_names(begin)
    local arguments = js.natural(begin.params)
    local objects, names = arguments[1] and arguments[1].value, arguments[2] and arguments[2].value
    if type(objects) ~= "table" or type(names) ~= "table" or type(objects.elements) ~= "table"
        or type(names.elements) ~= "table" then
      return
    end
    for index = 1, math.min(#objects.elements, #names.elements) do
      local reference, name = objects.elements[index], names.elements[index]
      if type(reference) == "table" then reference = reference.value end
      if type(name) == "table" then name = name.value end
      if type(reference) == "table" and reference.object_id and type(name) == "string" then self:learn(reference, name) end
    end
  end

  --- Every reference inside a body, by a walk that only enters what can hold one.
  function D:learn_objects(body)
    local kind = body.record
    if kind == "invoke" or kind == "call" then
      for _, one in ipairs(body.params.arguments) do self:learn_variant(one) end
    elseif kind == "invoke_answer" or kind == "call_answer" then
      if body.result then self:learn_variant(body.result) end
    elseif kind == "create_instance_answer" then
      for _, one in ipairs(body.results or {}) do self:learn(one.object, nil) end
    elseif kind == "query_interface_answer" then
      if body.object then self:learn(body.object, nil) end
    end
  end

  function D:learn_variant(variant)
    local value = variant.value
    if type(value) ~= "table" then return end
    if value.object_id then
      self:learn(value, nil)
    elseif value.element_vt == 12 then
      for _, one in ipairs(value.elements) do self:learn_variant(one) end
    end
  end

  function D:learn(reference, name)
    local id, new = reference.object_id, reference.new
    if id == NULL then return end
    local known = self.objects[id]
    if not known then
      if self.count >= limits.objects then return end
      self.count = self.count + 1
    end
    local old_name, class = known and known.name, known and known.class
    name = name or old_name
    if new or name ~= old_name then
      local key = js.class_key(new and new.title or class or "", new and new.proxy_clsid, name) or self.keys[id]
      self.keys[id] = key
      local title = class
      if new then title = new.title ~= "" and new.title or nil end
      class = title or class or key
    end
    self.objects[id] = { name = name, class = class }
    if new then
      for _, property in ipairs(new.properties) do self:learn_variant(property.value) end
    end
  end
end

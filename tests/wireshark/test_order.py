"""The plugin's lists that keep an order, against plain ones: tasks by first packets, a queue, and what is due."""

from __future__ import annotations

from pathlib import Path

import plugin_kit as kit

_SCRIPT = """
do
  local seed = 1
  local function random(most)
    seed = seed * 16807 % 2147483647
    return seed % most + 1
  end

  local function same(one, other)
    if #one ~= #other then return false end
    for at = 1, #one do
      if one[at] ~= other[at] then return false end
    end
    return true
  end

  local function at_of(list, item)
    for at = 1, #list do
      if list[at] == item then return at end
    end
    return nil
  end

  -- More than one chunk holds, then none of them, with many of the same packet.
  local order, plain, is_found = js.new_order(), {}, true
  local function look()
    local one = plain[random(#plain)]
    is_found = is_found and (not one or order:find(one) == at_of(plain, one))
  end
  local function add(one)
    local at = #plain
    while at > 0 and plain[at].first_packet > one.first_packet do at = at - 1 end
    table.insert(plain, at + 1, one)
  end
  for _ = 1, 1300 do
    local one = { first_packet = random(400) }
    add(one)
    order:add(one)
    if #plain % 10 == 0 then look() end
  end
  print("added", same(order:all(), plain), is_found, #order.chunks)
  for at = #plain, 1, -random(4) do
    local task = { first_packet = plain[at].first_packet + random(2) - 1 }
    local one = plain[at]
    order:replace(one, task)
    if task.first_packet == one.first_packet then
      plain[at] = task
    else
      table.remove(plain, at)
      add(task)
    end
  end
  look()
  print("replaced", same(order:all(), plain), is_found)
  local stranger = { first_packet = plain[700].first_packet }
  order:remove(stranger)
  print("stranger", order:find(stranger), #order:all() == #plain)
  for count = #plain, 1, -1 do
    order:remove(table.remove(plain, random(count)))
    if count % 10 == 0 then look() end
  end
  print("removed", same(order:all(), plain), is_found, #order.chunks)

  -- What comes again goes to the end; holes close up.
  local queue, line, is_same = js.new_queue(), {}, true
  local names = {}
  for number = 1, 60 do names[number] = { number } end
  for step = 1, 600 do
    local one = names[random(60)]
    local at = at_of(line, one)
    if at then table.remove(line, at) end
    if step % 3 == 0 or step > 500 then queue:remove(one) else
      queue:push(one)
      line[#line + 1] = one
    end
    local back = {}
    for place = #line, math.max(1, #line - 4), -1 do back[#back + 1] = line[place] end
    is_same = is_same and same(queue:begin(60), line) and same(queue:newest(5), back) and queue.size == #line
      and queue:oldest() == line[1] and queue:has(one) == (line[#line] == one)
      and queue.last - queue.first <= 2 * queue.size + 16
  end
  print("queue", is_same, queue.size)

  local map = {}
  js.push(map, "key", "one")
  js.push(map, "key", "two")
  js.drop(map, "key", "one")
  js.drop(map, "other", "one")
  print("map", map.key:oldest(), map.other)
  js.drop(map, "key", "two")
  print("empty", map.key)

  local heap, times = js.new_heap(), {}
  for _ = 1, 200 do
    local time = random(50)
    times[#times + 1] = time
    heap:push(time, time)
  end
  table.sort(times)
  local popped, is_due = {}, not heap:due(0)
  while heap.size > 0 do
    is_due = is_due and heap:due(times[#popped + 1]) and not heap:due(times[#popped + 1] - 1)
    popped[#popped + 1] = heap:pop()
  end
  print("heap", same(popped, times), is_due, heap:due(99))
end
"""


def test_everything_is_in_its_place(tmp_path: Path) -> None:
    assert kit.behind(_SCRIPT, tmp_path) == [
        ["added", "true", "true", "4"],
        ["replaced", "true", "true"],
        ["stranger", "nil", "true"],
        ["removed", "true", "true", "1"],
        ["queue", "true", "2"],
        ["map", "two", "nil"],
        ["empty", "nil"],
        ["heap", "true", "true", "false"],
    ]

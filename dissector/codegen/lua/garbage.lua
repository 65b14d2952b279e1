-- When Lua collects garbage: less often while little is kept, which is much faster, and more often when much is.  What is
-- kept and what is garbage may be `ROOM` and half of what is kept, in kB.
do
  local floor = math.floor
  local ROOM, LEAST, MOST = 96 * 1024, 130, 1000
  local pause = 200
  --- Lua has decided by the pause before when it collects next: `excess` kB are to be counted in advance.
  local garbage = { excess = 0 }
  js.garbage = garbage

  --- The end of a round of collecting is when this table goes.
  local function pace()
    setmetatable({}, {
      __gc = function()
        local kept = collectgarbage("count")
        local wanted = floor(math.max(LEAST, math.min(MOST, 50 + 100 * ROOM / kept)))
        pause, garbage.excess = wanted, floor(kept * (pause - wanted) / 100)
        collectgarbage("setpause", wanted)
        pace()
      end,
    })
  end

  function js.count_in_advance()
    local size = garbage.excess
    garbage.excess = 0
    if size > 0 then collectgarbage("step", size) end
  end

  -- A round that takes long lets as much more come.
  collectgarbage("setstepmul", 400)
  pace()
end

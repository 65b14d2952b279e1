-- Everything of the plugin hangs on one local table: nothing is global.
local js = {}

js.limits = {
  message = 1000 * 1024 * 1024,      -- longest message that the engine itself accepts
  decoded = 64 * 1024 * 1024,        -- longest message that is kept and decoded
  variant_depth = 32,
  dialog_depth = 64,
  document = 16 * 1024 * 1024,
  xml_depth = 256,
  reorder = 4 * 1024 * 1024,         -- bytes of one direction that wait behind a hole
  near = 16777216,                   -- bytes within which a segment is believed to be of its connection
  half_open = 300,                   -- seconds after which a connection without data is given up
  idle = 3600,                       -- the same for one with data
  shuffled = 1,                      -- seconds within which packets may be captured in the wrong order
  sniff = 4096,
  objects = 65536,
  answers = 4096,                    -- short answers that are kept because they come again
  short = 64,
  head = 65536,                      -- start line and headers of an HTTP message
}

js.is_gui = gui_enabled()
js.proto = Proto("jobscheduler", "JobScheduler 1.x remote execution")

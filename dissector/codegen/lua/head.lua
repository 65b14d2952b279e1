-- Everything of the plugin hangs on one local table: nothing is global.
local js = {}

-- The plugin's own; those that it has in common with the rest of jstrace stand behind the tables of names.
js.limits = {
  copies = 4096,                     -- connections that a copy on another leg is looked for among
  answers = 4096,                    -- short answers that are kept because they come again
  short = 64,
}

js.is_gui = gui_enabled()
js.proto = Proto("jobscheduler", "JobScheduler 1.x remote execution")

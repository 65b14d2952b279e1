-- How a task ended: the outcome word, from the facts alone (the rules of session/verdict.py).  Times in seconds.
do
  local GIVE_UP_FROM, GIVE_UP_TO = 55, 75
  local SYN_PATIENCE, END_PATIENCE, STUCK_PATIENCE, HOLE_PATIENCE = 3, 2, 2, 10
  local STUCK_TRIES = 3
  local LINGER, CALLBACK_LINGER = 1, 150
  local CLIENT, SERVER = 0, 1

  --- What an end of a connection sent.
  local function sent_by(stream, side) return stream.dirs[stream.swapped_dirs and 1 - side or side] end

  --- True when only one direction of a connection that carried data was captured.
  local function is_one_sided(stream)
    local one, other = stream.dirs[0], stream.dirs[1]
    return one.bytes + other.bytes > 0 and (one.packets == 0 or other.packets == 0)
  end

  local function has_holes(stream) return stream.has_holes or #stream.dirs[0].waiting + #stream.dirs[1].waiting > 0 end

  --- Which end sent the first FIN or RST; nil when the packets of one end were not captured at all.
  local function closed_by(stream)
    if stream.established and (stream.dirs[0].packets == 0 or stream.dirs[1].packets == 0) then return nil end
    return stream.closed_by
  end
  js.closed_by = closed_by

  --- True when an end's data was sent again and again, or has a hole that nothing filled, and nobody acknowledges it.
  local function is_stuck(stream, side, now)
    local sender = sent_by(stream, side)
    local again = sender.again
    if sent_by(stream, 1 - side).packets == 0 then return false end
    local is_newest = again and again.reached == sender.next + sender.held
    local enough = stream.icmp and is_newest and stream.icmp >= again.since and 1 or STUCK_TRIES
    if is_newest and again.count >= enough and now - again.since >= STUCK_PATIENCE then return true end
    local last = sender.waiting[#sender.waiting]
    local lost = last and last.time or sender.lost
    return lost ~= nil and now - lost > HOLE_PATIENCE
  end

  local function is_stuck_anywhere(stream, now) return is_stuck(stream, CLIENT, now) or is_stuck(stream, SERVER, now) end

  --- The client's last command is retransmitted again and again, and never acknowledged.
  local function is_unheard(task, now) return task.command and is_stuck(task.command, CLIENT, now) end

  --- The client asked for it before `til`, and the remote heard it.
  local function was_killed(task, til, now) return task.kill and task.kill.time <= til and not is_unheard(task, now) end

  --- The start may have been answered, but the capture lacks the answer, or a part of it.
  local function is_answer_missing(task)
    local command = task.command
    if task.start_answer or not command then return false end
    local is_lossy = command.mid_stream or command.has_gaps or has_holes(command) or is_one_sided(command)
    return is_lossy or sent_by(command, SERVER).bytes > 0
  end

  --- A SYN that was answered by RST or by an ICMP error.
  local function is_refused(attempt) return attempt.closed_by == SERVER or attempt.icmp end

  local function is_hopeless(attempt, now) return is_refused(attempt) or now - attempt.start > SYN_PATIENCE end

  --- The remote accepted the command connection and closed it without a byte.
  local function is_rejected(task)
    local command = task.command
    if not command or has_holes(command) or (command.mid_stream and not task.start_message) then return false end
    return sent_by(command, SERVER).bytes == 0 and closed_by(command) == SERVER
  end

  js.is_rejected = is_rejected

  --- The client said something before `til` that the snap length cut off: it may have been a kill.
  local function may_be_killed(task, til)
    return task.cut_command ~= nil and task.cut_command <= til and not task.kill
  end

  --- How long the client waited for the callback.
  local function waited(task, now)
    if not task.start_message then return 0 end
    local stop = task.close and task.close.time or (task.command and task.command.ended) or now
    return stop - task.start_message.time
  end

  local function without_callback(task, now)
    local time, command = waited(task, now), task.command
    if task.intruder then return "no_callback" end
    local unheard = is_unheard(task, now)
    if task.kill and time < GIVE_UP_FROM and not unheard then return "killed" end
    if #task.attempts > 0 then
      for _, attempt in ipairs(task.attempts) do
        if is_hopeless(attempt, now) then
          return may_be_killed(task, task.start + GIVE_UP_FROM) and "unknown" or "no_callback"
        end
      end
      return "running"
    end
    if not task.start_message then return "unknown" end
    if unheard then return "no_callback" end
    if not task.close and not (command and command.ended) then return time <= GIVE_UP_TO and "running" or "unknown" end
    if not task.close and is_answer_missing(task) then return "unknown" end
    if not task.close or (time >= GIVE_UP_FROM and time <= GIVE_UP_TO) then return "no_callback" end
    return "unknown"
  end

  --- True when an error was seen, or how the job's process ended.
  local function has_failed(task) return (task.exit_code and task.exit_code ~= "0") or task.signal or task.failed end

  --- Of a task whose release may be among what was not captured.
  local function unreleased(task) return has_failed(task) and "failure" or "unknown" end

  --- The task was left at the time `left`, as it should be.
  local function of_results(task, left, now)
    if was_killed(task, left, now) then return "killed" end
    if has_failed(task) then return "failure" end
    return task:went_well() and not task.result_odd and "success" or "unknown"
  end

  local function unfinished(task, callback, now)
    if is_stuck_anywhere(callback, now) then return "lost" end
    if (task.close or task.kill) and is_unheard(task, now) then return "lost" end
    local gone = task.close_answer and task.close_answer.time
    if gone and callback.seen <= gone and (now - gone > END_PATIENCE or callback.seen < gone - END_PATIENCE) then
      return "lost"
    end
    if may_be_killed(task, now) and task.command and task.command.ended then return "unknown" end
    return task.kill and "killed" or "running"
  end

  local function with_callback(task, callback, now)
    if is_one_sided(callback) then return "unknown" end
    local by, ended = closed_by(callback), callback.ended
    local left = task.released or (by == SERVER and task.release)
    if left then return of_results(task, left.time, now) end
    if not ended then return unfinished(task, callback, now) end
    if was_killed(task, ended, now) and not is_stuck_anywhere(callback, now) then return "killed" end
    if callback.is_snapped and task.calls == 0 then return "unknown" end
    if has_holes(callback) and by == SERVER then return unreleased(task) end
    local is_asking = callback.handler and callback.handler:is_asking() or task.is_asking
    local is_quiet = not task.release and not is_asking and not callback.was_reset
    if (callback.mid_stream or has_holes(callback)) and is_quiet then return unreleased(task) end
    return may_be_killed(task, ended) and "unknown" or "lost"
  end

  --- The connection that got through, though nobody said a word on it maybe.
  local function callback_of(task)
    local found = task.callback
    for _, attempt in ipairs(task.attempts) do
      if not found and attempt.established then found = attempt end
    end
    return found
  end

  --- Somebody who only connected was never the task process: he left without a word, or it found the port closed.
  local function is_intruder(task, callback)
    if not task.remote or task.confirmed or callback.mid_stream or is_one_sided(callback) then return false end
    if callback.client.ip == task.remote.ip or sent_by(callback, CLIENT).bytes > 0 then return false end
    if closed_by(callback) == CLIENT then return true end
    for _, attempt in ipairs(task.attempts) do
      if attempt ~= callback and is_refused(attempt) then return true end
    end
    return false
  end

  --- Time of the last packet of any of its connections.
  local function last_seen(task)
    local last = task.command and task.command.seen or 0
    for _, attempt in ipairs(task.attempts) do last = math.max(last, attempt.seen) end
    return last
  end

  --- The outcome of a task as of the time `now`.
  function js.outcome(task, now)
    if task.given_up then return task.given_up end
    local command, callback = task.command, callback_of(task)
    if command and not command.established then return is_hopeless(command, now) and "unreachable" or "running" end
    if task.start_error or (not callback and is_rejected(task)) then return "refused" end
    if callback and is_intruder(task, callback) then return "no_callback" end
    if not callback then return without_callback(task, now) end
    if callback.over and (not command or command.over) then
      now = math.min(now, math.max(callback.over, command and command.over or 0) + LINGER)
    end
    local word = with_callback(task, callback, now)
    return word == "running" and task.superseded and now - last_seen(task) >= CALLBACK_LINGER and "unknown" or word
  end
end

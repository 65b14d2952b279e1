-- How a task went, as the rules judge it by its facts.
do
  local rules, py = js.python, js.py
  local traffic = rules.traffic

  --- How a task went as of the time `now`: its outcome, and its problems, the gravest first.  `is_over`: the capture, so that
  --- nothing comes any more.
  function js.judge(task, now, is_over)
    local records = js.new_records()
    records.is_over = is_over
    local facts, session = records:facts(task), js.session
    rules.session_diagnosis.conclude(facts, now, session.clock_steps, session.hosts)
    local found = { outcome = facts.record.outcome, problems = {} }
    for at, one in py.each(facts.record.problems) do
      found.problems[at] = {
        code = one.code, severity = one.severity, packets = one.packets, summary = one.summary, cause = one.cause,
        remedy = one.remedy,
      }
    end
    return found
  end

  --- Asks one of the questions about a task that the rules of session/task.py answer.
  function js.ask(task, question)
    local facts = js.new_records():facts(task)
    return facts[question](facts)
  end

  --- A problem of a connection's bytes, as it was told.
  function js.problem_of(stream, code, side, text, number, time, is_cap)
    local told = traffic.StreamProblem.new(code, side, 0, number, time, text, is_cap or false)
    return rules.session_oddities.of_stream(told, js.new_records():connection(stream))
  end
end

"""Questions that operators ask of months of captures, ready made."""

from __future__ import annotations

from typing import NamedTuple

from dissector.fleet.views import FAILED

#: How many of ``seen`` (place, start, stop) there are from each beginning and each end on.
_AT_A_TIME = """
  SELECT place, moment, sum(step) OVER (PARTITION BY place ORDER BY moment, step ROWS UNBOUNDED PRECEDING) AS many
  FROM (SELECT place, start AS moment, 1 AS step FROM seen UNION ALL SELECT place, stop, -1 FROM seen)"""


class ReadyQuestion(NamedTuple):
    """``sql`` may ask for the firewall's range as $low and $high."""

    text: str
    sql: str

    @property
    def needs_ports(self) -> bool:
        return "$low" in self.sql


QUESTIONS: dict[str, ReadyQuestion] = {
    "failures": ReadyQuestion(
        "tasks that failed, by week and job",
        f"""
SELECT date_trunc('week', start)::DATE AS week, job, count(*) AS tasks, count(*) FILTER ({FAILED}) AS failed,
  round(100 * count(*) FILTER ({FAILED}) / count(*), 1) AS percent,
  list_sort(list(DISTINCT outcome) FILTER ({FAILED})) AS outcomes
FROM brief_tasks GROUP BY ALL HAVING failed > 0 ORDER BY week, failed DESC, job""",
    ),
    "causes": ReadyQuestion(
        "each problem: how often, since when, until when, at how many points",
        """
SELECT code, severity, sum(times)::BIGINT AS times, sum(tasks)::BIGINT AS tasks, count(DISTINCT point) AS points,
  min("first") AS first, max("last") AS last
FROM brief_problems GROUP BY ALL ORDER BY severity, times DESC, code""",
    ),
    "delays": ReadyQuestion(
        "seconds until the remote called back, by remote",
        """
SELECT remote, count(callback_delay) AS tasks, quantile_cont(callback_delay, 0.5) AS median,
  quantile_cont(callback_delay, 0.95) AS p95, quantile_cont(callback_delay, 0.99) AS p99, max(callback_delay) AS max
FROM brief_tasks WHERE callback_delay IS NOT NULL GROUP BY ALL ORDER BY p95 DESC, remote""",
    ),
    "ports": ReadyQuestion(
        "callback ports at a time by client, against the firewall's range (--callback-ports)",
        f"""
WITH seen AS MATERIALIZED (SELECT client AS place, start, "end" AS stop, port FROM brief_tasks WHERE port IS NOT NULL),
  used AS ({_AT_A_TIME}),
  peaks AS (SELECT place, max(many)::BIGINT AS peak, arg_max(moment, many) AS peak_at FROM used GROUP BY place)
SELECT place AS client, any_value(peak) AS peak, $high - $low + 1 AS ports,
  round(100 * any_value(peak) / ($high - $low + 1), 1) AS percent, any_value(peak_at) AS peak_at,
  min(port) AS lowest, max(port) AS highest, count(*) FILTER (port NOT BETWEEN $low AND $high) AS outside
FROM seen JOIN peaks USING (place) GROUP BY ALL ORDER BY percent DESC, client""",
    ),
    "slower": ReadyQuestion(
        "jobs whose median in the newest seven days is half as much again as before",
        """
WITH seen AS MATERIALIZED (SELECT day, job, duration FROM brief_tasks WHERE outcome = 'success'),
  newest AS (SELECT max(day) - 7 AS since FROM seen),
  halves AS (SELECT job, quantile_cont(duration, 0.5) FILTER (day <= since) AS before,
    quantile_cont(duration, 0.5) FILTER (day > since) AS now,
    count(*) FILTER (day <= since) AS tasks_before, count(*) FILTER (day > since) AS tasks_now
    FROM seen, newest GROUP BY job)
SELECT job, before, now, round(now / before, 2) AS times, tasks_before, tasks_now
FROM halves WHERE tasks_before >= 5 AND tasks_now >= 5 AND now >= 1.5 * before ORDER BY times DESC, job""",
    ),
    "busy": ReadyQuestion(
        "tasks at a time: the most of each day at each point, and when",
        f"""
WITH seen AS MATERIALIZED (SELECT point AS place, start, "end" AS stop FROM brief_tasks), running AS ({_AT_A_TIME})
SELECT moment::DATE AS day, place AS point, max(many)::BIGINT AS tasks_at_a_time, arg_max(moment, many) AS peak_at
FROM running GROUP BY ALL ORDER BY day, tasks_at_a_time DESC, point""",
    ),
    "days": ReadyQuestion(
        "tasks of each day by outcome",
        f"""
SELECT day, count(*) AS tasks, count(*) FILTER (outcome = 'success') AS success, count(*) FILTER ({FAILED}) AS failed,
  count(*) FILTER (outcome IN ('running', 'unknown')) AS unfinished, count(DISTINCT job) AS jobs,
  quantile_cont(duration, 0.5) AS median
FROM brief_tasks GROUP BY ALL ORDER BY day""",
    ),
    "jobs": ReadyQuestion(
        "each job: tasks, failures, and how long it takes",
        f"""
SELECT job, count(*) AS tasks, count(*) FILTER ({FAILED}) AS failed, quantile_cont(duration, 0.5) AS median,
  quantile_cont(duration, 0.95) AS p95, max(duration) AS max, min(start) AS first, max(start) AS last
FROM brief_tasks GROUP BY ALL ORDER BY failed DESC, tasks DESC, job""",
    ),
    "remotes": ReadyQuestion(
        "each remote: tasks, failures, and what stands behind most of them",
        f"""
WITH codes AS (SELECT remote, code, sum(times) AS many FROM brief_problems WHERE failed AND severity = 'error'
    GROUP BY ALL),
  most AS (SELECT remote, first(code ORDER BY many DESC, code) AS mostly FROM codes GROUP BY remote)
SELECT remote, count(*) AS tasks, count(*) FILTER ({FAILED}) AS failed, any_value(mostly) AS mostly
FROM brief_tasks LEFT JOIN most USING (remote) GROUP BY remote ORDER BY failed DESC, tasks DESC, remote""",
    ),
    "network": ReadyQuestion(
        "retransmissions and holes between two hosts",
        """
SELECT client, server, sum(connections)::BIGINT AS connections, sum(packets)::BIGINT AS packets,
  sum(retransmissions)::BIGINT AS retransmissions, round(100 * sum(retransmissions) / sum(packets), 3) AS percent,
  sum(gaps)::BIGINT AS gaps, sum(resets)::BIGINT AS resets
FROM brief_connections GROUP BY ALL ORDER BY percent DESC, client, server""",
    ),
    "worst": ReadyQuestion(
        "the newest hundred tasks that failed, for --task",
        f"""
SELECT id, start, point, job, remote, outcome, exit_code, problems
FROM brief_tasks WHERE {FAILED} ORDER BY start DESC, id LIMIT 100""",
    ),
}

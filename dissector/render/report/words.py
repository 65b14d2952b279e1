"""What the words of a report mean, for whoever sees nothing else."""

from __future__ import annotations

WORDS = (
    (
        "task",
        "one run of a job on another host, started there by the remote scheduler (or agent)",
    ),
    ("callback", "the connection that the new task process opens back to the client, and how long that took"),
    ("port", "the client's port that the process calls back to"),
    ("calls", "5+10: the client called the task process 5 times, and was called back by it 10 times"),
    ("took", "from the start command to the end of the last connection"),
    ("task_id", "the number that the scheduler gave the task, as in its own log"),
    ("success, failure", "the job ran to its end, and how it ended; the exit code is the job's own"),
    ("killed", "the scheduler ended the process"),
    ("lost", "the connection ended while the client still waited for the task"),
    ("refused", "the remote scheduler did not start it"),
    ("no callback", "it was started, but its process never reached the client"),
    ("unreachable", "the start command never reached the remote scheduler"),
    ("running", "not over when the capture ended"),
    ("unknown", "the capture does not prove more"),
    ("latency", "from the call to its answer, as seen where the capture was made"),
    ("median, p95", "half of the tasks, and 95 of 100, took no longer than that"),
)

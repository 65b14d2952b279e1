"""Problem codes of tasks on Universal Agents (docs/agent.md); a part of ``codes.CODES``."""

from __future__ import annotations

from dissector.model import Severity
from dissector.session.capture_codes import Code

_INFO, _WARNING, _ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR

AGENT_CODES: dict[str, Code] = {
    "agent_refused_start": Code(
        _ERROR,
        "The Universal Agent did not start the task.",
        "the agent says why in its answer: a folder that is missing, credentials that it can not use, no memory",
        "see the answer's text; look at the agent's configuration, folders and log on {remote}",
    ),
    "agent_refused_request": Code(
        _WARNING,
        "The Universal Agent answered a request with an error.",
        "the request names something that the agent does not have, or does not fit its release",
        "see the answer's text",
    ),
    "agent_license": Code(
        _ERROR,
        "The Universal Agent refused a second task at the same time: the master sent no licence key.",
        "without a licence key an agent runs one task at a time",
        "add a licence key to the master, or let tasks on this agent run one after the other (a lock, max_processes=1)",
    ),
    "agent_terminating": Code(
        _ERROR,
        "The Universal Agent is being stopped and takes no more tasks.",
        "somebody stopped the agent; it waits for its running tasks to end",
        "wait until it has ended and start it again; send tasks to another agent of the process class meanwhile",
    ),
    "agent_wrong_target": Code(
        _ERROR,
        "The request went to something else than a Universal Agent's API.",
        "the URL of the process class is wrong (port or path prefix), or releases are mixed: "
        "a Universal Agent takes masters of 1.10 and later only, a classic agent those up to 1.9",
        'correct remote_scheduler="http://HOST:PORT[/PREFIX]" of the process class; '
        "prefix and port have to be those that the agent was started with",
    ),
    "agent_unauthorized": Code(
        _ERROR,
        "The Universal Agent refused the request for want of credentials.",
        "the master's id or password is not in the agent's private.conf, or the session is not known any more",
        "give the agent (jobscheduler.agent.auth.users) and the master (jobscheduler.master.credentials.password) "
        "the same password",
    ),
    "tunnel_unknown": Code(
        _ERROR,
        "The Universal Agent does not know the tunnel.",
        "the agent was restarted, or it had ended the task: tunnels count from 1 again with each start of the agent",
        "see the agent's log for a restart, and whether its watchdog or an operator killed it",
    ),
    "task_process_lost": Code(
        _ERROR,
        "The task process of the Universal Agent ended in the middle of a call.",
        "the process was killed (out of memory, an operator, a signal) or crashed",
        "look at the agent's host: its system log for killed processes, and the task's own log at the agent",
    ),
    "heartbeat_missed": Code(
        _ERROR,
        "The master and the Universal Agent lost each other for longer than they agreed.",
        "the network between them failed, or one of the two was frozen or overloaded",
        "look at the load of both hosts at that time, and at the devices between them; "
        "http_heartbeat_timeout of the process class sets how long they wait",
    ),
    "request_repeated": Code(
        _WARNING,
        "The master repeated a request because no response came in time.",
        "the agent was frozen or overloaded, or the network lost the connection for some time",
        "look at the agent's load at that time, and at devices between master and agent",
    ),
    "proxy_error": Code(
        _ERROR,
        "A proxy between master and agent answered in place of the agent.",
        "the proxy did not reach the agent, or gave up waiting for it",
        "let the master reach the agent without the proxy (http.nonProxyHosts), "
        "or raise the proxy's timeout above 60 s",
    ),
    "clock_skew": Code(
        _INFO,
        "The clock of the Universal Agent differs from that of the capture.",
        "the clocks of the agent's host and of the host that captured (or its file) are not synchronized",
        "compare log lines of both hosts with this in mind; let both hosts take their time from the same source (NTP)",
    ),
    "http_ambiguous": Code(
        _WARNING,
        "Two headers say in different ways where the body of an HTTP message ends.",
        "no genuine master or agent does that: another client, a proxy, or somebody who smuggles requests past one",
        "find out who sent it; a proxy and the agent may read different requests in it",
    ),
    "body_too_large": Code(
        _ERROR,
        "A message was too large for the Universal Agent.",
        "the agent and the master take HTTP bodies of up to 8 MiB: a script or parameter is larger",
        "put the script into a file on the agent's host and call it from the job",
    ),
}

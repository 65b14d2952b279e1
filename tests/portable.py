"""The command as on another system: ``python portable.py SYSTEM ARGUMENTS...``.

Without arguments, standard input has a list of them for each of several commands as JSON, and exit code, output and
errors of each are printed as JSON.  What the system lacks is taken away once the standard library is loaded, whose own
modules know where they run.
"""

from __future__ import annotations

import asyncio  # noqa: F401  loaded before it is hidden
import importlib
import json
import mmap
import os
import pkgutil
import select
import shutil  # noqa: F401  loaded before it is hidden
import signal
import socket
import subprocess  # noqa: F401  loaded before it is hidden
import sys
import tempfile  # noqa: F401  loaded before it is hidden
import time
import urllib.request  # noqa: F401  loaded before it is hidden
from contextlib import suppress

#: Names that CPython's documentation calls Unix only, or Linux only.
_UNIX_MODULES = ("fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty", "curses")
_UNIX_SIGNALS = (
    "SIGHUP", "SIGKILL", "SIGALRM", "SIGPIPE", "SIGQUIT", "SIGTSTP", "SIGCONT", "SIGSTOP", "SIGUSR1", "SIGUSR2",
    "SIGWINCH", "SIGCHLD", "pthread_sigmask", "sigwait", "setitimer", "alarm", "pause", "SIG_BLOCK", "SIG_SETMASK",
)  # fmt: skip
_UNIX_OS = (
    "fork", "forkpty", "geteuid", "getuid", "getegid", "getgid", "getresuid", "getgroups", "setuid", "setgid",
    "seteuid",
    "setegid", "setresuid", "setresgid", "setgroups",
    "setsid", "getpgid", "getpgrp", "killpg", "chown", "fchown",
    "lchown", "chroot", "fchdir", "mkfifo", "mknod", "nice", "openpty", "pathconf", "posix_fadvise", "posix_fallocate",
    "pread", "preadv", "pwrite", "pwritev",
    "readv", "writev", "sendfile", "statvfs", "fstatvfs", "sync", "sysconf", "confstr",
    "tcgetpgrp", "tcsetpgrp", "ttyname", "uname", "wait", "wait3", "wait4", "lockf", "register_at_fork", "getloadavg",
    "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_DIRECTORY", "O_SYNC", "O_DSYNC", "O_ASYNC",
)  # fmt: skip
_LINUX_OS = (
    "sched_getaffinity", "sched_setaffinity", "setresuid", "setresgid", "getresuid", "memfd_create", "eventfd",
    "splice",
    "copy_file_range", "getrandom", "pipe2", "posix_fadvise", "posix_fallocate", "O_PATH", "O_TMPFILE", "O_DIRECT",
)  # fmt: skip
_LINUX_SOCKET = ("AF_PACKET", "PF_PACKET", "AF_NETLINK", "SOCK_NONBLOCK", "SOCK_CLOEXEC", "SO_BINDTODEVICE")
LACKING: dict[str, dict[object, tuple[str, ...]]] = {
    "here": {},
    "macos": {os: _LINUX_OS, socket: _LINUX_SOCKET, select: ("epoll",), mmap: ("MAP_POPULATE",)},
    "windows": {
        os: (*_UNIX_OS, *_LINUX_OS),
        signal: _UNIX_SIGNALS,
        socket: (*_LINUX_SOCKET, "AF_UNIX", "socketpair", "sethostname", "CMSG_SPACE"),
        select: ("epoll", "poll"),
        mmap: tuple(name for name in dir(mmap) if name.startswith(("MAP_", "PROT_", "MADV_"))),
        time: ("tzset", "clock_gettime", "clock_gettime_ns", "CLOCK_MONOTONIC", "CLOCK_REALTIME"),
    },
}


def take_away(system: str) -> None:
    """Leaves only what ``system`` has."""
    for place, names in LACKING[system].items():
        for name in names:
            if hasattr(place, name):
                delattr(place, name)
    if system == "windows":
        for name in _UNIX_MODULES:
            sys.modules[name] = None  # type: ignore[assignment]
    if system == "macos":
        sys.platform = "darwin"


def import_everything() -> None:
    """Every module but those of the full screen and of the fleet, whose libraries look at the real system for
    themselves, and those whose extra is not installed."""
    import dissector
    from dissector.errors import ToolError

    for module in pkgutil.walk_packages(dissector.__path__, "dissector."):
        if not module.name.endswith("__main__") and not module.name.startswith(("dissector.view", "dissector.fleet.")):
            with suppress(ToolError):
                importlib.import_module(module.name)


def main() -> None:
    take_away(sys.argv[1])
    import_everything()
    from dissector.cli import main as jstrace

    if sys.argv[2:]:
        jstrace(sys.argv[2:])
    from click.testing import CliRunner

    told = []
    for arguments in json.load(sys.stdin):
        result = CliRunner().invoke(jstrace, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        told.append((result.exit_code, result.stdout, result.stderr))
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()

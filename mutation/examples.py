"""For pytest (``-p mutation.examples``): tests with random examples take the same ones each time, so they can vote.

Nothing is made smaller once it has failed, and nothing kept: a mutant's failure says no more than that.  No example
fails for the time that it takes.
"""

from __future__ import annotations


def pytest_configure() -> None:
    from hypothesis import HealthCheck, Phase, settings  # its own plugin for pytest wants to be there first

    phases, slow = (Phase.explicit, Phase.generate), (HealthCheck.too_slow, HealthCheck.data_too_large)
    settings.register_profile(
        "mutation", derandomize=True, database=None, phases=phases, deadline=None, suppress_health_check=slow
    )
    settings.load_profile("mutation")

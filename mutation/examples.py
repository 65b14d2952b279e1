"""For pytest (``-p mutation.examples``): tests with random examples take the same ones each time, so they can vote.

Nothing is made smaller once it has failed, and nothing kept: a mutant's failure says no more than that.
"""

from __future__ import annotations


def pytest_configure() -> None:
    from hypothesis import Phase, settings  # its own plugin for pytest wants to be there first

    settings.register_profile("mutation", derandomize=True, database=None, phases=(Phase.explicit, Phase.generate))
    settings.load_profile("mutation")

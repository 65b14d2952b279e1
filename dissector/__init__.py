"""jstrace: packet-level tracer for the remote-execution protocol of SOS JobScheduler 1.x.

The rooms, bottom up: ``model`` and ``errors`` (what every floor shares), ``wire`` (what bytes mean), ``stream`` (TCP),
``session`` (two connections become one task), ``sources`` (files and interfaces), ``render`` (screens and JSON),
``cli`` (wiring).  Imports point down only; ``tests/test_layers.py`` holds them to it.
"""

__version__ = "0.1.0"

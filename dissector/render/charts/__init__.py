"""Sequence charts of one task in languages that tickets and wikis draw: mermaid, mscgen, PlantUML."""

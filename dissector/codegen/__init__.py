"""The grammar becomes code: a few node kinds, then text."""

"""Tasks as traces of OpenTelemetry, beside the traces of what the jobs themselves call."""

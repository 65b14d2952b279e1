"""Views of a capture as it grows: lines for pipes and logs, a full screen for terminals."""

"""Where packets come from: capture files and interfaces."""

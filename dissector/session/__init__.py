"""Pure state: messages become dialogs, two connections become one task, tasks get a verdict."""

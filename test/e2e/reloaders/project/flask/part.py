TEXT = "save-0"

# save-0

"""What root does for the page: one request at a time, from a closed list, each checked again here and each told to its end."""

"""The page and the HTTP API: FastAPI, server-rendered pages, one event stream a tab. Nothing is reachable without a session."""

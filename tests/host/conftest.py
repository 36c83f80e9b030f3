"""The fixtures of `fixtures`, and which tests a host of this kind is not asked."""

from __future__ import annotations

import json

from fixtures import RECIO_TRIAL, contract, declared, desk, facts, healthy, host, remote

__all__ = ["contract", "declared", "desk", "facts", "healthy", "host", "remote"]

# What only a kernel of its own can show is not asked of a container (scripts/verify_host.py runs it on a virtual machine).
collect_ignore = [] if RECIO_TRIAL.exists() and json.loads(RECIO_TRIAL.read_text()).get("kind") == "vm" else ["machine"]

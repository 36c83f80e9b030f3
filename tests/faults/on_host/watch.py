"""Runs on a deployed host as root: one JSON line for every change of who is not healthy, until its input or output ends.

{"at_s": epoch seconds of the host's own clock, "bad": {service: reason}}. The same judgement as `recio status`, four times a
second, and independent of the database.
"""

import json
import time

from recio.contract import load
from recio.contract.settings import load_settings
from recio.monitoring.status import collect

contract, settings = load(), load_settings()
last = None
beat_s = 0.0
while True:
    now_s = time.time()
    bad = {s.name: s.reason for s in collect(contract, settings.mode).services if not s.healthy}
    if set(bad) != last or now_s - beat_s > 1.0:
        print(json.dumps({"at_s": now_s, "bad": bad}), flush=True)
        last, beat_s = set(bad), now_s
    time.sleep(0.25)

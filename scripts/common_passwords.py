#!/usr/bin/env python3
"""Make app/recio/web/common_passwords.txt: the passwords people choose most, from the npm package zxcvbn (MIT).

    npm pack zxcvbn@4.4.2 && tar xzf zxcvbn-4.4.2.tgz && scripts/common_passwords.py package/src/frequency_lists.coffee

zxcvbn ranks 30,000 passwords by how often they occurred in leaks. Kept are the first MOST of four characters and more (a
longer password that is one of them with something added is refused by rule), and all that are long enough to be chosen here.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

MOST, SHORTEST, LONG = 3300, 4, 12
TO = Path(__file__).resolve().parents[1] / "app" / "recio" / "web" / "common_passwords.txt"


def main() -> int:
    """Write the file."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = re.search(r'passwords: "([^"]+)"', Path(sys.argv[1]).read_text())
    if found is None:
        sys.exit(f"{sys.argv[1]} has no list named passwords: give frequency_lists.coffee of zxcvbn 4.4.2")
    ranked = found.group(1).split(",")
    usual = [word for word in ranked if len(word) >= SHORTEST][:MOST]
    kept = dict.fromkeys(usual + [word for word in ranked if len(word) >= LONG])
    head = "# Common passwords, most common first; from zxcvbn 4.4.2 (MIT, Dropbox), by scripts/common_passwords.py"
    TO.write_text("\n".join([head, *kept]) + "\n", encoding="utf-8")
    print(f"{TO}: {len(kept)} passwords, {TO.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

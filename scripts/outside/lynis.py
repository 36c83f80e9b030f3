"""lynis, sent to a folder in the host's memory, run there, and gone with it."""

from __future__ import annotations

import subprocess
import time

from outside.result import Figure, Place, Result, run
from outside.tools import Tools

# Left out of the score: what another day or another machine would change although the host is the same.
SKIPPED = {
    "CRYP-7902": "looks through Debian's own list of authorities, file by file (half a minute)",
    "KRNL-5788": "a container has no kernel image",
    "KRNL-6000": "a container shows the kernel settings of the machine around it; the host's own are in roles/host",
    "LYNIS": "the age of lynis itself",
    "PKGS-7392": "the updates of the day; unattended-upgrades brings them",
    "PKGS-7410": "a container has no kernel package",
}
# Its own log would stay in /var/log: everything is in the folder. Root must own the files or lynis does not start.
SCRIPT = """
set -eu
folder=$(mktemp -d /run/outside.XXXXXX)
trap 'rm -rf "$folder"' EXIT
tar --extract --no-same-owner --directory "$folder"
cd "$folder/usr/share/lynis"
cp "$folder/usr/sbin/lynis" .
sh ./lynis audit system --quick --quiet --no-colors --nolog --profile "$folder/etc/lynis/default.prf" \\
    --plugindir "$folder/etc/lynis/plugins" --report-file "$folder/report" >/dev/null 2>&1 || true
cat "$folder/report"
"""


def parse(report: str) -> tuple[int, dict[str, str]]:
    """(hardening index, findings) of a report file; ValueError for one that did not come to its end."""
    index: int | None = None
    findings: dict[str, str] = {}
    for line in report.splitlines():
        key, _, value = line.partition("=")
        if key == "hardening_index":
            index = int(value)
        elif key in ("warning[]", "suggestion[]"):
            test, text, detail = [*value.split("|"), "", ""][:3]
            if test in SKIPPED:
                continue
            # Several findings of one test are told apart by what they are about.
            about = ""
            if test == "SSH-7408":
                about = " " + detail.split(" ")[0]
            elif test in ("DBS-1828", "NETW-3200", "FILE-6310"):
                about = " " + next((word for word in text.split() if word.startswith(("/", "'"))), "").strip("'")
            findings[f"{test}{about}"] = f"{text} {detail}".strip(" -")
    if index is None:
        raise ValueError(f"lynis came to no index; its report has {len(report.splitlines())} lines")
    return index, findings


def look(place: Place, tools: Tools) -> Result:
    """Run it on the host (1 to 2 minutes)."""
    started = time.monotonic()
    pack = ["tar", "--create", "--directory", str(tools.root), "usr/share/lynis", "usr/sbin/lynis", "etc/lynis"]
    archive = subprocess.run(pack, capture_output=True, check=True).stdout
    skip = "".join(f"skip-test={test}\\n" for test in SKIPPED if "-" in test)
    script = SCRIPT.replace("cd ", f"printf '{skip}' >>\"$folder/etc/lynis/default.prf\"\ncd ", 1)
    report = run([*place.ssh, script], timeout_s=900, input=archive).decode(errors="replace")
    index, findings = parse(report)
    figures = {"hardening index": Figure(index, higher=True)}
    return Result("lynis", tools.versions["lynis"], time.monotonic() - started, figures, findings)

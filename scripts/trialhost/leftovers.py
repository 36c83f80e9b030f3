"""What an interrupted deploy might leave on a host: nothing of it may be there once a deploy has ended."""

from __future__ import annotations

from trialhost import ssh
from trialhost.place import Host

# Each line of its output is one leftover. Half-written files carry the names their writers give them before the last step.
LOOK = r"""
find /etc /opt/recio /usr/local /var/lib/recio /var/backups/recio -xdev -path '*/venv/*' -prune -o \
    \( -name '.ansible_tmp*' -o -name '*.recio-new' -o -name '.*.link' -o -name '*.partial' -o -name '*.new' \
    -o -name '*.dpkg-new' -o -name '*.dpkg-tmp' \) -printf 'half-written: %p\n'
find /opt/recio/releases -maxdepth 1 -name '*.tar' -printf 'archive: %p\n'
for release in /opt/recio/releases/*/; do [ -e "$release.complete" ] || echo "half-installed release: $release"; done
find /root/.ansible/tmp /var/tmp /tmp -mindepth 1 -maxdepth 1 -name '*ansible*' -printf 'temporary folder: %p\n' 2>/dev/null
find /var/lib/recio/deploy/pending -type f -name '*.json' -printf 'still due: %p\n' 2>/dev/null
[ ! -e /var/lib/recio/deploy/under_way ] || echo 'held: /var/lib/recio/deploy/under_way'
[ ! -e /var/lib/recio/deploy/packages.now ] || echo 'half-made: /var/lib/recio/deploy/packages.now'
dpkg --audit | sed 's/^/dpkg: /'
systemctl --failed --plain --no-legend | sed 's/^/failed unit: /'
pgrep -af 'AnsiballZ|install_release|pip install|apt-get' | grep -v pgrep | sed 's/^/still running: /'
true
"""


def found(host: Host) -> list[str]:
    """One line for each thing left behind; a host that does not answer counts as one."""
    done = ssh.run(host, LOOK, timeout_s=60)
    if done.returncode:
        return [f"the host does not answer: {done.stderr.strip()}"]
    return done.stdout.splitlines()

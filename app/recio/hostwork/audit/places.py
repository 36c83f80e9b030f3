"""What root trusts on this host, as patterns below /: a folder stands for all in it. Those that a deploy writes are its own."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["ACCOUNTS", "IGNORED", "OTHERS", "OURS", "ignored", "matcher", "ours"]

# A deploy writes these: at its end it takes over what is there.
OURS = (
    "etc/recio",
    "etc/systemd/system/recio*",
    "etc/systemd/system/*/recio*",
    "etc/systemd/system/caddy.service.d",
    "etc/systemd/system/postgresql@.service.d",
    "etc/systemd/journald.conf.d/90-recio.conf",
    "etc/sysusers.d/recio.conf",
    "etc/tmpfiles.d/recio.conf",
    "etc/security/limits.d/90-recio.conf",
    "etc/sysctl.d/90-recio.conf",
    "etc/modprobe.d/recio.conf",
    "etc/logrotate.d/recio",
    "etc/cron.d/recio-*",
    "etc/ssh/sshd_config.d/40-recio.conf",
    "etc/apt/apt.conf.d/52recio",
    "etc/needrestart/conf.d/recio.conf",
    "etc/systemd/system/audit*.service.d",
    "etc/audit/rules.d/40-recio.rules",
    "etc/audit/audit.rules*",  # made of rules.d when they are loaded
    "etc/postgresql",
    "etc/postgresql-common",
    "etc/pgbackrest.conf",
    "etc/caddy",
    "etc/fstab",
    "opt/recio",
    "usr/local/lib/recio",
    "usr/local/bin/recio",
)
# What is nobody's but the operator's and Debian's: a deploy leaves a difference there as it is, an incident until a person accepts it.
OTHERS = (
    "etc/sudoers",
    "etc/sudoers.d",
    "etc/ssh",
    "etc/pam.conf",
    "etc/pam.d",
    "etc/security",
    "etc/nsswitch.conf",
    "etc/login.defs",
    "root/.ssh",
    "root/.bash*rc",
    "root/.bash_login",
    "root/.*profile",
    "home/*/.ssh/authorized_keys*",  # of whoever becomes root by sudo
    "etc/crontab",
    "etc/anacrontab",
    "etc/cron.*",
    "var/spool/cron",
    "etc/systemd",
    "usr/lib/systemd/system",
    "usr/local/lib",
    "usr/local/bin",
    "usr/local/sbin",
    "etc/apt",
    "usr/share/keyrings",
    "etc/dpkg",
    "etc/ld.so.preload",
    "etc/ld.so.conf*",
    "etc/python3*",
    "etc/profile*",
    "etc/bash.bashrc",
    "etc/environment",
    "etc/default",
    "etc/init.d",
    "etc/rc.local",
    "etc/network",
    "etc/nftables.conf",
    "etc/udev",
    "etc/modules",
    "etc/modules-load.d",
    "etc/modprobe.d",
    "etc/sysctl.conf",
    "etc/sysctl.d",
    "etc/sysusers.d",
    "etc/tmpfiles.d",
    "etc/logrotate*",
    "etc/needrestart",
    "etc/audit",
)
# Compared account by account.
ACCOUNTS = ("etc/passwd", "etc/shadow", "etc/group", "etc/gshadow")
# What changes by its own nature, without anybody's trust in it.
IGNORED = (
    "etc/recio/KILL",  # the kill switch: entries stop, and the page says so
    "etc/recio/mode_switch.json",  # only while a switch is under way
    "opt/recio/releases/.lock",
    "opt/recio/releases/*/.rolled_back",
    "root/.ssh/known_hosts*",
    "var/spool/cron/atjobs/.SEQ",
)


def matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether an absolute path fits a pattern, or lies below one."""
    whole = re.compile("|".join(re.escape(pattern).replace(r"\*", "[^/]*") + r"(?:/.*)?\Z" for pattern in patterns))
    return lambda path: whole.match(path.lstrip("/")) is not None


ours = matcher(OURS)  # whether a deploy writes this absolute path
ignored = matcher(IGNORED)  # whether it is not compared

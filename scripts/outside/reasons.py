"""Why a finding stays. A finding without a line here fails the look: mend it, or write down why not."""

from __future__ import annotations

# By tool: the beginning of a finding's name, and the reason.
REASONS: dict[str, dict[str, str]] = {
    "lynis": {
        "ACCT-9622": "process accounting writes a record per process; journal and audit log of the desk say who did what",
        "ACCT-9626": "the desk's own system_monitor keeps CPU, memory, disk and latency",
        "ACCT-9628": "it runs where the kernel is the host's own (docs/decisions/0023); a container's is not",
        "AUTH-9230": "no account has a password to hash",
        "AUTH-9262": "no account has a password to judge",
        "AUTH-9286": "no account has a password to grow old",
        "AUTH-9328": "the services' own umask is 0077; people's login.defs is Debian's file and stays as it is",
        "BANN-7126": "a banner keeps nobody out",
        "BANN-7130": "a banner keeps nobody out",
        "BOOT-5264": "our own units are judged below, one by one; Debian's stay as Debian ships them",
        "DBS-1828": "nothing in these files is secret (peer authentication, no passwords), and Debian's tools read them as anybody",
        "DEB-0280": "nobody but root logs in; each service has a /tmp of its own (PrivateTmp)",
        "DEB-0810": "asks a person during an upgrade; upgrades here come unattended",
        "DEB-0811": "asks a person during an upgrade; upgrades here come unattended",
        "DEB-0831": "restarting by itself would stop an order; its rule for the day it is installed is in place",
        "DEB-0880": "there is no password to guess; the firewall itself slows who knocks fast (docs/decisions/0018)",
        "FILE-6310": "one disk; folders have budgets of their own in the contract",
        "FILE-7524": "Debian's rights on cron's folders: what lies in them is no secret",
        "FINT-4350": "`recio audit` does it every night (docs/decisions/0023); lynis looks for other tools' names",
        "HOME-9304": "Debian's rights on PostgreSQL's home; the data below it is 0700",
        "HRDN-7230": "nothing is uploaded to this host and nobody works on it",
        "LOGG-2154": "not yet: logs leave the host in backups only",
        "NAME-4028": "a host without a domain is meant",
        "PKGS-7370": "`recio audit` asks dpkg's own sums of every package every night (docs/decisions/0023)",
        "PKGS-7394": "a list for people; unattended-upgrades does the work",
        "PKGS-7398": "a list for people; unattended-upgrades does the work",
        "SSH-7408 AllowTcpForwarding": "who comes in is root, whom it would not hold; a tunnel is the way to the page when 443 is not",
        "SSH-7408 MaxSessions": "one connection carries the play's and the tests' sessions",
        "SSH-7408 Port": "another port hides nothing from a scan",
        "STRG-1846": "a disk for backups may be plugged into a machine at home",
        "USB-1000": "a disk for backups may be plugged into a machine at home",
    },
    "nmap": {
        "open 22": "SSH, keys only",
        "open 80": "the proxy: leads to HTTPS, and ACME asks there",
        "open 443": "the page",
    },
    "ssh-audit": {
        "Terrapin": "the host's side is mended (strict key exchange); an old client is the client's to mend",
        "throttling": "the firewall brakes at 5 a second and address; the tool counts the 20 it lets through at first",
    },
    "testssl.sh": {
        "TLS_session_ticket": "Go's fixed word in the ticket; Caddy changes the key behind it every 12 hours",
        "cert_revocation": "the host's own authority has nobody to ask; its certificates live for six days",
        "DNS_CAArecord": "an address has no DNS; with a domain it is yours to set (docs/clouds.md)",
        "FS_TLS12_sig_algs": "Go's list for TLS 1.2; a client that can do better is served better",
        "BREACH": "compressed pages hold no secret beside what a stranger sends: tokens are in cookies and headers",
        "LUCKY13": "the CBC suites are Go's, written in constant time, and last in its order",
    },
    "systemd-analyze": {},
}


def reason(tool: str, finding: str) -> str | None:
    """The reason why a finding stays, or None."""
    table = REASONS[tool]
    return next((table[start] for start in sorted(table, key=len, reverse=True) if finding.startswith(start)), None)

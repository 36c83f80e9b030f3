#!/usr/bin/python
"""Read in one execution everything the playbooks decide by; changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: observe
short_description: What kind of host this is and what of the appliance is on it
description:
  - Sets the fact C(recio). Reads only; works on a host where nothing is installed.
options:
  ports: {description: TCP ports whose listeners are of interest., type: list, elements: int, default: []}
  home: {description: Where releases live., type: path, default: /opt/recio}
  asked_s: {description: "The controller's clock when it asked, epoch seconds.", type: float, default: 0}
author: [recio]
"""
EXAMPLES = r"""
- name: Look at the host
  observe: {ports: [80, 443]}
"""
RETURN = r"""
ansible_facts: {description: The fact recio., type: dict, returned: always}
"""

import fcntl
import glob
import hashlib
import json
import os
import platform
import shutil
import socket
import sys
import time

from ansible.module_utils.basic import AnsibleModule

# Where the deploy writes.
WRITTEN = ["/", "/etc", "/etc/systemd/system", "/usr/local", "/opt", "/var", "/var/lib", "/var/backups", "/run"]


def text(path, default=""):
    try:
        with open(path) as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return default


def operating_system():
    pairs = dict(line.split("=", 1) for line in text("/etc/os-release").splitlines() if "=" in line)
    pairs = {key: value.strip('"') for key, value in pairs.items()}
    return {
        "id": pairs.get("ID", ""),
        "version": pairs.get("VERSION_ID", ""),
        "name": pairs.get("PRETTY_NAME", "unknown"),
    }


def memory_mb():
    for line in text("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def listeners(ports):
    """[{port, process, unit}] of everything that listens on one of ``ports``."""
    inodes = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in text(table).splitlines()[1:]:
            fields = line.split()
            port = int(fields[1].rsplit(":", 1)[1], 16)
            if fields[3] == "0A" and port in ports:
                inodes[f"socket:[{fields[9]}]"] = port
    found = {}
    for fd in glob.glob("/proc/[0-9]*/fd/*") if inodes else []:
        try:
            port = inodes.get(os.readlink(fd))
        except OSError:
            continue
        if port:
            pid = fd.split("/")[2]
            cgroup = text(f"/proc/{pid}/cgroup").strip().rsplit("/", 1)[-1]
            found.setdefault(
                port, {"port": port, "process": text(f"/proc/{pid}/comm").strip(), "pid": int(pid), "unit": cgroup}
            )
    return [
        found.get(port, {"port": port, "process": "unknown", "pid": 0, "unit": ""})
        for port in sorted(set(inodes.values()))
    ]


def sshd_ports(module):
    ports = set()
    if shutil.which("sshd", path="/usr/sbin:/usr/bin"):
        code, out, _err = module.run_command(["/usr/sbin/sshd", "-T"])
        if code == 0:
            ports = {int(line.split()[1]) for line in out.splitlines() if line.startswith("port ")}
    connection = os.environ.get("SSH_CONNECTION", "").split()
    if len(connection) == 4:
        ports.add(int(connection[3]))
    return sorted(ports or {22})


def locked(path):
    """True when another process holds this lock of the package manager."""
    try:
        with open(path, "r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(file, fcntl.LOCK_UN)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def cloud_init():
    if os.path.exists("/run/cloud-init/disabled") or not os.path.isdir("/run/cloud-init"):
        return "absent"
    return "done" if os.path.exists("/run/cloud-init/result.json") else "running"


def root_line():
    for line in text("/etc/fstab").splitlines():
        fields = line.split()
        if len(fields) >= 4 and not fields[0].startswith("#") and fields[1] == "/":
            return {"line": line, "options": fields[3].split(","), "type": fields[2]}
    return None


def root_options():
    """The options the root file system is mounted with now."""
    mounted = [line.split() for line in text("/proc/self/mounts").splitlines()]
    return next((fields[3].split(",") for fields in reversed(mounted) if fields[1] == "/"), [])


def fstab_fault(module):
    """What findmnt finds wrong in /etc/fstab; empty when nothing, or when there is nothing in it."""
    lines = [line for line in text("/etc/fstab").splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines or not shutil.which("findmnt"):
        return ""
    code, out, err = module.run_command(["findmnt", "--verify", "--tab-file", "/etc/fstab"])
    return "; ".join(" ".join(line.split()) for line in (out + err).splitlines() if "[W]" not in line) if code else ""


def project_quotas(module):
    """Whether the file system our folders are on knows quotas of projects (ext4's features `quota` and `project`)."""
    if not shutil.which("tune2fs", path="/usr/sbin:/sbin") or not shutil.which("findmnt"):
        return False
    code, out, _err = module.run_command(
        ["findmnt", "--noheadings", "--output", "FSTYPE,SOURCE", "--target", "/var/lib"]
    )
    kind, _, source = out.strip().partition(" ")
    if code or kind != "ext4":
        return False
    code, out, _err = module.run_command(["/usr/sbin/tune2fs", "-l", source.strip()])
    features = next(
        (line.split(":")[1].split() for line in out.splitlines() if line.startswith("Filesystem features:")), []
    )
    return code == 0 and {"quota", "project"} <= set(features)


def read_only(folders):
    """Those of ``folders`` that lie on a file system mounted read-only."""
    return [path for path in folders if os.path.isdir(path) and os.statvfs(path).f_flag & os.ST_RDONLY]


def authority_fault(module):
    """What is wrong with the certificate and key of the proxy's own authority; empty when nothing, or when there is none yet."""
    folder = "/var/lib/caddy/.local/share/caddy/pki/authorities/local/"
    if not os.path.exists(folder + "root.crt") or not shutil.which("openssl"):
        return ""
    certificate = ["openssl", "x509", "-noout", "-in", folder + "root.crt"]
    if module.run_command(certificate)[0]:
        return folder + "root.crt is no certificate"
    if module.run_command([*certificate, "-checkend", "0"])[0]:
        return folder + "root.crt has expired"
    public = module.run_command([*certificate, "-pubkey"])[1]
    code, out, _err = module.run_command(["openssl", "pkey", "-pubout", "-in", folder + "root.key"])
    return "" if code == 0 and out == public else folder + "root.key is not the key of root.crt"


def time_synchronized(module):
    if not shutil.which("timedatectl"):
        return None
    code, out, _err = module.run_command(["timedatectl", "show", "--property", "NTPSynchronized", "--value"])
    return {"yes": True, "no": False}.get(out.strip()) if code == 0 else None


def address():
    """The address this host is reached at: the one of this connection, or the one of its default route."""
    connection = os.environ.get("SSH_CONNECTION", "").split()
    if len(connection) == 4:
        return connection[2]
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.connect(("192.0.2.1", 9))  # a datagram socket: no packet leaves
        return probe.getsockname()[0]
    except OSError:
        return "127.0.0.1"
    finally:
        probe.close()


def release(marker):
    """One complete release: whether the gate passed on it, whether it was rolled back, and the schema it needs."""
    place = os.path.dirname(marker)
    revisions = glob.glob(place + "/venv/lib/python*/site-packages/recio/store/migrations/versions/r[0-9]*_*.py")
    return {
        "name": os.path.basename(place),
        "proven": os.path.exists(place + "/.proven"),
        "rolled_back": os.path.exists(place + "/.rolled_back"),
        "schema": max([os.path.basename(p)[1:5] for p in revisions], default=""),
    }


def releases(home):
    """What of the appliance is there; ``all`` of its releases, the one that served last at the end (roles/app/files/prune_releases.sh)."""
    current = os.path.realpath(home + "/current") if os.path.islink(home + "/current") else ""
    return {
        "current": os.path.basename(current),
        "complete": sorted(os.path.basename(os.path.dirname(p)) for p in glob.glob(home + "/releases/*/.complete")),
        "all": [
            release(p)
            for p in sorted(
                glob.glob(home + "/releases/*/.complete"), key=lambda marker: os.path.getmtime(os.path.dirname(marker))
            )
        ],
        "deployed": text("/var/lib/recio/deploy/deployed").strip(),
        "canary": text("/var/lib/recio/deploy/canary").strip(),
        "key_id": text("/etc/recio/keys/key_id").strip(),
        "keys": all(
            os.path.exists("/etc/recio/keys/" + n) for n in ("simulated/private_key", "kalshi_public.pem", "key_id")
        ),
        "exchange_keys": page_keys(),
        "mode_chosen": mode_chosen(),
        "mode_switching": os.path.exists("/etc/recio/mode_switch.json"),
        "web_key": os.path.exists("/etc/recio/keys/web_key"),
    }


def page_keys():
    """By mode the ids of the keys that were given on the page; no secrets."""
    try:
        found = json.loads(text("/etc/recio/exchange_keys.json") or "{}")
        return {mode: record["key_id"] for mode, record in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def mode_chosen():
    """The mode that was chosen on the page, by whom and when; empty when none was."""
    try:
        found = json.loads(text("/etc/recio/mode_choice.json") or "{}")
        return {name: found[name] for name in ("mode", "by", "at_s")} if found else {}
    except (ValueError, TypeError, KeyError):
        return {}


def backups():
    """What of the backups is there; the key is named by a hash, never shown."""
    key = text("/etc/recio/keys/backup_key").strip()
    return {
        "key_id": hashlib.sha256(key.encode()).hexdigest()[:16] if key else "",
        "made": len(glob.glob("/var/backups/recio/*/manifest.json")) >= 3,
        "off_host_key": os.path.exists("/etc/recio/keys/off_host_key"),
        "archive": bool(glob.glob("/var/backups/recio/wal/backup/recio/*/backup.manifest")),
    }


def packages():
    """Names of all installed packages."""
    names, name = [], ""
    for line in text("/var/lib/dpkg/status").splitlines():
        if line.startswith("Package: "):
            name = line[9:]
        elif line.startswith("Status: ") and line.endswith(" installed"):
            names.append(name)
    return sorted(names)


def main():
    module = AnsibleModule(
        argument_spec={
            "ports": {"type": "list", "elements": "int", "default": []},
            "home": {"type": "path", "default": "/opt/recio"},
            "asked_s": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    disk, home = os.statvfs("/"), os.path.expanduser("~")
    module.exit_json(
        changed=False,
        ansible_facts={
            "recio": {
                "os": operating_system(),
                "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
                "machine": platform.machine(),
                "hostname": socket.gethostname(),
                "address": address(),
                "root": os.geteuid() == 0,
                "systemd": os.path.isdir("/run/systemd/system"),
                "container": text("/run/systemd/container").strip(),
                "cores": os.cpu_count() or 1,
                "core_ids": sorted(os.sched_getaffinity(0)),
                "memory_mb": memory_mb(),
                "disk_gb": round(disk.f_blocks * disk.f_frsize / 2**30, 1),
                "disk_free_gb": round(disk.f_bavail * disk.f_frsize / 2**30, 1),
                "inodes_free_percent": round(100 * disk.f_favail / disk.f_files) if disk.f_files else 100,
                "asked_s": module.params["asked_s"],
                "clock_s": time.time(),
                "time_synchronized": time_synchronized(module),
                "cloud_init": cloud_init(),
                "packages_locked": locked("/var/lib/dpkg/lock-frontend") or locked("/var/lib/apt/lists/lock"),
                "packages_interrupted": bool(
                    os.path.isdir("/var/lib/dpkg/updates") and os.listdir("/var/lib/dpkg/updates")
                ),
                "reboot_required": os.path.exists("/run/reboot-required"),
                "python_apt": os.path.isdir("/usr/lib/python3/dist-packages/apt"),
                "listeners": listeners(set(module.params["ports"])),
                "ssh_ports": sshd_ports(module),
                "ssh_keys": os.path.exists(home + "/.ssh/authorized_keys")
                and os.path.getsize(home + "/.ssh/authorized_keys") > 0,
                "fstab_root": root_line(),
                "root_options": root_options(),
                "fstab_fault": fstab_fault(module),
                "read_only": read_only(WRITTEN),
                "project_quotas": project_quotas(module),
                "authority_fault": authority_fault(module),
                "clusters": sorted(
                    {
                        "/".join(p.split("/")[-2:])
                        for p in glob.glob("/etc/postgresql/*/*") + glob.glob("/var/lib/postgresql/[0-9]*/*")
                    }
                ),
                "cluster_ours": text("/etc/recio/postgresql-cluster").strip(),
                "releases": releases(module.params["home"]),
                "backup": backups(),
                "packages": packages(),
                "packages_ours": text("/var/lib/recio/deploy/packages").split(),
                "packages_noted": os.path.exists("/var/lib/recio/deploy/packages.before"),
                "packages_recorded": os.path.exists("/var/lib/recio/deploy/packages"),
            }
        },
    )


if __name__ == "__main__":
    main()

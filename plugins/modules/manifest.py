#!/usr/bin/python
"""Write a list of files in one execution, then run the commands their changes call for, also after an interruption."""

from __future__ import annotations

DOCUMENTATION = r"""
module: manifest
short_description: Write many files at once and apply what changed
description:
  - Writes each file atomically, only when its content, mode, owner or group differ, and gives one diff for all.
  - One at a time on a host, since what a killed controller began goes on there; a file left half-written by a power cut is removed.
  - Commands run when one of the files they watch changed. What is due is noted before the first write, so that a run that is
    interrupted between a file and its command is completed by the next one.
  - With guard_s everything that changes comes back by itself after so long, by a timer of systemd, unless somebody stops that timer;
    for rules that could shut out whoever writes them.
options:
  name: {description: Names the note of commands that are due., type: str, required: true}
  files:
    description: The files. Missing parent folders are made (root, 0755).
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      content: {description: The whole content; none means the file is removed., type: str}
      link: {description: Where a symbolic link leads that is to stand here; instead of a content., type: str}
      mode: {description: Octal mode., type: str, default: "0644"}
      owner: {description: User., type: str, default: root}
      group: {description: Group., type: str, default: root}
      validate: {description: A command with %s for the new file; the old one stays when it fails., type: str}
      secret: {description: Keeps the content out of the diff., type: bool, default: false}
  commands:
    description: Run in this order after all files are written.
    type: list
    elements: dict
    default: []
    suboptions:
      argv: {description: The command., type: list, elements: str, required: true}
      watch: {description: Path prefixes whose change calls for it., type: list, elements: str, required: true}
  guard_s:
    description: Seconds after which what was there before comes back, unless recio-undo-NAME.timer is stopped. 0 is never.
    type: int
    default: 0
  undo:
    description: Commands that put the earlier files to work again, in this order; each runs whatever became of the one before.
    type: list
    elements: list
    default: []
author: [recio]
"""
EXAMPLES = r"""
- name: Write the units
  manifest:
    name: units
    files: [{path: /etc/systemd/system/a.service, content: "{{ lookup('template', 'a.service.j2') }}"}]
    commands: [{argv: [systemctl, daemon-reload], watch: [/etc/systemd/system/]}]
"""
RETURN = r"""
changed_paths: {description: The files that changed., type: list, returned: always}
fingerprint: {description: Of all wanted paths and contents., type: str, returned: always}
ran: {description: The commands that ran or, in check mode, would run., type: list, returned: always}
guard: {description: The timer to stop so that it stays; empty when nothing would come back., type: str, returned: always}
"""

import errno
import fcntl
import grp
import hashlib
import json
import os
import pwd
import shlex
import shutil
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule

PENDING = "/var/lib/recio/deploy/pending"
UNDO = "/var/lib/recio/deploy/undo"
LOCK = "/run/recio-manifest.lock"
LOCK_WAIT_S = 300


def number(kind, name):
    """The id of a user or group; None when there is none yet (only check mode goes on then)."""
    try:
        return pwd.getpwnam(name).pw_uid if kind == "user" else grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def present(path):
    """What lies at ``path``: (bytes, mode, uid, gid), or None."""
    try:
        state = os.lstat(path)
        with open(path, "rb") as file:
            return file.read(), state.st_mode & 0o7777, state.st_uid, state.st_gid
    except FileNotFoundError:
        return None


def half_written(path):
    """Where the new content of ``path`` is written before it takes the old one's place: one name, so that none piles up."""
    return os.path.join(os.path.dirname(path), "." + os.path.basename(path) + ".recio-new")


class Guard:
    """What was there before, and a timer that puts it back; one that an interrupted run left is taken over with what it kept."""

    def __init__(self, manifest):
        self.module, self.fail = manifest.module, manifest.fail
        self.after_s, self.commands = self.module.params["guard_s"], self.module.params["undo"]
        self.unit = "recio-undo-" + self.module.params["name"]
        self.folder = os.path.join(UNDO, self.module.params["name"])
        self.script = os.path.join(self.folder, "undo.sh")

    def left(self):
        """Whether an earlier run's is still to be answered."""
        return os.path.exists(self.script)

    def keep(self, paths):
        """Copy what lies at ``paths`` now, and write how it comes back; a copy an earlier run made is the older truth and stays."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        known = os.path.join(self.folder, "paths.json")
        kept = []
        if os.path.exists(known):
            with open(known) as file:
                kept = json.load(file)
        for path in paths:
            if path in kept:
                continue
            if os.path.lexists(path):
                copy = os.path.join(self.folder, str(len(kept)))
                shutil.copy2(path, copy, follow_symlinks=False)
                state = os.lstat(path)
                os.chown(copy, state.st_uid, state.st_gid, follow_symlinks=False)
            kept.append(path)
        self.write(known, json.dumps(kept))
        lines = ["#!/bin/sh", "# Nobody said that the new files may stay: the earlier ones come back."]
        for number, path in enumerate(kept):
            copy = os.path.join(self.folder, str(number))
            there = f"cp --preserve=all --no-dereference --remove-destination {copy} {shlex.quote(path)}"
            lines.append(there if os.path.lexists(copy) else f"rm -f {shlex.quote(path)}")
        lines += [shlex.join(argv) for argv in self.commands]
        lines.append(f"rm -rf {shlex.quote(self.folder)}")
        self.write(self.script, "\n".join(lines) + "\n")

    def write(self, path, text):
        with open(path + ".new", "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)

    def arm(self):
        """Start the timer, anew where one runs."""
        self.module.run_command(["systemctl", "stop", self.unit + ".timer"])
        code, out, err = self.module.run_command([
            "systemd-run", "--quiet", "--collect", f"--unit={self.unit}", f"--on-active={self.after_s}",
            "--timer-property=AccuracySec=1s", "/bin/sh", self.script,
        ])  # fmt: skip
        if code:
            self.fail(f"no timer to put the earlier files back, so that nothing was written: {(out + err).strip()}")


class Manifest:
    def __init__(self, module):
        self.module = module
        self.check = module.check_mode
        self.changed_paths, self.ran, self.diff = [], [], []
        self.note = os.path.join(PENDING, module.params["name"] + ".json")
        self.guard = Guard(self)

    def fail(self, text):
        self.module.fail_json(msg=text, changed_paths=self.changed_paths, ran=self.ran)

    def difference(self, file):
        """None when the file is as wanted, else its diff entry."""
        path, content, mode = file["path"], file["content"], int(file["mode"], 8)
        there = os.readlink(path) if os.path.islink(path) else None
        if file["link"]:
            before = f"-> {there}\n" if there else ""
            changed = {"before_header": path, "after_header": path, "before": before, "after": f"-> {file['link']}\n"}
            return None if there == file["link"] else changed
        # A link where a file is wanted counts as nothing there: its target is not what is written.
        found = None if there and content is not None else present(path)
        if content is None:
            return (
                None if found is None else {"before_header": path, "after_header": "removed", "before": "", "after": ""}
            )
        uid, gid = number("user", file["owner"]), number("group", file["group"])
        if not self.check and (uid is None or gid is None):
            self.fail(
                "{}: there is no user {} or no group {} on this host; they are made by the role host: run the provision "
                "playbook first".format(path, file["owner"], file["group"])
            )
        if found == (content.encode(), mode, uid, gid):
            return None
        before = found[0].decode("utf-8", "replace") if found else ""
        if file["secret"]:
            before, after = ("(hidden)\n" if found else ""), "(hidden, changed)\n"
        else:
            after = content
        header = f"{path} mode={found[1]:o}" if found else path
        return {"before_header": header, "after_header": f"{path} mode={mode:o}", "before": before, "after": after}

    def write(self, file):
        path = file["path"]
        if file["content"] is None and not file["link"]:
            os.unlink(path)
            return
        folder = os.path.dirname(path)
        os.makedirs(folder, mode=0o755, exist_ok=True)
        fresh = half_written(path)
        if file["link"]:
            os.symlink(file["link"], fresh)
            os.replace(fresh, path)
            return
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(file["content"].encode())
                out.flush()
                os.fsync(out.fileno())
            os.chown(fresh, number("user", file["owner"]), number("group", file["group"]))
            os.chmod(fresh, int(file["mode"], 8))
            self.validate(file, fresh)
            os.replace(fresh, path)
        finally:
            if os.path.exists(fresh):
                os.unlink(fresh)

    def lock(self):
        """Wait for another one on this host; a descriptor that holds the lock until it is closed."""
        held = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return held
            except OSError as error:
                if error.errno != errno.EWOULDBLOCK or time.monotonic() > deadline:
                    os.close(held)
                    self.fail(
                        f"another deploy holds {LOCK} for more than {LOCK_WAIT_S} s: `fuser {LOCK}` on the host says which process"
                    )
                time.sleep(0.2)

    def apply(self):
        """Write and run alone on this host."""
        held = self.lock()
        try:
            for file in self.module.params["files"]:
                if os.path.lexists(half_written(file["path"])):
                    os.unlink(half_written(file["path"]))
            self.run()
        finally:
            os.close(held)

    def validate(self, file, fresh):
        if not file["validate"]:
            return
        argv = [part.replace("%s", fresh) for part in shlex.split(file["validate"])]
        # A home of its own: what only looks leaves nothing behind (caddy would make a certificate authority in root's home).
        with tempfile.TemporaryDirectory(prefix="recio-validate-") as home:
            places = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), home)
            code, out, err = self.module.run_command(argv, environ_update=places)
        if code:
            self.fail(
                "{} was refused by `{}` and is left as it was: {}".format(
                    file["path"], file["validate"], (out + err).strip()
                )
            )

    def due(self):
        """Commands called for by changes, or left over from an interrupted run; as indexes into the list."""
        left = []
        if os.path.exists(self.note):
            with open(self.note) as file:
                left = json.load(file)
        return [
            command["argv"]
            for command in self.module.params["commands"]
            if command["argv"] in left
            or any(path.startswith(prefix) for path in self.changed_paths for prefix in command["watch"])
        ]

    def remember(self, commands):
        if commands:
            os.makedirs(PENDING, mode=0o755, exist_ok=True)
            with open(self.note + ".new", "w") as file:
                json.dump(commands, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self.note + ".new", self.note)
        elif os.path.exists(self.note):
            os.unlink(self.note)

    def run(self):
        changing = []
        for file in self.module.params["files"]:
            entry = self.difference(file)
            if entry:
                changing.append(file)
                self.changed_paths.append(file["path"])
                self.diff.append(entry)
        due = self.due()
        guarded = self.guard.after_s and bool(changing or due or self.guard.left())
        if not self.check:
            if guarded:
                self.guard.keep(self.changed_paths)
                self.guard.arm()
            if due:
                self.remember(due)
            for file in changing:
                try:
                    self.write(file)
                except OSError as error:
                    self.fail("cannot write {}: {}".format(file["path"], error.strerror))
        for argv in due:
            if not self.check:
                if not shutil.which(argv[0]):
                    self.fail(f"`{argv[0]}` is not on this host; was the role host (packages) run?")
                code, out, err = self.module.run_command(argv)
                if code:
                    said = (out + err).strip()[-1500:]
                    self.fail(f"`{' '.join(argv)}` failed ({code}) and will be tried again by the next run: {said}")
                self.remember(due[due.index(argv) + 1 :])
            self.ran.append(argv)
        wanted = [[file["path"], file["link"] or file["content"]] for file in self.module.params["files"]]
        self.module.exit_json(
            changed=bool(changing or due or guarded),
            changed_paths=self.changed_paths,
            ran=self.ran,
            diff=self.diff,
            guard=self.guard.unit + ".timer" if guarded and not self.check else "",
            fingerprint=hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:16],
        )


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str"},
                    "link": {"type": "str"},
                    "mode": {"type": "str", "default": "0644"},
                    "owner": {"type": "str", "default": "root"},
                    "group": {"type": "str", "default": "root"},
                    "validate": {"type": "str"},
                    "secret": {"type": "bool", "default": False},
                },
            },
            "commands": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "argv": {"type": "list", "elements": "str", "required": True},
                    "watch": {"type": "list", "elements": "str", "required": True},
                },
            },
            "guard_s": {"type": "int", "default": 0},
            "undo": {"type": "list", "elements": "list", "default": []},
        },
        supports_check_mode=True,
        no_log=True,  # the journal is no place for whole files
    )
    manifest = Manifest(module)
    if module.check_mode:
        manifest.run()
    else:
        manifest.apply()


if __name__ == "__main__":
    main()

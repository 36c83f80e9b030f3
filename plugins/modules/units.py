#!/usr/bin/python
"""Bring many systemd units to enabled, running or freshly restarted in one execution."""

from __future__ import annotations

DOCUMENTATION = r"""
module: units
short_description: Enable, start and restart systemd units together
description:
  - Asks systemd once for all units and changes only what differs.
  - A unit that systemd itself refuses to run here (a failed Condition, as for time sync in a container) is reported, not an error.
options:
  enabled: {description: Units to be started at boot., type: list, elements: str, default: []}
  started: {description: Units that must run; started in one call so that systemd orders them., type: list, elements: str, default: []}
  restarted: {description: Units to restart when they run; started otherwise., type: list, elements: str, default: []}
  disabled: {description: Units that must not run nor start at boot., type: list, elements: str, default: []}
  journal_of: {description: Units whose newest log lines a failure shows; those started by default., type: list, elements: str}
author: [recio]
"""
EXAMPLES = r"""
- name: Run the trim timer
  units: {enabled: [fstrim.timer], started: [fstrim.timer]}
"""
RETURN = r"""
actions: {description: What was done or, in check mode, would be., type: list, returned: always}
unmet: {description: Units whose Condition does not hold here., type: list, returned: always}
"""

from ansible.module_utils.basic import AnsibleModule

PROPERTIES = ["Id", "LoadState", "ActiveState", "UnitFileState", "ConditionResult", "ConditionTimestampMonotonic"]


class Units:
    def __init__(self, module):
        self.module, self.actions, self.unmet = module, [], []

    def show(self, names):
        """name -> properties, in one call."""
        if not names:
            return {}
        for _attempt in range(3):  # a very busy systemd was seen to leave one out
            code, out, err = self.module.run_command(["systemctl", "show", "--property", ",".join(PROPERTIES), *names])
            blocks = [
                dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in out.split("\n\n")
            ]
            if code == 0 and len(blocks) == len(names):
                return dict(zip(names, blocks, strict=True))
        self.module.fail_json(
            msg="systemd does not answer for all of {}: {}".format(
                ", ".join(names), err.strip() or out.strip() or "nothing"
            )
        )
        return {}

    def call(self, verb, names):
        if not names:
            return
        self.actions.append("{} {}".format(verb, " ".join(names)))
        if self.module.check_mode:
            return
        code, _out, err = self.module.run_command(["systemctl", *verb.split(), *names])
        if code:
            watched = self.module.params["journal_of"] or names
            lines = [part for name in watched for part in ("-u", name)]
            _code, log, _err = self.module.run_command(
                ["journalctl", "--no-pager", "-n", "40", "-o", "short-iso", *lines]
            )
            self.module.fail_json(
                msg="`systemctl {} {}` failed: {}".format(verb, " ".join(names), err.strip()),
                journal=log.splitlines(),
                actions=self.actions,
            )

    def run(self):
        wanted = self.module.params
        names = sorted({name for key in ("enabled", "started", "restarted", "disabled") for name in wanted[key]})
        state = self.show(names)
        missing = [name for name in names if state[name].get("LoadState") == "not-found"]
        if missing and not self.module.check_mode:
            gone = [name for name in missing if name not in wanted["disabled"]]
            if gone:
                self.module.fail_json(
                    msg="systemd knows no unit {}; was its package or unit file installed?".format(", ".join(gone))
                )

        def active(name):
            return state[name].get("ActiveState") in ("active", "activating", "reloading")

        self.call(
            "disable --now",
            [
                n
                for n in wanted["disabled"]
                if n not in missing and (active(n) or state[n].get("UnitFileState") == "enabled")
            ],
        )
        self.call("enable", [n for n in wanted["enabled"] if state[n].get("UnitFileState") != "enabled"])
        self.call("restart", wanted["restarted"])
        starting = []
        for name in wanted["started"]:
            if name in wanted["restarted"] or active(name):
                continue
            tried = state[name].get("ConditionTimestampMonotonic", "0") not in ("", "0")
            if tried and state[name].get("ConditionResult") == "no":
                self.unmet.append(name)
            else:
                starting.append(name)
        self.call("start", starting)
        if starting and not self.module.check_mode:
            after = self.show(starting)
            self.unmet += [n for n in starting if after[n].get("ConditionResult") == "no"]
            if set(starting) <= set(self.unmet):
                self.actions = [action for action in self.actions if not action.startswith("start ")]
        self.module.exit_json(changed=bool(self.actions), actions=self.actions, unmet=self.unmet)


def main():
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "enabled": names,
            "started": names,
            "restarted": names,
            "disabled": names,
            "journal_of": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    Units(module).run()


if __name__ == "__main__":
    main()

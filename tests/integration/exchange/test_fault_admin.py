"""The call that sets faults: from this host's loopback only; and the file to begin with."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fault_desk import admin, faults
from simulator_process import APP, Process

from recio.exchange.errors import Unavailable


def test_put_get_delete(simulator: Process) -> None:
    assert admin(simulator, "GET") == (200, {"faults": []})
    status, answer = admin(simulator, "PUT", {"faults": [{"kind": "rate_limited", "count": 3}]})
    assert status == 200 and [(row["kind"], row["count"], row["hits"]) for row in answer["faults"]] == [
        ("rate_limited", 3, 0)
    ]
    assert admin(simulator, "PUT", b"- kind: drop_frame")[0] == 200, "YAML too, in place of all others"
    status, answer = admin(simulator, "PUT", {"faults": [{"kind": "nonsense"}]})
    assert status == 400 and "faults[0].kind: 'nonsense' is not a fault" in answer["error"]["message"]
    assert [row["kind"] for row in admin(simulator, "GET")[1]["faults"]] == ["drop_frame"], "a bad list changes nothing"
    assert admin(simulator, "DELETE") == (200, {"faults": []})
    with faults(simulator, {"kind": "error_before"}):
        assert admin(simulator, "GET")[0] == 200, "the way out is never faulty"


@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-For": "127.0.0.1"}, {"Via": "1.1 proxy"}, {"Host": "desk.example"}, {"Origin": "https://evil"}],
    ids=lambda headers: next(iter(headers)),
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_nobody_else_is_served(simulator: Process, method: str, headers: dict[str, str]) -> None:
    status, answer = admin(simulator, method, {"faults": []} if method == "PUT" else None, **headers)
    assert status == 403 and "loopback" in answer["error"]["message"]


def test_another_address_of_this_host_is_refused(own_simulator: Process) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: asks which address would be used
        except OSError:
            pytest.skip("this host has only a loopback address")
        address = probe.getsockname()[0]
    own_simulator.start("--listen", f"0.0.0.0:{own_simulator.port}")
    connection = http.client.HTTPConnection(address, own_simulator.port, timeout=5)
    connection.request("GET", "/admin/faults", headers={"Host": "127.0.0.1"})
    assert connection.getresponse().status == 403
    connection.close()


def test_a_file_of_faults_and_what_is_wrong_with_one(own_simulator: Process, tmp_path: Path) -> None:
    path = tmp_path / "faults.yml"
    path.write_text(json.dumps({"faults": [{"kind": "error_before", "path": "*/balance"}]}))
    own_simulator.start("--faults", str(path), "--compat", "spec")
    with pytest.raises(Unavailable, match="HTTP 503"):
        own_simulator.client().balance()
    own_simulator.end(signal.SIGTERM)
    base = [sys.executable, "-m", "recio.cli", "simulator", "--key-id", "k", "--public-key", str(own_simulator.public)]
    path.write_text("- {kind: error_before, code: 7}")
    for more, words in (
        (["--faults", str(path)], "faults[0] (error_before): Object contains unknown field `code`; it takes path"),
        (["--faults", str(tmp_path / "none.yml")], "cannot read"),
        (["--compat", "both"], "compat is spec or sdk"),
    ):
        done = subprocess.run(
            base + more, env=os.environ | {"PYTHONPATH": str(APP)}, capture_output=True, text=True, timeout=90
        )
        assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr
        assert done.stderr.count("\n") == 1

"""playbooks/droplet.yml against a server that answers as DigitalOcean's API v2 does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
TOKEN = "dop_v1_" + "5" * 64
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMock0000000000000000000000000000000000000000 me@home"


def size(slug: str, vcpus: int, memory: int, disk: int, price: float) -> dict[str, Any]:
    return {
        "slug": slug, "vcpus": vcpus, "memory": memory, "disk": disk, "price_monthly": price, "available": True,
        "regions": ["nyc3", "fra1"],
    }  # fmt: skip


class Cloud:
    """What the fake knows, what it was asked, and what it is to refuse next: status codes by "METHOD path"."""

    def __init__(self) -> None:
        self.droplets: list[dict[str, Any]] = []
        self.keys: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.refuse: dict[str, list[int]] = {}
        self.looks = 0

    def answer(self, call: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if call == "GET /v2/droplets":
            name = path.split("name=")[1]
            return 200, {"droplets": [droplet for droplet in self.droplets if droplet["name"] == name], "links": {}}
        if call == "GET /v2/sizes":
            return 200, {
                "sizes": [
                    size("s-1vcpu-2gb", 1, 2048, 50, 12.0),
                    size("s-4vcpu-8gb", 4, 8192, 160, 48.0),
                    size("s-2vcpu-4gb", 2, 4096, 80, 24.0),
                ]
            }
        if call == "GET /v2/account/keys":
            return 200, {"ssh_keys": self.keys}
        if call == "POST /v2/account/keys":
            self.keys.append({"id": 512189, **body})
            return 201, {"ssh_key": self.keys[-1]}
        if call == "POST /v2/droplets":
            self.droplets.append(
                {"id": 3164494, "name": body["name"], "status": "new", "tags": body["tags"], "networks": {"v4": []}}
            )
            return 202, {"droplet": self.droplets[-1]}
        if call == "GET /v2/droplets/3164494":
            self.looks += 1
            droplet = self.droplets[0]
            if self.looks > 1:
                droplet["status"] = "active"
                droplet["networks"]["v4"] = [
                    {"ip_address": "10.128.192.124", "type": "private"},
                    {"ip_address": "127.0.0.1", "type": "public"},
                ]
            return 200, {"droplet": droplet}
        return 404, {"id": "not_found", "message": "The resource you were accessing could not be found."}


WORDS = {
    401: {"id": "Unauthorized", "message": "Unable to authenticate you"},
    422: {"id": "unprocessable_entity", "message": "You specified an invalid region for Droplet creation."},
    429: {"id": "too_many_requests", "message": "API rate limit exceeded."},
}


@pytest.fixture
def cloud() -> Iterator[tuple[Cloud, str]]:
    """The fake and its address."""
    state = Cloud()

    class Handler(BaseHTTPRequestHandler):
        def serve(self) -> None:
            call = f"{self.command} {self.path.split('?')[0]}"
            state.calls.append(call)
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                status, answer = 401, WORDS[401]
            elif state.refuse.get(call):
                status = state.refuse[call].pop(0)
                answer = WORDS[status]
            else:
                if self.command == "POST":
                    state.bodies.append(body)
                status, answer = state.answer(call, self.path, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = serve  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def ssh_port() -> Iterator[int]:
    """Something that says what sshd says first."""
    listener = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
            connection.close()

    threading.Thread(target=greet, daemon=True).start()
    yield int(listener.getsockname()[1])
    listener.close()


class Run:
    """Runs the playbook; every run's whole output may not hold the token."""

    def __init__(self, folder: Path, api: str, ssh_port: int) -> None:
        self.inventory = folder / "desk.yml"
        (folder / "key.pub").write_text(KEY + "\n")
        self.variables = {
            "droplet_api": api, "droplet_ssh_port": ssh_port, "droplet_ssh_key_file": str(folder / "key.pub"),
            "droplet_inventory": str(self.inventory), "droplet_delay_s": 1, "droplet_retries": 2, "droplet_wait_s": 10,
        }  # fmt: skip

    def __call__(self, token: str = TOKEN, *options: str) -> tuple[int, str]:
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")), "-vvv", "-i", "localhost,", "playbooks/droplet.yml",
            "-e", json.dumps(self.variables), "-e", f"ansible_python_interpreter={sys.executable}", *options,
        ]  # fmt: skip
        environment = {
            **os.environ,
            "DIGITALOCEAN_TOKEN": token,
            "ANSIBLE_NOCOLOR": "1",
        }
        done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        assert not token or token not in output
        return done.returncode, output


@pytest.mark.timeout(400)
def test_one_is_made_and_the_second_run_makes_none(cloud: tuple[Cloud, str], ssh_port: int, tmp_path: Path) -> None:
    state, api = cloud
    state.refuse = {"GET /v2/sizes": [429], "POST /v2/droplets": [429]}
    run = Run(tmp_path, api, ssh_port)
    code, output = run()
    assert code == 0, output[-3000:]
    key, droplet = state.bodies
    assert key["public_key"] == KEY
    assert (droplet["size"], droplet["ssh_keys"], droplet["tags"]) == ("s-2vcpu-4gb", [512189], ["recio"])
    assert yaml.safe_load(droplet["user_data"])["users"][0]["ssh_authorized_keys"] == [KEY]
    assert yaml.safe_load(run.inventory.read_text())["appliance"]["hosts"]["desk"] == {
        "ansible_host": "127.0.0.1", "ansible_user": "admin", "ansible_become": True,
    }  # fmt: skip
    code, output = run()
    assert code == 0, output[-3000:]
    assert "changed=0" in output
    assert state.calls.count("POST /v2/droplets") == 2, "the one refused for its pace, and the one done"
    assert len(state.droplets) == 1 and len(state.keys) == 1


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("refuse", "token", "sentence"),
    [
        ({}, "dop_v1_wrong", "Unable to authenticate you"),
        ({"POST /v2/droplets": [422]}, TOKEN, "invalid region"),
        ({"GET /v2/droplets": [429] * 9}, TOKEN, "Too many calls"),
        ({}, "", "It takes a token in DIGITALOCEAN_TOKEN (missing)"),
    ],
)
def test_a_refusal_is_told_and_nothing_is_made(
    refuse: dict[str, list[int]], token: str, sentence: str, cloud: tuple[Cloud, str], ssh_port: int, tmp_path: Path
) -> None:
    state, api = cloud
    state.refuse = refuse
    run = Run(tmp_path, api, ssh_port)
    code, output = run(token)
    assert code != 0
    assert sentence in " ".join(output.split()), output[-3000:]
    assert state.droplets == [] and not run.inventory.exists()


@pytest.mark.timeout(400)
def test_a_droplet_of_somebody_elses_is_left_alone(cloud: tuple[Cloud, str], ssh_port: int, tmp_path: Path) -> None:
    state, api = cloud
    state.droplets = [{"id": 7, "name": "desk", "status": "active", "tags": ["other"], "networks": {"v4": []}}]
    run = Run(tmp_path, api, ssh_port)
    code, output = run()
    assert code != 0
    assert "put the tag on the one you mean" in " ".join(output.split())
    assert not any(call.startswith("POST") for call in state.calls) and not run.inventory.exists()

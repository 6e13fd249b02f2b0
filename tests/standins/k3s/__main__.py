# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A stand-in for k3s, see README.md beside it. It keeps order, token and majority honest; it runs no container."""

import base64
import functools
import hashlib
import http.client
import json
import os
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = "k3s stand-in, not k3s"
DATA = Path("/var/lib/rancher/k3s")
DATABASE = DATA / "server/db"
STATE = DATABASE / "etcd/member/wal/state.json"
MEMBER = DATABASE / "etcd/name"
TOMBSTONE = DATABASE / "etcd/tombstone"
RESET = DATABASE / "reset-flag"
SERVER_TLS, AGENT = DATA / "server/tls", DATA / "agent"
CONFIG = Path("/etc/rancher/k3s/config.yaml")
KUBECONFIG = Path("/etc/rancher/k3s/k3s.yaml")
PASSWORD = Path("/etc/rancher/node/password")


def resource(name: str) -> str:
    return __loader__.get_data(os.path.join(os.path.abspath(sys.argv[0]), name)).decode()


def log(text: str, level: str = "info") -> None:
    print(
        f'time="{time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}" level={level} msg="{text}"',
        file=sys.stderr,
        flush=True,
    )


def fatal(text: str) -> None:
    log(f"Error: {text}", "fatal")
    sys.exit(1)


# Configuration


def read_yaml(text: str) -> dict:
    """Keys with scalars or flat lists, which is all that k3s' configuration has."""
    found, key = {}, ""
    for line in (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")):
        if item := re.fullmatch(r"\s*- (.+)", line):
            found[key] = [*(found[key] or []), item[1].strip("\"'")]
            continue
        if not (pair := re.fullmatch(r"([\w-]+):\s*(.*)", line)):
            fatal(f"the stand-in cannot read this line of the configuration: {line}")
        key, value = pair[1], pair[2]
        found[key] = (
            [one.strip(" \"'") for one in value[1:-1].split(",")] if value.startswith("[") else value.strip("\"'")
        )
    return found


def configuration(kind: str, arguments: list[str]) -> dict:
    """config.yaml, then its parts in config.yaml.d, then the flags; an unknown one is refused."""
    flags, config = json.loads(resource("flags.json"))[kind], {}
    parts = [CONFIG, *sorted(CONFIG.with_name("config.yaml.d").glob("*.yaml"))]
    for path in parts if CONFIG.exists() else []:
        for key, value in read_yaml(path.read_text()).items():
            if key in json.loads(resource("flags.json"))["server"] and kind == "etcd-snapshot":
                config[key] = value
            elif key not in flags:
                fatal(f"flag provided but not defined: -{key} (in {path})")
            config[key] = value
    for word in arguments:
        key, _, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or key not in flags:
            fatal(f"flag provided but not defined: -{word.lstrip('-')}")
        config[key] = value or "true"
    config["token"] = config.get("token") or (
        Path(config["token-file"]).read_text().strip() if "token-file" in config else ""
    )
    return config


# Certificates


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def new_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(path))
    path.chmod(0o600)


def make_authority() -> None:
    new_key(SERVER_TLS / "server-ca.key")
    uses = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]
    made = ["-key", str(SERVER_TLS / "server-ca.key"), "-out", str(SERVER_TLS / "server-ca.crt")]
    openssl("req", "-x509", "-new", *made, "-days", "3650", "-subj", "/CN=k3s-stand-in-ca", *uses)


def sign(subject: str, key: Path, certificate: Path, names: str = "") -> None:
    with tempfile.TemporaryDirectory() as folder:
        request, extensions = f"{folder}/csr", Path(folder, "ext")
        extensions.write_text("authorityKeyIdentifier=keyid\n" + (f"subjectAltName={names}\n" if names else ""))
        openssl("req", "-new", "-key", str(key), "-subj", subject, "-out", request)
        ca = ["-CA", str(SERVER_TLS / "server-ca.crt"), "-CAkey", str(SERVER_TLS / "server-ca.key")]
        how = ["-set_serial", str(secrets.randbits(60)), "-days", "365", "-extfile", str(extensions)]
        openssl("x509", "-req", "-in", request, *ca, *how, "-out", str(certificate))


def write_kubeconfig(path: Path, subject: str, server: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key"), Path(folder, "crt")
        new_key(key)
        sign(subject, key, certificate)
        path.write_text(
            kubeconfig(server, (SERVER_TLS / "server-ca.crt").read_bytes(), certificate.read_bytes(), key.read_bytes())
        )
    path.chmod(0o600)


def kubeconfig(server: str, *pems: bytes) -> str:
    ca, certificate, key = (base64.b64encode(one).decode() for one in pems)
    return (
        f"apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    certificate-authority-data: {ca}\n"
        f"    server: {server}\n"
        "  name: default\ncontexts:\n- context:\n    cluster: default\n    user: default\n  name: default\n"
        f"current-context: default\nusers:\n- name: default\n  user:\n    client-certificate-data: {certificate}\n"
        f"    client-key-data: {key}\n"
    )


# Asking other servers


def ask(
    url: str, user: str = "", token: str = "", body: object = None, method: str = "", headers: dict | None = None
) -> bytes:
    password = token.rpartition("::")[2].rpartition(":")[2] if token.startswith("K10") else token
    sent = dict(headers or {})
    if user:
        sent["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, sent, method=method or None)
    with urllib.request.urlopen(request, timeout=5, context=ssl._create_unverified_context()) as answer:
        return answer.read()


def insist_on_token(url: str, user: str, path: str, token: str) -> bytes:
    """Ask a server as k3s does at a join; what it refuses ends the process."""
    if not token:
        fatal("K3S_TOKEN is required to join a cluster")
    try:
        authority = hashlib.sha256(ask(f"{url}/cacerts")).hexdigest()
        if token.startswith("K10") and token[3:67] != authority:
            fatal("token CA hash does not match the Cluster CA certificate hash")
        return ask(f"{url}{path}", user, token)
    except urllib.error.HTTPError as error:
        fatal(f"failed to validate connection to cluster at {url}: {error.code} {error.reason}")
    except OSError as error:
        fatal(f"failed to get CA certs: Get {url}/cacerts: {error}")


class NoMajorityError(Exception):
    """Too few members of etcd answer."""


class Store:
    """What etcd would hold, on every server; a write needs a majority of the members."""

    def __init__(self, token: str) -> None:
        self.token, self.lock = token, threading.RLock()

    @property
    def local(self) -> dict:
        return json.loads(STATE.read_text())

    def save(self, state: dict) -> None:
        STATE.parent.mkdir(parents=True, exist_ok=True)
        STATE.with_suffix(".new").write_text(json.dumps(state))
        STATE.with_suffix(".new").replace(STATE)

    def others(self, state: dict) -> dict[str, str]:
        return {name: address for name, address in state["members"].items() if name != MEMBER.read_text()}

    def latest(self) -> tuple[dict, list[str]]:
        """The newest state, and the members that answer; NoMajorityError when they are too few."""
        if TOMBSTONE.exists():
            raise NoMajorityError("this server has been removed from the cluster")
        states, alive = [self.local], []
        for name, address in self.others(self.local).items():
            try:
                states.append(json.loads(ask(f"https://{address}:6443/stand-in/state", "server", self.token)))
                alive.append(name)
            except (OSError, http.client.HTTPException, ValueError):
                continue
        newest = max(states, key=lambda one: one["revision"])
        # One that is about to join counts for nothing yet, as a learner of etcd.
        alive += [MEMBER.read_text()] if MEMBER.read_text() in newest["members"] else []
        if len(alive) < len(newest["members"]) // 2 + 1:
            raise NoMajorityError(f"{len(alive)} of {len(newest['members'])} members answer")
        return newest, sorted(alive)

    def change(self, operation: dict) -> None:
        """Apply an operation, on the first of the living members."""
        newest, alive = self.latest()
        if alive[0] != MEMBER.read_text():
            ask(f"https://{newest['members'][alive[0]]}:6443/stand-in/change", "server", self.token, operation)
            return
        with self.lock:
            before, alive = self.latest()
            after = apply(json.loads(json.dumps(before)), operation)
            after["revision"] = before["revision"] + 1
            told = 1
            for address in {**self.others(before), **self.others(after)}.values():
                try:
                    ask(f"https://{address}:6443/stand-in/state", "server", self.token, after, "PUT")
                    told += 1
                except (OSError, http.client.HTTPException):
                    continue
            if told < len(before["members"]) // 2 + 1:
                raise NoMajorityError(f"{told} of {len(before['members'])} members took the change")
            self.take(after)

    def take(self, state: dict) -> None:
        self.save(state)
        if MEMBER.read_text() not in state["members"]:
            TOMBSTONE.touch()
            log("This node has been removed from the cluster - please restart k3s to rejoin the cluster")


def apply(state: dict, operation: dict) -> dict:
    """The state after one operation."""
    kind, name = operation["kind"], operation.get("name", "")
    if kind == "member":
        state["members"][name] = operation["address"]
    elif kind == "password":
        state["passwords"][name] = operation["password"]
    elif kind == "node":
        node = state["nodes"].setdefault(name, {"annotations": {}, "unschedulable": False, "etcd": False})
        node |= {"version": operation["version"], "etcd": operation["etcd"]}
    elif kind == "patch" and name in state["nodes"]:
        node = state["nodes"][name]
        node["unschedulable"] = operation.get("unschedulable", node["unschedulable"])
        annotations = {**node["annotations"], **operation.get("annotations", {})}
        node["annotations"] = {key: value for key, value in annotations.items() if value is not None}
    elif kind == "forget-password":
        state["passwords"].pop(name, None)
    elif kind == "delete":
        state["nodes"].pop(name, None)
        state["passwords"].pop(name, None)
        state["members"] = {one: at for one, at in state["members"].items() if one.rpartition("-")[0] != name}
    return state


def as_node(name: str, node: dict) -> dict:
    labels = {"node-role.kubernetes.io/etcd": "true"} if node["etcd"] else {}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": node["annotations"], "labels": labels},
        "spec": {"unschedulable": True} if node["unschedulable"] else {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": node["version"], "osImage": NAME},
        },
    }


# The server


class Handler(BaseHTTPRequestHandler):
    store: Store
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments: object) -> None:
        """Say nothing of single requests."""

    def user(self) -> str:
        """Who asks: the CN of a client's certificate, or the user whose password is the token."""
        certificate = self.connection.getpeercert() or {}
        for ((key, value),) in certificate.get("subject", ()):
            if key == "commonName":
                return value
        user, _, password = base64.b64decode(self.headers.get("Authorization", "")[6:]).decode().partition(":")
        good = secrets.compare_digest(
            password.encode(), self.store.token.rpartition("::")[2].rpartition(":")[2].encode()
        )
        return user if good and user in ("node", "server") else ""

    def answer(self, code: int, body: object = "") -> None:
        data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if isinstance(body, str | bytes) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self.route(self.command, self.path, self.user(), json.loads(body or b"null"))
        except NoMajorityError as error:
            self.answer(503, f"{NAME}: {error}")
        except (OSError, http.client.HTTPException) as error:
            self.answer(500, f"{NAME}: {error}")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def route(self, method: str, path: str, user: str, body: object) -> None:
        if path == "/cacerts":
            self.answer(200, (SERVER_TLS / "server-ca.crt").read_bytes())
        elif not user:
            self.answer(401, f"{NAME}: Unauthorized")
        elif path.startswith(("/stand-in/", "/db/", "/v1-k3s/server-bootstrap")):
            self.answer(403, "Forbidden") if user != "server" else self.route_server(method, path, body)
        elif path.startswith("/v1-k3s/"):
            self.route_supervisor(path, user)
        elif path in ("/readyz", "/livez"):
            self.store.latest()
            self.answer(200, "ok")
        elif path == "/version":
            self.answer(200, {"gitVersion": resource("version")})
        elif path.startswith("/api/v1/nodes"):
            self.route_nodes(method, path.partition("?")[0].removeprefix("/api/v1/nodes").strip("/"), user, body)
        else:
            self.answer(404, f"{NAME} does not know {path}")

    def route_server(self, method: str, path: str, body: object) -> None:
        if path == "/stand-in/state" and method == "PUT":
            self.store.take(body)
            self.answer(200)
        elif path == "/stand-in/state":
            self.answer(503, "removed") if TOMBSTONE.exists() else self.answer(200, self.store.local)
        elif path == "/stand-in/change":
            self.store.change(body)
            self.answer(200)
        elif path == "/v1-k3s/server-bootstrap":
            self.answer(200, self.store.latest()[0])
        elif path == "/db/info":
            members = self.store.latest()[0]["members"]
            self.answer(
                200, {"members": [{"name": one, "peerURLs": [f"https://{at}:2380"]} for one, at in members.items()]}
            )
        else:
            self.answer(404)

    def route_supervisor(self, path: str, user: str) -> None:
        name, password = self.headers.get("k3s-Node-Name", ""), self.headers.get("k3s-Node-Password", "")
        state, _ = self.store.latest()
        if path == "/v1-k3s/config":
            self.answer(200, {"servers": list(state["members"].values())})
        elif path == "/v1-k3s/kubelet.kubeconfig" and user == "node":
            if not secrets.compare_digest(state["passwords"].get(name, password), password):
                self.answer(
                    403, f"Node password rejected, duplicate hostname or contents of '{PASSWORD}' may not match server"
                )
                return
            self.store.change({"kind": "password", "name": name, "password": password})
            with tempfile.TemporaryDirectory() as folder:
                write_kubeconfig(
                    Path(folder, "made"), f"/O=system:nodes/CN=system:node:{name}", "https://127.0.0.1:6444"
                )
                self.answer(200, Path(folder, "made").read_bytes())
        else:
            self.answer(404)

    def route_nodes(self, method: str, name: str, user: str, body: object) -> None:
        state, _ = self.store.latest()
        if user != "system:admin" and (user != f"system:node:{name}" or method == "DELETE"):
            self.answer(403, f"{user} may not {method} {name or 'nodes'}")
        elif not name:
            self.answer(200, {"kind": "NodeList", "items": [as_node(*item) for item in sorted(state["nodes"].items())]})
        elif method == "PUT":
            self.store.change({"kind": "node", "name": name, "version": body["version"], "etcd": False})
            self.answer(200)
        elif name not in state["nodes"]:
            self.answer(404, f'nodes "{name}" not found')
        elif method == "GET":
            self.answer(200, as_node(name, state["nodes"][name]))
        else:
            self.store.change({"kind": {"PATCH": "patch", "DELETE": "delete"}[method], "name": name, **(body or {})})
            self.answer(200)


def notify() -> None:
    """Tell systemd that this is ready."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect(address.replace("@", "\0", 1))
            channel.send(b"READY=1")


def serve(store: Store) -> None:
    """Answer at 6443 for everybody and at 6444 for this machine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SERVER_TLS / "serving.crt", SERVER_TLS / "serving.key")
    context.load_verify_locations(SERVER_TLS / "server-ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    Handler.store = store
    for address in (("0.0.0.0", 6443), ("127.0.0.1", 6444)):
        server = ThreadingHTTPServer(address, Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()


def own_token(store: Store, state: dict) -> None:
    """The token opens the cluster's bootstrap data, as k3s encrypts them with it."""
    if state["bootstrap"]["token"] != hashlib.sha256(store.token.encode()).hexdigest():
        fatal("bootstrap data already found and encrypted with different token")


def join_etcd(store: Store, config: dict) -> None:
    """Get what a member needs from the server that `server` names, or make a cluster."""
    member = f"{config['node-name']}-{secrets.token_hex(4)}"
    if "server" in config:
        state = json.loads(insist_on_token(config["server"], "server", "/v1-k3s/server-bootstrap", store.token))
        if config["node-name"] in [one.rpartition("-")[0] for one in state["members"]]:
            fatal("ETCD join failed: duplicate node name found, please use a unique name for this node")
        write_bootstrap(state)
    elif "cluster-init" in config:
        make_authority()
        files = {name: (SERVER_TLS / name).read_text() for name in ("server-ca.crt", "server-ca.key")}
        bootstrap = {"token": hashlib.sha256(store.token.encode()).hexdigest(), "files": files}
        state = {
            "revision": 1,
            "members": {member: config["node-ip"]},
            "nodes": {},
            "passwords": {},
            "bootstrap": bootstrap,
        }
    else:
        fatal("neither server nor cluster-init: k3s would make a cluster on SQLite, which the stand-in has not")
    MEMBER.parent.mkdir(parents=True, exist_ok=True)
    MEMBER.write_text(member)
    store.save(state)


def write_bootstrap(state: dict) -> None:
    SERVER_TLS.mkdir(parents=True, exist_ok=True)
    for name, text in state["bootstrap"]["files"].items():
        (SERVER_TLS / name).write_text(text)


def server(arguments: list[str]) -> None:
    config = configuration("server", arguments)
    store = Store(config["token"])
    if "cluster-reset" in config:
        reset(store, config)
        return
    if TOMBSTONE.exists():
        shutil.rmtree(TOMBSTONE.parent)
    if not STATE.exists():
        join_etcd(store, config)
    own_token(store, store.local)
    new_key(SERVER_TLS / "serving.key")
    addresses = [config["node-ip"], "127.0.0.1", *config.get("tls-san", [])]
    names = ",".join(f"IP:{one}" if re.fullmatch(r"[\d.]+", one) else f"DNS:{one}" for one in dict.fromkeys(addresses))
    sign("/CN=k3s", SERVER_TLS / "serving.key", SERVER_TLS / "serving.crt", names)
    serve(store)
    while True:
        try:
            with store.lock:
                store.save(store.latest()[0])
            if RESET.exists():
                store.change({"kind": "forget-password", "name": config["node-name"]})
                RESET.unlink()
            if MEMBER.read_text() not in store.local["members"]:
                store.change({"kind": "member", "name": MEMBER.read_text(), "address": config["node-ip"]})
            register = {"kind": "node", "name": config["node-name"], "version": resource("version"), "etcd": True}
            store.change(register)
            break
        except (NoMajorityError, OSError, http.client.HTTPException) as error:
            log(f"Failed to test data store connection: {error}")
            time.sleep(0.5)
    if not KUBECONFIG.exists():
        write_kubeconfig(KUBECONFIG, "/O=system:masters/CN=system:admin", "https://127.0.0.1:6443")
    log("k3s is up and running")
    notify()
    threading.Event().wait()


def reset(store: Store, config: dict) -> None:
    """Restore a snapshot, with this server as the only member."""
    if "server" in config:
        fatal(
            "cannot perform cluster-reset while server URL is set - remove server from configuration before resetting"
        )
    path = Path(config.get("cluster-reset-restore-path", ""))
    if not path.is_file():
        fatal(f"etcd: snapshot path does not exist: {path}")
    state = json.loads(path.read_text())
    own_token(store, state)
    if (DATABASE / "etcd").exists():
        (DATABASE / "etcd").rename(DATABASE / f"etcd-old-{time.time_ns()}")
    member = f"{config['node-name']}-{secrets.token_hex(4)}"
    write_bootstrap(state)
    store.save({**state, "members": {member: config["node-ip"]}})
    MEMBER.write_text(member)
    RESET.touch()
    KUBECONFIG.unlink(missing_ok=True)
    log("Managed etcd cluster membership has been reset, restart without --cluster-reset flag now.")


# The agent


def forward(client: socket.socket, servers: list[str]) -> None:
    """Pass one connection on to the first server that takes it."""
    for address in servers:
        try:
            upstream = socket.create_connection((address, 6443), timeout=3)
        except OSError:
            continue
        upstream.settimeout(None)
        for source, target in ((client, upstream), (upstream, client)):
            threading.Thread(target=pump, args=(source, target), daemon=True).start()
        return
    client.close()


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        target.close()


def agent(arguments: list[str]) -> None:
    config = configuration("agent", arguments)
    if "server" not in config:
        fatal("--server is required")
    if not PASSWORD.exists():
        PASSWORD.parent.mkdir(parents=True, exist_ok=True)
        PASSWORD.write_text(secrets.token_hex(16))
    url, name, token = config["server"], config["node-name"], config["token"]
    servers = json.loads(insist_on_token(url, "node", "/v1-k3s/config", token))["servers"]
    headers = {"k3s-Node-Name": name, "k3s-Node-Password": PASSWORD.read_text()}
    try:
        made = ask(f"{url}/v1-k3s/kubelet.kubeconfig", "node", token, headers=headers)
        authority = ask(f"{url}/cacerts")
    except urllib.error.HTTPError as error:
        fatal(f"{error.code}: {error.read().decode()}")
    listener = socket.create_server(("127.0.0.1", 6444))
    AGENT.mkdir(parents=True, exist_ok=True)
    (AGENT / "kubelet.kubeconfig").write_bytes(made)
    (AGENT / "kubelet.kubeconfig").chmod(0o600)
    (AGENT / "server-ca.crt").write_bytes(authority)
    threading.Thread(target=listen, args=(listener, servers), daemon=True).start()
    api("PUT", f"/api/v1/nodes/{name}", {"version": resource("version")}, AGENT / "kubelet.kubeconfig")
    (AGENT / "client-kubelet.crt").write_text(field(made.decode(), "client-certificate-data"))
    log("k3s agent is up and running")
    threading.Event().wait()


def listen(listener: socket.socket, servers: list[str]) -> None:
    while True:
        forward(listener.accept()[0], servers)


# kubectl


def field(text: str, name: str) -> str:
    return re.search(rf"{name}: (\S+)", text)[1]


def api(method: str, path: str, body: object, config: Path) -> str:
    """One request with the credentials of a kubeconfig."""
    text = config.read_text()
    ca, certificate, key = (
        base64.b64decode(field(text, f"{one}-data")).decode()
        for one in ("certificate-authority", "client-certificate", "client-key")
    )
    context = ssl.create_default_context(cadata=ca)
    with tempfile.NamedTemporaryFile("w") as pem:
        pem.write(certificate + key)
        pem.flush()
        context.load_cert_chain(pem.name)
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(field(text, "server") + path, data, method=method)
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
        return answer.read().decode()


def kubectl(arguments: list[str]) -> None:
    flags = dict(word.removeprefix("--").partition("=")[::2] for word in arguments if word.startswith("--"))
    words = [word for word in arguments if not word.startswith("-")]
    unknown = set(flags) - {"kubeconfig", "output", "raw", "ignore-not-found", "overwrite", "timeout"}
    if unknown - {"ignore-daemonsets", "delete-emptydir-data"}:
        fatal(f"the stand-in's kubectl does not know {sorted(unknown)}")
    call = functools.partial(api, config=Path(flags.get("kubeconfig") or KUBECONFIG))
    nodes = "/api/v1/nodes"
    try:
        match words:
            case ["get"]:
                print(call("GET", flags["raw"], None))
            case ["get", "nodes"]:
                print(call("GET", nodes, None))
            case ["get", "node", name]:
                print(call("GET", f"{nodes}/{name}", None))
            case ["delete", "node", name]:
                call("DELETE", f"{nodes}/{name}", None)
                print(f'node "{name}" deleted')
            case ["annotate", "node", name, change] if change.endswith("-"):
                call("PATCH", f"{nodes}/{name}", {"annotations": {change[:-1]: None}})
            case ["annotate", "node", name, change]:
                call("PATCH", f"{nodes}/{name}", {"annotations": dict([change.split("=", 1)])})
            case ["uncordon", name]:
                call("PATCH", f"{nodes}/{name}", {"unschedulable": False})
            case ["drain", name]:
                drain(call, name, int(flags["timeout"].removesuffix("s")))
            case _:
                fatal(f"the stand-in's kubectl does not know {' '.join(words)}")
    except urllib.error.HTTPError as error:
        if error.code == 404 and "ignore-not-found" in flags:
            return
        fatal(f"Error from server ({error.code}): {error.read().decode()}")
    except (OSError, AttributeError) as error:
        fatal(f"The connection to the server was refused: {error}")


def drain(call: functools.partial, name: str, seconds: int) -> None:
    """Cordon; what a budget forbids is said by an annotation of the node."""
    call("PATCH", f"/api/v1/nodes/{name}", {"unschedulable": True})
    node = json.loads(call("GET", f"/api/v1/nodes/{name}", None))
    if "stand-in/budget" in node["metadata"]["annotations"]:
        time.sleep(seconds)
        fatal(
            f"error when evicting pods: would violate the pod's disruption budget; global timeout reached: {seconds}s"
        )


# Snapshots


def etcd_snapshot(arguments: list[str]) -> None:
    verb, *rest = arguments
    config = configuration("etcd-snapshot", rest)
    folder = DATABASE / "snapshots"
    if verb == "save":
        state = json.loads(ask("https://127.0.0.1:6443/v1-k3s/server-bootstrap", "server", config["token"]))
        name = f"{config.get('name', 'on-demand')}-{config['node-name']}-{int(time.time())}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(state))
        (folder / name).chmod(0o600)
        log(f"Snapshot {name} saved.")
    elif verb == "ls":
        for path in sorted(folder.glob("*")):
            print(f"{path.name} file://{path} {path.stat().st_size}")
    else:
        fatal(f"the stand-in does not know etcd-snapshot {verb}")


def main() -> None:
    command, *arguments = sys.argv[1:] or ["--help"]
    if command == "--version":
        print(f"k3s version {resource('version')} (00000000)\n{NAME}")
        return
    print(NAME, file=sys.stderr, flush=True)
    commands = {"server": server, "agent": agent, "kubectl": kubectl, "etcd-snapshot": etcd_snapshot}
    if command not in commands:
        fatal(f"the stand-in does not know {command}, but {', '.join(commands)}")
    commands[command](arguments)


if __name__ == "__main__":
    main()

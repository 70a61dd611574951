"""Who may do what, and what is said when it may not, cannot be reached, or is not what it claims to be."""
import base64
import json
import os
import socket
import ssl
import subprocess
import threading

import pytest
import yaml

from harness import cluster as clusters
from harness.access import Kubeconfig, service_account
from harness.workspace import default_steps, write


@pytest.fixture(scope="module")
def app(shared):
    app = shared.deploy()
    app.live_update = shared.live_update()
    return app


@pytest.fixture
def fails(shared, app, tmp_path):
    """Runs `live-update status` with a kubeconfig; it must fail with exit code 1 and these words, soon."""
    def check(kubeconfig, *words, command=("status", "app")):
        path = kubeconfig.save(tmp_path / "kubeconfig") if isinstance(kubeconfig, Kubeconfig) else kubeconfig
        done = shared.run(*command, kubeconfig=path, timeout=30)
        said = done.stdout + done.stderr
        assert done.returncode == 1, f"exit code {done.returncode}: {said}"
        for word in words:
            assert word.lower() in said.lower(), f"{word!r} is not in: {said}"
        assert "terminate called" not in said and len(said) < 2000
        return said
    return check


def test_user_role_is_enough_to_watch_and_cannot_exec(shared, app):
    kubeconfig = service_account(shared, "ada", "live-update-user")
    watcher = shared.watch("app", kubeconfig=kubeconfig)
    write(shared.root / "src/a", "saved by ada")
    shared.in_sync(app)
    watcher.stop()
    may = shared.cluster.run("--kubeconfig", kubeconfig, "-n", shared.namespace, "auth", "can-i", "create", "pods/exec")
    assert may.stdout.strip() == "no"


def test_a_user_watches_by_a_file(shared, app):
    """Who may not write LiveUpdates watches by a file all the same, as long as the cluster has what it says."""
    kubeconfig = service_account(shared, "fay", "live-update-user")

    def write_file(**more):
        write(shared.root / "liveupdate.yaml", yaml.safe_dump({
            "apiVersion": "liveupdate.dev/v1alpha1", "kind": "LiveUpdate", "metadata": {"name": "app"},
            "spec": {"transport": shared.transport, "target": {"workload": {"kind": "Deployment", "name": "app"}}, "steps": default_steps(), **more}}))
    write_file()
    watcher = shared.watch("-f", "liveupdate.yaml", kubeconfig=kubeconfig)
    write(shared.root / "src/b", "saved by fay")
    shared.in_sync(app)
    mark = watcher.mark()
    write_file(suspend=True)
    watcher.wait_line(r"liveupdate\.yaml was edited, but LiveUpdate .*/app stays as it was: .*have it applied by somebody who may write LiveUpdates", after=mark)
    watcher.stop()
    done = shared.run("watch", "-f", "liveupdate.yaml", kubeconfig=kubeconfig)
    assert done.returncode == 1
    assert "says something else than the LiveUpdate in the cluster; have it applied by somebody who may, or watch that one, without -f" in done.stderr


@pytest.fixture
def nameless(local, shared):
    """Nobody but administrators may ask for the own name. On somebody else's cluster that is not ours to take away."""
    binding = ("clusterrolebinding", "system:basic-user")
    subjects = shared.cluster.get(*binding)["subjects"]

    def change(to):
        shared.cluster("patch", *binding, "--type=merge", "-p", json.dumps({"subjects": to}))
    change([])
    yield
    change(subjects)


def test_who_may_not_ask_for_the_own_name_is_told(nameless, shared, app):
    """spec.user is missing then, and the policy refuses that: in words that say whose name it wants."""
    kubeconfig = service_account(shared, "noname", "live-update-user")
    watcher = shared.watch("app", kubeconfig=kubeconfig)
    watcher.wait_line("so what is sent from here has no name, and the chart's objectPolicy, where it is on, refuses it")
    write(shared.root / "src/a", "saved by nobody")
    watcher.wait_line(r"waiting to be sent: .*spec\.user must be the name of the sender.*it is missing, the sender is system:serviceaccount:")
    watcher.kill()


def test_viewer_is_told_which_role_would_help(shared, app):
    kubeconfig = service_account(shared, "vic", "live-update-viewer")
    assert shared.run("status", "app", kubeconfig=kubeconfig).returncode == 0
    watcher = shared.watch("app", kubeconfig=kubeconfig, ready=False)
    write(shared.root / "src/a", "saved by vic")
    watcher.wait_line(r"(?is)(403|forbidden|may not|not allowed).*live-update-user")
    watcher.kill()


def test_nobody_is_told_which_role_would_help(shared, fails):
    kubeconfig = service_account(shared, "nobody")
    fails(kubeconfig, "forbidden", "live-update-viewer")


def test_user_may_not_author(shared, app):
    """A LiveUpdate runs commands in pods: writing one takes the author's role."""
    for name, roles, allowed in (("una", ["live-update-user"], False), ("eve", ["edit"], False), ("aut", ["live-update-author"], True)):
        kubeconfig = service_account(shared, name, *roles)
        manifest = {"apiVersion": "liveupdate.dev/v1alpha1", "kind": "LiveUpdate", "metadata": {"name": f"by-{name}"},
                    "spec": {"target": {"workload": {"kind": "Deployment", "name": "app"}}, "steps": [{"sync": {"from": "src", "to": "/x"}}]}}
        done = shared.cluster.run("--kubeconfig", kubeconfig, "-n", shared.namespace, "create", "-f", "-", stdin=manifest)
        assert (done.returncode == 0) == allowed, f"{name}: {done.stdout}{done.stderr}"


def test_author_policy_asks_for_exec_or_the_verb(shared, app):
    """Who may write LiveUpdates by some role of the cluster's own, but neither exec nor author, is refused by admission."""
    role = f"writer-{shared.namespace}"
    shared.kubectl("create", "role", role, "--verb=get,list,create", "--resource=liveupdates.liveupdate.dev")
    kubeconfig = service_account(shared, "wri")
    shared.kubectl("create", "rolebinding", role, f"--role={role}", f"--serviceaccount={shared.namespace}:wri")
    manifest = {"apiVersion": "liveupdate.dev/v1alpha1", "kind": "LiveUpdate", "metadata": {"name": "by-wri"},
                "spec": {"target": {"workload": {"kind": "Deployment", "name": "app"}}, "steps": [{"sync": {"from": "src", "to": "/x"}}]}}

    def refused():
        done = shared.cluster.run("--kubeconfig", kubeconfig, "-n", shared.namespace, "create", "-f", "-", stdin=manifest)
        assert done.returncode != 0
        return "live-update-author" in done.stderr
    shared.eventually(refused, "the policy speaks", every=0.3)


def test_no_such_namespace(shared, fails):
    done = shared.run("status", "app", namespace="no-such-namespace")
    assert done.returncode == 1
    assert "no-such-namespace" in done.stderr


def test_no_such_live_update(shared, app):
    done = shared.run("status", "nobody")
    assert done.returncode == 1
    assert "nobody" in done.stderr and shared.namespace in done.stderr
    watch = shared.run("watch", "nobody")
    assert watch.returncode == 1 and "nobody" in watch.stdout + watch.stderr


def test_no_such_context(shared, fails):
    fails(shared.cluster.kubeconfig, "no-such-context", command=("status", "app", "--context", "no-such-context"))


def test_no_such_kubeconfig(shared, fails, tmp_path):
    fails(tmp_path / "nowhere", str(tmp_path / "nowhere"))


def test_malformed_kubeconfig(shared, fails, tmp_path):
    path = write(tmp_path / "bad", "apiVersion: v1\nclusters: [\n")
    fails(path, str(path))


def test_api_server_refuses_connections(shared, fails):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    config = Kubeconfig(shared.cluster)
    config.cluster["server"] = f"https://127.0.0.1:{port}"
    fails(config, f"127.0.0.1:{port}", "refused")


def test_host_name_that_does_not_exist(shared, fails):
    config = Kubeconfig(shared.cluster)
    config.cluster["server"] = "https://api.does-not-exist.invalid:6443"
    fails(config, "api.does-not-exist.invalid")


def test_unknown_authority(shared, fails, tmp_path):
    config = Kubeconfig(shared.cluster).trusting(self_signed(tmp_path, "other")[0].read_text())
    fails(config, "certificate")


def test_name_that_is_not_in_the_certificate(shared, fails):
    config = Kubeconfig(shared.cluster)
    config.cluster["tls-server-name"] = "not.in.the.certificate"
    fails(config, "certificate", "not.in.the.certificate")


def self_signed(folder, name, days=1):
    """A certificate for 127.0.0.1 and its key."""
    certificate, key, extensions = folder / f"{name}.crt", folder / f"{name}.key", write(folder / "extensions", "subjectAltName=IP:127.0.0.1\n")
    subprocess.run(f"openssl ecparam -name prime256v1 -genkey -noout -out {key} && openssl req -new -key {key} -subj /CN={name} | "
                   f"openssl x509 -req -signkey {key} -extfile {extensions} -days {days} -out {certificate}", shell=True, check=True, capture_output=True)
    return certificate, key


def test_expired_server_certificate(shared, fails, tmp_path):
    certificate, key = self_signed(tmp_path, "old", days=0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            while True:
                connection, _ = listener.accept()
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except (ssl.SSLError, OSError):
                    connection.close()
        except OSError:
            pass
    threading.Thread(target=serve, daemon=True).start()
    config = Kubeconfig(shared.cluster).trusting(certificate.read_text())
    config.cluster["server"] = f"https://127.0.0.1:{listener.getsockname()[1]}"
    config.cluster.pop("tls-server-name", None)
    threading.Event().wait(1.1)  # it is valid for no day at all: until the second is over
    fails(config, "certificate", "expired")
    listener.close()


def test_expired_client_certificate(local, shared, fails, tmp_path):
    pki = clusters.state() / "pki"
    key, certificate = tmp_path / "client.key", tmp_path / "client.crt"
    subprocess.run(f"openssl ecparam -name prime256v1 -genkey -noout -out {key} && openssl req -new -key {key} -subj /CN=late | "
                   f"openssl x509 -req -CA {pki}/ca.crt -CAkey {pki}/ca.key -set_serial 99 -days 0 -out {certificate}",
                   shell=True, check=True, capture_output=True)
    threading.Event().wait(1.1)
    config = Kubeconfig(shared.cluster)
    config.user = {name: base64.b64encode(path.read_bytes()).decode()
                   for name, path in (("client-certificate-data", certificate), ("client-key-data", key))}
    fails(config, "certificate", "expired")


def test_token_that_is_not_valid_any_more(shared, fails):
    path = service_account(shared, "gone", "live-update-viewer")
    assert shared.run("status", "app", kubeconfig=path).returncode == 0
    shared.kubectl("delete", "serviceaccount", "gone")
    shared.eventually(lambda: shared.run("status", "app", kubeconfig=path).returncode == 1, "the token is refused", timeout=30, every=0.5)
    fails(path, "expired", "log in")


def test_exec_credential_plugin(shared, app, tmp_path):
    """As cloud clusters need it."""
    token = shared.kubectl("create", "token", "default").strip()
    shared.kubectl("create", "rolebinding", "default-views", "--clusterrole=live-update-viewer", f"--serviceaccount={shared.namespace}:default")
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
    plugin = write(tmp_path / "plugin", f"#!/bin/sh\necho '{json.dumps(answer)}'\n", 0o755)
    config = Kubeconfig(shared.cluster)
    config.user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": os.fspath(plugin), "interactiveMode": "Never"}}
    path = config.save(tmp_path / "exec.kubeconfig")
    shared.eventually(lambda: shared.run("status", "app", kubeconfig=path).returncode == 0, "the plugin's token is used", every=0.3)


def test_exec_credential_plugin_that_is_missing_or_fails(shared, fails, tmp_path):
    config = Kubeconfig(shared.cluster)
    config.user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "installHint": "install it like this",
                            "interactiveMode": "Never"}}
    fails(config, "no-such-plugin", "install it like this")
    plugin = write(tmp_path / "plugin", "#!/bin/sh\necho log in first >&2; exit 1\n", 0o755)
    config.user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": os.fspath(plugin), "interactiveMode": "Never"}}
    fails(config, "plugin", "log in first")

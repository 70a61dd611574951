"""What leaves a developer's machine is decided on that machine (semantics.md 2.8, 8.1, 8.2): others may write the LiveUpdate in the cluster."""
import json
import os
import pty
import select
import subprocess
import time

import pytest
import yaml

from harness.access import Kubeconfig
from harness.waiting import eventually
from harness.workspace import write

SECRETS = (".env", ".ssh/id_rsa", "notes.txt")


@pytest.fixture
def machine(workspace):
    """A developer's project with things in it that are nobody's business, and a Deployment."""
    workspace.app = workspace.deploy()
    for name in SECRETS:
        write(workspace.root / name, f"private {name}")
    write(workspace.root / "src/a.txt", "1")
    return workspace


def widen(workspace):
    """What an author may do to everybody who watches."""
    steps = [{"sync": {"from": ".", "to": "/tmp/all"}}]
    workspace.kubectl("patch", "lu", "app", "--type=merge", "--patch-file=/dev/stdin", stdin={"spec": {"steps": steps}})


def narrow(workspace):
    steps = [{"sync": {"from": "src", "to": "/app/src"}}]
    workspace.kubectl("patch", "lu", "app", "--type=merge", "--patch-file=/dev/stdin", stdin={"spec": {"steps": steps}})


def everything_sent(workspace):
    return json.dumps(workspace.kubectl.get("lcs"))


def nothing_private_left(workspace):
    sent = everything_sent(workspace)
    for word in ("id_rsa", ".env", "notes.txt"):
        assert word not in sent, f"{word} left the machine"


def write_file(workspace, **source):
    content = {"apiVersion": "liveupdate.dev/v1alpha1", "kind": "LiveUpdate", "metadata": {"name": "app"},
               "spec": {"target": {"workload": {"kind": "Deployment", "name": "app"}}, "steps": [{"sync": {"from": "src", "to": "/app/src"}}],
                        **({"source": source} if source else {})}}
    write(workspace.root / "liveupdate.yaml", yaml.safe_dump(content))
    return content


@pytest.mark.parametrize("given", ["by name", "by file"])
def test_a_spec_that_an_author_widens_sends_nothing_from_here(machine, given):
    if given == "by name":
        machine.live_update()
        watcher = machine.watch("app")
    else:
        write_file(machine)
        watcher = machine.watch("-f", "liveupdate.yaml")
    mark = watcher.mark()
    widen(machine)
    watcher.wait_line(r'spec\.steps\[0\]\.sync\.from: "\." is sent, which is outside of src', after=mark)
    watcher.wait_line(r"nothing is sent until that changes.*--accept-spec", after=mark)
    assert "kubectl" in watcher.text(mark), "it says by what it was changed"
    write(machine.root / "src/a.txt", "2")
    write(machine.root / "notes.txt", "private, changed")
    time.sleep(1)
    assert machine.kubectl.get("lcs")["items"] == []

    narrow(machine)
    watcher.wait_line("going on", after=mark)
    machine.in_sync(machine.app)
    nothing_private_left(machine)
    watcher.stop()


def test_an_edit_of_the_file_is_taken_while_it_is_watched(machine):
    content = write_file(machine)
    watcher = machine.watch("-f", "liveupdate.yaml")
    mark = watcher.mark()
    write(machine.root / "docs/d.txt", "wanted")
    content["spec"]["steps"].append({"sync": {"from": "docs", "to": "/app/docs"}})
    write(machine.root / "liveupdate.yaml", yaml.safe_dump(content))
    watcher.wait_line(r"liveupdate\.yaml was edited: LiveUpdate .*/app was applied again", after=mark)
    machine.in_sync(machine.app, "docs", "/app/docs")
    assert "nothing is sent until" not in watcher.text(mark)
    watcher.stop()


def test_a_wider_spec_needs_a_word_at_the_start_and_keeps_it(machine):
    machine.live_update()
    refused = machine.run("watch", "app", accept=False)
    assert refused.returncode == 1
    assert f"LiveUpdate {machine.namespace}/app was not accepted on this machine yet" in refused.stderr
    assert "--accept-spec" in refused.stderr
    machine.watch("app").stop()
    machine.watch("app", accept=False).stop()
    write(machine.root / "docs/d.txt", "wanted")
    machine.kubectl("patch", "lu", "app", "--type=json", "-p", '[{"op": "add", "path": "/spec/steps/-", "value": {"sync": {"from": "docs", "to": "/app/docs"}}}]')
    for command in ("watch", "push"):
        refused = machine.run(command, "app", accept=False)
        assert refused.returncode == 1 and '"docs" is sent, which is outside of src' in refused.stderr
    watcher = machine.watch("app")
    machine.in_sync(machine.app, "docs", "/app/docs")
    watcher.stop()
    machine.watch("app", accept=False).stop()
    nothing_private_left(machine)


def test_the_word_may_be_given_on_a_terminal(machine):
    machine.live_update()
    terminal, end = pty.openpty()
    process = subprocess.Popen(machine.command("watch", "app", accept=False), cwd=machine.root, env=machine.environment(), stdin=end,
                               stdout=end, stderr=end, start_new_session=True, preexec_fn=lambda: os.close(os.open(os.ttyname(end), os.O_RDWR)))
    os.close(end)
    said = bytearray()

    def wait_for(words):
        def found():
            while select.select([terminal], [], [], 0)[0]:
                said.extend(os.read(terminal, 4096))
            return words in said.decode(errors="replace")
        eventually(found, f"it says {words}", timeout=20)
    try:
        wait_for("Is that meant? [y/N]")
        os.write(terminal, b"y\n")
        wait_for("watching")
        write(machine.root / "docs/d.txt", "wanted")
        machine.kubectl("patch", "lu", "app", "--type=json", "-p",
                        '[{"op": "add", "path": "/spec/steps/-", "value": {"sync": {"from": "docs", "to": "/app/docs"}}}]')
        wait_for("reach that far? [y/N]")
        os.write(terminal, b"y\n")
        wait_for("going on")
        machine.in_sync(machine.app, "docs", "/app/docs")
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def test_others_go_on_while_one_pauses(machine):
    machine.live_update()
    machine.live_update("other", target={"workload": {"kind": "Deployment", "name": "app"}}, steps=[{"sync": {"from": "web", "to": "/app/web"}}])
    (machine.root / "web").mkdir()
    watcher = machine.watch("app", "other")
    widen(machine)
    watcher.wait_line("app: nothing is sent until that changes")
    write(machine.root / "web/index.html", "hello")
    machine.in_sync(machine.app, "web", "/app/web")
    nothing_private_left(machine)
    watcher.stop()


def test_credentials_below_a_sync_stay_here(machine):
    machine.live_update()
    write(machine.root / "src/.env", "KEY=topsecret")
    write(machine.root / "src/.env.example", "KEY=")
    watcher = machine.watch("app")
    watcher.wait_line(r"^src/\.env: held back, as it looks like a credential")
    mark = watcher.mark()
    write(machine.root / "src/.env", "KEY=topsecret2")
    write(machine.root / "src/server.pem", "key")
    watcher.wait_line(r"^src/\.env.*held back.*spec\.source\.credentials", after=mark)
    watcher.wait_line(r"src/server\.pem.*held back", after=mark)
    write(machine.root / "src/b.txt", "1")
    assert machine.run("push", "app", timeout=60).returncode == 0
    machine.in_sync(machine.app, leave_out={".env", "server.pem"})
    assert not {b".env", b"server.pem"} & set(machine.app.only().tree("/app/src"))
    assert "server.pem" not in everything_sent(machine)
    watcher.stop()


def test_what_was_sent_before_it_was_held_back_stays_in_the_containers(machine):
    write(machine.root / "src/.env", "KEY=1")
    write_file(machine, credentials=["**/.env"])
    assert machine.run("push", "-f", "liveupdate.yaml", timeout=60).returncode == 0
    assert b".env" in machine.app.only().tree("/app/src")
    write_file(machine)
    (machine.root / "src/a.txt").unlink()
    assert machine.run("push", "-f", "liveupdate.yaml", timeout=60).returncode == 0
    there = machine.app.only().tree("/app/src")
    assert b".env" in there and b"a.txt" not in there


def test_a_sync_root_that_is_a_link_is_followed_inside_the_root_only(machine, tmp_path):
    write(tmp_path / "outside/secret.txt", "private")
    write(machine.root / "releases/5/x.txt", "1")
    (machine.root / "current").symlink_to("releases/5")
    write(machine.root / "conf/dev.conf", "a=1")
    (machine.root / "app.conf").symlink_to("conf/dev.conf")
    machine.live_update(steps=[{"sync": {"from": "current", "to": "/app/current"}}, {"sync": {"from": "app.conf", "to": "/app/app.conf"}}])
    watcher = machine.watch("app")
    write(machine.root / "releases/5/x.txt", "2")
    write(machine.root / "conf/dev.conf", "a=2")
    container = machine.app.only()
    machine.in_sync(machine.app, "releases/5", "/app/current")
    machine.eventually(lambda: container.read("/app/app.conf") == "a=2", "the file that is linked is sent")
    mark = watcher.mark()
    (machine.root / "current").unlink()
    (machine.root / "current").symlink_to(tmp_path / "outside")
    watcher.wait_line(r"current: not synced: a link that leads out of the root", after=mark)
    time.sleep(0.5)
    assert "secret.txt" not in everything_sent(machine)
    assert b"x.txt" in container.tree("/app/current")
    watcher.stop()
    refused = machine.run("watch", "app")
    assert refused.returncode == 1 and "current is a link that leads out of the root" in refused.stderr


def test_a_home_folder_is_no_root_unless_it_is_said(machine):
    machine.live_update()
    refused = machine.run("watch", "app", cwd=machine.home)
    assert refused.returncode == 1 and "holds your home folder" in refused.stderr and "--root" in refused.stderr
    refused = machine.run("push", "app", cwd="/")
    assert refused.returncode == 1 and "is the whole machine" in refused.stderr


def test_a_certificate_that_nobody_checks_is_said(machine, tmp_path):
    config = Kubeconfig(machine.cluster)
    config.cluster.pop("certificate-authority-data", None)
    config.cluster.pop("certificate-authority", None)
    config.cluster["insecure-skip-tls-verify"] = True
    done = machine.run("status", kubeconfig=config.save(tmp_path / "kubeconfig"))
    assert done.returncode == 0 and done.stderr.count("insecure-skip-tls-verify") == 1, done.stderr

"""What cannot be updated in place is redeployed, and the new pods have everything (semantics.md 3.2, 6)."""
import re
import time

import pytest

from harness.workspace import write


@pytest.fixture(scope="module")
def app(shared):
    app = shared.deploy(replicas=2)
    for name in ("Dockerfile", "README.md"):
        write(shared.root / name, "from the beginning")
    app.live_update = shared.live_update(source={"context": ["src", "Dockerfile", "README.md"]}, steps=[
        {"fallBackOn": {"paths": ["Dockerfile", "**/*.proto"]}},
        {"sync": {"from": "src", "to": "/app/src"}},
        {"run": {"shell": "echo ran >> /tmp/log"}}])
    app.watcher = shared.watch()
    return app


def replaced(shared, app, change, reason, path):
    """Makes the change and sees that all pods are replaced, for the right reason, and have all files."""
    before = app.containers()
    mark = app.watcher.mark()
    change()
    shared.eventually(lambda: app.all_new(before), "all pods are new", timeout=60, every=0.2)
    shared.in_sync(app, timeout=40)
    app.live_update.wait_synced(2, timeout=40)
    said = [f"{kind}: {message}" for kind, message in app.live_update.events()]
    assert any(reason in line and path in line for line in said), said
    app.watcher.wait_line(rf"{path}", after=mark)


def test_unmatched_falls_back_and_the_new_pods_have_everything(shared, app):
    write(shared.root / "src/a", "saved before")
    shared.in_sync(app)
    replaced(shared, app, lambda: write(shared.root / "README.md", "matched by no sync"), "Unmatched", "README.md")
    write(shared.root / "src/b", "saved after")
    shared.in_sync(app)


def test_stop_path_falls_back(shared, app):
    replaced(shared, app, lambda: write(shared.root / "Dockerfile", "FROM scratch"), "StopPath", "Dockerfile")


def test_stop_path_given_as_a_glob_and_its_own_content_is_sent(shared, app):
    replaced(shared, app, lambda: write(shared.root / "src/api/v1.proto", "message M {}"), "StopPath", "src/api/v1.proto")
    for container in app.containers():
        assert container.read("/app/src/api/v1.proto") == "message M {}"


def test_condition_names_reason_and_path_while_it_lasts(workspace):
    app = workspace.deploy()
    write(workspace.root / "Dockerfile", "old")
    live_update = workspace.live_update(fallBack={"redeploy": "None"}, source={"context": ["src", "Dockerfile"]},
                                        steps=[{"fallBackOn": {"paths": ["Dockerfile"]}}, {"sync": {"from": "src", "to": "/app/src"}}])
    watcher = workspace.watch()
    before = app.only()
    write(workspace.root / "Dockerfile", "new")
    condition = live_update.wait_condition("FallBack", reason="StopPath")
    assert "Dockerfile" in condition["message"]
    status = live_update.status()["fallBack"]
    assert (status["reason"], status["paths"], status["phase"]) == ("StopPath", ["Dockerfile"], "WaitingForDeploy")
    watcher.wait_line(r"Dockerfile")
    write(workspace.root / "src/a", "others go on")
    workspace.eventually(lambda: app.only().read("/app/src/a") == "others go on", "files of other saves arrive")
    assert app.only().id == before.id, "redeploy: None redeploys nothing"
    time.sleep(1.1)  # a pod's time of creation has whole seconds
    workspace.kubectl("rollout", "restart", "deployment/app")
    workspace.eventually(lambda: app.all_new([before]), "the pod is new", timeout=60)
    live_update.wait_condition("FallBack", "False", timeout=30)
    workspace.in_sync(app)


def test_unmatched_ignored_on_request(workspace):
    app = workspace.deploy()
    live_update = workspace.live_update(source={"context": ["."], "onUnmatched": "Ignore"})
    workspace.watch()
    before = app.only().id
    write(workspace.root / "README.md", "dropped")
    write(workspace.root / "src/a", "synced")
    workspace.in_sync(app)
    live_update.wait_synced(1)
    assert app.only().id == before
    assert live_update.status()["unmatched"] >= 1


def test_failing_run_falls_back_on_request(workspace):
    app = workspace.deploy()
    live_update = workspace.live_update(steps=[{"sync": {"from": "src", "to": "/app/src"}},
                                               {"run": {"shell": "test ! -e /tmp/broken", "onFailure": "FallBack"}}])
    workspace.watch()
    before = app.only()
    before.exec("touch", "/tmp/broken")
    write(workspace.root / "src/a", "1")
    workspace.eventually(lambda: app.all_new([before]), "the pod is new", timeout=60, every=0.2)
    workspace.in_sync(app, timeout=30)
    live_update.wait_synced(1, timeout=30)
    assert any("RunFailed" in f"{kind} {message}" for kind, message in live_update.events())


def test_bare_pod_is_deleted_and_that_is_said(workspace):
    spec = {"containers": [{"name": "main", "image": "localhost/busybox:1", "command": ["sleep", "infinity"]}], "terminationGracePeriodSeconds": 1}
    workspace.kubectl("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "labels": {"app": "bare"}}, "spec": spec})
    workspace.kubectl("wait", "--for=condition=Ready", "pod/bare", "--timeout=30s")
    write(workspace.root / "stop", "old")
    live_update = workspace.live_update("bare", target={"selector": {"matchLabels": {"app": "bare"}}},
                                        steps=[{"fallBackOn": {"paths": ["stop"]}}, {"sync": {"from": "src", "to": "/src"}}])
    workspace.watch("bare")
    write(workspace.root / "stop", "new")
    workspace.kubectl("wait", "--for=delete", "pod/bare", "--timeout=30s", timeout=40)
    live_update.wait_condition("Synced", "False", "NoTarget")


def test_a_name_of_others_cannot_command_a_terminal(workspace):
    app = workspace.deploy()
    live_update = workspace.live_update(fallBack={"redeploy": "None"}, source={"context": ["."]}, steps=[{"sync": {"from": "src", "to": "/app/src"}}])
    watcher = workspace.watch()
    write(workspace.root / "src/\x1b[31msynced\nSTATE Synced", "1")
    workspace.in_sync(app)
    write(workspace.root / "\x1b]0;TITLE\a\x1b[2Jlost\nSTATE Synced\u202e\u009b1m", "1")
    live_update.wait_condition("FallBack", "True", "Unmatched", "lost")
    watcher.wait_line(r"not updated in place.*lost")
    said = {"watch": watcher.text(),
            "status": workspace.run("status", "app").stdout,
            "status -o wide": workspace.run("status", "app", "-o", "wide").stdout,
            "status -o json": workspace.run("status", "app", "-o", "json").stdout,
            "status -o yaml": workspace.run("status", "app", "-o", "yaml").stdout,
            "get": workspace.kubectl("get", "lu", "app", "-o", "wide"),
            "describe": workspace.kubectl("describe", "lu", "app"),
            "events": "\n".join(message for _, message in live_update.events())}
    for command, text in said.items():
        assert "lost" in text, f"{command}: {text!r}"
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text), f"{command}: {text!r}"
        assert not re.search(r"^STATE Synced", text, re.MULTILINE), f"{command}: {text!r}"

"""What one save, one object or one user can cause at most: pods deleted, things kept, others held up (semantics.md 4.8, 6.2, 7.5)."""
import json
import time

import pytest

from harness.workspace import write

STUBBORN = ["sleep", "100000"]  # process 1 without a handler for TERM


def pods_seen(app, seconds):
    """The uids of all pods that there are at some time within so long."""
    seen, end = set(), time.monotonic() + seconds
    while time.monotonic() < end:
        seen |= {pod["metadata"]["uid"] for pod in app.kubectl.get("pods", "-l", f"app={app.name}")["items"]}
        time.sleep(0.1)
    return seen


def test_one_save_deletes_the_pod_once(workspace):
    app = workspace.deploy(command=STUBBORN)
    live_update = workspace.live_update(steps=[{"sync": {"from": "src", "to": "/app/src"}}, {"restart": {"container": {}}}])
    watcher = workspace.watch()
    live_update.wait_synced(1)
    before = app.only()
    write(workspace.root / "src/a", "1")
    workspace.eventually(lambda: app.all_new([before]), "the pod is new", timeout=30)
    assert len(pods_seen(app, 10) - {before.id}) <= 2, "the old one, perhaps still ending, and the new one"
    live_update.wait_synced(1)
    workspace.in_sync(app)
    watcher.kill()
    app.scale(3)
    app.wait_ready()
    pods = {pod["metadata"]["uid"] for pod in app.pods()}
    assert pods_seen(app, 5) == pods, "further replicas stay as they are"
    live_update.wait_synced(3)


def change_set(name, sequence, session="eve", **spec):
    return {"apiVersion": "liveupdate.dev/v1alpha1", "kind": "ChangeSet", "metadata": {"name": f"{name}-{session}-{sequence:06}"},
            "spec": {"liveUpdate": name, "session": session, "sequence": sequence, **spec}}


def post(workspace, *args, **spec):
    it = change_set(*args, user=getattr(workspace.kubectl, "user", "eve"), **spec)
    workspace.kubectl("create", "-f", "-", stdin=it)
    return it["metadata"]["name"]


def phase(workspace, name):
    done = workspace.kubectl.run("get", "lcs", name, "-o", "json")
    return json.loads(done.stdout).get("status", {}).get("phase", "") if done.returncode == 0 else "gone"


def test_sequence_far_ahead_does_not_end_the_live_update(workspace):
    app = workspace.deploy()
    workspace.live_update()
    workspace.watch()
    far = post(workspace, "app", 999_999_999_999, type="Snapshot")
    workspace.eventually(lambda: phase(workspace, far) == "Refused", "it is refused")
    write(workspace.root / "src/a", "goes on")
    workspace.in_sync(app)
    workspace.eventually(lambda: phase(workspace, far) == "gone", "it is deleted", timeout=30)


@pytest.mark.parametrize("packed", ['{"changes":[' + ",".join(["{}"] * 466_000) + "]}", "[" * 100_000, '{"changes":[{"path":5}]}'],
                         ids=["many", "deep", "wrong"])
def test_packed_that_nobody_can_use_goes(workspace, packed):
    workspace.live_update()
    name = post(workspace, "app", 1, packed=packed)
    workspace.eventually(lambda: phase(workspace, name) in ("Refused", "gone"), "it is refused")
    workspace.eventually(lambda: phase(workspace, name) == "gone", "it is deleted", timeout=30)


def test_change_set_of_no_live_update_goes(workspace):
    name = post(workspace, "nobody", 1)
    time.sleep(20)
    assert phase(workspace, name) == ""
    workspace.eventually(lambda: phase(workspace, name) == "gone", "it is deleted", timeout=30)


def test_the_log_names_the_user(workspace):
    app = workspace.deploy()
    workspace.live_update(steps=[{"sync": {"from": "src", "to": "/app/src"}}, {"run": {"command": ["true"]}}])
    workspace.watch()
    write(workspace.root / "src/a", "1")
    workspace.in_sync(app)

    def told():
        lines = [json.loads(line) for line in workspace.product.operator_log(workspace.namespace).splitlines() if line.startswith("{")]
        mine = [line for line in lines if line.get("liveUpdate") == f"{workspace.namespace}/app"]
        return all(any(line["msg"] == what and line["user"] and line["session"] and line["changeSet"].startswith("app-") for line in mine)
                   for what in ("apply", "run", "applied"))
    workspace.eventually(told, "apply, run and applied name user, session and ChangeSet")


def test_fall_backs_in_a_burst_are_told_each_and_redeploy_twice(workspace):
    workspace.deploy()
    live_update = workspace.live_update(source={"context": ["src", "Dockerfile"]},
                                        steps=[{"fallBackOn": {"paths": ["Dockerfile"]}}, {"sync": {"from": "src", "to": "/app/src"}}])
    gone = [{"path": "Dockerfile", "op": "Delete"}]
    for sequence in range(1, 6):
        post(workspace, "app", sequence, changes=gone)
        time.sleep(0.5)
    workspace.eventually(lambda: len([e for e in live_update.events() if e[0] == "FallBack"]) == 5, "five Events")
    assert len([e for e in live_update.events() if e[0] == "Redeploying"]) <= 2

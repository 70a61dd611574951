"""What is kept of what was said: few ChangeSets, and yet everything that a new container needs (semantics.md 5.7, 7.5)."""
import json
import os

import pytest

from harness import images
from harness.container import process_of
from harness.project import Project
from harness.waiting import NotYet
from harness.workspace import name_of, write


@pytest.fixture
def project(shared, request):
    it = Project(shared, name_of(request))
    yield it
    it.close()


def hashed_saves(project, first, last):
    """As a bundler does: each save has another name, and the one before goes."""
    for number in range(first, last):
        after = project.watcher.mark()
        write(project.host / f"main.{number}.js", f"content of {number}")
        (project.host / f"main.{number - 1}.js").unlink(missing_ok=True)
        project.watcher.wait_line(rf"main\.{number}\.js", after=after)


def changes_of(change_set):
    spec = change_set["spec"]
    return spec.get("changes") or json.loads(spec.get("packed", "{}")).get("changes", [])


def memory_of(product):
    """MB that the operator holds: the most that it has had would not become less."""
    pid = process_of(product.operator_pods()[0]["status"]["containerStatuses"][0]["containerID"].split("//")[-1])
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))


def test_what_was_new_and_is_gone_is_forgotten(shared, project):
    """As many saves as LIVE_UPDATE_HASHED_SAVES says, each of another name; and a new pod has exactly the tree."""
    saves = int(os.environ.get("LIVE_UPDATE_HASHED_SAVES", "600"))
    project.start()
    write(project.host / "kept", "from before")
    project.in_sync()
    most, memory = 0, []
    for first in range(1, saves, saves // 10):
        hashed_saves(project, first, first + saves // 10)
        sets = project.live_update.change_sets()
        most = max(most, len(sets))
        memory.append(memory_of(shared.product))
        said = sum(len(changes_of(it)) for it in sets)
        print(f"after {first + saves // 10 - 1} saves: {len(sets)} ChangeSets with {said} changes, the operator has {memory[-1]:.1f} MB")
        assert said <= 3 * 220, "what is gone piles up"
    assert most <= 220, "more than 200 beyond what is unconfirmed"
    if saves >= 2000:
        assert memory[-1] <= memory[1] * 1.05, f"the operator grows: {memory}"
    shared.kubectl("delete", "pod", project.app.pods()[0]["metadata"]["name"], "--grace-period=0", "--force")
    project.app.wait_ready()
    project.in_sync(timeout=60)


def test_names_that_carry_a_hash_leave_few_change_sets(shared, project):
    project.start()
    write(project.host / "kept", "from before")
    write(project.host / "gone", "from before")
    project.in_sync()
    (project.host / "gone").unlink()
    most = 0
    for first in range(1, 451, 50):
        hashed_saves(project, first, first + 50)
        most = max(most, len(project.live_update.change_sets()))
    assert most <= 220, "more than 200 beyond what is unconfirmed"
    project.in_sync()

    def few():
        sets = project.live_update.change_sets()
        if len(sets) > 200 or not any("checkpoint" in it["spec"] for it in sets):
            raise NotYet(f"there are {len(sets)}")
        return sets
    sets = shared.eventually(few, "a Checkpoint has taken the place of others", timeout=30)
    assert all(it["spec"]["user"].startswith("system:serviceaccount:") for it in sets if "checkpoint" in it["spec"])

    # An operator that knows only what is stored, and a container that has only its image.
    shared.product.kill_operator()
    shared.eventually(shared.product.operator_ready, "an operator is ready", timeout=60, every=0.2)
    shared.kubectl("delete", "pod", project.app.pods()[0]["metadata"]["name"], "--grace-period=0", "--force")
    project.app.wait_ready()
    project.in_sync(timeout=60)
    project.live_update.wait_synced(1, timeout=30)
    assert project.app.only().read(f"{project.to}/gone") is None


def test_a_checkpoint_that_somebody_deletes_is_missed_and_made_good(shared, project):
    project.start()
    hashed_saves(project, 1, 170)

    def checkpoints():
        names = [it["metadata"]["name"] for it in project.live_update.change_sets() if "checkpoint" in it["spec"]]
        if not names:
            raise NotYet("there is none")
        return names
    names = shared.eventually(checkpoints, "there is a Checkpoint", timeout=30)
    project.watcher.stop()
    shared.kubectl("delete", "lcs", *names)
    project.live_update.wait_condition("SnapshotNeeded", reason="HistoryLost")
    project.watcher.start()
    project.live_update.wait_condition("SnapshotNeeded", status="False", timeout=30)
    shared.kubectl("delete", "pod", project.app.pods()[0]["metadata"]["name"], "--grace-period=0", "--force")
    project.app.wait_ready()
    project.in_sync(timeout=60)


def test_nobody_but_the_operator_writes_a_checkpoint(shared, project):
    project.start()
    name = project.name
    said = shared.kubectl.refused("create", "-f", "-", stdin={
        "apiVersion": "liveupdate.dev/v1alpha1", "kind": "ChangeSet", "metadata": {"name": f"{name}-checkpoint-1-000001"},
        "spec": {"liveUpdate": name, "session": "checkpoint-1", "sequence": 1, "user": shared.kubectl.user, "checkpoint": {"snapshot": 0}}})
    assert "only the operator writes a Checkpoint" in said


@pytest.mark.parametrize("watching", [True, False])
def test_files_that_were_never_saved_go_where_a_new_sync_leads(shared, project, watching):
    """The image has them where the syncs led when the first watcher started, and nowhere else."""
    write(project.host / "never-saved", "as the image has it")
    project.start()
    write(project.host / "saved", "1")
    shared.eventually(lambda: project.app.only().read(f"{project.to}/saved") == "1", "the save is there")
    if not watching:
        project.watcher.stop()
    project.live_update.patch({"spec": {"steps": [{"sync": {"from": project.name, "to": "/app/elsewhere"}}]}})
    if not watching:
        condition = project.live_update.wait_condition("SnapshotNeeded", reason="RulesChanged")
        assert "live-update watch" in condition["message"]
        assert project.live_update.condition("Synced")["status"] == "False"
        project.watcher.start()
    project.live_update.wait_condition("Synced", timeout=30)
    shared.eventually(lambda: project.app.only().read("/app/elsewhere/never-saved"), "the file that nobody saved is there")
    assert project.live_update.status()["baseline"] == "Compared"


def test_what_was_deleted_stays_deleted(workspace):
    """A new container starts from its image, and the image has the file."""
    write(workspace.root / "src/passwd", "as on the host")
    app = workspace.deploy(image=images.GNU)
    live_update = workspace.live_update(steps=[{"sync": {"from": "src", "to": "/etc"}}])
    workspace.watch()
    before = app.only()
    assert before.entry("/etc/passwd"), "the image has it"
    (workspace.root / "src/passwd").unlink()
    workspace.eventually(lambda: before.entry("/etc/passwd") is None, "it is deleted")
    workspace.kubectl("delete", "pod", before.pod, "--grace-period=0", "--force")
    workspace.eventually(lambda: app.all_new([before]), "the pod is new", timeout=60)
    live_update.wait_synced(1, timeout=40)
    workspace.eventually(lambda: app.only().entry("/etc/passwd") is None, "the new one does not have it", timeout=40)

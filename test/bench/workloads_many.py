"""Many containers on one LiveUpdate: how long the operator's loop is busy without a break."""
import time

from harness import images
from harness.app import App
from harness.live_update import default_steps
from harness.waiting import eventually

from workloads_memory import fresh_operator

IN_ONE_POD = 50
SAVES = 5
TURN = "many: the longest turn of the operator's loop, CPU"
PATIENCE = 900  # seconds: starting a thousand containers is most of it


def one_live_update(stage):
    """A fresh operator that meets them all, and a few saves."""
    workspace, count = stage.workspace, stage.arguments.many
    image = workspace.image(images.BUSYBOX)
    extra = [{"name": f"c{number}", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "1000000"]} for number in range(1, IN_ONE_POD)]
    app = App(workspace, "many", image, replicas=count // IN_ONE_POD, container={"command": ["sleep", "1000000"]}, extra=extra)
    app.apply()
    app.wait_ready(timeout=PATIENCE)
    stage.subject.stop()
    fresh_operator(stage.bench.product)
    live_update = workspace.live_update("many", default_steps(), {"workload": {"kind": "Deployment", "name": "many"}, "image": image})
    watcher = workspace.watch("many")
    began = time.monotonic()
    for number in range(SAVES):
        (stage.source / "many.txt").write_text(f"{number}\n")
        eventually(lambda said=f"{count}/{count} pods": watcher.text().count(said) > number, "every container has it", timeout=PATIENCE, every=0.2)
        if number == 0:
            stage.record.fact(stage.name, f"many: until {count} containers had the first save", time.monotonic() - began, "s")
            longest(stage, f"{TURN}, until the first save was everywhere")
        time.sleep(1)
    live_update.wait_synced(count)
    longest(stage, TURN)
    watcher.stop()
    workspace.kubectl("delete", "deployment/many", "--wait=false")


def longest(stage, name):
    stage.record.fact(stage.name, name, 1000 * stage.bench.product.metrics()["live_update_loop_turn_longest_seconds"], "ms")

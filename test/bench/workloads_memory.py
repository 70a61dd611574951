"""Memory: what the operator and the watcher hold at rest, and at most, after each kind of load."""
import json
import os
import shutil
import time

from harness.waiting import eventually

from usage import memory, operator_process

SETTLE = 8  # seconds until what was used in passing is given back
REPLICAS = 3
PIECE = 100_000  # bytes of one file of the large tree


def memory_of_both(stage):
    """A fresh operator, a session, saves, more sessions, a large first sync; after each the memory at rest and the most since the last."""
    stage.subject.stop()
    fresh_operator(stage.bench.product)
    note(stage, "fresh")
    stage.subject.start()
    stage.look()
    stage.save({"first": 1024}, patience=60)
    note(stage, "1 session")
    for _ in range(stage.arguments.saves):
        stage.think(0.1, 0.2)
        stage.save({"first": 1024})
    note(stage, f"{stage.arguments.saves} saves")
    stage.scale(20)
    note(stage, "20 sessions")
    stage.scale(REPLICAS)
    for number in range(stage.arguments.tree_mb * 1_000_000 // PIECE):
        file = stage.source / f"large/{number // 100}/{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(PIECE))
    stage.subject.live_update.wait_synced(REPLICAS, timeout=300)
    eventually(lambda: arrived(stage), "the large tree is everywhere", timeout=300, every=1)
    note(stage, f"{stage.arguments.tree_mb} MB in {REPLICAS} replicas")
    shutil.rmtree(stage.source / "large")
    eventually(lambda: not any(os.path.exists(f"{root}/app/src/large") for root in stage.look()), "it is gone again", timeout=120, every=1)
    eventually(lambda: change_sets(stage) <= 200, "what was superseded is deleted", timeout=300, every=2)
    note(stage, "all that deleted")


def fresh_operator(product):
    old = product.operator_pods()[0]["metadata"]["name"]
    product.kubectl("delete", "pod", old)
    eventually(lambda: product.operator_ready() and product.operator_pods()[0]["metadata"]["name"] != old, "a new operator", timeout=60)


def arrived(stage):
    last = f"/app/src/large/{(stage.arguments.tree_mb * 1_000_000 // PIECE - 1) // 100}"
    return all(os.path.exists(root + last) for root in stage.look()) and stage.subject.live_update.status().get("state") == "Synced"


def change_sets(stage):
    """How many are stored; without getting them, as they hold the files."""
    workspace = stage.workspace
    some = json.loads(workspace.kubectl("get", "--raw", f"/apis/liveupdate.dev/v1alpha1/namespaces/{workspace.namespace}/changesets?limit=1"))
    return len(some["items"]) + some["metadata"].get("remainingItemCount", 0)


def note(stage, when):
    time.sleep(SETTLE)
    for who, pids in (("operator", [operator_process(stage.bench.product)]), ("watcher", stage.subject.processes())):
        if pids:
            now, most = memory(pids[0])
            stage.record.fact(stage.name, f"memory of the {who}, {when}", now, "MB")
            stage.record.fact(stage.name, f"memory of the {who}, {when}, the most until then", most, "MB")

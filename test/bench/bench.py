#!/usr/bin/python3
"""How long a save takes until it is in the containers, beside the floor of the same run. scripts/bench --help has the rest."""
import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "test/e2e"), str(TOP / "test/bench")]

from harness import cluster  # noqa: E402
from harness.kubectl import Kubectl  # noqa: E402
from harness.product import Product  # noqa: E402
from harness.workspace import Workspace  # noqa: E402

import gates  # noqa: E402
import workloads_big  # noqa: E402
import workloads_idle  # noqa: E402
import workloads_many  # noqa: E402
import workloads_memory  # noqa: E402
import workloads_save  # noqa: E402
import workloads_steps  # noqa: E402
import workloads_tree  # noqa: E402
from eye import Eye  # noqa: E402
from record import Record  # noqa: E402
from stage import Stage  # noqa: E402
from subject import LiveUpdate, Peer  # noqa: E402

# In this order: what leaves many files or many replicas behind comes late.
WORKLOADS = {
    "W1": [workloads_save.one_file], "W2": [workloads_save.ten_files], "W8": [workloads_save.same_size], "W13": [workloads_steps.tight_reader],
    "W5": [workloads_tree.removal], "W7": [workloads_steps.runs], "execs": [workloads_steps.execs], "W9": [workloads_save.beside_generator],
    "W3": [workloads_tree.branch_switches], "W4": [workloads_big.big_file], "W6": [workloads_save.replicas, workloads_tree.replicas],
    "memory": [workloads_memory.memory_of_both], "W14": [workloads_idle.idle],
    "many": [workloads_many.one_live_update],
}
ONLY_OURS = {"execs", "memory", "many"}


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.rng = random.Random(arguments.seed)
        self.kubectl = Kubectl(cluster.local_cluster("tools").split(":")[0] + "/kubectl", cluster.local_cluster("kubeconfig"))
        if not cluster.is_local(self.kubectl.kubeconfig):
            sys.exit("bench: needs the cluster of scripts/cluster, whose containers can be looked into from here: scripts/cluster up")
        warn_of_disk(cluster.state())
        self.product = Product(self.kubectl)
        self.product.install()
        self.eye = Eye(self.product.build / "test/bench/eye", arguments.seed)
        self.record = Record(arguments.output)

    def subjects(self):
        if not self.arguments.peers_only:
            yield lambda stage: LiveUpdate(stage, self.arguments.transport)
        for peer in self.arguments.peer:
            name, _, command = peer.partition("=")
            yield lambda stage, name=name, command=command: Peer(stage, name, command)

    def run(self):
        """Each program on a stage of its own, one after the other."""
        for subject in self.subjects():
            folder = pathlib.Path(tempfile.mkdtemp(prefix="live-update-bench-"))
            stage = Stage(self, Workspace(self.kubectl, self.product, lambda name: name, folder), subject)
            try:
                stage.subject.start()
                self.play(stage)
            finally:
                stage.close()

    def play(self, stage):
        for name, parts in WORKLOADS.items():
            if name not in self.arguments.only or name in ONLY_OURS and stage.name != "live-update":
                continue
            begun, load = time.monotonic(), os.getloadavg()[0]
            if load > 2:
                print(f"  (the load is {load:.1f}: others use this machine, too, and kubectl suffers first)", file=sys.stderr)
            self.record.write(subject=stage.name, begins=name, load=load)
            for part in parts:
                self.attempt(stage, name, part)
            print(f"  {stage.name}: {name} took {time.monotonic() - begun:.0f} s", file=sys.stderr)

    def attempt(self, stage, name, part):
        """One that cannot be measured is noted, and the others go on."""
        try:
            stage.scale(1) if name != "W6" else None
            part(stage)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the harness raises what pytest does
            self.record.broke(stage.name, name, error)

    def tables(self):
        names = dict.fromkeys(who for who, _ in [*self.record.rows, *self.record.facts])
        return "\n\n".join(f"### {who}\n\n{self.record.table(who, workloads_save.KUBECTL_EXEC)}" for who in names)

    def judge(self):
        """Prints the gates; whether all hold."""
        judged = gates.of(self.record, self.arguments.transport) if not self.arguments.peers_only else []
        for gate in judged:
            print(gate)
        for who, workload, why in self.record.broken:
            print(f"FAIL: {who}: {workload} could not be measured: {why}")
        return all(gate.good for gate in judged) and not self.record.broken


def warn_of_disk(folder):
    """An ext4 without a journal does not use the inodes of files deleted in the last minutes again, and searches past them for each new file."""
    found = subprocess.run(["findmnt", "-no", "FSTYPE,SOURCE", "-T", str(folder)], capture_output=True, text=True).stdout.split()
    if found[:1] == ["ext4"] and not list(pathlib.Path("/proc/fs/jbd2").glob(f"{pathlib.Path(found[1]).name}-*")):
        print(f"bench: {folder} is on an ext4 without a journal, where a new file costs several times as much after many were deleted: set "
              "LIVE_UPDATE_CLUSTER_DIR and TMPDIR to folders on another file system", file=sys.stderr)


def parser():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures how long a save takes until it is in the containers of the local "
                                     "cluster, and the floor of the same run. Prints tables and the gates; exits with 1 when one fails.")
    add = parser.add_argument
    add("--only", type=lambda text: text.split(","), default=list(WORKLOADS), metavar="W1,W6", help=f"these workloads only, of {', '.join(WORKLOADS)}")
    add("--saves", type=int, default=100, help="counted saves of W1 and W2; the others make so many in proportion (default 100)")
    add("--replicas", type=int, nargs="*", default=[1, 5, 20], help="of W6 (default 1 5 20)")
    add("--trees", type=int, nargs="*", default=[1000, 10000], help="files of W3 (default 1000 10000); W6 takes the smallest")
    add("--switches", type=int, default=10, help="counted branch switches of W3 (default 10)")
    add("--big", type=int, default=50, metavar="MB", help="size of W4's file (default 50)")
    add("--generator", type=float, default=60, metavar="SECONDS", help="how long W9's generator writes (default 60)")
    add("--reader-saves", type=int, default=1000, help="saves under W13's reader (default 1000)")
    add("--idle", type=float, default=300, metavar="SECONDS", help="how long W14 idles (default 300)")
    add("--idle-files", type=int, default=50_000, help="files of W14 (default 50000)")
    add("--tree-mb", type=int, default=200, metavar="MB", help="size of the large tree of `memory` (default 200)")
    add("--many", type=int, default=1000, metavar="CONTAINERS", help="containers of `many` (default 1000)")
    add("--transport", default="Auto", choices=["Auto", "Tar", "Agent"], help="of the LiveUpdate (default Auto); each has its gates")
    add("--peer", action="append", default=[], metavar="NAME=COMMAND", help="another program to measure; test/bench/README.md says what it must do")
    add("--peers-only", action="store_true", help="leave out live-update itself")
    add("--output", default=str(TOP / "build-release/bench.jsonl"), metavar="FILE", help="one JSON line per trial goes here")
    add("--seed", type=int, default=1, help="of contents and think times")
    return parser


def main():
    arguments = parser().parse_args()
    unknown = set(arguments.only) - set(WORKLOADS)
    if unknown:
        sys.exit(f"bench: no such workload: {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    bench = Bench(arguments)
    bench.run()
    print(bench.tables())
    print()
    sys.exit(0 if bench.judge() else 1)


if __name__ == "__main__":
    main()

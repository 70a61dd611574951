#!/usr/bin/python3
"""How long a save takes until it is in the containers, beside the floor of the same run. scripts/bench --help has the rest."""
import argparse
import json
import os
import pathlib
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "test/e2e"), str(TOP / "test/bench")]

from harness import cluster, images  # noqa: E402
from harness.container import process_of  # noqa: E402
from harness.kubectl import Kubectl  # noqa: E402
from harness.product import Product  # noqa: E402
from harness.workspace import Workspace  # noqa: E402

from measure import Probe, content, generator, percentile, save_by_rename, save_in_place, see, think, timed  # noqa: E402

WARM_UP = 3  # saves that are not counted
GATES = [("one file, in place", "exec of `true`, own client", 1.6), ("one file, 5 replicas", "one file, in place", 2.5)]


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.rng = generator(arguments.seed)
        self.rows = []  # (name, [milliseconds of the last replica], [of the first], lost)
        self.kubectl = Kubectl(cluster.local_cluster("tools").split(":")[0] + "/kubectl", cluster.local_cluster("kubeconfig"))
        if not cluster.is_local(self.kubectl.kubeconfig):
            sys.exit("bench: needs the cluster of scripts/cluster, whose containers can be looked into from here: scripts/cluster up")
        self.product = Product(self.kubectl)
        self.product.install()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="live-update-bench-"))
        self.workspace = Workspace(self.kubectl, self.product, lambda name: name, self.folder)
        self.output = open(arguments.output, "w")

    def run(self):
        app = self.workspace.deploy(replicas=1)
        self.workspace.live_update(transport=self.arguments.transport)
        watcher = self.workspace.watch()
        self.one_file_and_the_floor(app)
        self.many_files("10 files of 4 KiB", app, 10, 4096)
        for replicas in self.arguments.replicas:
            app.scale(replicas)
            app.wait_ready()
            self.workspace.kubectl("wait", "--for=condition=Synced", "lu/app", "--timeout=60s", timeout=70)
            if replicas > 1:
                self.many_files(f"one file, {replicas} replicas", app, 1, 1024)
            self.many_files(f"100 files, {replicas} replica{'s' * (replicas > 1)}", app, 100, 1024, self.arguments.saves // 3)
        watcher.stop()

    def roots(self, app):
        self.workspace.eventually(lambda: len(app.containers()) == app.replicas, "all replicas run", timeout=60)
        return [f"/proc/{process_of(container.id)}/root" for container in app.containers()]

    def one_file_and_the_floor(self, app):
        """W1 both ways, and between the saves what cannot be avoided."""
        container, roots = app.only(), self.roots(app)
        environment = os.environ | {"KUBECONFIG": self.kubectl.kubeconfig}
        probe = Probe(self.product.build / "test/bench/probe", environment, self.workspace.namespace, container.pod, container.name)
        ways = {"one file, in place": save_in_place, "one file, temp + rename": save_by_rename}
        floor = {"POST until watch event, 1 KiB": lambda: probe.ask("post 1024"), "echo over an open exec session": lambda: probe.ask("echo"),
                 "exec of `true`, own client": lambda: probe.ask("exec"),
                 "`kubectl exec true`": lambda: timed(self.workspace.kubectl.command("exec", container.pod, "--", "true"))}
        seen = {name: [] for name in ways}
        for number in range(WARM_UP + self.arguments.saves):
            for name, save in ways.items():
                think(self.rng)
                trial = self.save({f"{name.split()[-1]}.txt": 1024}, save, roots)
                if number >= WARM_UP:
                    self.keep(name, seen[name], trial)
            for name, ask in floor.items():
                think(self.rng)
                milliseconds = ask()
                if number >= WARM_UP:
                    self.keep(name, seen.setdefault(name, []), (milliseconds, milliseconds))
        for name, trials in seen.items():
            self.row(name, trials)
        probe.close()

    def many_files(self, name, app, count, size, saves=None):
        """W2 and W6: `count` files at once, in all replicas."""
        roots, trials = self.roots(app), []
        for number in range(WARM_UP + (saves or self.arguments.saves)):
            think(self.rng)
            trial = self.save({f"d{index % 10}/{index}.txt": size for index in range(count)}, save_in_place, roots)
            if number >= WARM_UP:
                self.keep(name, trials, trial)
        self.row(name, trials)

    def save(self, sizes, how, roots):
        """One save of some files (name below src -> size); t0 is just after the last one."""
        contents = {}
        for name, size in sizes.items():
            path = self.workspace.root / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            contents[f"/app/src/{name}"] = data = content(size, self.rng)
            begun = how(path, data)
        return see(begun, roots, contents)

    def keep(self, name, trials, trial):
        trials.append(trial)
        first, last = trial
        print(json.dumps({"workload": name, "first": first, "last": last, "time": time.time()}), file=self.output, flush=True)

    def row(self, name, trials):
        last = [trial[1] for trial in trials if trial[1] is not None]
        first = [trial[0] for trial in trials if trial[0] is not None]
        self.rows.append((name, last, first, len(trials) - len(last)))
        print(f"  {name}: p50 {number(percentile(last, 0.5))} ms", file=sys.stderr)

    def table(self):
        base = percentile(next(last for name, last, _, _ in self.rows if name == GATES[0][1]), 0.5)
        lines = ["| what | n | lost | p50 ms | p90 | p99 | max | first replica p50 | p50 / exec of `true` |", "|---|---|---|---|---|---|---|---|---|"]
        for name, last, first, lost in self.rows:
            cells = [percentile(last, share) for share in (0.5, 0.9, 0.99, 1)]
            ratio = f"{cells[0] / base:.2f}" if cells[0] else "-"
            lines.append(f"| {name} | {len(last)} | {lost} | {' | '.join(map(number, cells))} | {number(percentile(first, 0.5))} | {ratio} |")
        return "\n".join(lines)

    def gates(self):
        """Ratios of medians of this run, and whether they hold; a lost save never holds."""
        median = {name: percentile(last, 0.5) for name, last, _, _ in self.rows}
        good = True
        for name, of, limit in GATES:
            if median.get(name) and median.get(of):
                ratio = median[name] / median[of]
                good &= ratio <= limit
                print(f"{'PASS' if ratio <= limit else 'FAIL'}: {name} / {of} = {ratio:.2f}, at most {limit}")
        lost = sum(lost for *_, lost in self.rows)
        print(f"{'PASS' if not lost else 'FAIL'}: {lost} saves lost")
        return good and not lost


def number(value):
    return "-" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures how long a save takes until it is in the containers of the "
                                     "local cluster, and the floor of the same run. Prints a table and the gates; exits with 1 when one fails.")
    parser.add_argument("--saves", type=int, default=40, help="counted saves per workload (default 40)")
    parser.add_argument("--replicas", type=int, nargs="*", default=[1, 5, 20], help="default 1 5 20")
    parser.add_argument("--transport", default="Tar", choices=["Auto", "Tar", "Agent"])
    parser.add_argument("--output", default=str(TOP / "build-release/bench.jsonl"), help="one JSON line per trial goes here")
    parser.add_argument("--seed", type=int, default=1, help="of contents and think times")
    bench = Bench(parser.parse_args())
    try:
        bench.run()
    finally:
        bench.workspace.close()
    print(bench.table())
    sys.exit(0 if bench.gates() else 1)


if __name__ == "__main__":
    main()

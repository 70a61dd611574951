"""W3, W5 and W6's trees: a branch switch of thousands of files, and `rm -rf`."""
import shutil
import subprocess
import tarfile
import time

from eye import NEVER, Trial, timed
from workloads_save import replicas_name

WORDS = [f"{verb}_{noun}" for verb in "get set make find read write open close".split() for noun in "pod node user file name list time map".split()]
REMOVED = "W5 rm -rf of 500 files"


def switch_name(count):
    return f"W3 git switch of {count:,} files"


def tar_name(count):
    return f"one `kubectl exec -i -- tar x` of {count:,} files"


class Branches:
    """A repository whose branches a and b differ in `count` files: 80 % modified, 10 % added, 10 % deleted, directories gone."""

    def __init__(self, stage, count):
        self.stage, self.count, self.root = stage, count, stage.workspace.root
        self.top = stage.source / f"tree{count}"
        self.git("init", "-q", "-b", "a")
        self.write(range(count * 8 // 10), "modified")
        self.write(range(count // 10), "old")
        self.commit()
        self.git("switch", "-q", "-c", "b")
        self.write(range(count * 8 // 10), "modified")
        shutil.rmtree(self.top / "old")
        self.write(range(count // 10), "new")
        self.commit()
        self.trees, self.samples = {}, {}
        self.note("b")
        self.git("switch", "-q", "a")
        self.note("a")

    def git(self, *words):
        subprocess.run(["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0", *words], cwd=self.root, check=True,
                       capture_output=True)

    def commit(self):
        self.git("add", "src")
        self.git("commit", "-q", "-m", "tree")

    def write(self, numbers, folder):
        """Text that looks like source code to a compressor."""
        rng = self.stage.rng
        for number in numbers:
            path = self.top / folder / f"part{number // 50}" / f"file{number}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"    {rng.choice(WORDS)}({rng.choice(WORDS)}, {rng.randrange(10**6)})\n" for _ in range(rng.randrange(20, 140))))

    def changed_files(self, branch):
        """A tar of what a switch to this branch writes."""
        path = self.stage.workspace.folder / f"{branch}{self.count}.tar"
        with tarfile.open(path, "w") as tar:
            for folder in ("modified", "new" if branch == "b" else "old"):
                tar.add(self.top / folder, arcname=folder)
        return path

    def note(self, branch):
        """What the branch that is checked out looks like: all of it, and some files, to see cheaply whether a look at all of it is worth it."""
        self.trees[branch] = self.stage.eye.tree(self.top)
        files = self.stage.rng.sample(sorted(self.top.rglob("*.py")), 8)
        self.samples[branch] = {str(path.relative_to(self.stage.source)): path.read_bytes() for path in files}

    def close(self):
        shutil.rmtree(self.root / ".git")
        shutil.rmtree(self.top)


def has(root, sample):
    for name, content in sample.items():
        try:
            with open(f"{root}/app/src/{name}", "rb") as file:
                if file.read() != content:
                    return False
        except OSError:
            return False
    return True


def arrival(stage, root, begun, sample, tree, top, deadline):
    """Seconds of the wall clock after `begun` when the tree became equal: when the last of its files or folders changed. None: it did not."""
    while time.time() < deadline:
        if has(root, sample):
            there = stage.eye.tree(f"{root}/app/src/{top}")
            if there.digest == tree.digest:
                return max(0.0, there.changed - begun)
        time.sleep(0.01)
    return None


def see_tree(stage, branches, roots, branch, begun, patience):
    sample, tree = branches.samples[branch], branches.trees[branch]
    arrived = [arrival(stage, root, begun, sample, tree, branches.top.name, begun + patience) for root in roots]
    return NEVER if None in arrived else Trial(min(arrived) * 1000, max(arrived) * 1000)


def switches(stage, branches, name, trials, roots, between=lambda branch: None):
    """Switches to and fro; the first two are not counted."""
    for number in range(-2, trials):
        branch = "ba"[number % 2]
        stage.think(0.5, 1)
        before = time.time()
        branches.git("switch", "-q", branch)
        begun = time.time()
        trial = see_tree(stage, branches, roots, branch, begun, patience=90)
        if number >= 0:
            stage.record.trial(stage.name, name, trial, switching=(begun - before) * 1000)
            between(branch)
        elif trial is NEVER:
            raise RuntimeError("the tree did not arrive")
    stage.record.say(stage.name, name)


def put_there(stage, branches, roots):
    """Brings the first tree into the containers: by what is measured itself."""
    if see_tree(stage, branches, roots, "a", time.time(), patience=180) is NEVER:
        raise RuntimeError("the first tree did not arrive")


def branch_switches(stage):
    """W3, and after every switch one `kubectl exec -i -- tar x` of the same changed files into a folder beside."""
    roots, container = stage.look(), stage.app.only()
    for count in stage.arguments.trees:
        branches = Branches(stage, count)
        put_there(stage, branches, roots)
        beside = f"/tmp/beside{count}"
        container.exec("mkdir", "-p", beside)
        command = stage.workspace.kubectl.command("exec", "-i", container.pod, "--", "tar", "-x", "-f", "-", "-C", beside)
        archives = {"a": branches.changed_files("a")}
        timed(command, archives["a"])

        def tar(branch):
            archives.setdefault(branch, branches.changed_files(branch))
            took = timed(command, archives[branch])
            stage.record.trial("floor", tar_name(count), Trial(took, took))
        switches(stage, branches, switch_name(count), stage.arguments.switches if count < 5000 else max(2, stage.arguments.switches // 3), roots, tar)
        stage.record.say("floor", tar_name(count))
        branches.close()
        container.exec("rm", "-rf", beside)


def replicas(stage):
    """W6, the part with a tree."""
    if not stage.arguments.trees:
        return
    count = min(stage.arguments.trees)
    for number in stage.arguments.replicas:
        stage.scale(number)
        branches = Branches(stage, count)
        roots = stage.look()
        put_there(stage, branches, roots)
        switches(stage, branches, replicas_name(count, number), max(2, stage.arguments.switches // 2), roots)
        branches.close()


def removal(stage):
    """W5: gone is gone, all of it."""
    stage.look()
    names = [f"removed/part{index // 100}/{index}.txt" for index in range(500)]

    def trial(patience):
        if stage.save({name: 512 for name in names}, patience=60).last is None:
            return NEVER
        stage.think()
        return stage.eye.save([], gone=[(stage.source / "removed", "/app/src/removed")], patience=patience)
    stage.measure(REMOVED, max(3, stage.arguments.saves // 10), trial, warm_up=1)

"""What every workload plays on: one namespace with one Deployment, one program that keeps it up to date, and the eye."""
import sys
import time

from harness.container import process_of
from harness.waiting import eventually

from eye import LOST

WARM_UP = 3  # saves that are not counted
FIRST = 60.0  # patience for the first of them: the program may still be looking for its containers


class Stage:
    def __init__(self, bench, workspace, subject):
        self.bench, self.workspace = bench, workspace
        self.arguments, self.eye, self.rng, self.record = bench.arguments, bench.eye, bench.rng, bench.record
        self.source = workspace.root / "src"
        self.app = workspace.deploy(replicas=1)
        self.subject = subject(self)

    @property
    def name(self):
        return self.subject.name

    def look(self, app=None):
        """Points the eye at the containers that run now; their roots on this machine."""
        app = app or self.app
        eventually(lambda: len(app.containers()) == app.replicas, "all replicas run", timeout=120)
        roots = [f"/proc/{process_of(container.id)}/root" for container in app.containers()]
        self.eye.ask("roots", *roots)
        return roots

    def scale(self, replicas):
        if self.app.replicas != replicas:
            self.app.scale(replicas)
        self.app.wait_ready(timeout=180)
        eventually(lambda: len(self.app.pods()) == replicas, f"{replicas} pods", timeout=120, every=0.3)
        self.subject.wait_synced(replicas)

    def think(self, least=0.15, most=0.6):
        """The pause of a person between two saves."""
        time.sleep(self.rng.uniform(least, most))

    def save(self, sizes, how="inplace", patience=LOST, line=None):
        """Saves files of src (name -> size); the trial."""
        files = []
        for name, size in sizes.items():
            (self.source / name).parent.mkdir(parents=True, exist_ok=True)
            files.append((self.source / name, f"/app/src/{name}", size))
        return self.eye.save(files, how=how, patience=patience, line=line)

    def measure(self, name, count, trial, think=True, warm_up=WARM_UP):
        """`count` trials of one workload after those that are not counted. trial(patience) makes one."""
        for number in range(-warm_up, count):
            if think:
                self.think()
            seen = trial(FIRST if number == -warm_up else LOST)
            if number >= 0:
                self.record.trial(self.name, name, seen)
        if count:
            self.record.say(self.name, name)

    def note(self, text):
        print(f"  {self.name}: {text}", file=sys.stderr)

    def close(self):
        self.subject.stop()
        self.workspace.close()

"""What was measured: a JSON line per trial, a table per program, and facts that are no times."""
import json
import sys
import time


def percentile(values, share):
    """The nearest-rank percentile of numbers; None of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))] if ordered else None


def shown(value):
    return "-" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.1f}"


class Record:
    def __init__(self, path):
        self.output = open(path, "w")
        self.rows = {}  # (subject, name) -> [Trial]
        self.facts = {}  # (subject, name) -> (value, unit)
        self.broken = []  # (subject, workload, why)

    def write(self, **line):
        print(json.dumps({"time": round(time.time(), 3), **line}), file=self.output, flush=True)

    def trial(self, subject, name, trial, **more):
        self.rows.setdefault((subject, name), []).append(trial)
        self.write(subject=subject, workload=name, **trial._asdict(), **more)

    def fact(self, subject, name, value, unit=""):
        self.facts[subject, name] = (value, unit)
        self.write(subject=subject, fact=name, value=value, unit=unit)
        print(f"  {subject}: {name}: {number(value)} {unit}".rstrip(), file=sys.stderr)

    def broke(self, subject, workload, why):
        self.broken.append((subject, workload, why))
        self.write(subject=subject, broken=workload, why=str(why))
        print(f"  {subject}: {workload} could not be measured: {why}", file=sys.stderr)

    def say(self, subject, name):
        lost = self.lost(subject, name)
        print(f"  {subject}: {name}: p50 {shown(self.at(subject, name, 0.5))} ms, p99 {shown(self.at(subject, name, 0.99))}"
              f"{f', {lost} lost' if lost else ''}", file=sys.stderr)

    def values(self, subject, name, which="last"):
        return [value for trial in self.rows.get((subject, name), []) if (value := getattr(trial, which)) is not None]

    def at(self, subject, name, share=0.5, which="last"):
        return percentile(self.values(subject, name, which), share)

    def lost(self, subject, name):
        return sum(trial.last is None for trial in self.rows.get((subject, name), []))

    def value(self, subject, name):
        return self.facts.get((subject, name), (None, ""))[0]

    def table(self, subject, base):
        """In Markdown; the last column is the median as a ratio to that of `base`."""
        base = self.at("floor", base)
        lines = ["| what | n | lost | p50 ms | p90 | p99 | max | first replica p50 | / `kubectl exec true` |", "|---|---|---|---|---|---|---|---|---|"]
        for name in [name for who, name in self.rows if who == subject]:
            values = self.values(subject, name)
            cells = [percentile(values, share) for share in (0.5, 0.9, 0.99, 1)]
            ratio = f"{cells[0] / base:.2f}" if cells[0] and base else "-"
            lines.append(f"| {name} | {len(values)} | {self.lost(subject, name)} | {' | '.join(map(shown, cells))} | "
                         f"{shown(self.at(subject, name, 0.5, 'first'))} | {ratio} |")
        facts = [f"| {name} | {f'{number(value)} {unit}'.strip()} |" for (who, name), (value, unit) in self.facts.items() if who == subject]
        return "\n".join(lines + (["", "| what | |", "|---|---|", *facts] if facts else []))


def number(value):
    return f"{value:.3f}" if isinstance(value, float) else str(value)

#!/usr/bin/env python3
"""The pages of docs/ against what they are about: every reason, every field, every word of an enumeration; links lead somewhere."""
import pathlib
import re
import sys

import yaml

REPO = pathlib.Path(__file__).resolve().parents[1]
errors = []


def text(path):
    return (REPO / path).read_text()


def check(page, words, what):
    content = text(page)
    for word in words:
        if not re.search(rf"`[^`\n]*\b{re.escape(word)}\b[^`\n]*`", content):
            errors.append(f"{page} does not explain {what} {word}")


def fields(schema):
    for name, field in schema.get("properties", {}).items():
        yield name, field
        if name not in ("conditions", "matchExpressions"):  # Kubernetes' own
            yield from fields(field.get("items", field))


def check_kind(crd, page):
    schema = yaml.safe_load(text(crd))["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for part in ("spec", "status"):
        found = list(fields(schema["properties"][part]))
        check(page, [name for name, _ in found], f"the field of {part}")
        words = {word for _, field in found for word in field.get("enum", [])}
        check(page, sorted(words), f"the word of {part}")


def check_reasons(header, page):
    reasons = re.findall(r'"(\w+)"', text(header).split("namespace reason {")[1].split("}  // namespace reason")[0])
    entries = re.findall(r"^### (\w+)$", text(page), re.M)
    errors.extend(f"{page} has no entry for the reason {name}: add one, '### {name}'" for name in reasons if name not in entries)
    errors.extend(f"{page} has an entry for {name}, which is no reason in {header}" for name in entries if name not in reasons)
    errors.extend(f"{page} has two entries for {name}" for name in set(entries) if entries.count(name) > 1)


def check_reasons_are_set(header):
    """A reason that nothing sets is a promise that nothing keeps."""
    body = text(header).split("namespace reason {")[1].split("}  // namespace reason")[0]
    code = "".join(file.read_text() for folder in ("lib", "operator") for file in (REPO / folder).rglob("*.cc") if file.name != "conditions.cc")
    for constant, word in re.findall(r"(k\w+) = \"(\w+)\"", body):
        if f"reason::{constant}" not in code and f'"{word}"' not in code:
            errors.append(f"{header}: nothing sets the reason {word}: take it out")


def anchors(page):
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def check_links(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            errors.append(f"{page.relative_to(REPO)} links to {target}, which is not there")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            errors.append(f"{page.relative_to(REPO)} links to {target}, but there is no such heading")


check_kind("crds/liveupdate.yaml", "docs/liveupdate.md")
check_kind("crds/changeset.yaml", "docs/changeset.md")
check_reasons("lib/core/api/conditions.h", "docs/troubleshooting.md")
check_reasons_are_set("lib/core/api/conditions.h")
for page in [*REPO.glob("*.md"), *REPO.glob("docs/**/*.md"), *REPO.glob("test/**/*.md"), *REPO.glob("charts/**/*.md")]:
    check_links(page)
print("\n".join(errors) or "docs: fine")
sys.exit(bool(errors))

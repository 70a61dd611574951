# The programs that Debian does not have, built from Go modules into the cache folder: once for each state of their inputs, shared by all clones.

toolchain=v0.0.1-go1.24.4.linux-$(dpkg --print-architecture)
k8s_version=1.34.4

go_minor() { "$1" version 2>/dev/null | sed -nE 's/.* go1\.([0-9]+).*/\1/p'; }

# A Go of 1.24 or later. One from 1.21 on fetches what it lacks by itself; an older one is used to fetch it.
find_go() {
  local go minor root
  for go in go /usr/local/go/bin/go /usr/lib/go/bin/go; do
    minor=$(go_minor "$go" || true)
    [[ -n $minor ]] || continue
    ((minor >= 21)) && { command -v "$go"; return; }
    root=$(cd / && GOFLAGS=-mod=mod "$go" mod download -json "golang.org/toolchain@$toolchain" | sed -nE 's/.*"Dir": "(.*)".*/\1/p')
    [[ -d $root ]] || die "go mod download golang.org/toolchain@$toolchain failed: Go 1.24 is needed to build Kubernetes"
    chmod -R u+x "$root/bin" "$root/pkg/tool" 2>/dev/null || true
    echo "$root/bin/go"
    return
  done
  die "no Go found: run scripts/setup"
}

input_key() { cat "$@" | sha256sum | cut -c1-12; }

k8s_dir() { echo "$cache/k8s-$(input_key "$here"/{go.mod,go.sum,main.go,lib/build.sh})"; }
helm_dir() { echo "$cache/helm-$(input_key "$here"/helm/{go.mod,go.sum} "$here/lib/build.sh")"; }

# Builds in a folder beside the final one, so that a half-built one is never used; one build at a time on the machine.
build_once() { # DIR WHAT FUNCTION
  [[ ! -d $1 ]] || return 0
  mkdir -p "$cache"
  exec 8>"$cache/lock"
  flock 8
  if [[ ! -d $1 ]]; then
    say "building $2 (once; kept in $1)"
    rm -rf "$1.new"
    mkdir "$1.new"
    "$3" "$1.new" || die "building $2 failed"
    mv "$1.new" "$1"
  fi
  exec 8>&-
}

build_k8s() {
  local version=k8s.io/component-base/version
  (cd "$here" && CGO_ENABLED=0 "$(find_go)" build -o "$1/k8s" -ldflags "-s -w -X $version.gitVersion=v$k8s_version \
    -X $version.gitMajor=1 -X $version.gitMinor=34 -X $version.gitTreeState=clean" .) && ln -s k8s "$1/kubectl"
}

build_helm() {
  (cd "$here/helm" && CGO_ENABLED=0 "$(find_go)" build -o "$1/helm" -ldflags "-s -w" helm.sh/helm/v3/cmd/helm)
}

build_pause() { gcc -Os -static -s -o "$1" "$here/pause.c"; }

k8s_up() { build_once "$(k8s_dir)" "Kubernetes $k8s_version, about 6 minutes on 2 cores" build_k8s; }

tools_up() {
  k8s_up
  build_once "$(helm_dir)" "helm, about 2 minutes" build_helm
}

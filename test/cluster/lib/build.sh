# The programs that Debian does not have, built from Go modules into the cache folder: once for each state of their inputs, shared by all clones.

toolchain=v0.0.1-go1.24.4.linux-$([[ $(uname -m) == aarch64 ]] && echo arm64 || echo amd64)
k8s_version=1.34.4
version_package=k8s.io/component-base/version
k8s_flags="-s -w -X $version_package.gitVersion=v$k8s_version -X $version_package.gitMajor=1 -X $version_package.gitMinor=34 -X $version_package.gitTreeState=clean"
helm_package=helm.sh/helm/v3
helm_flags="-s -w -X $helm_package/internal/version.version=v3.19.4 -X $helm_package/pkg/chartutil.k8sVersionMajor=1 -X $helm_package/pkg/chartutil.k8sVersionMinor=34 -X $helm_package/pkg/lint/rules.k8sVersionMajor=1 -X $helm_package/pkg/lint/rules.k8sVersionMinor=34"

# A Go that can build Kubernetes: one from 1.21 on fetches the toolchain that go.mod asks for by itself; an older one is made to fetch it here.
find_go() {
  local go old=""
  for go in $(type -ap go) /usr/local/go/bin/go; do
    (($(go_minor "$go") >= 21)) && { echo "$go"; return; }
    old=${old:-$go}
  done
  [[ -x $old ]] || die "no Go found: run scripts/setup"
  fetch_toolchain "$old"
}

go_minor() { { "$1" version 2>/dev/null || true; } | sed -nE 's/.* go1\.([0-9]+).*/\1/p;T;q' | grep . || echo 0; }

fetch_toolchain() {
  local answer root
  answer=$(cd / && "$1" mod download -json "golang.org/toolchain@$toolchain" 2>&1 || true)
  root=$(sed -nE 's/.*"Dir": "(.*)".*/\1/p' <<<"$answer")
  [[ -d $root ]] || die "Kubernetes needs Go 1.24, and the Go here could not fetch it: $(tr -d '\n' <<<"$answer")"
  chmod -R u+wx "$root/bin" "$root/pkg/tool" # a module's files are not executable
  echo "$root/bin/go"
}

go_build() { # FOLDER OUTPUT FLAGS PACKAGE: the go.mod in the folder says which toolchain, whatever the user's settings say
  local go
  go=$(find_go) || exit 1
  (cd "$1" && CGO_ENABLED=0 GOTOOLCHAIN=auto GOFLAGS= "$go" build -buildvcs=false -o "$2" -ldflags "$3" "$4")
}

input_key() { # FLAGS FILE...
  { echo "$1" && cat "${@:2}"; } | sha256sum | cut -c1-12
}

k8s_dir() { echo "$cache/k8s-$(input_key "$k8s_flags" "$here"/{go.mod,go.sum,main.go})"; }
helm_dir() { echo "$cache/helm-$(input_key "$helm_flags" "$here"/helm/{go.mod,go.sum})"; }

# Builds in a folder beside the final one, so that a half-built one is never used; one build at a time on the machine.
build_once() { # DIR WHAT FUNCTION
  [[ ! -d $1 ]] || return 0
  mkdir -p "$cache"
  exec 8>"$cache/lock"
  flock --nonblock 8 || { say "waiting for another build to end" && flock 8; }
  if [[ ! -d $1 ]]; then
    say "building $2 (once; kept in $1)"
    rm -rf "$1.new"
    mkdir "$1.new"
    "$3" "$1.new" || die "building $2 failed"
    mv "$1.new" "$1"
  fi
  exec 8>&-
}

build_k8s() { go_build "$here" "$1/k8s" "$k8s_flags" . && ln -s k8s "$1/kubectl"; }
build_helm() { go_build "$here/helm" "$1/helm" "$helm_flags" "$helm_package/cmd/helm"; }
build_pause() { gcc -Os -static -s -o "$1" "$here/pause.c"; }

k8s_up() { build_once "$(k8s_dir)" "Kubernetes $k8s_version, about 6 minutes on 2 cores" build_k8s; }

tools_up() {
  k8s_up
  build_once "$(helm_dir)" "helm, about 2 minutes" build_helm
}

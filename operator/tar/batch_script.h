// The shell script that prepares a batch of the `Tar` transport in a container and unpacks it (tar_script.h).
#pragma once

#include <string_view>

namespace live_update {

// $1: 1 if an archive follows on stdin. $2: number of arguments up to and with ".". Then the entries: a kind
// (one of the words below) stands for all paths after it; "/path" is a path, "./name" one below the directory
// that "@/dir" named. After ".": files that are to be deleted. Missing directories on the way get the mode
// that the umask gives them; what the archive names gets the mode it says there, for which busybox needs the
// umask 0 unless it is root.
//   root       a sync root that must be a directory or a link to one
//   mkdir      one that is created now
//   on         a directory on the way to a write
//   made       the same, and on the way for another sync
//   off        a directory on the way to a delete: behind a link there is nothing of ours to delete
//   anew       a directory on the way to a write in the place of what is deleted
//   dir        a directory that is written
//   file       a file or link that is written
//   only       one that is itself a sync root
//   gone       a directory to be deleted, deepest first
//   mode/0644/HEX  a file that gets this mode if it has this SHA-256; else `lacks` it, which is said
// `leave` reads the rest of the archive: an exec whose stdin nobody reads does not end.
inline constexpr std::string_view kBatchScript = R"sh(export LC_ALL=C EXTRACT_UNSAFE_SYMLINKS=1
uid() { id -u 2>/dev/null || echo unknown; }
leave() {
  [ "$tar" = 0 ] || cat >/dev/null 2>&1
  exit "$1"
}
fail() { printf 'live-update: %s uid=%s %s\n' "$1" "$(uid)" "$2" >&2; leave 181; }
walk() {
  step=$1 dir= kind=; shift
  for a do
    case $a in
      /*) path=$a ;;
      ./*) path=$dir${a#.} ;;
      @*) dir=${a#@}; continue ;;
      .) return 0 ;;
      *) kind=$a; continue ;;
    esac
    $step
  done
}
check() {
  case $path in "$gone"/*) return 0 ;; esac
  [ -L "$path" ] || return 0
  case $kind in
    on|made) fail symlink "$path" ;;
    off) links=$((links + 1)); eval "link_$links=\$path" ;;
    dir|anew) gone=$path ;;
  esac
}
behind() {
  link=$links
  while [ $link -gt 0 ]; do
    eval "at=\$link_$link"
    case $1 in "$at"/*) return 0 ;; esac
    link=$((link - 1))
  done
  return 1
}
unmounted() {
  [ -r /proc/self/mountinfo ] || return 0
  while read -r _ _ _ _ at _; do
    case $at in "$path"|"$path"/*) fail mount "$at" ;; esac
  done </proc/self/mountinfo
}
swap() {
  case $kind in
    root|on|dir|anew)
      if [ -L "$path" ]; then
        case $kind in root|on) return 0 ;; esac
      elif [ -d "$path" ]; then return 0
      elif [ ! -e "$path" ]; then
        [ $kind = dir ] || mkdir -p -- "$path" || fail create "$path"
        return 0
      fi
      rm -f -- "$path" || fail remove "$path"
      [ $kind = dir ] || mkdir -- "$path" || fail create "$path" ;;
    mkdir|made)
      [ -d "$path" ] && return
      [ ! -e "$path" ] || rm -f -- "$path" || fail remove "$path"
      mkdir -p -- "$path" || fail create "$path" ;;
    file)
      [ -d "$path" ] && [ ! -L "$path" ] || return
      unmounted
      rm -rf -- "$path" || fail remove "$path" ;;
    only)
      [ ! -d "$path" ] || [ -L "$path" ] || fail directory "$path" ;;
    mode/*)
      if [ -f "$path" ] && [ ! -L "$path" ] && [ "$(sha256sum 2>/dev/null <"$path")" = "${kind##*/}  -" ]; then
        mode=${kind#mode/}
        chmod "${mode%/*}" "$path" || fail chmod "$path"
      else
        printf 'live-update: lacks %s\n' "$path" >&2
      fi ;;
  esac
}
whose() {
  case $kind in file|only) ;; *) return 0 ;; esac
  [ -f "$path" ] && [ ! -L "$path" ] || return 0
  { [ -O "$path" ] && [ -G "$path" ]; } 2>/dev/null && return
  [ "${user:=$(uid)}" = 0 ] || return 0
  set -- $(ls -ldn "$path")
  [ $# -ge 4 ] && [ "$3:$4" != 0:0 ] || return 0
  if [ "$tar" = 0 ]; then lost=$path; return; fi
  owners=$((owners + 1))
  eval "path_$owners=\$path owner_$owners=\$3:\$4"
}
give_back() {
  while [ $owners -gt 0 ]; do
    eval "path=\$path_$owners owner=\$owner_$owners"
    owners=$((owners - 1))
    [ ! -f "$path" ] || chown -h "$owner" "$path" 2>/dev/null || lost=$path
  done
}
say_lost() { [ -z "$lost" ] || printf 'live-update: owner uid=%s %s\n' "$user" "$lost" >&2; }
stays() {
  case ${2##*: } in *'not found') fail tool "$3" ;; esac
  kept=$((kept + 1))
  [ $kept -gt 5 ] || printf 'live-update: stays %s %s: %s\n' "${user:=$(uid)}" "$1" "${2##*: }" >&2
}
empty() {
  said=$(rmdir -- "$1" 2>&1) && return
  case $said in
    *'No such file'*) ;;
    *'not empty'*|*'File exists'*) [ "$kind" = gone ] || stays "$1" 'Directory not empty' rmdir ;;
    *) stays "$1" "$said" rmdir ;;
  esac
}
unlink() {
  if behind "$1"; then return; fi
  if [ -d "$1" ] && [ ! -L "$1" ]; then empty "$1"; return; fi
  said=$(rm -f -- "$1" 2>&1) && return
  case $said in *'Not a directory'*) ;; *) stays "$1" "$said" rm ;; esac
}
sweep() {
  [ "$kind" = gone ] || return 0
  if [ -d "$path" ] || [ -e "$path" ] || [ -L "$path" ]; then unlink "$path"; fi
}
tar=$1 count=$2 gone=: owners=0 user= lost= links=0 kept=0; shift 2
[ "$tar" = 0 ] || command -v tar >/dev/null 2>&1 || fail tool tar
walk check "$@"
walk whose "$@"
walk swap "$@"
remove() {
  shift "$count"
  kind=
  [ $# = 0 ] || { [ $links = 0 ] && rm -f -- "$@" 2>/dev/null; } || for p do unlink "$p"; done
}
remove "$@"
walk sweep "$@"
[ $kept -le 5 ] || printf 'live-update: stays +%s\n' $((kept - 5)) >&2
if [ "$tar" = 0 ]; then say_lost; exit 0; fi
umask 0
tar -x -m -v -o -p -f - -C /
code=$?
give_back
[ $code != 0 ] || say_lost
[ $code = 0 ] || printf 'live-update: tar uid=%s \n' "$(uid)" >&2
leave $code)sh";

}  // namespace live_update

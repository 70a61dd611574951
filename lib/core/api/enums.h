// The words that the enums of core/api/kinds.h have in YAML and JSON; one table per enum serves both directions.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "core/api/kinds.h"

namespace live_update {

template <typename E, std::size_t N>
using EnumTable = std::array<std::pair<E, std::string_view>, N>;

// One overload per enum; the argument only selects it.
constexpr auto enum_table(OnUnmatched) {
  return EnumTable<OnUnmatched, 2>{{{OnUnmatched::FallBack, "FallBack"}, {OnUnmatched::Ignore, "Ignore"}}};
}
constexpr auto enum_table(DeletePolicy) {
  return EnumTable<DeletePolicy, 3>{
      {{DeletePolicy::Tracked, "Tracked"}, {DeletePolicy::Mirror, "Mirror"}, {DeletePolicy::Never, "Never"}}};
}
constexpr auto enum_table(RunWhen) {
  return EnumTable<RunWhen, 2>{{{RunWhen::Matched, "Matched"}, {RunWhen::Always, "Always"}}};
}
constexpr auto enum_table(RunPhase) {
  return EnumTable<RunPhase, 2>{{{RunPhase::AfterSync, "AfterSync"}, {RunPhase::BeforeSync, "BeforeSync"}}};
}
constexpr auto enum_table(OnFailure) {
  return EnumTable<OnFailure, 3>{
      {{OnFailure::Stop, "Stop"}, {OnFailure::Continue, "Continue"}, {OnFailure::FallBack, "FallBack"}}};
}
constexpr auto enum_table(Redeploy) {
  return EnumTable<Redeploy, 3>{
      {{Redeploy::Restart, "Restart"}, {Redeploy::SetImage, "SetImage"}, {Redeploy::None, "None"}}};
}
constexpr auto enum_table(Transport) {
  return EnumTable<Transport, 4>{{{Transport::Auto, "Auto"},
                                  {Transport::Agent, "Agent"},
                                  {Transport::Tar, "Tar"},
                                  {Transport::Ephemeral, "Ephemeral"}}};
}
constexpr auto enum_table(Op) { return EnumTable<Op, 2>{{{Op::Write, "Write"}, {Op::Delete, "Delete"}}}; }
constexpr auto enum_table(FileType) {
  return EnumTable<FileType, 3>{
      {{FileType::File, "File"}, {FileType::Directory, "Directory"}, {FileType::Symlink, "Symlink"}}};
}
constexpr auto enum_table(Encoding) {
  return EnumTable<Encoding, 2>{{{Encoding::Identity, "Identity"}, {Encoding::Zstd, "Zstd"}}};
}
constexpr auto enum_table(ChangeSetType) {
  return EnumTable<ChangeSetType, 3>{{{ChangeSetType::Delta, "Delta"},
                                      {ChangeSetType::Snapshot, "Snapshot"},
                                      {ChangeSetType::Build, "Build"}}};
}

// "FallBack" for OnUnmatched::FallBack.
template <typename E>
  requires requires(E e) { enum_table(e); }
constexpr std::string_view to_string(E value) {
  for (const auto& [known, name] : enum_table(value)) {
    if (known == value) return name;
  }
  return "";
}

}  // namespace live_update

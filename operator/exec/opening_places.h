// Who may open a session now: a bounded number at once, so many of one namespace, and in turn by namespace.
// So whoever's containers do not answer keeps only its own namespace waiting. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

namespace live_update {

class OpeningPlaces {
 public:
  using Ticket = std::uint64_t;
  struct Limits {
    int at_once = 16;        // each costs its node some 100 ms of CPU
    int of_a_namespace = 4;  // of these
  };
  OpeningPlaces() = default;
  explicit OpeningPlaces(Limits limits) : limits_(limits) {}

  // Gets in line.
  Ticket ask(const std::string& ns);
  // Who has a place from now on, one for each call; nothing: nobody can have one.
  std::optional<Ticket> next();
  // Leaves its place, or the line. Nothing for a ticket that has left.
  void leave(Ticket ticket);

  int taken() const { return taken_; }

 private:
  struct Namespace {
    std::deque<Ticket> line;
    int taken = 0;
  };
  struct Holder {
    std::string ns;
    bool has_place = false;
  };
  bool may_begin(const Namespace& it) const { return !it.line.empty() && it.taken < limits_.of_a_namespace; }

  Limits limits_;
  std::map<std::string, Namespace> namespaces_;  // with somebody in line or in a place
  std::map<Ticket, Holder> holders_;
  std::string served_;  // the namespace that was last given a place
  Ticket tickets_ = 0;
  int taken_ = 0;
};

}  // namespace live_update

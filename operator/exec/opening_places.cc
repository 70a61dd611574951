#include "operator/exec/opening_places.h"

#include <algorithm>

namespace live_update {

OpeningPlaces::Ticket OpeningPlaces::ask(const std::string& ns) {
  const Ticket ticket = ++tickets_;
  namespaces_[ns].line.push_back(ticket);
  holders_[ticket] = {ns};
  return ticket;
}

std::optional<OpeningPlaces::Ticket> OpeningPlaces::next() {
  if (taken_ >= limits_.at_once) return std::nullopt;
  const auto may = [this](const auto& it) { return may_begin(it.second); };
  const auto behind = namespaces_.upper_bound(served_);
  auto found = std::find_if(behind, namespaces_.end(), may);
  if (found == namespaces_.end()) found = std::find_if(namespaces_.begin(), behind, may);
  if (found == namespaces_.end() || !may(*found)) return std::nullopt;
  auto& [ns, it] = *found;
  const Ticket ticket = it.line.front();
  it.line.pop_front();
  holders_[ticket].has_place = true;
  served_ = ns;
  ++it.taken;
  ++taken_;
  return ticket;
}

void OpeningPlaces::leave(Ticket ticket) {
  const auto holder = holders_.find(ticket);
  if (holder == holders_.end()) return;
  const auto found = namespaces_.find(holder->second.ns);
  auto& it = found->second;
  if (holder->second.has_place) {
    --it.taken;
    --taken_;
  } else {
    std::erase(it.line, ticket);
  }
  holders_.erase(holder);
  if (it.taken == 0 && it.line.empty()) namespaces_.erase(found);
}

}  // namespace live_update

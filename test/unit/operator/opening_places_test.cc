#include "operator/exec/opening_places.h"

#include <doctest/doctest.h>

#include <random>
#include <set>
#include <vector>

using namespace live_update;

namespace {

// Tickets have names here: "a1" is the first one of namespace a.
struct Queue {
  explicit Queue(OpeningPlaces::Limits limits = {}) : places(limits) {}
  void ask(const std::string& ns, int many = 1) {
    for (int i = 0; i < many; ++i) {
      const std::string name = ns + std::to_string(++asked[ns]);
      tickets[name] = places.ask(ns);
      names[tickets[name]] = name;
    }
  }
  std::string admitted() {
    std::string all;
    while (const auto ticket = places.next()) all += (all.empty() ? "" : " ") + names.at(*ticket);
    return all;
  }
  void leave(const std::string& name) { places.leave(tickets.at(name)); }

  OpeningPlaces places;
  std::map<std::string, int> asked;
  std::map<std::string, OpeningPlaces::Ticket> tickets;
  std::map<OpeningPlaces::Ticket, std::string> names;
};

}  // namespace

TEST_CASE("four of a namespace open at a time, however many places are free") {
  Queue queue;
  queue.ask("a", 48);
  CHECK(queue.admitted() == "a1 a2 a3 a4");
  queue.ask("b", 2);
  CHECK(queue.admitted() == "b1 b2");
  queue.leave("a2");
  CHECK(queue.admitted() == "a5");
  CHECK(queue.places.taken() == 6);
}

TEST_CASE("namespaces come in turn, whoever asked first") {
  Queue queue({.at_once = 4, .of_a_namespace = 3});
  queue.ask("a", 10);
  queue.ask("b", 2);
  queue.ask("c", 1);
  CHECK(queue.admitted() == "a1 b1 c1 a2");
  queue.leave("a1");
  CHECK(queue.admitted() == "b2");
  queue.leave("c1");
  CHECK(queue.admitted() == "a3");
  queue.ask("d");
  queue.leave("b1");
  CHECK(queue.admitted() == "d1");
}

TEST_CASE("who leaves the line, or leaves twice, takes nothing from others") {
  Queue queue({.at_once = 1, .of_a_namespace = 1});
  queue.ask("a", 3);
  CHECK(queue.admitted() == "a1");
  queue.leave("a2");
  queue.leave("a2");
  CHECK(queue.admitted().empty());
  queue.leave("a1");
  queue.leave("a1");
  CHECK(queue.admitted() == "a3");
  queue.leave("a3");
  CHECK(queue.places.taken() == 0);
  queue.ask("a");
  CHECK(queue.admitted() == "a4");
}

TEST_CASE("limits hold, and everybody has their turn, in any order of events") {
  for (unsigned seed = 0; seed < 5; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    OpeningPlaces places;
    std::map<OpeningPlaces::Ticket, std::string> asked;
    std::set<OpeningPlaces::Ticket> inside;
    for (int step = 0; step < 2000 || !asked.empty(); ++step) {
      REQUIRE(step < 100'000);
      if (step < 2000 && random() % 2 == 0) {
        const std::string ns(1, static_cast<char>('a' + random() % 8));
        asked[places.ask(ns)] = ns;
      } else if (!inside.empty()) {
        const auto who = *std::next(inside.begin(), static_cast<long>(random() % inside.size()));
        places.leave(who);
        inside.erase(who);
        asked.erase(who);
      }
      while (const auto ticket = places.next()) REQUIRE(inside.insert(*ticket).second);
      std::map<std::string, int> of_one;
      for (const auto it : inside) ++of_one[asked.at(it)];
      for (const auto& [ns, count] : of_one) REQUIRE(count <= 4);
      REQUIRE(inside.size() <= 16);
      REQUIRE(static_cast<int>(inside.size()) == places.taken());
    }
  }
}

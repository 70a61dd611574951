// How a case is drawn, and how it gets smaller when it fails.
//
// Cases are drawn by plain code that throws dice, not by combining RapidCheck's own generators: 100,000 of them have
// to fit into seconds. A type that can be drawn says how (`draw`), and which smaller values to try in its place
// (`simpler`, the boldest first); RapidCheck does the rest.
#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <ostream>
#include <utility>
#include <vector>

namespace live_update::property {

class Dice {
 public:
  explicit Dice(const rc::Random& random) : random_(random) {}
  std::size_t below(std::size_t limit) { return random_.next() % limit; }
  bool one_in(std::size_t count) { return below(count) == 0; }
  template <typename List>
  const auto& pick(const List& list) {
    return list[below(std::size(list))];
  }

 private:
  rc::Random random_;
};

// `size`: from 0 for the first cases of a property up to 100.
template <typename T>
concept Drawable = requires(Dice& dice, int size, const T& value) {
  { T::draw(dice, size) } -> std::same_as<T>;
  { value.simpler() } -> std::same_as<std::vector<T>>;
};

// At most `Most` of them.
template <Drawable T, int Most>
struct List {
  std::vector<T> all;

  static List draw(Dice& dice, int size) {
    List list;
    const std::size_t most = 1 + static_cast<std::size_t>(Most * size / 100);
    for (std::size_t count = std::max(dice.below(most + 1), dice.below(most + 1)); list.all.size() < count;)
      list.all.push_back(T::draw(dice, size));
    return list;
  }

  // Without a run of its entries, then with one of them simpler.
  std::vector<List> simpler() const {
    std::vector<List> lists;
    for (std::size_t run = all.size(); run > 0; run /= 2)
      for (std::size_t at = 0; at + run <= all.size(); at += run) {
        List shorter = *this;
        const auto begin = shorter.all.begin() + static_cast<std::ptrdiff_t>(at);
        shorter.all.erase(begin, begin + static_cast<std::ptrdiff_t>(run));
        lists.push_back(std::move(shorter));
      }
    for (std::size_t i = 0; i < all.size(); ++i)
      for (T& entry : all[i].simpler()) {
        List other = *this;
        other.all[i] = std::move(entry);
        lists.push_back(std::move(other));
      }
    return lists;
  }

  auto begin() const { return all.begin(); }
  auto end() const { return all.end(); }
};

template <typename T, int Most>
void showValue(const List<T, Most>& list, std::ostream& out) {
  if (list.all.empty()) out << "nothing";
  for (bool first = true; const T& it : list) {
    if (!std::exchange(first, false)) out << "; ";
    rc::show(it, out);
  }
}

// What is of no matter for reading an example: in which order, cut where. Draws on without end.
class Luck {
 public:
  static Luck draw(Dice& dice, int) { return Luck(static_cast<std::uint32_t>(dice.below(1 << 16))); }
  std::vector<Luck> simpler() const {
    std::vector<Luck> out;
    for (std::uint32_t seed = 0; seed < 8 && seed < seed_; ++seed) out.push_back(Luck(seed));
    return out;
  }
  Dice dice() const { return Dice(rc::Random(seed_)); }
  friend void showValue(const Luck& it, std::ostream& out) { out << "luck " << it.seed_; }

 private:
  explicit Luck(std::uint32_t seed) : seed_(seed) {}
  std::uint32_t seed_;
};

template <typename T>
void shuffle(std::vector<T>& all, Dice& dice) {
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[dice.below(i)]);
}

}  // namespace live_update::property

template <live_update::property::Drawable T>
struct rc::Arbitrary<T> {
  static Gen<T> arbitrary() {
    return [](const Random& random, int size) {
      live_update::property::Dice dice(random);
      return shrinkable::shrinkRecur(T::draw(dice, size),
                                     [](const T& value) { return seq::fromContainer(value.simpler()); });
    };
  }
};

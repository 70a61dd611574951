// A list whose copies share its entries until one of them is changed: what is large and passed on unchanged is
// held once. One thread.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace live_update {

template <typename T>
class SharedList {
 public:
  using value_type = T;
  using const_iterator = typename std::vector<T>::const_iterator;

  SharedList() = default;
  SharedList(std::vector<T> entries)
      : entries_(entries.empty() ? nullptr : std::make_shared<std::vector<T>>(std::move(entries))) {}
  SharedList(std::initializer_list<T> entries) : SharedList(std::vector<T>(entries)) {}

  const std::vector<T>& all() const {
    static const std::vector<T> none;
    return entries_ ? *entries_ : none;
  }
  operator const std::vector<T>&() const { return all(); }
  std::size_t size() const { return all().size(); }
  bool empty() const { return all().empty(); }
  const_iterator begin() const { return all().begin(); }
  const_iterator end() const { return all().end(); }
  const T& operator[](std::size_t index) const { return all()[index]; }
  const T& at(std::size_t index) const { return all().at(index); }
  const T& front() const { return all().front(); }
  const T& back() const { return all().back(); }

  // To be changed: from now on no other list has these entries.
  std::vector<T>& edit() {
    if (!entries_)
      entries_ = std::make_shared<std::vector<T>>();
    else if (entries_.use_count() > 1)
      entries_ = std::make_shared<std::vector<T>>(*entries_);
    return *entries_;
  }
  void push_back(T entry) { edit().push_back(std::move(entry)); }
  void clear() { entries_.reset(); }
  // Keeps the entries, for those who point to them, as they are now.
  std::shared_ptr<const std::vector<T>> share() const { return entries_; }

  friend bool operator==(const SharedList& a, const SharedList& b) {
    return a.entries_ == b.entries_ || a.all() == b.all();
  }

 private:
  std::shared_ptr<std::vector<T>> entries_;  // null: none
};

}  // namespace live_update

// Keeps a Store equal to what the API server holds of one kind: the shell around core/cluster/informer.h.
//
//   Store<Pod> pods;
//   Reflector<Pod> reflector(loop, api, {.path = "/api/v1/pods"}, pods, decode_pod,
//                            {.on_change = ..., .on_problem = ...});
//   reflector.start();
//
// Loop thread only. Destroying it ends the list or watch under way; the store stays as it is.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/api/codec.h"
#include "core/cluster/informer.h"
#include "core/cluster/store.h"
#include "kube/api_server.h"
#include "run/loop.h"

namespace live_update {

// What is listed and watched.
struct Resource {
  std::string path;  // "/apis/liveupdate.dev/v1alpha1/changesets", or of one namespace
  std::vector<std::pair<std::string, std::string>> query = {};  // labelSelector, fieldSelector
  int first_page = Informer::kPageSize;                         // fewer, where objects may be large
};

// Carries out the informer's commands and hands its events on. Of use through Reflector<T>.
class InformerShell {
 public:
  struct Callbacks {
    std::function<void(const Informer::Event&)> on_event;
    std::function<void(const Error&)> on_problem;
    std::function<void()> on_recovered;
  };
  InformerShell(Loop& loop, ApiServer& api, Resource resource, Callbacks callbacks);

  void start();
  bool synced() const { return informer_.synced(); }
  // From a problem until a list or a watch is answered.
  bool troubled() const { return troubled_; }

 private:
  void answered();
  void feed(Informer::Input input);
  void carry_out(Informer::Command command);
  void run(const Informer::List& list);
  void run(const Informer::Watch& watch);
  Request request() const;

  Loop& loop_;
  ApiServer& api_;
  Resource resource_;
  Callbacks callbacks_;
  Informer informer_;
  bool troubled_ = false;
  std::minstd_rand random_;
  Handle timer_, exchange_;
};

template <typename T>
class Reflector {
 public:
  using Decode = std::function<Result<T>(const rapidjson::Value&)>;
  struct Callbacks {
    std::function<void(const ObjectChange<T>&)> on_change = [](const ObjectChange<T>&) {};
    // After the first full list, when all its changes were reported.
    std::function<void()> on_synced = [] {};
    // For the log: the API server cannot be asked, or an object cannot be read. It goes on by itself.
    std::function<void(const Error&)> on_problem = [](const Error&) {};
    // After a problem of the API server: it has answered.
    std::function<void()> on_recovered = [] {};
  };

  Reflector(Loop& loop, ApiServer& api, Resource resource, Store<T>& store, Decode decode,
            Callbacks callbacks)
      : callbacks_(std::move(callbacks)),
        decode_(std::move(decode)),
        writer_(store, [this](const ObjectChange<T>& change) { callbacks_.on_change(change); }),
        shell_(
            loop, api, std::move(resource),
            {[this](const Informer::Event& event) { take(event); },
             [this](const Error& e) { callbacks_.on_problem(e); }, [this] { callbacks_.on_recovered(); }}) {}
  Reflector(const Reflector&) = delete;
  Reflector& operator=(const Reflector&) = delete;

  void start() { shell_.start(); }
  // The first full list is in the store.
  bool synced() const { return synced_; }
  // The API server cannot be asked at present.
  bool troubled() const { return shell_.troubled(); }

 private:
  void take(const Informer::Event& event) {
    if (std::holds_alternative<Informer::ListBegins>(event)) {
      writer_.list_begins();
    } else if (const auto* applied = std::get_if<Informer::Applied>(&event)) {
      apply(*applied->object);
    } else if (const auto* removed = std::get_if<Informer::Removed>(&event)) {
      writer_.remove(key_of(decode_meta(*removed->object)));
    } else {
      writer_.list_ends();
      if (!std::exchange(synced_, true)) callbacks_.on_synced();
    }
  }

  void apply(const rapidjson::Value& json) {
    if (auto object = decode_(json)) {
      writer_.apply(std::move(*object));
    } else {
      writer_.keep(key_of(decode_meta(json)));
      callbacks_.on_problem(object.error());
    }
  }

  Callbacks callbacks_;
  Decode decode_;
  bool synced_ = false;
  StoreWriter<T> writer_;
  InformerShell shell_;
};

}  // namespace live_update

// Feed: one LiveUpdate by its name, kept watched: its Session begins when the object is there, learns of
// every change of it and of its ChangeSets, and ends when it is deleted. Made again under the same name, it
// gets a new session. While its spec reaches further into this machine than the ceiling allows, the session
// is held, or does not begin, and the user is asked (rule 8.2). Lives on the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "core/cluster/store.h"
#include "kube/reflector.h"
#include "watcher/session.h"

namespace live_update {

class Feed {
 public:
  // All outlive it. `on_end`: it cannot go on, or with options.once it is done; the exit code; once. Other Feeds may go on;
  // this one does nothing from then on. It may not be destroyed in it.
  Feed(Loop& loop, ApiServer& api, Host& host, Console& console, ObjectKey key, SessionOptions options,
       std::function<void(int)> on_end);

  void start();
  // The watcher ends: what is known is written down.
  void end();

 private:
  void live_update_changed(const ObjectChange<LiveUpdate>& change);
  void change_set_changed(const ObjectChange<ChangeSet>& change);
  void judge();
  void pause(const LiveUpdate& live_update, const std::vector<FieldError>& further);
  void look_again();
  void ask(const LiveUpdate& live_update);
  void go_on();
  void hand_on(LiveUpdate live_update);
  void begin_session();
  void fail(const std::string& message);
  void session_ended(int code);
  void problem(const Error& error);
  void recovered();

  Loop& loop_;
  ApiServer& api_;
  Host& host_;
  Console& console_;
  const ObjectKey key_;
  const SessionOptions options_;
  const std::function<void(int)> on_end_;
  std::set<ErrorKind> outage_;        // what was said of the present one
  std::set<std::string> unreadable_;  // said of objects that cannot be read
  bool ended_ = false;
  std::shared_ptr<const HostManifest> before_;  // of the session before, when its LiveUpdate was deleted
  std::vector<std::string> paused_;             // why, in lines; empty: it is not
  Handle look_again_, question_;

  Store<LiveUpdate> live_updates_;
  Store<ChangeSet> change_sets_;
  std::unique_ptr<Session> session_;
  Reflector<LiveUpdate> live_update_reflector_;
  Reflector<ChangeSet> change_set_reflector_;
  Handle last_turn_;
};

}  // namespace live_update

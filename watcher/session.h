// Session: one LiveUpdate and one root, watched: from file events to ChangeSets, and back to lines for
// people.
//
//   inotify -> TreeWatch -> ChangeBuffer -> Source (what the disk has) -> Outbox (what differs) -> pack ->
//   Publisher -> API server
//                                                                                  people <- Results <-
//                                                                                  status of ChangeSets
//
// Fed by its owner with the LiveUpdate and the ChangeSets as they are at the API server. One object, one UID:
// when the LiveUpdate is deleted and made again, a new session begins, with the notes of the one before: its
// containers may have what that was told (rule 5.8). Lives on the loop's thread; reading files blocks that.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/rules/change_buffer.h"
#include "kube/api_server.h"
#include "watcher/ceiling.h"
#include "watcher/consent.h"
#include "watcher/console.h"
#include "watcher/delete_guard.h"
#include "watcher/give_way.h"
#include "watcher/host.h"
#include "watcher/manifest.h"
#include "watcher/outbox.h"
#include "watcher/packer.h"
#include "watcher/pending_posts.h"
#include "watcher/publisher.h"
#include "watcher/refusals.h"
#include "watcher/results.h"
#include "watcher/source.h"

namespace live_update {

struct SessionOptions {
  std::string root;             // absolute, without symlinks
  std::string server;           // of the API server, to tell manifests apart
  std::string user;             // for spec.user
  std::string state_directory;  // of manifests; empty: none are kept
  std::string id;               // of the session: lower-case letters and digits, random for each start
  bool allow_deletes = false;   // rule 7.4
  bool once = false;            // `push`: one Snapshot, no watching
  // The LiveUpdate was made again while it was watched: the notes of the session before, where the disk does not
  // have them.
  std::shared_ptr<const HostManifest> before = nullptr;
  Limits limits = {};
  bool timings = false;        // say how long the stages of each save took
  Ceiling* ceiling = nullptr;  // how far the spec may reach; outlives the session
  Consent* consent = nullptr;  // who is asked when it reaches further; likewise
};

class Session {
 public:
  // All outlive it. `on_end`: it cannot go on, or with `once` it is done; the exit code. The session may be destroyed in
  // it... later in the turn.
  Session(Loop& loop, ApiServer& api, Host& host, Console& console, SessionOptions options,
          std::function<void(int)> on_end);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Takes up the work: `change_sets` are all those of this LiveUpdate. Invalid: rules that are broken, each
  // on a line; NotFound or Io: the root.
  Result<> begin(const LiveUpdate& live_update, const std::vector<ChangeSet>& change_sets);

  // As they are now. Before `begin` neither may be called.
  void live_update_changed(const LiveUpdate& live_update);
  void change_set_changed(const ChangeSet& change_set);
  void change_set_removed(const ChangeSet& change_set);

  // While it is held nothing leaves this machine; what happens on the disk stays due. When it is let go, the
  // rules are those that the ceiling allows now.
  void hold(bool held);

  // The watcher ends: what is known is written down.
  void end();
  // What the next start should know. Nothing: it has not begun.
  std::shared_ptr<const HostManifest> notes() const;

  const LiveUpdateSpec& spec() const { return live_update_.spec; }
  const std::string& uid() const { return live_update_.meta.uid; }
  std::int64_t last_sequence() const { return manifest_.sequence; }

 private:
  // What is due of Snapshots. Digests: its targets are taken to have what they were told, and what they lack is
  // asked for (rule 5.9).
  enum class Snapshot { None, Digests, Contents };

  // Beginning and rules.
  Result<> make_source();
  void make_publisher(std::int64_t next);
  void tell_path(const std::string& path, const std::string& message);
  static Snapshot kind_of(const PendingPost& post) {
    return post.digests ? Snapshot::Digests : Snapshot::Contents;
  }
  void owe_snapshot(Snapshot kind) { snapshot_due_ = std::max(snapshot_due_, kind); }
  void take_appeared(const std::vector<std::string>& appeared);
  void reload_rules();
  Result<> start_watching();
  // From events to what is due.
  void arm_polling();
  void arm_buffer();
  void flush_buffer();
  void look(const DirtyPaths& dirty);
  bool ignore_file_touched(const DirtyPaths& dirty) const;
  void say_held();
  void root_lost();
  void find_root(int attempts_left);
  // From what is due to ChangeSets (session_posting.cc).
  void post_due();
  bool gives_way();
  void saw_other(const ChangeSet& change_set);
  std::vector<Change> take_due();
  void post_snapshot();
  // Whether what only containers have is deleted: then the operator has to know what is here (rule 4.5).
  bool mirrors() const { return live_update_.spec.source.deletes == DeletePolicy::Mirror; }
  void mind_untold(const std::vector<std::string>& paths);
  void send(ChangeSetType type, std::vector<Change> changes, const Unknowns& unknown = {});
  // Rule 7.4: what the guard holds is asked about, and looked at again until nothing is held.
  void mind_held();
  void ask_about_held();
  bool git_has_moved();
  void stored(const std::vector<ChangeSetSpec>& parts);
  // What another session displaced, and what the operator refused.
  void lost(const LostPost& lost, bool at_once = true);
  void start_over(std::int64_t next);
  void post_again(const LostPost& lost, bool at_once);
  void refused(const PendingPost& post);
  // What the API server itself refused: single changes, or a batch.
  void leave_out(const std::vector<LeftOut>& left_out);
  void arm_refusals();
  void given_up(const std::vector<ChangeSetSpec>& parts, const Error& error, bool torn);
  void blocked(const Error& error);
  void unblocked();
  Snapshot snapshot_asked_for(const LiveUpdate& live_update) const;
  void consider_snapshot();
  void answer_wanted();
  void answer_again(const ChangeSet& superseded);
  // Notes (session_notes.cc).
  void load_manifest();
  Tree baseline(const std::vector<ChangeSet>& change_sets);
  void begin_outbox(const std::vector<ChangeSet>& own);
  void resume_posts(const std::vector<ChangeSet>& change_sets);
  // Whether the notes go back to the first disk; `noted`: up to where they told when they were written.
  void mind_first_disk(std::int64_t noted, const std::vector<ChangeSet>& own);
  void mark_new(std::vector<Change>& changes);
  // What is told for the first time, before it is.
  void note_new(const std::vector<Change>& changes);
  void write_manifest_soon();
  void write_manifest();
  // Results.
  void print(const std::vector<Results::Line>& lines);
  void arm_results();
  void end_once();
  void end_push();
  void stop(int code);

  Loop& loop_;
  ApiServer& api_;
  Host& host_;
  NamedConsole console_;
  const SessionOptions options_;
  Limits limits_;  // those of the options, but smaller where the API server takes no more
  const std::function<void(int)> on_end_;

  LiveUpdate live_update_;
  std::unique_ptr<ManifestFile> manifest_file_;
  HostManifest manifest_;      // without its trees, once it has begun
  bool had_manifest_ = false;  // of this LiveUpdate
  bool follows_ = false;       // else that of an older one of its name
  std::string reach_;          // of the rules that are in force
  std::unique_ptr<Source> source_;
  std::unique_ptr<TreeWatch> watch_;
  std::unique_ptr<Publisher> publisher_;
  ChangeBuffer buffer_{Debounce{}};
  Outbox outbox_;
  PendingPosts pending_;
  GiveWay give_way_;
  Refusals refusals_;
  DeleteGuard guard_;
  Results results_;

  Snapshot snapshot_due_ = Snapshot::None;
  // None was stored, or it was of no effect: the next start has to know.
  Snapshot snapshot_owed_ = Snapshot::None;
  Snapshot sending_snapshot_ = Snapshot::None;  // what is under way
  std::int64_t snapshot_seen_ = 0;  // of ours, for which the operator was given time to say that it came
  bool held_ = false;
  Unknowns told_unknown_;              // of the last Snapshot
  std::vector<std::string> left_out_;  // of the last Snapshot, what a sync would have sent (rule 7.6)
  std::vector<std::string> said_left_out_;
  bool stopped_ = false;
  std::vector<Change> under_way_;                 // of that, what is told for the first time
  std::string sending_;                           // what is under way, in words
  bool thinned_ = false;                          // changes were taken out of it
  std::optional<Instant> saved_, sending_saved_;  // first event of what is due, and of what is under way
  std::optional<Time> observed_;
  std::string git_head_;  // as it was seen last
  std::optional<Instant> git_moved_;
  bool git_busy_ = false;
  std::optional<Instant> held_since_;
  // What was said, for as long as it holds: once each, and its end too.
  std::string asked_, rules_problem_, notes_problem_, root_problem_;
  std::set<std::string> other_sessions_;
  std::set<std::string> answered_;  // of what the operator lacks, with its digest: once for each time
  Handle readable_, buffer_timer_, poll_timer_, root_timer_, results_timer_, manifest_timer_, snapshot_timer_,
      held_timer_, again_timer_, way_timer_, refused_timer_, refusals_timer_, end_;
};

}  // namespace live_update

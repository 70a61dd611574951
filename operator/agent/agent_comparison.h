// What an agent is asked about a batch, and what its answers mean for each entry (rule 5.3). Pure.
//
// Questions come in the order in which entries are sent, the first ones small, several under way: so the
// first answers are there at once, and the agent goes on computing digests while the first entries are being
// sent.
//
// An answer says what is there now, not what will be there when the batch is carried out. So nothing counts
// as there already that lies at or below a path which the batch deletes, or below one that it makes or
// replaces.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/wire/agent_protocol.h"
#include "operator/agent/agent_batch.h"

namespace live_update {

class AgentComparison {
 public:
  // What is to be sent of an entry.
  enum class Due : std::uint8_t {
    Unknown,  // there is no answer yet
    All,
    Touch,  // mode and time: the bytes are there
    Nothing
  };

  // Whether the batch is so large that asking is cheaper than sending all of it.
  static bool worthwhile(const AgentBatch& batch);

  // Everything; or only what is not held: the rest is sent.
  enum class Scope { Everything, NotHeld };
  // `batch`, of a delivery that is to be compared, outlives it.
  explicit AgentComparison(const AgentBatch& batch, Scope scope = Scope::Everything);

  // Whether there is another question that may be asked now; and that question, as request `request`.
  bool curious() const;
  agent::Have ask(std::uint32_t request);

  // The agent answers questions, and the paths of each, in the order in which they were asked. What an answer
  // leaves out, or says out of order, is as if it were not there: the entry is sent.
  void hear(const agent::HaveResult& answer);
  // There will be no answer, or no more of it: as if nothing else were there.
  void give_up(std::uint32_t request);

  Due due(std::size_t entry) const { return due_[entry]; }
  // Whether everything has been asked, and answered.
  bool complete() const { return asked_ == due_.size() && open_.empty(); }
  // Whether it is not there as it should be, and will be. Of a folder that is to go this cannot be told: what only
  // the container has keeps it.
  bool differs(std::size_t entry) const;
  // Whether `path`, absolute, is an entry of which only mode and time are due.
  bool touches(std::string_view path) const;

 private:
  struct Question {
    std::size_t next, end;  // entries without an answer
  };

  const std::string& root(std::size_t entry) const;
  agent::Wanted wanted(std::size_t entry) const;
  bool is_asked(std::size_t entry) const;
  void pass_over();
  Due judge(std::size_t entry, const agent::HaveEntry& there) const;
  bool stays(const DeliveryWrite& write) const;
  void settle(std::size_t entry, Due due);

  const AgentBatch& batch_;
  const Scope scope_;
  std::vector<Due> due_;                                       // by entry
  std::size_t asked_ = 0;                                      // entries, from the first one on
  std::size_t doubled_ = 0;                                    // how often the size of questions was
  std::map<std::uint32_t, Question> open_;                     // by request
  std::unordered_set<std::string_view> replaced_directories_;  // absolute paths: they are something else now
};

}  // namespace live_update

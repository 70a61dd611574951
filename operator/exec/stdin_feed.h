// What goes into a session's stdin: at most 256 KiB under way, from sources that are asked as room comes.
//
// On the loop. A source is never asked inside its own call; what `send` is given goes out between two pieces.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "core/base/result.h"
#include "kube/api_server.h"
#include "run/loop.h"

namespace live_update {

// `Loop::after`, or a test's.
using After = std::function<Handle(Millis, Callback)>;

// A piece of a stream. Its end is said and not told by a size: the last piece may be of any size, and one
// that is empty may have others behind it.
struct Chunk {
  enum Then { More, End };
  std::string bytes;
  Then then = More;
};
// The next piece. Not asked again behind an End or an error. Empty with More: it has worked for long enough
// for one turn of the loop.
using ByteSource = std::function<Result<Chunk>()>;

class StdinFeed {
 public:
  struct Events {
    std::function<void()> on_written;      // bytes have left
    std::function<void()> on_end;          // of a source; may be empty
    std::function<void(Error)> on_broken;  // a source has failed; nothing is asked any more
  };
  StdinFeed(After after, Events events);

  // Which must not outlive the feed; before anything else.
  void attach(ExecSession& session) { session_ = &session; }
  void send(std::string bytes);
  // One source after the other.
  void stream(ByteSource source);
  // Asks nothing any more.
  void stop();

 private:
  void pump();
  bool take_piece();

  const After after_;
  const Events events_;
  ExecSession* session_ = nullptr;
  std::deque<ByteSource> sources_;
  std::size_t under_way_ = 0;  // bytes written that have not left yet
  bool pumping_ = false, stopped_ = false;
  Handle later_;
};

}  // namespace live_update

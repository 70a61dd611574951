#include "core/cluster/informer.h"

#include <algorithm>
#include <utility>

#include "core/api/codec.h"

namespace live_update {
namespace {

using rapidjson::Document;
using rapidjson::Value;

std::string text_at(const Value& object, const char* name) {
  if (!object.IsObject()) return {};
  const auto member = object.FindMember(name);
  if (member == object.MemberEnd() || !member->value.IsString()) return {};
  return {member->value.GetString(), member->value.GetStringLength()};
}

int number_at(const Value& object, const char* name) {
  if (!object.IsObject()) return 0;
  const auto member = object.FindMember(name);
  return member != object.MemberEnd() && member->value.IsInt() ? member->value.GetInt() : 0;
}

const Value& member(const Value& object, const char* name) {
  static const Value kNothing;
  if (!object.IsObject()) return kNothing;
  const auto found = object.FindMember(name);
  return found == object.MemberEnd() ? kNothing : found->value;
}

// The items of a list of a built-in kind say neither apiVersion nor kind: the list's own, "PodList", tell.
void complete(Document& list, Value& item) {
  if (!item.IsObject()) return;
  std::string kind = text_at(list, "kind");
  if (kind.ends_with("List")) kind.resize(kind.size() - 4);
  auto add = [&](const char* name, const std::string& value) {
    if (value.empty() || item.HasMember(name)) return;
    item.AddMember(Value(name, list.GetAllocator()), Value(value.c_str(), list.GetAllocator()),
                   list.GetAllocator());
  };
  add("apiVersion", text_at(list, "apiVersion"));
  add("kind", kind);
}

}  // namespace

Informer::Step Informer::step(Input input, Instant now, double jitter) {
  if (std::holds_alternative<Begin>(input)) {
    return std::holds_alternative<Idle>(state_) ? begin(now, jitter) : Step();
  }
  // What comes late from something that was dropped finds another state, and is nothing.
  if (auto* listing = std::get_if<Listing>(&state_)) {
    if (auto* it = std::get_if<Page>(&input)) return page(*listing, std::move(it->body), now, jitter);
    if (auto* it = std::get_if<ListFailed>(&input))
      return list_failed(*listing, std::move(it->error), now, jitter);
  } else if (auto* watching = std::get_if<Watching>(&state_)) {
    if (auto* it = std::get_if<Line>(&input)) return line(*watching, std::move(it->text), now, jitter);
    if (auto* it = std::get_if<WatchEnded>(&input))
      return watch_ended(*watching, std::move(it->how), now, jitter);
  }
  return {};
}

Informer::Step Informer::begin(Instant now, double jitter) {
  const std::string version = std::get<Idle>(state_).resource_version;
  if (!version.empty()) return watch_from(version, now, jitter);
  state_ = Listing{.limit = limit_};
  return {.events = {}, .command = List{"", limit_}, .problem = {}};
}

Informer::Step Informer::page(Listing listing, std::string body, Instant now, double jitter) {
  const std::size_t bytes = body.size();
  auto parsed = parse_json(std::exchange(body, {}));
  if (!parsed) return list_failed(listing, parsed.error().in("the API server's list"), now, jitter);
  const auto list = std::make_shared<Document>(std::move(*parsed));
  const Value& meta = member(*list, "metadata");
  const std::string version = text_at(meta, "resourceVersion");
  const Value& items = member(*list, "items");
  if (version.empty() || !(items.IsArray() || items.IsNull())) {
    return list_failed(
        listing,
        {ErrorKind::Internal, "the API server's answer is no list: it has no items or no resourceVersion"},
        now, jitter);
  }
  Step out;
  if (!listing.begun) out.events.push_back(ListBegins{});
  if (items.IsArray()) {
    for (Value& item : (*list)["items"].GetArray()) {
      complete(*list, item);
      out.events.push_back(Applied{Object(list, &item)});
    }
  }
  if (std::string more = text_at(meta, "continue"); !more.empty()) {
    const int limit = next_limit(listing.limit, bytes);
    out.command = List{more, limit};
    state_ = Listing{true, limit, std::move(more)};
    return out;
  }
  out.events.push_back(ListEnds{});
  synced_ = true;  // failures_ stays: a watch that ends at once with 410 again and again must not list
                   // without pause
  limit_ = first_page_;
  out.command = watch_from(version, now, jitter).command;
  return out;
}

int Informer::next_limit(int limit, std::size_t bytes) {
  if (limit == 0) return 0;
  if (bytes > kLargePage) return std::max(1, limit / 2);
  return bytes < kLargePage / 4 ? std::min(kPageSize, 2 * limit) : limit;
}

Informer::Step Informer::list_failed(const Listing& listing, Error error, Instant now, double jitter) {
  // The continue token of a slow, large list has expired: all at once the next time, else it could go on for
  // ever.
  const bool expired = error.kind == ErrorKind::Gone && !listing.continue_token.empty();
  limit_ = expired ? 0 : listing.limit;
  return wait("", std::move(error), now, jitter);
}

Informer::Step Informer::line(Watching& watching, std::string text, Instant now, double jitter) {
  auto parsed = parse_json(std::exchange(text, {}));  // which copies: both at a time would be megabytes
  if (!parsed)
    return wait(watching.resource_version, parsed.error().in("an event of the watch"), now, jitter);
  const auto event = std::make_shared<Document>(std::move(*parsed));
  const std::string type = text_at(*event, "type");
  const Value& object = member(*event, "object");
  if (type == "ERROR") return error_event(watching, object, now, jitter);

  std::string version = text_at(member(object, "metadata"), "resourceVersion");
  if (version.empty()) {
    return wait(watching.resource_version,
                {ErrorKind::Internal, "an event of the watch has no resourceVersion"}, now, jitter);
  }
  failures_ = 0;
  watching.resource_version = std::move(version);
  Step out;
  if (type == "ADDED" || type == "MODIFIED") out.events.push_back(Applied{Object(event, &object)});
  if (type == "DELETED") out.events.push_back(Removed{Object(event, &object)});
  return out;  // BOOKMARK, and types of the future: the version is all we take
}

Informer::Step Informer::error_event(const Watching& watching, const Value& status, Instant now,
                                     double jitter) {
  const std::string message = "the watch was ended: " + text_at(status, "message");
  const std::string reason = text_at(status, "reason");
  if (number_at(status, "code") == 410 || reason == "Expired" || reason == "Gone") {
    return list_again({ErrorKind::Gone, message}, watching, now, jitter);
  }
  return wait(watching.resource_version, {ErrorKind::Unavailable, message}, now, jitter);
}

Informer::Step Informer::watch_ended(const Watching& watching, Result<> how, Instant now, double jitter) {
  if (!how && how.error().kind == ErrorKind::Gone) return list_again(how.error(), watching, now, jitter);
  const bool healthy = now - watching.since >= kHealthyWatch;
  if (healthy) failures_ = 0;
  if (how && healthy) return watch_from(watching.resource_version, now, jitter);
  Error why = how ? Error{ErrorKind::Unavailable, "the watch was ended as soon as it began"} : how.error();
  return wait(watching.resource_version, std::move(why), now, jitter);
}

// Between five and ten minutes, as client-go: the server's watches do not all end at once.
Informer::Step Informer::watch_from(std::string resource_version, Instant now, double jitter) {
  const int timeout_seconds = 300 + static_cast<int>(300 * jitter);
  state_ = Watching{resource_version, now};
  return {.events = {}, .command = Watch{std::move(resource_version), timeout_seconds}, .problem = {}};
}

// At once after a watch that was fine, with backoff when it goes on happening.
Informer::Step Informer::list_again(Error why, const Watching& watching, Instant now, double jitter) {
  if (now - watching.since >= kHealthyWatch) failures_ = 0;
  if (failures_ > 0) return wait("", std::move(why), now, jitter);
  ++failures_;
  state_ = Listing{.limit = limit_};
  return {.events = {}, .command = List{"", limit_}, .problem = std::move(why)};
}

Informer::Step Informer::wait(std::string resource_version, Error why, Instant now, double jitter) {
  state_ = Idle{std::move(resource_version)};
  return {.events = {}, .command = Wait{now + next_delay(jitter)}, .problem = std::move(why)};
}

// Doubles from kFirstDelay to kMaxDelay, from half of that to one and a half.
Informer::Millis Informer::next_delay(double jitter) {
  Millis delay = kFirstDelay;
  for (int i = 0; i < failures_ && delay < kMaxDelay; ++i) delay *= 2;
  ++failures_;
  const double spread = 0.5 + std::clamp(jitter, 0.0, 1.0);
  return Millis(static_cast<Millis::rep>(static_cast<double>(std::min(delay, kMaxDelay).count()) * spread));
}

}  // namespace live_update

#include "kube/credentials.h"

#include <unistd.h>

#include <fstream>
#include <sstream>

#include "core/api/codec.h"
#include "core/base/base64.h"
#include "kube/url.h"

namespace live_update {
namespace {

constexpr Millis kReadAgain{60'000};
constexpr Millis kPluginAgain{10'000};
constexpr std::chrono::seconds kBeforeExpiry{10};

Result<std::string> read_file(const std::string& path, const std::string& what) {
  std::ifstream stream(path, std::ios::binary);
  std::stringstream content;
  if (stream) content << stream.rdbuf();
  if (!stream)
    return fail(ErrorKind::Io,
                what + " " + path + " cannot be read: check that it exists, its owner and mode");
  return content.str();
}

Result<std::string> read_pem(const PemSource& source, const std::string& what) {
  if (!source.text.empty() || source.file.empty()) return source.text;
  return read_file(source.file, what);
}

std::string trim(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

std::string from(const PemSource& source, const std::string& field, const std::string& entry) {
  return source.file.empty() ? field + " of " + entry : source.file;
}

// A header must not be able to carry a second one.
bool is_header_value(const std::string& text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  return true;
}

}  // namespace

Credentials::Credentials(Loop& loop, ClientConfig config) : loop_(loop), config_(std::move(config)) {}
Credentials::~Credentials() = default;

void Credentials::get(Done done) {
  if (run_ || plugin_due()) {
    waiting_.push_back(std::move(done));
    if (!run_) run_plugin();
    return;
  }
  auto loaded = reload(false);
  if (!loaded && loaded_) loaded = {};  // a file is gone for a moment: what was read last may still do
  if (loaded && config_.exec) loaded = plugin_outcome_;
  done(loaded ? Result<Auth>(auth_) : std::unexpected(loaded.error()));
}

void Credentials::refresh(std::uint64_t generation, Done done) {
  if (generation != auth_.generation || run_) return get(std::move(done));
  const bool may_run = config_.exec && (!plugin_ran_ || loop_.now() - plugin_ran_at_ >= kPluginAgain);
  if (may_run) {
    waiting_.push_back(std::move(done));
    return run_plugin();
  }
  const auto loaded = reload(true);
  done(loaded ? Result<Auth>(auth_) : std::unexpected(loaded.error()));
}

Result<std::string> Credentials::authorization() {
  if (!config_.token_file.empty()) {
    auto token = read_file(config_.token_file, "the token file");
    if (token) return "Bearer " + trim(std::move(*token));
    if (config_.token.empty()) return token;
  }
  if (!config_.token.empty()) return "Bearer " + config_.token;
  if (!config_.username.empty()) return "Basic " + encode_base64(config_.username + ":" + config_.password);
  if (!plugin_.token.empty()) return "Bearer " + plugin_.token;
  return std::string();
}

Result<TlsSettings> Credentials::read_tls() {
  TlsSettings tls;
  const std::string cluster = "cluster " + config_.cluster, user = "user " + config_.user;
  tls.insecure = config_.insecure;
  tls.server_name =
      config_.tls_server_name.empty() ? parse_server_url(config_.server)->host : config_.tls_server_name;
  auto ca = config_.insecure ? std::string() : read_pem(config_.ca, "the certificate authority");
  auto certificate = read_pem(config_.client_certificate, "the client certificate");
  auto key = read_pem(config_.client_key, "the client key");
  for (const auto* part : {&ca, &certificate, &key})
    if (!*part) return std::unexpected(part->error());
  tls.ca = std::move(*ca);
  tls.certificate = plugin_.certificate.empty() ? std::move(*certificate) : plugin_.certificate;
  tls.key = plugin_.key.empty() ? std::move(*key) : plugin_.key;
  tls.ca_from = from(config_.ca, "certificate-authority-data", cluster);
  const bool by_plugin = !plugin_.certificate.empty();
  tls.certificate_from = by_plugin ? "of the credential plugin"
                                   : from(config_.client_certificate, "client-certificate-data", user);
  tls.key_from = by_plugin ? "of the credential plugin" : from(config_.client_key, "client-key-data", user);
  return tls;
}

Result<> Credentials::reload(bool force) {
  if (loaded_ && !force && loop_.now() - loaded_at_ < kReadAgain) return {};
  auto header = authorization();
  if (!header) return std::unexpected(header.error());
  if (!is_header_value(*header))
    return fail(ErrorKind::Unauthorized,
                "the token of user \"" + config_.user + "\" has a line break or control character in it");
  auto tls = read_tls();
  if (!tls) return std::unexpected(tls.error());
  loaded_at_ = loop_.now();
  if (loaded_ && *header == authorization_ && *tls == tls_) return {};

  if (!auth_.tls || *tls != tls_) {
    auto identity = TlsIdentity::make(*tls, loop_.wall_clock());
    if (!identity) return std::unexpected(identity.error().in("context " + config_.context));
    auth_.tls = std::move(*identity);
  }
  auth_.headers = config_.impersonate;
  if (!header->empty()) auth_.headers.emplace_back("Authorization", *header);
  ++auth_.generation;
  authorization_ = std::move(*header);
  tls_ = std::move(*tls);
  loaded_ = true;
  return {};
}

bool Credentials::plugin_due() const {
  if (!config_.exec) return false;
  if (plugin_ran_ && loop_.now() - plugin_ran_at_ < kPluginAgain) return false;
  if (!plugin_ran_ || !plugin_outcome_) return true;
  return plugin_.expires && loop_.wall_clock() + kBeforeExpiry >= *plugin_.expires;
}

void Credentials::run_plugin() {
  const ExecPlugin& plugin = *config_.exec;
  const bool terminal = ::isatty(STDIN_FILENO) == 1;
  if (plugin.interactive == ExecPlugin::Interactive::Always && !terminal) {
    plugin_outcome_ =
        fail(ErrorKind::Unauthorized,
             "the credential plugin " + plugin.command + " of user \"" + config_.user +
                 "\" must ask a person, and there is no terminal: log in from a terminal first");
    plugin_ran_ = true;
    plugin_ran_at_ = loop_.now();
    return answer(plugin_outcome_);
  }
  const bool interactive = terminal && plugin.interactive != ExecPlugin::Interactive::Never;
  const auto ca = read_pem(config_.ca, "the certificate authority");
  const PluginClusterInfo cluster{config_.server, config_.tls_server_name, ca.value_or(""), config_.insecure};
  run_ = std::make_unique<PluginRun>(loop_, plugin, config_.user, plugin_input(plugin, cluster, interactive),
                                     interactive,
                                     [this](Result<std::string> output) { plugin_ended(std::move(output)); });
}

void Credentials::plugin_ended(Result<std::string> output) {
  plugin_ran_ = true;
  plugin_ran_at_ = loop_.now();
  auto credential = output ? parse_plugin_output(*config_.exec, *output) : std::unexpected(output.error());
  plugin_outcome_ = credential ? Result<>() : std::unexpected(credential.error());
  if (credential) plugin_ = std::move(*credential);
  run_.reset();
  answer(plugin_outcome_ ? reload(true) : plugin_outcome_);
}

void Credentials::answer(const Result<>& outcome) {
  for (auto& done : std::exchange(waiting_, {}))
    done(outcome ? Result<Auth>(auth_) : std::unexpected(outcome.error()));
}

}  // namespace live_update

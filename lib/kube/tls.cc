#include "kube/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <utility>
#include <vector>

namespace live_update {
namespace {

template <auto release>
struct Release {
  void operator()(auto* object) const { release(object); }
};
using Bio = std::unique_ptr<BIO, Release<BIO_free>>;
using Certificate = std::unique_ptr<X509, Release<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using Store = std::unique_ptr<X509_STORE, Release<X509_STORE_free>>;
using Certificates = std::vector<Certificate>;

// Why a handshake failed; shared with the contexts, whose connections may outlive the identity.
struct Report {
  std::string server_name, ca_from;
  std::string failure;
};

Bio open(const std::string& pem) { return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

Certificates parse_certificates(const std::string& pem) {
  Certificates certificates;
  const Bio bio = open(pem);
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))
    certificates.emplace_back(certificate);
  ERR_clear_error();
  return certificates;
}

std::string read(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string subject(const X509* certificate) {
  const Bio out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0,
                     XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  return read(out);
}

std::string date(const ASN1_TIME* time) {
  const Bio out(BIO_new(BIO_s_mem()));
  ASN1_TIME_print(out.get(), time);
  return read(out);
}

// The names and addresses a certificate is for: "DNS:kubernetes, IP Address:10.96.0.1".
std::string names(X509* certificate) {
  const int at = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);
  if (at < 0) return subject(certificate);
  const Bio out(BIO_new(BIO_s_mem()));
  X509V3_EXT_print(out.get(), X509_get_ext(certificate, at), 0, 0);
  return read(out);
}

Result<> check_dates(const X509* certificate, std::time_t now, const std::string& what,
                     const std::string& remedy) {
  if (X509_cmp_time(X509_get0_notAfter(certificate), &now) < 0)
    return fail(ErrorKind::Invalid,
                what + " expired on " + date(X509_get0_notAfter(certificate)) + ": " + remedy);
  if (X509_cmp_time(X509_get0_notBefore(certificate), &now) > 0)
    return fail(ErrorKind::Invalid, what + " is not valid before " + date(X509_get0_notBefore(certificate)) +
                                        ": check this machine's clock");
  return {};
}

// Trust in what is not expired; an error if nothing is left.
Result<Store> make_store(const TlsSettings& settings, std::time_t now) {
  Store store(X509_STORE_new());
  const Certificates authorities = parse_certificates(settings.ca);
  if (authorities.empty())
    return fail(
        ErrorKind::Invalid,
        settings.ca_from + " has no certificate in it (PEM is expected): it must be the CA of the cluster");
  Result<> expired;
  int trusted = 0;
  for (const auto& authority : authorities) {
    auto valid =
        check_dates(authority.get(), now,
                    "the certificate authority " + subject(authority.get()) + " in " + settings.ca_from,
                    "get the cluster's present CA and put it there");
    if (!valid) {
      expired = valid;
      continue;
    }
    X509_STORE_add_cert(store.get(), authority.get());
    ++trusted;
  }
  if (trusted == 0) return std::unexpected(expired.error());
  return store;
}

Result<Key> parse_key(const TlsSettings& settings) {
  const Bio bio = open(settings.key);
  auto no_passphrase = [](char*, int, int, void*) { return 0; };
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (key) return key;
  const bool locked = settings.key.find("ENCRYPTED") != std::string::npos;
  return fail(ErrorKind::Invalid, "the client key " + settings.key_from +
                                      (locked ? " has a passphrase: store it without one"
                                              : " is no private key (PEM is expected)"));
}

int slot() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr,
                                                    [](void*, void* data, CRYPTO_EX_DATA*, int, long, void*) {
                                                      delete static_cast<std::shared_ptr<Report>*>(data);
                                                    });
  return index;
}

std::string describe(X509_STORE_CTX* checked, const Report& report) {
  X509* certificate = X509_STORE_CTX_get_current_cert(checked);
  const std::string whose = certificate ? " (" + subject(certificate) + ")" : "";
  switch (const int error = X509_STORE_CTX_get_error(checked); error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the server's certificate" + whose + " expired on " + date(X509_get0_notAfter(certificate)) +
             ": renew it on the server, or check this machine's clock";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the server's certificate" + whose + " is not valid before " +
             date(X509_get0_notBefore(certificate)) + ": check this machine's clock";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "the server's certificate is for " + names(certificate) + ", not for " + report.server_name +
             ": set tls-server-name of the cluster entry to one of these names";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "the server's certificate" + whose + " is not signed by " + report.ca_from +
             ": is this the right cluster, and its present certificate-authority?";
    default:
      return "the server's certificate" + whose + " is refused: " + X509_verify_cert_error_string(error);
  }
}

// OpenSSL's own check, and its reason kept in words: asio only says "certificate verify failed".
int verify(X509_STORE_CTX* checked, void*) {
  const int good = X509_verify_cert(checked);
  if (good > 0) return good;
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(checked, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& report = **static_cast<std::shared_ptr<Report>*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), slot()));
  report.failure = describe(checked, report);
  return good;
}

bool is_address(const std::string& name) {
  unsigned char buffer[sizeof(in6_addr)];
  return inet_pton(AF_INET, name.c_str(), buffer) == 1 || inet_pton(AF_INET6, name.c_str(), buffer) == 1;
}

}  // namespace

struct TlsIdentity::Impl {
  bool insecure = false;
  bool address = false;
  std::string server_name;
  Store store;
  Certificates chain;  // the client's own first
  Key key;
  std::shared_ptr<Report> report = std::make_shared<Report>();

  Result<> add_client(const TlsSettings& settings, std::time_t now) {
    if (settings.certificate.empty()) return {};
    const std::string what = "the client certificate " + settings.certificate_from;
    chain = parse_certificates(settings.certificate);
    if (chain.empty()) return fail(ErrorKind::Invalid, what + " has no certificate in it (PEM is expected)");
    if (auto valid =
            check_dates(chain.front().get(), now, what, "get a new one (log in to the cluster again)");
        !valid)
      return valid;
    auto parsed = parse_key(settings);
    if (!parsed) return std::unexpected(parsed.error());
    key = std::move(*parsed);
    if (X509_check_private_key(chain.front().get(), key.get()) == 1) return {};
    ERR_clear_error();
    return fail(ErrorKind::Invalid, "the client key " + settings.key_from +
                                        " does not belong to the certificate " + settings.certificate_from +
                                        ": they must come from the same login");
  }
};

TlsIdentity::TlsIdentity(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsIdentity::~TlsIdentity() = default;

Result<std::shared_ptr<const TlsIdentity>> TlsIdentity::make(const TlsSettings& settings, Time now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  auto impl = std::make_unique<Impl>();
  impl->insecure = settings.insecure;
  impl->server_name = settings.server_name;
  impl->address = is_address(settings.server_name);
  impl->report->server_name = settings.server_name;
  impl->report->ca_from = settings.ca_from;
  if (!settings.insecure) {
    auto store = make_store(settings, seconds);
    if (!store) return std::unexpected(store.error());
    impl->store = std::move(*store);
  }
  if (auto added = impl->add_client(settings, seconds); !added) return std::unexpected(added.error());
  return std::shared_ptr<const TlsIdentity>(new TlsIdentity(std::move(impl)));
}

void TlsIdentity::apply(ssl_ctx_st* context) const {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  if (!impl_->chain.empty()) {
    SSL_CTX_use_certificate(context, impl_->chain.front().get());
    for (std::size_t i = 1; i < impl_->chain.size(); ++i)
      SSL_CTX_add1_chain_cert(context, impl_->chain[i].get());
    SSL_CTX_use_PrivateKey(context, impl_->key.get());
  }
  if (impl_->insecure) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    return;
  }
  SSL_CTX_set1_cert_store(context, impl_->store.get());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  X509_VERIFY_PARAM* rules = SSL_CTX_get0_param(context);
  if (impl_->address) {
    X509_VERIFY_PARAM_set1_ip_asc(rules, impl_->server_name.c_str());
  } else {
    X509_VERIFY_PARAM_set1_host(rules, impl_->server_name.c_str(), 0);
  }
  SSL_CTX_set_ex_data(context, slot(), new std::shared_ptr<Report>(impl_->report));
  SSL_CTX_set_cert_verify_callback(context, verify, nullptr);
}

void TlsIdentity::set_sni(ssl_st* connection) const {
  if (!impl_->address) SSL_set_tlsext_host_name(connection, impl_->server_name.c_str());
}

std::string TlsIdentity::take_failure() const { return std::exchange(impl_->report->failure, {}); }

bool TlsIdentity::insecure() const { return impl_->insecure; }

}  // namespace live_update

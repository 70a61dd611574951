#include "test/wire/pki.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

namespace live_update {
namespace {

std::string read_and_free(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

std::string pem_of(X509* certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  return read_and_free(bio);
}

std::string pem_of(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  return read_and_free(bio);
}

X509* certificate_from(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return certificate;
}

EVP_PKEY* key_from(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return key;
}

void extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Signed by `authority`, or by itself if that is null.
KeyPair make(const KeyPair* authority, const CertificateSpec& spec) {
  static long serial = 1;
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), spec.begins_in_days * 86400L);
  X509_gmtime_adj(X509_getm_notAfter(certificate), spec.ends_in_days * 86400L);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(spec.name.c_str()), -1, -1, 0);
  X509* issuer = authority ? certificate_from(authority->certificate) : certificate;
  EVP_PKEY* signer = authority ? key_from(authority->key) : key;
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  if (!authority) extend(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE");
  std::string names;
  for (const auto& name : spec.names) names += (names.empty() ? "" : ",") + name;
  if (!names.empty()) extend(certificate, issuer, NID_subject_alt_name, names);
  X509_sign(certificate, signer, EVP_sha256());
  const KeyPair pair{pem_of(certificate), pem_of(key)};
  if (authority) {
    X509_free(issuer);
    EVP_PKEY_free(signer);
  }
  X509_free(certificate);
  EVP_PKEY_free(key);
  return pair;
}

}  // namespace

KeyPair make_authority(const std::string& name, int ends_in_days) {
  return make(nullptr, {name, {}, -2, ends_in_days});
}

KeyPair issue(const KeyPair& authority, const CertificateSpec& spec) { return make(&authority, spec); }

}  // namespace live_update

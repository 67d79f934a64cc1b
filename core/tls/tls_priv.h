/* tls_priv.h: what the files of this room share. */
#ifndef HK_TLS_PRIV_H
#define HK_TLS_PRIV_H

#include "tls/tls.h"

#include <gnutls/gnutls.h>
#include <hikyaku/textfile.h>

/* ---- suites.c: OpenSSL's names and lists */

enum { HK_TLS_MAX_SUITES = 96 };
typedef struct {
    const char *name; /* OpenSSL's */
    uint16_t code;    /* RFC 5246 and its kin */
    uint8_t kx, enc, mac, version;
} HkTlsSuite;
extern const HkTlsSuite hk_tls_suites[];
extern const size_t hk_tls_n_suites;

typedef struct {
    uint8_t list[HK_TLS_MAX_SUITES]; /* places in hk_tls_suites, in order of preference */
    size_t n;
} HkTlsSuiteList;
/* OpenSSL's cipher list format (ciphers(1)).  False, with the word: a word that is none. */
bool hk_tls_suites_parse (const char *text, HkTlsSuiteList *out, char **out_unknown);
/* Of GnuTLS's words. */
const char *hk_tls_kx_word (unsigned kx);
const char *hk_tls_enc_word (unsigned enc);
const char *hk_tls_mac_word (unsigned mac);
bool hk_tls_kx_is_anonymous (unsigned kx);
bool hk_tls_enc_is_modern (unsigned enc); /* good for TLSv1.3 */
unsigned hk_tls_n_kx (void), hk_tls_n_enc (void), hk_tls_n_mac (void);
/* OpenSSL's name of a suite by its code, TLSv1.3 included; NULL: not in the table. */
const char *hk_tls_suite_name (unsigned code);

/* ---- priority.c: what GnuTLS is told */

enum { /* protocols, as a mask */
       HK_TLS_V10 = 1 << 0,
       HK_TLS_V11 = 1 << 1,
       HK_TLS_V12 = 1 << 2,
       HK_TLS_V13 = 1 << 3,
       HK_TLS_ALL = 15
};
/* "!SSLv2, !SSLv3", ">=TLSv1.2", "TLSv1.2 TLSv1.3", "<=0304". */
bool hk_tls_protocols_parse (const char *text, unsigned *out, GError **error);

typedef struct {
    const char *protocols;
    const char *ciphers;    /* OpenSSL's list of the grade */
    const char *exclude[4]; /* words to leave out; NULL-ended */
    const char *curves;     /* of ECDHE; NULL: none */
    bool is_server_order, has_certificate, has_dh;
} HkTlsWish;
/* A priority string for GnuTLS.  OUT_NOTE (may be NULL): what could not be said exactly. */
char *hk_tls_priority (const HkTlsWish *wish, char **out_note, GError **error);

/* ---- pem.c: taking files apart */

typedef struct {
    GString *key, *chain; /* PEM; the key is wiped when freed */
} HkTlsPem;
void hk_tls_pem_free (void *pem);
/* Key, certificates, key, certificates …; as smtpd_tls_chain_files. */
GPtrArray *hk_tls_pem_split (HkSpan text, const char *file, GError **error);
/* Overwrite and free. */
void hk_tls_wipe (char *data, size_t size);

/* ---- certs.c: credentials */

typedef struct {
    char *path;
    HkFileState state;
    char *data; /* while credentials are made; wiped after */
    size_t size;
} HkTlsFile;
void hk_tls_file_drop (HkTlsFile *file); /* its data */

typedef struct {
    int refs;
    gnutls_certificate_credentials_t certificates;
    gnutls_anon_server_credentials_t anonymous;
    gnutls_dh_params_t dh; /* of a file; or NULL */
    bool has_certificate;
} HkTlsCredentials;
HkTlsCredentials *hk_tls_credentials_ref (HkTlsCredentials *self);
void hk_tls_credentials_unref (HkTlsCredentials *self);

/* What files are for. */
typedef struct {
    GPtrArray *files;          /* HkTlsFile, each path once */
    GArray *pairs;             /* HkTlsPair: certificate and key */
    GArray *chains, *stapled;  /* int: places in files */
    int authorities, dh;       /* places in files; -1: none */
    const char *authority_dir; /* or NULL; of the view */
    bool has_system_authorities, is_asking;
    unsigned depth;
} HkTlsMaterial;
typedef struct {
    int certificate, key;
} HkTlsPair;
HkTlsCredentials *hk_tls_credentials_new (const HkTlsMaterial *material, GError **error);
/* A key and its chain alone, for a client that asked for a name. */
HkTlsCredentials *hk_tls_credentials_from_pem (const HkTlsMaterial *material, HkSpan pem,
                                               GError **error);

/* ---- tickets.c */
enum { HK_TLS_TICKET_KEY = 64 };
/* One service's key, kept as long as the one it was made of is in use; zero: none yet. */
typedef struct {
    int64_t made_s;
    uint8_t key[HK_TLS_TICKET_KEY];
} HkTlsTicketKey;
/* The key of SERVICE as of now, in KEPT, which is of that service alone. */
const uint8_t *hk_tls_tickets_key (HkTlsTickets *self, const char *service,
                                   HkTlsTicketKey *kept);

/* ---- context.c */
struct HkTlsContext {
    int refs;
    HkSettings *view;
    HkTlsMaterial material;
    HkTlsCredentials *credentials;
    gnutls_priority_t priority;
    char *priority_text, *service;
    GPtrArray *paths; /* of files; NULL-ended */
    GPtrArray *alpn;  /* char *; empty: any */
    HkTlsTickets *tickets;
    gnutls_digest_algorithm_t digest;
    HkTlsTicketKey ticket_key;
    unsigned lifetime_s; /* of tickets */
};

/* ---- stream.c, info.c */
struct HkTls {
    gnutls_session_t session;
    HkTlsContext *context;
    HkTlsCredentials *credentials, *chain; /* chain: for the name asked for; or NULL */
    HkTlsNameFn on_name;
    void *data;
    char *name;
    GByteArray *hello; /* what came before the name was known; or NULL */
    size_t hello_read; /* of it, by a session that began anew */
    int fd;
    bool is_asking, has_asked, is_inside, is_stale, is_up, is_broken;
    uint8_t n_renegotiations;
    HkTlsInfo info;
    char *texts; /* those of info */
};
void hk_tls_read_info (HkTls *self);

#endif

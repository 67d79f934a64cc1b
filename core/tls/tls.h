/* tls.h: TLS for servers (and later clients): contexts made of parameters, byte streams.
 *
 *   parameters ─▶ HkTlsContext ─┬─ credentials: certificates and keys, replaced when the
 *                               │  files change; a stream keeps those that it began with
 *                               └─ priority: protocols, ciphers, groups
 *   descriptor + HkTlsContext ─▶ HkTls ─ handshake ─▶ read, write ─▶ close
 *
 * A context is read by a set of parameters that share a prefix ("smtpd_tls").  Files are
 * read when it is made, while the process may still read private keys; afterwards
 * hk_tls_context_look says whether they have changed and hk_tls_context_reload takes the
 * new ones.  What cannot be used is refused as a whole, and the old credentials stay.
 *
 * GnuTLS chooses by key exchange, cipher and MAC, not by suite: an OpenSSL list that leaves
 * out single suites in the middle of such a grid cannot be said exactly.  Then the priority
 * offers fewer, never more; see priority.c.
 *
 * Loop thread, unless said otherwise. */
#ifndef HK_TLS_TLS_H
#define HK_TLS_TLS_H

#include "conf/conf.h"

#include <sys/types.h>

/* tls_* and smtpd_tls_* as far as a context reads them. */
extern const HkConfSpec hk_tls_params[];

#define HK_TLS_ERROR (hk_tls_error_quark ())
GQuark hk_tls_error_quark (void);
typedef enum {
    HK_TLS_ERROR_CONFIG, /* a value that has no meaning */
    HK_TLS_ERROR_FILE    /* cannot be read, or holds no usable certificate or key */
} HkTlsError;

/* ---- keys of session tickets
 * -------------------------------------------------------------
 *
 * In memory that the processes of one system share; they never touch a disk.  A ticket is
 * good for one service only: the keys are derived with its name.  Any thread. */
typedef struct HkTlsTickets HkTlsTickets;
/* FD: of hk_tls_parent_memory (taken); -1, or memory of another kind: keys of its own. */
HkTlsTickets *hk_tls_tickets_new (int fd);
void hk_tls_tickets_free (HkTlsTickets *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkTlsTickets, hk_tls_tickets_free)

/* ---- contexts --------------------------------------------------------------------------
 */

typedef struct HkTlsContext HkTlsContext; /* reference counted */

typedef struct {
    HkSettings *view;
    const char *prefix;    /* "smtpd_tls" */
    const char *service;   /* tickets of one service are not good for another */
    bool is_mandatory;     /* the "_mandatory_" parameters count */
    bool asks_certificate; /* of the client */
    HkTlsTickets *tickets; /* borrowed; NULL: no session is resumed */
} HkTlsOptions;

/* NULL with HK_TLS_ERROR.  WARN (may be NULL) is told what is odd but usable. */
HkTlsContext *hk_tls_context_new (const HkTlsOptions *options, HkComplaintFn warn,
                                  void *data, GError **error);
HkTlsContext *hk_tls_context_ref (HkTlsContext *self);
void hk_tls_context_unref (HkTlsContext *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HkTlsContext, hk_tls_context_unref)
bool hk_tls_context_has_certificate (const HkTlsContext *self);
/* GnuTLS's priority string, for those who want to know. */
const char *hk_tls_context_priority (const HkTlsContext *self);

/* The files that it was made of; NULL-ended. */
const char *const *hk_tls_context_files (const HkTlsContext *self);
typedef enum {
    HK_TLS_SAME,
    HK_TLS_CHANGED,
    HK_TLS_DENIED /* this process cannot tell */
} HkTlsFreshness;
HkTlsFreshness hk_tls_context_look (HkTlsContext *self);
/* Read the files again, from FDS (one for each of hk_tls_context_files, borrowed) or, when
 * NULL, from their paths.  HK_TLS_SAME, HK_TLS_CHANGED: new streams get the new ones.
 * HK_TLS_DENIED with ERROR: the old ones stay; the same files are not tried again. */
HkTlsFreshness hk_tls_context_reload (HkTlsContext *self, const int *fds, GError **error);

/* ---- streams ---------------------------------------------------------------------------
 */

typedef struct HkTls HkTls;

typedef enum {
    HK_TLS_DONE,
    HK_TLS_READ,  /* go on when the descriptor can be read */
    HK_TLS_WRITE, /* … written */
    HK_TLS_WAIT,  /* … hk_tls_chain has been called */
    HK_TLS_FAILED
} HkTlsStep;

/* The client wants to speak to NAME (lower case, checked).  Call hk_tls_chain, now or
 * later. Not called when the context has no use for names. */
typedef void (*HkTlsNameFn) (HkTls *tls, const char *name, void *data);

/* FD is borrowed and non-blocking.  ON_NAME NULL: the names of clients do not matter. */
HkTls *hk_tls_accept (HkTlsContext *context, int fd, HkTlsNameFn on_name, void *data);
void hk_tls_free (HkTls *self);
/* PEM: key and certificates to show to the client that asked; empty: the context's own.
 * PEM that cannot be used: false with ERROR, and the context's own. */
bool hk_tls_chain (HkTls *self, HkSpan pem, GError **error);
/* OUT_REASON (may be NULL) is set on HK_TLS_FAILED. */
HkTlsStep hk_tls_handshake (HkTls *self, GString *out_reason);
/* As read(2) and write(2): -1 with errno, EAGAIN: not now.  0: the peer has ended. */
ssize_t hk_tls_read (HkTls *self, void *buffer, size_t size);
ssize_t hk_tls_write (HkTls *self, const void *data, size_t size);
/* Bytes are there that the descriptor does not tell of. */
bool hk_tls_has_pending (const HkTls *self);
/* Tell the peer that nothing more comes; does not wait. */
void hk_tls_close (HkTls *self);

/* What was agreed on, after the handshake.  Texts live as long as the stream. */
typedef struct {
    const char *version, *cipher; /* "TLSv1.3", as OpenSSL calls them */
    unsigned bits, key_bits;
    bool is_resumed, was_asked; /* for a certificate */
    bool has_certificate, is_trusted;
    const char *server_name;      /* asked for, and found; or NULL */
    const char *subject, *issuer; /* common names; "" none */
    const char *fingerprint, *key_fingerprint;
} HkTlsInfo;
const HkTlsInfo *hk_tls_info (const HkTls *self);
/* What ties an authentication to this connection: "tls-exporter" (RFC 9266) with TLSv1.3,
 * "tls-unique" (RFC 5929) before, where the extended master secret (RFC 7627) makes it safe.
 * NULL: there is none. */
enum { HK_TLS_BINDING_MAX = 64 };
const char *hk_tls_binding (const HkTls *self, uint8_t out[HK_TLS_BINDING_MAX],
                            size_t *out_size);
/* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)", and the details, "\n
 * key-exchange X25519 server-signature …", apart, each line with LF and a blank before it;
 * DETAILS is empty before TLSv1.3. */
void hk_tls_append_summary (const HkTls *self, GString *out, GString *out_details);

/* ---- names (pure; any thread)
 * ------------------------------------------------------------ */

/* A host name in PRESENTED's form that may stand in a table's key. */
bool hk_tls_name_is_valid (HkSpan name);

#endif

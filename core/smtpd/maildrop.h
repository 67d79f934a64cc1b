/* maildrop.h: files of local submission (doc/formats-maildrop.md): written by `sendmail`
 * and its helper, read by smtpd.  They work while the system is down. */
#ifndef HK_SMTPD_MAILDROP_H
#define HK_SMTPD_MAILDROP_H

#include "mail/envelope.h"

#define HK_MAILDROP_ERROR (hk_maildrop_error_quark ())
GQuark hk_maildrop_error_quark (void);
typedef enum {
    HK_MAILDROP_ERROR_DENIED, /* no right to write there: the helper may */
    HK_MAILDROP_ERROR_IO,     /* try again later */
    HK_MAILDROP_ERROR_FORMAT  /* not such a file, or a damaged one */
} HkMaildropError;

#define HK_MAILDROP_MAX_RECIPIENTS 100000u
#define HK_MAILDROP_MAX_HEAD (16u << 20)

/* What the submitter says.  All spans are borrowed. */
typedef struct HkSubmission {
    HkSpan sender;           /* empty: null sender */
    HkRecipient *recipients; /* address, orcpt, notify */
    size_t n_recipients;
    uint32_t flags; /* HK_ENVELOPE_SMTPUTF8, _BODY_8BIT, _RET_* */
    HkSpan envid;
    HkSpan verp;    /* VERP delimiters; empty: not asked for */
    HkSpan content; /* as the program wrote it: LF or CRLF line ends */
} HkSubmission;

/* The bytes of a file. */
GByteArray *hk_maildrop_pack (const HkSubmission *submission);
/* FILE must be whole and have the right checksum.  Recipients are g_free'd by the caller,
 * the rest borrows from FILE. */
bool hk_maildrop_unpack (HkSpan file, HkSubmission *out, GError **error);

/* Make PACKED a file of QUEUE_DIRECTORY/maildrop: durable, name included, when it returns.
 */
bool hk_maildrop_write (const char *queue_directory, HkSpan packed, GError **error);

#endif

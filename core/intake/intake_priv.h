/* intake_priv.h: what the files of this room share: a message on its way into the store. */
#ifndef HK_INTAKE_PRIV_H
#define HK_INTAKE_PRIV_H

#include "intake/intake.h"
#include "mail/header.h"

/* Content up to this size stays in memory; beyond it goes to a file. */
#define HK_INTAKE_MEMORY ((size_t) 256 * 1024)

typedef enum {
    HK_CLASS_ENVELOPE_SENDER = 1 << 0,
    HK_CLASS_ENVELOPE_RECIPIENT = 1 << 1,
    HK_CLASS_HEADER_SENDER = 1 << 2,
    HK_CLASS_HEADER_RECIPIENT = 1 << 3
} HkAddressClasses;

/* A canonical table and what it is for. */
typedef struct {
    HkMaps *maps;
    const char *parameter;
    unsigned classes;
} HkCanonical;

enum { HK_CANONICAL_SENDER, HK_CANONICAL_RECIPIENT, HK_CANONICAL_ANY, HK_N_CANONICAL };

/* A filter plugin's instance, opened once. */
typedef struct {
    HkInstance *instance;
    const HkFilterClass *class;
    const char *on_failure; /* NAME_default_action: tempfail, reject, accept, hold */
} HkIntakeFilter;

struct HkIntake {
    HkIntakeOptions options;
    HkSettings *settings;
    HkRouter *router;
    HkCanonical canonical[HK_N_CANONICAL];
    HkMaps *aliases, *recipient_bcc, *sender_bcc;
    GArray *filters; /* HkIntakeFilter */
    char **drop_headers, **masquerade_domains, **masquerade_exceptions;
    const char *myhostname, *myorigin, *always_bcc, *undisclosed, *content_filter;
    char *spool_dir;
    uint64_t size_limit, header_size_limit;
    unsigned hop_limit, recursion_limit, expansion_limit, duplicate_limit, address_limit,
        masquerade_classes;
    bool adds_missing, keeps_original, has_mappings, may_block, canonical_extension,
        virtual_extension;
    GPtrArray *spare; /* incomings to be used again */
    size_t n_live;
    bool is_closed;
};

/* What the lines of the content are like; fed as it arrives. */
typedef struct {
    uint32_t flags;     /* HK_CONTENT_* */
    size_t line_length; /* of the line under way, without its end */
} HkScan;
void hk_scan_feed (HkScan *self, HkSpan bytes);

/* What a walk over the header section found. */
typedef struct {
    size_t end; /* where the section ends: behind the last header */
    unsigned n_hops;
    uint32_t seen;     /* HK_SEEN_* */
    HkSpan message_id; /* in the arena */
    bool must_cut;     /* a header is dropped, over the limit or rewritten */
    bool is_tls_optional; /* "TLS-Required: No" */
} HkHeaderFacts;
enum {
    HK_SEEN_DATE = 1 << 0,
    HK_SEEN_FROM = 1 << 1,
    HK_SEEN_MESSAGE_ID = 1 << 2,
    HK_SEEN_RECIPIENT = 1 << 3,
    HK_SEEN_RESENT = 1 << 4,
    HK_SEEN_RESENT_DATE = 1 << 5,
    HK_SEEN_RESENT_FROM = 1 << 6,
    HK_SEEN_RESENT_MESSAGE_ID = 1 << 7
};

/* A header whose addresses were rewritten. */
typedef struct {
    size_t begin; /* where the old one stands in the content */
    HkSpan whole; /* the new one, in the arena */
} HkRewrittenHeader;

typedef struct HkEdits HkEdits;

struct HkIncoming {
    HkIntake *intake;
    HkArena *arena; /* copies of the envelope and what rewriting makes */
    HkEnvelope envelope;
    HkSpan received, log_client;
    bool adds_missing, is_local_rewrite, is_late;

    GByteArray *content; /* what arrived, while it fits */
    uint64_t size;       /* of all that arrived */
    HkScan scan;
    HkLaneFile
        *file;     /* large, no filters: headers are settled, the rest is copied through */
    int spool_fd;  /* large, filters: everything as it arrived; -1: none */
    HkSpan mapped; /* the spool file in memory */

    GArray *rewritten; /* HkRewrittenHeader, in order; NULL: never any */
    HkHeaderFacts facts;
    bool has_facts;
    GString *added; /* headers that were missing */
    GArray *pieces; /* HkSpan: the content as it will be stored */

    HkEdits *edits;   /* NULL: no filter changed anything */
    GPtrArray *notes; /* "STATUS\twhat\treason", for events */

    /* Set once: why the message is not taken. */
    int code; /* 0: nothing against it */
    char dsn[12];
    const char *text;
    bool is_discarded;

    HkIntakeDone fn;
    void *data;
    bool is_forgotten;
    GByteArray *packed;
    uint64_t stored_size;
};

/* The first failure is the one that counts. TEXT is copied into the arena. */
void hk_incoming_fail (HkIncoming *self, int code, const char *dsn, const char *text);
/* The message could not be settled because a table did not answer: logged and 451. */
void hk_incoming_fail_lookup (HkIncoming *self, const char *table, const char *reason);

/* ---- intake.c, incoming.c */
void hk_intake_destroy (HkIntake *self);
void hk_incoming_free_spare (HkIncoming *self);

/* ---- headers.c */
/* Walk the header section of CONTENT: facts, and what has to be rewritten.  The hop count
 * includes the trace headers on top. */
void hk_headers_walk (HkIncoming *self, HkSpan content);
/* Append to self->added what is missing. */
void hk_headers_complete (HkIncoming *self);
/* Lay out the header section of CONTENT in self->pieces, without what must go. */
void hk_headers_lay_out (HkIncoming *self, HkSpan content);

/* ---- envelope.c: rewriting, bcc, aliases, duplicates; any thread */
void hk_incoming_settle_envelope (HkIncoming *self);
/* The filters' changes of recipients and sender. */
void hk_incoming_add_recipient (HkIncoming *self, HkSpan address);
void hk_incoming_delete_recipient (HkIncoming *self, HkSpan address);
void hk_incoming_redirect (HkIncoming *self);

/* ---- alias.c: one address through a table */
/* Look ADDRESS up in the order of virtual(5); results in standard form, appended to OUT
 * (HkSpan, in the arena).  FOUND, ABSENT, LATER (failure is set). */
HkAnswer hk_alias_map (HkIncoming *self, HkMaps *maps, const char *parameter,
                       HkSpan address, bool propagate, GArray *out);
/* Expand through virtual_alias_maps until nothing changes; false: failure is set. */
bool hk_alias_expand (HkIncoming *incoming, HkSpan address, GArray *out);
/* Through the canonical tables of CLASS, until nothing changes. */
HkSpan hk_canonical_map (HkIncoming *self, HkSpan address, unsigned class);
/* Standard form, in the arena when it differs. */
HkSpan hk_standard_form (HkIncoming *self, HkSpan address);

/* masquerade_domains, for addresses of CLASS. */
HkSpan hk_masquerade (HkIncoming *self, HkSpan address, unsigned class);

/* ---- header_addresses.c */
/* The whole header with its addresses rewritten; empty: it stays as it is. */
HkSpan hk_header_rewrite (HkIncoming *self, const HkHeader *header);

/* ---- filter.c */
void hk_incoming_run_filters (HkIncoming *self, HkSpan content);

/* ---- edits.c: the journal of the filters */
extern const HkCallOps hk_intake_call_ops;
/* From here on filters may edit; makes self->edits. */
void hk_edits_begin (HkIncoming *self, HkSpan content);
void hk_edits_free (HkEdits *self);
/* The content as the filters see it: trace headers first. */
size_t hk_edits_n_headers (const HkEdits *self);
const HkHeader *hk_edits_header (const HkEdits *self, size_t i);
HkSpan hk_edits_body (const HkEdits *self);
/* Apply all; lays out self->pieces anew. */
void hk_edits_apply (HkIncoming *self);

/* ---- spool.c: large content that filters have to see whole */
bool hk_spool_open (HkIncoming *self, GError **error);
bool hk_spool_write (HkIncoming *self, HkSpan bytes, GError **error);
bool hk_spool_map (HkIncoming *self, GError **error); /* gives self->mapped */
void hk_spool_close (HkIncoming *self);

#endif

/* harness_priv.h: what the harness's own files share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HIKYAKU_HARNESS_PRIV_H
#define HIKYAKU_HARNESS_PRIV_H

#include "harness.h"

#include <string.h>

enum { N_PROPS = 128 };

typedef struct {
    char *text[N_PROPS];
    int64_t number[N_PROPS];
    bool has_number[N_PROPS];
    HkAnswer answer[N_PROPS]; /* HK_UNKNOWN and the like; 0: not said */
} Props;

typedef struct {
    Props props;
    HkResult result;
    bool has_result;
} Recipient;

struct HkCall {
    HkHarness *harness;
    char *answer, *answer2;
    unsigned n_answers;
    GString *reason;
    int reply_code;
    char *reply_dsn, *reply_text;
    GPtrArray *kept;
    bool is_complete;
};

struct HkConf {
    HkHarness *harness;
    const HkClass *cls;
    char *argument;
    GPtrArray *words; /* char * */
};

struct HkTable {
    GHashTable *rows; /* char * → char *; NULL value: later */
};

struct HkWatch {
    HkHarness *harness;
    int32_t fd;
    uint32_t events;
    HkWatchFn fn;
    void *data;
};

struct HkTimer {
    HkHarness *harness;
    int64_t due_us;
    HkTimerFn fn;
    void *data;
};

typedef struct {
    int32_t outcome;
    GArray *records;  /* HkDnsRecord */
    GPtrArray *bytes; /* what the records point to */
} Zone;

typedef struct {
    char *name;
    uint16_t type;
    HkDnsFn fn;
    void *data;
} Question;

struct HkVerify {
    HkHarness *harness;
    int32_t status;
    char *text;
    HkVerifyFn fn;
    void *data;
};

struct HkHarness {
    HkHost host; /* first: the plugin's HkHost is the harness */
    const HkPlugin *plugin;
    GHashTable *settings, *tables, *matches, *destinations, *unlisted, *actions, *zones;
    GHashTable *counters; /* name → int64_t * */
    Props props;
    GPtrArray *recipients;
    GHashTable *confs; /* instance → HkConf * */
    GByteArray *content;
    HkCall call;
    HkAnswer opened;
    GString *log, *edits, *body;
    GPtrArray *watches, *timers;
    GQueue questions;
    GHashTable *verdicts; /* address → "STATUS text" */
    GQueue verifies;      /* HkVerify */
    int64_t verify_wait_us;
    int64_t deadline_us;
};

static inline HkHarness *
harness_of (const HkHost *host)
{
    return (HkHarness *) (void *) host;
}

static inline char *
dup_span (HkSpan s)
{
    return g_strndup ((const char *) s.data, s.size);
}

static inline HkSpan
span_of (const char *text)
{
    HkSpan s = {(const uint8_t *) text, text == NULL ? 0 : strlen (text)};
    return s;
}

static inline char *
zone_key (const char *name, uint16_t type)
{
    g_autofree char *lower = g_ascii_strdown (name, -1);
    return g_strdup_printf ("%s/%u", lower, type);
}

static inline Recipient *
recipient (const HkHarness *self, size_t i)
{
    g_assert_cmpuint (i, <, self->recipients->len);
    return g_ptr_array_index (self->recipients, i);
}

/* harness_loop.c */
HkWatch *hk_harness_watch_start (const HkHost *host, int32_t fd, uint32_t events,
                                 HkWatchFn fn, void *data);
void hk_harness_watch_events (HkWatch *watch, uint32_t events);
void hk_harness_watch_end (HkWatch *watch);
HkTimer *hk_harness_timer_start (const HkHost *host, int64_t delay_us, HkTimerFn fn,
                                 void *data);
void hk_harness_timer_end (HkTimer *timer);
void hk_harness_dns_start (const HkHost *host, const char *name, uint16_t type, HkDnsFn fn,
                           void *data);
HkAnswer hk_harness_dns_session (HkCall *call, const char *name, uint16_t type, HkDnsFn fn,
                                 void *data);
HkVerify *hk_harness_verify_start (const HkHost *host, HkSpan address, int64_t wait_us,
                                   HkVerifyFn fn, void *data);
void hk_harness_verify_end (HkVerify *verify);
/* harness_services.c */
extern const HkHost hk_harness_services;

#endif

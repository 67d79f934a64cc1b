/* verify.c: questions about addresses: answered from the cache, or when a probe has ended.
 */
#include "config.h"

#include "base/log.h"
#include "role/users.h"
#include "qmgr/verify_priv.h"

#include <unistd.h>

/* Of one smtpd process; each session asks one question at a time. */
#define MAX_QUESTIONS 65536
#define MAX_WAIT_US (3600 * HK_SECOND)
/* Entries a turn, so that nobody waits for the sweep. */
#define SWEEP_A_TURN 1000
#define FIRST_SWEEP_US (60 * HK_SECOND)

/* Somebody who waits for a probe. */
typedef struct {
    Server *server;
    Probe *probe;
    uint64_t request;
    HkLoopTimer timer;
    GList of_server, of_probe;
} Waiter;

/* ---- answers
 * -------------------------------------------------------------------------------- */

static void
answer (Server *server, uint64_t request, int32_t status, HkSpan text)
{
    GByteArray *frame = hk_channel_begin (server->channel, HK_FRAME_VERIFIED);
    hk_pack_u64 (frame, request);
    hk_pack_u64 (frame, (uint64_t) status);
    hk_pack_span (frame, hk_span_sub (text, 0, HK_VERIFY_TEXT_MAX));
    hk_channel_end (server->channel);
}

static void
waiter_free (Waiter *self)
{
    hk_timer_disarm (&self->timer);
    g_queue_unlink (&self->server->questions, &self->of_server);
    g_queue_unlink (&self->probe->waiters, &self->of_probe);
    g_free (self);
}

static void
on_late (HkLoopTimer *timer)
{
    Waiter *self = timer->data;
    answer (self->server, self->request, HK_VERIFY_PENDING,
            HK_SPAN ("Address verification in progress"));
    waiter_free (self);
}

static void
wait_for (Server *server, Probe *probe, uint64_t request, int64_t wait_us)
{
    Waiter *self = g_new0 (Waiter, 1);
    *self = (Waiter){server, probe, request, .of_server.data = self, .of_probe.data = self};
    g_queue_push_tail_link (&server->questions, &self->of_server);
    g_queue_push_tail_link (&probe->waiters, &self->of_probe);
    hk_timer_init (&self->timer, server->q->loop, on_late, self);
    hk_timer_arm (&self->timer, wait_us);
}

void
hk_verify_server_gone (Server *self)
{
    while (self->questions.head != NULL)
        waiter_free (self->questions.head->data);
}

/* ---- the file
 * ------------------------------------------------------------------------------- */

typedef struct Rewriting {
    Verify *verify; /* NULL: it is gone, and so is REWRITE */
    HkVerifyRewrite *rewrite;
} Rewriting;

static void open_cache (Verify *self);

static void
rewriting_work (void *data)
{
    hk_verify_rewrite_run (((Rewriting *) data)->rewrite);
}

static void
rewriting_end (Verify *self)
{
    g_autoptr (GError) error = NULL;
    if (!hk_verify_rewrite_end (self->rewriting->rewrite, &error))
        hk_log (HK_LOG_WARNING, "address_verify_map: %s", error->message);
    self->rewriting->verify = NULL;
    self->rewriting = NULL;
}

static void
rewriting_done (void *data)
{
    Rewriting *rewriting = data;
    Verify *self = rewriting->verify;
    if (self != NULL) {
        rewriting_end (self);
        if (self->must_reopen)
            open_cache (self);
    }
    g_free (rewriting);
}

/* The cache has changed. */
static void
tend (Verify *self)
{
    hk_stats_set (self->count.entries, hk_verify_cache_count (self->cache));
    if (self->rewriting != NULL || self->q->is_draining ||
        !hk_verify_cache_wants_rewrite (self->cache))
        return;
    self->rewriting = g_new0 (Rewriting, 1);
    *self->rewriting = (Rewriting){self, hk_verify_rewrite_begin (self->cache)};
    hk_workers_run (self->q->workers, rewriting_work, rewriting_done, self->rewriting);
}

static void
on_sweep (HkLoopTimer *timer)
{
    Verify *self = timer->data;
    size_t dropped;
    if (!hk_verify_cache_sweep (self->cache, hk_qmgr_now_s (self->q), SWEEP_A_TURN,
                                &dropped)) {
        hk_timer_arm (timer, 1000);
        return;
    }
    hk_log (HK_LOG_INFO, "cache %s full cleanup: retained=%zu dropped=%zu entries",
            self->shown, hk_verify_cache_count (self->cache), dropped);
    tend (self);
    hk_timer_arm (timer, self->cleanup_us);
}

/* ---- probes
 * --------------------------------------------------------------------------------- */

static void
note (Verify *self, const Probe *probe, int32_t status, HkSpan text)
{
    int64_t now_s = hk_qmgr_now_s (self->q);
    uint64_t *counts[] = {self->count.deliverable, self->count.deferred,
                          self->count.undeliverable};
    hk_stats_add (counts[status], 1);
    if (status == HK_VERIFY_DEFERRED && self->q->is_draining)
        return; /* we ended it, not the address */
    hk_verify_cache_update (self->cache, probe->key, status, text, now_s);
    if (probe->expanded != NULL) {
        g_autofree char *key = hk_verify_key (hk_span_text (probe->expanded));
        hk_verify_cache_update (self->cache, key, status, text, now_s);
    }
    tend (self);
}

void
hk_verify_ended (Probe *probe, int32_t status, HkSpan text)
{
    Verify *self = probe->verify;
    note (self, probe, status, text);
    while (probe->waiters.head != NULL) {
        Waiter *waiter = probe->waiters.head->data;
        answer (waiter->server, waiter->request, status, text);
        waiter_free (waiter);
    }
    g_hash_table_remove (self->probes, probe->key);
    hk_stats_set (self->count.pending, g_hash_table_size (self->probes));
    hk_probe_free (probe);
}

/* A probe for KEY is under way, or begins.  Who waits is in its list before it can end. */
static void
probe (Verify *self, const char *key, HkSpan address, Server *server, uint64_t request,
       int64_t wait_us)
{
    Probe *probe = g_hash_table_lookup (self->probes, key);
    bool is_new = probe == NULL;
    if (is_new) {
        probe = hk_probe_new (self, key, address);
        g_hash_table_insert (self->probes, probe->key, probe);
        hk_verify_cache_probed (self->cache, key, hk_qmgr_now_s (self->q));
        hk_stats_add (self->count.probes, 1);
        hk_stats_set (self->count.pending, g_hash_table_size (self->probes));
    }
    if (server != NULL)
        wait_for (server, probe, request, wait_us);
    if (is_new)
        hk_probe_start (probe);
}

static void
ask (Verify *self, Server *server, uint64_t request, int64_t wait_us, HkSpan address)
{
    g_autofree char *key = hk_verify_key (address);
    HkVerifyEntry entry;
    bool probes = hk_verify_cache_ask (self->cache, key, hk_qmgr_now_s (self->q), &entry) &&
                  !self->q->is_draining;
    bool waits = entry.status == HK_VERIFY_PENDING && wait_us > 0 && probes &&
                 server->questions.length < MAX_QUESTIONS;
    hk_stats_add (self->count.questions, 1);
    if (entry.status != HK_VERIFY_PENDING)
        hk_stats_add (self->count.hits, 1);
    if (!waits)
        answer (server, request, entry.status, hk_span_text (entry.text));
    if (probes)
        probe (self, key, address, waits ? server : NULL, request, wait_us);
}

bool
hk_verify_frame (Server *self, HkUnpack *in)
{
    uint64_t request = hk_unpack_u64 (in), wait_us = hk_unpack_u64 (in);
    HkSpan address = hk_unpack_span (in);
    if (in->failed)
        return false;
    if (self->q->verify == NULL || address.size == 0 ||
        address.size > HK_VERIFY_ADDRESS_MAX || memchr (address.data, '\0', address.size))
        answer (self, request, HK_VERIFY_FAILED, HK_SPAN ("no such address"));
    else
        ask (self->q->verify, self, request, (int64_t) MIN (wait_us, MAX_WAIT_US), address);
    return true;
}

/* ---- life
 * ----------------------------------------------------------------------------------- */

static HkVerifyRules
read_rules (HkSettings *s)
{
    return (HkVerifyRules){
        .positive_expire = hk_settings_int (s, "address_verify_positive_expire_time"),
        .positive_refresh = hk_settings_int (s, "address_verify_positive_refresh_time"),
        .negative_expire = hk_settings_int (s, "address_verify_negative_expire_time"),
        .negative_refresh = hk_settings_int (s, "address_verify_negative_refresh_time"),
        .keeps_negative = hk_settings_bool (s, "address_verify_negative_cache"),
        .limit = (size_t) hk_settings_int (s, "address_verify_cache_limit"),
    };
}

/* A file that cannot be used is no reason to refuse mail: then in memory. */
static void
open_cache (Verify *self)
{
    HkSettings *s = self->q->settings;
    HkVerifyRules rules = read_rules (s);
    g_autoptr (GError) error = NULL;
    g_autofree char *path = hk_verify_path (hk_settings_get (s, "address_verify_map"));
    self->must_reopen = false;
    if (self->cache != NULL && g_strcmp0 (path, self->path) == 0) {
        hk_verify_cache_set_rules (self->cache, &rules);
        return;
    }
    if (self->rewriting != NULL) { /* a worker has it */
        self->must_reopen = true;
        return;
    }
    if (self->cache != NULL)
        hk_verify_cache_free (g_steal_pointer (&self->cache));
    if (path == NULL || hk_verify_prepare (path, -1, -1, &error))
        self->cache = hk_verify_cache_open (path, &rules, &error);
    if (self->cache == NULL) {
        hk_log (HK_LOG_WARNING, "address_verify_map: %s: going on in memory",
                error->message);
        self->cache = hk_verify_cache_open (NULL, &rules, NULL);
    }
    g_free (self->path);
    self->path = g_steal_pointer (&path);
    hk_stats_set (self->count.entries, hk_verify_cache_count (self->cache));
}

static void
open_counters (Verify *self)
{
    HkStats *s = self->q->stats;
    self->count.questions = hk_stats_slot (s, "verify.questions");
    self->count.hits = hk_stats_slot (s, "verify.hits");
    self->count.probes = hk_stats_slot (s, "verify.probes");
    self->count.deliverable = hk_stats_slot (s, "verify.deliverable");
    self->count.deferred = hk_stats_slot (s, "verify.deferred");
    self->count.undeliverable = hk_stats_slot (s, "verify.undeliverable");
    self->count.entries = hk_stats_slot (s, "verify.entries");
    self->count.pending = hk_stats_slot (s, "verify.pending");
}

static Verify *
verify_new (Qmgr *q)
{
    Verify *self = g_new0 (Verify, 1);
    self->q = q;
    self->probes = g_hash_table_new (g_str_hash, g_str_equal);
    hk_timer_init (&self->sweep, q->loop, on_sweep, self);
    open_counters (self);
    return self;
}

static void
open_router (Verify *self)
{
    Qmgr *q = self->q;
    g_autoptr (GError) error = NULL;
    HkRouter *router =
        hk_router_new_for_probes (q->plugins, q->settings, q->router, &error);
    if (router == NULL) {
        hk_log (HK_LOG_WARNING, "address probes take the way of mail: %s", error->message);
        router = hk_router_ref (q->router);
    }
    g_clear_pointer (&self->router, hk_router_unref);
    self->router = router;
}

void
hk_verify_give_rights (HkSettings *settings)
{
    HkStoreOwners owners;
    g_autoptr (GError) error = NULL;
    g_autofree char *path =
        hk_verify_path (hk_settings_get (settings, "address_verify_map"));
    if (geteuid () != 0 || path == NULL)
        return;
    if (!hk_users_find (settings, &owners, &error) ||
        !hk_verify_prepare (path, owners.qmgr_uid, owners.qmgr_gid, &error))
        hk_log (HK_LOG_WARNING, "address_verify_map: %s", error->message);
}

void
hk_verify_open (Qmgr *q)
{
    HkSettings *s = q->settings;
    if (q->verify == NULL)
        q->verify = verify_new (q);
    Verify *self = q->verify;
    self->keeps_negative = hk_settings_bool (s, "address_verify_negative_cache");
    self->pending_limit =
        (unsigned) hk_settings_int (s, "address_verify_pending_request_limit");
    self->cleanup_us =
        hk_settings_int (s, "address_verify_cache_cleanup_interval") * HK_SECOND;
    g_free (self->shown);
    self->shown = g_strdup (hk_settings_get (s, "address_verify_map"));
    open_router (self);
    open_cache (self);
    hk_timer_disarm (&self->sweep);
    if (self->cleanup_us > 0)
        hk_timer_arm (&self->sweep, MIN (self->cleanup_us, FIRST_SWEEP_US));
}

bool
hk_verify_is_resting (const Qmgr *q)
{
    if (q->verify == NULL)
        return true;
    if (q->verify->rewriting != NULL)
        return false;
    GHashTableIter iter;
    gpointer probe;
    g_hash_table_iter_init (&iter, q->verify->probes);
    while (g_hash_table_iter_next (&iter, NULL, &probe))
        if (((Probe *) probe)->routing != NULL)
            return false;
    return true;
}

void
hk_verify_free (Qmgr *q)
{
    Verify *self = q->verify;
    if (self == NULL)
        return;
    g_autoptr (GList) probes = g_hash_table_get_values (self->probes);
    for (GList *at = probes; at != NULL; at = at->next)
        hk_probe_free (at->data); /* who waited has hung up, or was closed */
    hk_timer_disarm (&self->sweep);
    if (self->rewriting != NULL)
        rewriting_end (self);
    hk_verify_cache_free (self->cache);
    hk_router_unref (self->router);
    g_hash_table_unref (self->probes);
    g_free (self->path);
    g_free (self->shown);
    g_free (self);
    q->verify = NULL;
}

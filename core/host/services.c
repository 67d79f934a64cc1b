/* services.c: the table of services that plugins call: what plugin.h promises, done. */
#include "config.h"

#include "base/log.h"
#include "base/text.h"
#include "host/host_priv.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

static HkModule *
module_of (const HkHost *host)
{
    return (HkModule *) (void *) host;
}

/* ---- log ---- */

static void HK_PRINTF (3, 4)
    host_log (const HkHost *host, int32_t level, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    g_autofree char *text = g_strdup_vprintf (format, ap);
    va_end (ap);
    HkModule *module = module_of (host);
    level = CLAMP (level, HK_LOG_DEBUG, HK_LOG_ERROR);
    if (module->plugins->log_fn != NULL)
        module->plugins->log_fn (level, module->plugin->name, text,
                                 module->plugins->log_data);
    else
        hk_log (level, "%s: %s", module->plugin->name, text);
}

static void
host_log_line (const HkHost *host, int32_t level, const char *program, HkSpan text)
{
    (void) host;
    hk_log_line (CLAMP (level, HK_LOG_DEBUG, HK_LOG_ERROR), program, text);
}

/* ---- parameters ---- */

static HkSpan
host_conf_argument (const HkConf *conf)
{
    return hk_span (conf->argument, conf->argument_size);
}

static size_t
host_conf_n_words (const HkConf *conf)
{
    return conf->words->len;
}

static HkSpan
host_conf_word (const HkConf *conf, size_t i)
{
    return i < conf->words->len ? g_array_index (conf->words, HkSpan, i) : HK_SPAN_NONE;
}

/* A name that nobody declared is a slip of the plugin: it gets the empty value. */
static bool
is_readable (const HkConf *conf, const char *name)
{
    if (conf->settings != NULL && name != NULL && hk_conf_spec (name) != NULL)
        return true;
    hk_log (HK_LOG_WARNING, "plugin class %s reads the parameter %s, which is not declared",
            conf->cls->name, name == NULL ? "(none)" : name);
    return false;
}

static HkSpan
host_conf_string (const HkConf *conf, const char *name)
{
    if (!is_readable (conf, name))
        return HK_SPAN ("");
    return hk_span_text (hk_settings_get (conf->settings, name));
}

static int64_t
host_conf_int (const HkConf *conf, const char *name)
{
    if (!is_readable (conf, name))
        return 0;
    if (hk_conf_spec (name)->type == HK_CONF_BOOL)
        return hk_settings_bool (conf->settings, name);
    return hk_settings_int (conf->settings, name);
}

/* ---- the call: what a plugin gives back ---- */

static GString *
set_text (GString **to, const void *data, size_t size)
{
    if (*to == NULL)
        *to = g_string_sized_new (size + 1);
    g_string_truncate (*to, 0);
    return g_string_append_len (*to, data == NULL ? "" : data, (gssize) size);
}

static void
host_answer (HkCall *call, const void *data, size_t size)
{
    set_text (call->n_answers == 0 ? &call->value : &call->value2, data, size);
    call->n_answers++;
}

static void G_GNUC_PRINTF (2, 0) set_reason (HkCall *call, const char *format, va_list ap)
{
    if (call->reason == NULL)
        call->reason = g_string_new (NULL);
    g_string_vprintf (call->reason, format, ap);
}

static HkAnswer HK_PRINTF (2, 3) host_later (HkCall *call, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    set_reason (call, format, ap);
    va_end (ap);
    return HK_LATER;
}

static HkAnswer HK_PRINTF (2, 3) host_broken (HkCall *call, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    set_reason (call, format, ap);
    va_end (ap);
    return HK_BROKEN;
}

static HkAnswer HK_PRINTF (5, 6) host_reply (HkCall *call, HkAnswer verdict, int32_t code,
                                             const char *dsn, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    if (call->reply_text == NULL)
        call->reply_text = g_string_new (NULL);
    g_string_vprintf (call->reply_text, format, ap);
    va_end (ap);
    call->reply_code = code;
    g_strlcpy (call->reply_dsn, dsn == NULL ? "" : dsn, sizeof call->reply_dsn);
    return verdict;
}

static int64_t
host_now_us (const HkHost *host)
{
    HkLoop *loop = module_of (host)->plugins->loop;
    return hk_wall_us (loop == NULL ? &hk_clock_system : hk_loop_clock (loop));
}

static int64_t
host_deadline_us (HkCall *call)
{
    return call->deadline_us;
}

/* ---- the call: what its owner lends.  A member that is not there answers ABSENT (what is
 * asked) or BROKEN (what should be done). */

#define HAS(call, member) ((call)->ops != NULL && (call)->ops->member != NULL)

static HkAnswer
cannot (HkCall *call, const char *what)
{
    hk_call_set_reason (call, "the host does not offer %s in this call", what);
    return HK_BROKEN;
}

static HkAnswer
host_prop (HkCall *call, uint32_t id, HkSpan *out)
{
    *out = HK_SPAN_NONE;
    return HAS (call, prop) ? call->ops->prop (call, id, out) : HK_ABSENT;
}

static HkAnswer
host_prop_int (HkCall *call, uint32_t id, int64_t *out)
{
    *out = 0;
    return HAS (call, prop_int) ? call->ops->prop_int (call, id, out) : HK_ABSENT;
}

static HkAnswer
host_action (HkCall *call, HkSpan action, HkSpan subject)
{
    return HAS (call, action) ? call->ops->action (call, action, subject)
                              : cannot (call, "actions");
}

static HkAnswer
host_destination (HkCall *call, HkSpan address, int32_t *out)
{
    return HAS (call, destination) ? call->ops->destination (call, address, out)
                                   : cannot (call, "routing");
}

static HkAnswer
host_listed (HkCall *call, HkSpan address, HkSpan *out_reason)
{
    return HAS (call, listed) ? call->ops->listed (call, address, out_reason)
                              : cannot (call, "recipient lists");
}

static HkAnswer
host_match_list (HkCall *call, const char *parameter, HkSpan subject)
{
    return HAS (call, match_list) ? call->ops->match_list (call, parameter, subject)
                                  : cannot (call, "match lists");
}

static uint64_t
host_content_size (HkCall *call)
{
    return HAS (call, content_size) ? call->ops->content_size (call) : 0;
}

static HkAnswer
host_content_read (HkCall *call, uint64_t offset, void *buffer, size_t size,
                   size_t *out_size)
{
    return HAS (call, content_read)
               ? call->ops->content_read (call, offset, buffer, size, out_size)
               : cannot (call, "content");
}

static HkAnswer
host_content_map (HkCall *call, HkSpan *out)
{
    return HAS (call, content_map) ? call->ops->content_map (call, out)
                                   : cannot (call, "content");
}

static HkAnswer
host_edit_header_add (HkCall *call, int32_t position, HkSpan name, HkSpan value)
{
    return HAS (call, edit_header_add)
               ? call->ops->edit_header_add (call, position, name, value)
               : cannot (call, "edits");
}

static HkAnswer
host_edit_header_set (HkCall *call, HkSpan name, uint32_t index, HkSpan value)
{
    return HAS (call, edit_header_set)
               ? call->ops->edit_header_set (call, name, index, value)
               : cannot (call, "edits");
}

#define EDIT_ONE(member)                                                                   \
    static HkAnswer host_##member (HkCall *call, HkSpan text)                              \
    {                                                                                      \
        return HAS (call, member) ? call->ops->member (call, text)                         \
                                  : cannot (call, "edits");                                \
    }
EDIT_ONE (edit_body)
EDIT_ONE (edit_recipient_add)
EDIT_ONE (edit_recipient_delete)
EDIT_ONE (edit_sender)
EDIT_ONE (edit_hold)
EDIT_ONE (edit_redirect)
EDIT_ONE (edit_filter)

static HkAnswer
host_edit_header_lines (HkCall *call, uint32_t position, HkSpan text)
{
    return HAS (call, edit_header_lines)
               ? call->ops->edit_header_lines (call, position, text)
               : cannot (call, "edits");
}

static HkAnswer
host_content_note (HkCall *call, const char *status, HkSpan what, HkSpan reason)
{
    return HAS (call, content_note) ? call->ops->content_note (call, status, what, reason)
                                    : cannot (call, "notes");
}

static size_t
host_n_recipients (HkCall *call)
{
    return HAS (call, n_recipients) ? call->ops->n_recipients (call) : 0;
}

static HkAnswer
host_recipient_prop (HkCall *call, size_t i, uint32_t id, HkSpan *out)
{
    *out = HK_SPAN_NONE;
    return HAS (call, recipient_prop) ? call->ops->recipient_prop (call, i, id, out)
                                      : HK_ABSENT;
}

static HkAnswer
host_recipient_prop_int (HkCall *call, size_t i, uint32_t id, int64_t *out)
{
    *out = 0;
    return HAS (call, recipient_prop_int) ? call->ops->recipient_prop_int (call, i, id, out)
                                          : HK_ABSENT;
}

static void
host_result (HkCall *call, size_t i, const HkResult *result)
{
    if (HAS (call, result))
        call->ops->result (call, i, result);
}

static void
host_complete (HkCall *call)
{
    if (HAS (call, complete))
        call->ops->complete (call);
}

static HkAnswer
host_make_durable (HkCall *call, const int32_t *fds, size_t n_fds)
{
    return HAS (call, make_durable) ? call->ops->make_durable (call, fds, n_fds)
                                    : cannot (call, "durable files");
}

static HkAnswer
host_dns_session (HkCall *call, const char *name, uint16_t type, HkDnsFn fn, void *data)
{
    if (HAS (call, dns_session))
        return call->ops->dns_session (call, name, type, fn, data);
    if (fn != NULL)
        fn (data, HK_DNS_LATER, NULL, 0, "this call has no session");
    return HK_OK;
}

/* ---- other tables ---- */

static HkAnswer
host_table_open (const HkHost *host, HkCall *call, HkSpan spec, HkTable **out)
{
    HkPlugins *plugins = module_of (host)->plugins;
    g_autoptr (GError) error = NULL;
    g_autofree char *text = hk_span_dup (spec);
    if (plugins->settings == NULL)
        return cannot (call, "tables");
    HkMaps *maps = hk_maps_open (plugins, plugins->settings, module_of (host)->plugin->name,
                                 text, &error);
    if (maps == NULL) {
        hk_call_set_reason (call, "%s", error->message);
        return HK_BROKEN;
    }
    /* During `open` the call is about the instance: it may block when its table may. */
    if (call->ops == NULL && call->subject != NULL && hk_maps_may_block (maps))
        ((HkInstance *) call->subject)->may_block = true;
    *out = hk_table_new (maps);
    return HK_OK;
}

/* Give what a lookup found to the call, which keeps it, and lend it to the plugin. */
static HkAnswer
lend (HkCall *call, HkAnswer answer, GString *value, char *reason, HkSpan *out)
{
    if (answer == HK_FOUND) {
        size_t size = value->len;
        char *memory = g_string_free (value, FALSE);
        hk_call_keep (call, memory);
        *out = hk_span (memory, size);
        return answer;
    }
    if (reason != NULL)
        hk_call_set_reason (call, "%s", reason);
    g_free (reason);
    g_string_free (value, TRUE);
    return answer;
}

static HkAnswer
host_table_get (HkTable *table, HkCall *call, HkSpan key, HkSpan *out)
{
    GString *value = g_string_new (NULL);
    char *reason = NULL;
    HkKey as = {.bytes = key, .is_exact = call->key.is_exact};
    as.is_partial = call->key.is_partial && key.data == call->key.bytes.data &&
                    key.size == call->key.bytes.size;
    HkAnswer answer = hk_maps_get_key ((HkMaps *) table, as, value, &reason);
    return lend (call, answer, value, reason, out);
}

/* The list whose name decides whether "example.org" in a table covers subdomains. */
static const char *
list_of_order (int32_t order)
{
    return order == HK_SEARCH_TRANSPORT ? "transport_maps" : "smtpd_access_maps";
}

static HkAnswer
host_table_search (HkTable *table, HkCall *call, int32_t order, HkSpan subject, HkSpan *out)
{
    GString *value = g_string_new (NULL);
    char *reason = NULL;
    HkSearch search;
    hk_maps_search_defaults ((HkMaps *) table, list_of_order (order), &search);
    HkAnswer answer =
        hk_maps_search ((HkMaps *) table, order, subject, &search, value, &reason);
    return lend (call, answer, value, reason, out);
}

/* ---- event loop ---- */

struct HkWatch {
    HkFdWatch base;
    HkWatchFn fn;
    void *data;
};

static void
on_watch (HkFdWatch *base, unsigned events)
{
    HkWatch *watch = base->data;
    watch->fn (watch->data, base->fd, events);
}

G_STATIC_ASSERT ((int) HK_IO_READ == (int) HK_LOOP_READ);
G_STATIC_ASSERT ((int) HK_IO_WRITE == (int) HK_LOOP_WRITE);

static HkWatch *
host_watch_start (const HkHost *host, int32_t fd, uint32_t events, HkWatchFn fn, void *data)
{
    HkModule *module = module_of (host);
    g_autoptr (GError) error = NULL;
    if (module->plugins->loop == NULL)
        return NULL;
    HkWatch *watch = g_new0 (HkWatch, 1);
    watch->fn = fn;
    watch->data = data;
    if (hk_loop_attach (module->plugins->loop, &watch->base, fd, events, on_watch, watch,
                        &error))
        return watch;
    hk_log (HK_LOG_ERROR, "%s: %s", module->plugin->name, error->message);
    g_free (watch);
    return NULL;
}

static void
host_watch_events (HkWatch *watch, uint32_t events)
{
    hk_fd_watch_events (&watch->base, events);
}

static void
host_watch_end (HkWatch *watch)
{
    if (watch == NULL)
        return;
    hk_fd_watch_detach (&watch->base);
    g_free (watch);
}

struct HkTimer {
    HkLoopTimer base;
    HkTimerFn fn;
    void *data;
};

static void
on_timer (HkLoopTimer *base)
{
    HkTimer *timer = base->data;
    HkTimerFn fn = timer->fn;
    void *data = timer->data;
    g_free (timer);
    fn (data);
}

static HkTimer *
host_timer_start (const HkHost *host, int64_t delay_us, HkTimerFn fn, void *data)
{
    HkLoop *loop = module_of (host)->plugins->loop;
    if (loop == NULL)
        return NULL;
    HkTimer *timer = g_new0 (HkTimer, 1);
    timer->fn = fn;
    timer->data = data;
    hk_timer_init (&timer->base, loop, on_timer, timer);
    hk_timer_arm (&timer->base, delay_us);
    return timer;
}

static void
host_timer_end (HkTimer *timer)
{
    if (timer == NULL)
        return;
    hk_timer_disarm (&timer->base);
    g_free (timer);
}

typedef struct {
    HkDnsFn fn;
    void *data;
} NoDns;

static void
answer_no_dns (void *p)
{
    NoDns *no = p;
    no->fn (no->data, HK_DNS_LATER, NULL, 0, "this process has no resolver");
    g_free (no);
}

static void
host_dns_start (const HkHost *host, const char *name, uint16_t type, HkDnsFn fn, void *data)
{
    HkPlugins *plugins = module_of (host)->plugins;
    if (plugins->dns_ask != NULL) {
        plugins->dns_ask (plugins->resolver, name, type, fn, data);
    } else if (plugins->loop != NULL) { /* from the loop, as always */
        NoDns *no = g_new (NoDns, 1);
        *no = (NoDns){fn, data};
        hk_loop_post (plugins->loop, answer_no_dns, no);
    } else {
        fn (data, HK_DNS_LATER, NULL, 0, "this process has no resolver");
    }
}

static HkVerify *
host_verify_start (const HkHost *host, HkSpan address, int64_t wait_us, HkVerifyFn fn,
                   void *data)
{
    HkPlugins *plugins = module_of (host)->plugins;
    if (plugins->verify_start == NULL)
        return NULL;
    return plugins->verify_start (plugins->verifier, address, wait_us, fn, data);
}

static void
host_verify_end (HkVerify *verify)
{
    if (verify != NULL)
        verify->end (verify);
}

/* ---- counters ---- */

static HkCounter *
host_counter (const HkHost *host, const char *name)
{
    static uint64_t nobody_reads;
    HkStats *stats = module_of (host)->plugins->stats;
    return (HkCounter *) (stats == NULL ? &nobody_reads : hk_stats_slot (stats, name));
}

static void
host_counter_add (HkCounter *counter, int64_t n)
{
    hk_stats_add ((uint64_t *) counter, n);
}

static const HkHost services = {
    .size = sizeof (HkHost),
    .abi_major = HK_ABI_MAJOR,
    .abi_minor = HK_ABI_MINOR,
    .version = PACKAGE_VERSION,
    .log = host_log,
    .conf_argument = host_conf_argument,
    .conf_n_words = host_conf_n_words,
    .conf_word = host_conf_word,
    .conf_string = host_conf_string,
    .conf_int = host_conf_int,
    .answer = host_answer,
    .later = host_later,
    .broken = host_broken,
    .now_us = host_now_us,
    .deadline_us = host_deadline_us,
    .prop = host_prop,
    .prop_int = host_prop_int,
    .table_open = host_table_open,
    .table_close = hk_table_free,
    .table_get = host_table_get,
    .table_search = host_table_search,
    .reply = host_reply,
    .action = host_action,
    .destination = host_destination,
    .listed = host_listed,
    .match_list = host_match_list,
    .content_size = host_content_size,
    .content_read = host_content_read,
    .content_map = host_content_map,
    .edit_header_add = host_edit_header_add,
    .edit_header_set = host_edit_header_set,
    .edit_body = host_edit_body,
    .edit_recipient_add = host_edit_recipient_add,
    .edit_recipient_delete = host_edit_recipient_delete,
    .edit_sender = host_edit_sender,
    .edit_hold = host_edit_hold,
    .n_recipients = host_n_recipients,
    .recipient_prop = host_recipient_prop,
    .recipient_prop_int = host_recipient_prop_int,
    .result = host_result,
    .complete = host_complete,
    .make_durable = host_make_durable,
    .watch_start = host_watch_start,
    .watch_events = host_watch_events,
    .watch_end = host_watch_end,
    .timer_start = host_timer_start,
    .timer_end = host_timer_end,
    .dns_start = host_dns_start,
    .counter = host_counter,
    .counter_add = host_counter_add,
    .log_line = host_log_line,
    .edit_header_lines = host_edit_header_lines,
    .edit_redirect = host_edit_redirect,
    .edit_filter = host_edit_filter,
    .content_note = host_content_note,
    .dns_session = host_dns_session,
    .verify_start = host_verify_start,
    .verify_end = host_verify_end,
};

void
hk_services_fill (HkHost *out)
{
    *out = services;
}

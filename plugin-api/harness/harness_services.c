/* harness_services.c: the services table of the host in memory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "harness_priv.h"

#include <errno.h>
#include <unistd.h>

/* ---- log and parameters ---- */

static void
append_log (HkHarness *self, int32_t level, const char *text)
{
    static const char *const words[] = {"debug: ", "", "warning: ", "error: "};
    g_assert_cmpint (level, >=, HK_LOG_DEBUG);
    g_assert_cmpint (level, <=, HK_LOG_ERROR);
    g_string_append_printf (self->log, "%s%s\n", words[level], text);
}

static void HK_PRINTF (3, 4)
    host_log (const HkHost *host, int32_t level, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    g_autofree char *text = g_strdup_vprintf (format, ap);
    va_end (ap);
    append_log (harness_of (host), level, text);
}

static void
host_log_line (const HkHost *host, int32_t level, const char *program, HkSpan text)
{
    g_autofree char *t = dup_span (text);
    g_autofree char *line = g_strdup_printf ("%s: %s", program, t);
    append_log (harness_of (host), level, line);
}

static HkSpan
host_conf_argument (const HkConf *conf)
{
    return span_of (conf->argument);
}

static size_t
host_conf_n_words (const HkConf *conf)
{
    return conf->words->len;
}

static HkSpan
host_conf_word (const HkConf *conf, size_t i)
{
    return i < conf->words->len ? span_of (g_ptr_array_index (conf->words, i))
                                : span_of (NULL);
}

static const HkParam *
find_param (const HkClass *cls, const char *name)
{
    for (const HkParam *p = cls->params; p != NULL && p->name != NULL; p++)
        if (strcmp (p->name, name) == 0)
            return p;
    return NULL;
}

static const char *
setting (const HkConf *conf, const char *name)
{
    const char *value = g_hash_table_lookup (conf->harness->settings, name);
    if (value != NULL)
        return value;
    const HkParam *p = find_param (conf->cls, name);
    if (p == NULL)
        g_error ("parameter %s is neither declared nor set by the test", name);
    return p->preset != NULL ? p->preset : "";
}

static HkSpan
host_conf_string (const HkConf *conf, const char *name)
{
    return span_of (setting (conf, name));
}

static int64_t
host_conf_int (const HkConf *conf, const char *name)
{
    const char *value = setting (conf, name);
    char *end = NULL;
    if (strcmp (value, "yes") == 0)
        return 1;
    if (strcmp (value, "no") == 0)
        return 0;
    int64_t n = g_ascii_strtoll (value, &end, 10);
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    for (size_t i = 0; i < G_N_ELEMENTS (units); i++)
        if (*end == units[i].unit)
            return n * units[i].seconds;
    g_assert_cmpstr (end, ==, "");
    return n;
}

/* ---- the call ---- */

static void
host_answer (HkCall *call, const void *data, size_t size)
{
    char **to = call->n_answers == 0 ? &call->answer : &call->answer2;
    g_free (*to);
    *to = g_malloc (size + 1);
    if (size > 0)
        memcpy (*to, data, size); /* may hold NUL */
    (*to)[size] = '\0';
    call->n_answers++;
}

static HkAnswer HK_PRINTF (3, 0)
    fail_call (HkCall *call, HkAnswer answer, const char *format, va_list ap)
{
    g_string_vprintf (call->reason, format, ap);
    return answer;
}

static HkAnswer HK_PRINTF (2, 3) host_later (HkCall *call, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    HkAnswer answer = fail_call (call, HK_LATER, format, ap);
    va_end (ap);
    return answer;
}

static HkAnswer HK_PRINTF (2, 3) host_broken (HkCall *call, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    HkAnswer answer = fail_call (call, HK_BROKEN, format, ap);
    va_end (ap);
    return answer;
}

static HkAnswer HK_PRINTF (5, 6) host_reply (HkCall *call, HkAnswer verdict, int32_t code,
                                             const char *dsn, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    g_free (call->reply_text);
    g_free (call->reply_dsn);
    call->reply_text = g_strdup_vprintf (format, ap);
    call->reply_dsn = g_strdup (dsn);
    call->reply_code = code;
    va_end (ap);
    return verdict;
}

static int64_t
host_now_us (const HkHost *host)
{
    (void) host;
    return g_get_real_time ();
}

static int64_t
host_deadline_us (HkCall *call)
{
    return call->harness->deadline_us;
}

static HkAnswer
read_prop (const Props *props, uint32_t id, HkSpan *out)
{
    *out = (HkSpan){0};
    if (id >= N_PROPS || props->answer[id] != 0)
        return id >= N_PROPS ? HK_ABSENT : props->answer[id];
    if (props->text[id] == NULL)
        return HK_ABSENT;
    *out = span_of (props->text[id]);
    return HK_FOUND;
}

static HkAnswer
read_prop_int (const Props *props, uint32_t id, int64_t *out)
{
    *out = 0;
    if (id >= N_PROPS || props->answer[id] != 0)
        return id >= N_PROPS ? HK_ABSENT : props->answer[id];
    if (!props->has_number[id])
        return HK_ABSENT;
    *out = props->number[id];
    return HK_FOUND;
}

static HkAnswer
host_prop (HkCall *call, uint32_t id, HkSpan *out)
{
    return read_prop (&call->harness->props, id, out);
}

static HkAnswer
host_prop_int (HkCall *call, uint32_t id, int64_t *out)
{
    return read_prop_int (&call->harness->props, id, out);
}

/* ---- tables, lists, addresses ---- */

static HkAnswer
host_table_open (const HkHost *host, HkCall *call, HkSpan spec, HkTable **out)
{
    g_autofree char *name = dup_span (spec);
    HkTable *table = g_hash_table_lookup (harness_of (host)->tables, name);
    if (table == NULL)
        return host_broken (call, "unsupported table: %s", name);
    *out = table;
    return HK_OK;
}

static void
host_table_close (HkTable *table)
{
    (void) table;
}

static HkAnswer
host_table_get (HkTable *table, HkCall *call, HkSpan key, HkSpan *out)
{
    g_autofree char *k = dup_span (key);
    void *value;
    if (!g_hash_table_lookup_extended (table->rows, k, NULL, &value))
        return HK_ABSENT;
    if (value == NULL)
        return host_later (call, "table lookup of %s failed", k);
    char *copy = g_strdup (value);
    g_ptr_array_add (call->kept, copy);
    *out = span_of (copy);
    return HK_FOUND;
}

/* The order of keys is the host's business and tested there: here the whole key is asked.
 */
static HkAnswer
host_table_search (HkTable *table, HkCall *call, int32_t order, HkSpan subject, HkSpan *out)
{
    (void) order;
    return host_table_get (table, call, subject, out);
}

static HkAnswer
host_action (HkCall *call, HkSpan action, HkSpan subject)
{
    (void) subject;
    g_autofree char *a = dup_span (action);
    void *verdict = g_hash_table_lookup (call->harness->actions, a);
    return verdict == NULL ? HK_DUNNO : GPOINTER_TO_INT (verdict);
}

static HkAnswer
host_destination (HkCall *call, HkSpan address, int32_t *out)
{
    g_autofree char *a = dup_span (address);
    void *dest = g_hash_table_lookup (call->harness->destinations, a);
    if (GPOINTER_TO_INT (dest) < 0)
        return HK_LATER;
    *out = dest == NULL ? HK_DEST_OTHER : GPOINTER_TO_INT (dest);
    return HK_OK;
}

static HkAnswer
host_listed (HkCall *call, HkSpan address, HkSpan *out_reason)
{
    g_autofree char *a = dup_span (address);
    const char *reason = g_hash_table_lookup (call->harness->unlisted, a);
    if (reason == NULL)
        return HK_FOUND;
    if (reason[0] == '\0')
        return HK_LATER;
    *out_reason = span_of (reason);
    return HK_ABSENT;
}

static HkAnswer
host_match_list (HkCall *call, const char *parameter, HkSpan subject)
{
    g_autofree char *s = dup_span (subject);
    g_autofree char *key = g_strdup_printf ("%s\t%s", parameter, s);
    const char *answer = g_hash_table_lookup (call->harness->matches, key);
    return answer == NULL ? HK_ABSENT : strcmp (answer, "later") == 0 ? HK_LATER : HK_FOUND;
}

/* ---- content and edits ---- */

static uint64_t
host_content_size (HkCall *call)
{
    return call->harness->content->len;
}

static HkAnswer
host_content_read (HkCall *call, uint64_t offset, void *buffer, size_t size,
                   size_t *out_size)
{
    const GByteArray *content = call->harness->content;
    uint64_t left = offset < content->len ? content->len - offset : 0;
    *out_size = MIN (left, size);
    if (*out_size > 0)
        memcpy (buffer, content->data + offset, *out_size);
    return HK_OK;
}

static HkAnswer
host_content_map (HkCall *call, HkSpan *out)
{
    out->data = call->harness->content->data;
    out->size = call->harness->content->len;
    return HK_OK;
}

static HkAnswer HK_PRINTF (2, 3) note_edit (HkCall *call, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    g_string_append_vprintf (call->harness->edits, format, ap);
    g_string_append_c (call->harness->edits, '\n');
    va_end (ap);
    return HK_OK;
}

static HkAnswer
host_edit_header_add (HkCall *call, int32_t position, HkSpan name, HkSpan value)
{
    return note_edit (call, "add %d %.*s: %.*s", position, (int) name.size, name.data,
                      (int) value.size, value.data);
}

static HkAnswer
host_edit_header_set (HkCall *call, HkSpan name, uint32_t index, HkSpan value)
{
    return note_edit (call, "set %u %.*s: %.*s", index, (int) name.size, name.data,
                      (int) value.size, value.data);
}

static HkAnswer
host_edit_body (HkCall *call, HkSpan chunk)
{
    g_string_append_len (call->harness->body, (const char *) chunk.data,
                         (gssize) chunk.size);
    return note_edit (call, "body %zu bytes", chunk.size);
}

#define EDIT_ONE(function, word)                                                           \
    static HkAnswer function (HkCall *call, HkSpan text)                                   \
    {                                                                                      \
        return note_edit (call, word " %.*s", (int) text.size, text.data);                 \
    }
EDIT_ONE (host_edit_recipient_add, "rcpt+")
EDIT_ONE (host_edit_recipient_delete, "rcpt-")
EDIT_ONE (host_edit_sender, "sender")
EDIT_ONE (host_edit_hold, "hold")
EDIT_ONE (host_edit_redirect, "redirect")
EDIT_ONE (host_edit_filter, "filter")

static HkAnswer
host_edit_header_lines (HkCall *call, uint32_t position, HkSpan text)
{
    return note_edit (call, "lines %u %.*s", position, (int) text.size, text.data);
}

static HkAnswer
host_content_note (HkCall *call, const char *status, HkSpan what, HkSpan reason)
{
    return note_edit (call, "note %s %.*s: %.*s", status, (int) what.size, what.data,
                      (int) reason.size, reason.data);
}

/* ---- delivery ---- */

static size_t
host_n_recipients (HkCall *call)
{
    return call->harness->recipients->len;
}

static HkAnswer
host_recipient_prop (HkCall *call, size_t i, uint32_t id, HkSpan *out)
{
    return read_prop (&recipient (call->harness, i)->props, id, out);
}

static HkAnswer
host_recipient_prop_int (HkCall *call, size_t i, uint32_t id, int64_t *out)
{
    return read_prop_int (&recipient (call->harness, i)->props, id, out);
}

static HkSpan
keep (HkCall *call, HkSpan s)
{
    char *copy = dup_span (s);
    g_ptr_array_add (call->kept, copy);
    return (HkSpan){(const uint8_t *) copy, s.size};
}

static void
host_result (HkCall *call, size_t i, const HkResult *result)
{
    Recipient *r = recipient (call->harness, i);
    g_assert_false (r->has_result); /* one result for each recipient */
    g_assert_cmpuint (result->size, >=, sizeof (HkResult));
    r->result = *result;
    r->result.dsn = keep (call, result->dsn);
    r->result.text = keep (call, result->text);
    r->result.relay = keep (call, result->relay);
    r->result.diagnostic = keep (call, result->diagnostic);
    r->result.remote = keep (call, result->remote);
    r->has_result = true;
}

static void
host_complete (HkCall *call)
{
    g_assert_false (call->is_complete);
    call->is_complete = true;
}

static HkAnswer
host_make_durable (HkCall *call, const int32_t *fds, size_t n_fds)
{
    for (size_t i = 0; i < n_fds; i++)
        if (fsync (fds[i]) < 0)
            return host_later (call, "fsync: %s", g_strerror (errno));
    return HK_OK;
}

/* ---- counters ---- */

static HkCounter *
host_counter (const HkHost *host, const char *name)
{
    GHashTable *counters = harness_of (host)->counters;
    int64_t *slot = g_hash_table_lookup (counters, name);
    for (const char *p = name; *p != '\0'; p++)
        g_assert_true (g_ascii_islower (*p) || g_ascii_isdigit (*p) || *p == '_' ||
                       *p == '.');
    if (slot == NULL) {
        slot = g_new0 (int64_t, 1);
        g_hash_table_insert (counters, g_strdup (name), slot);
    }
    return (HkCounter *) slot;
}

static void
host_counter_add (HkCounter *counter, int64_t n)
{
    *(int64_t *) counter += n;
}

const HkHost hk_harness_services = {
    .size = sizeof (HkHost),
    .abi_major = HK_ABI_MAJOR,
    .abi_minor = HK_ABI_MINOR,
    .version = "harness",
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
    .table_close = host_table_close,
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
    .edit_header_lines = host_edit_header_lines,
    .edit_redirect = host_edit_redirect,
    .edit_filter = host_edit_filter,
    .content_note = host_content_note,
    .n_recipients = host_n_recipients,
    .recipient_prop = host_recipient_prop,
    .recipient_prop_int = host_recipient_prop_int,
    .result = host_result,
    .complete = host_complete,
    .make_durable = host_make_durable,
    .watch_start = hk_harness_watch_start,
    .watch_events = hk_harness_watch_events,
    .watch_end = hk_harness_watch_end,
    .timer_start = hk_harness_timer_start,
    .timer_end = hk_harness_timer_end,
    .dns_start = hk_harness_dns_start,
    .counter = host_counter,
    .counter_add = host_counter_add,
    .log_line = host_log_line,
    .dns_session = hk_harness_dns_session,
    .verify_start = hk_harness_verify_start,
    .verify_end = hk_harness_verify_end,
};

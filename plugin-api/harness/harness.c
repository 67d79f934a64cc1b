/* harness.c: the test's side: what the plugin will see, instances, calls, what came out.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "harness_priv.h"

enum { CHECK_TIMEOUT_MS = 30000 };

#include <arpa/inet.h>

static void
free_table (void *p)
{
    g_hash_table_unref (((HkTable *) p)->rows);
    g_free (p);
}

static void
free_zone (void *p)
{
    Zone *zone = p;
    g_array_unref (zone->records);
    g_ptr_array_unref (zone->bytes);
    g_free (zone);
}

static void
clear_props (Props *props)
{
    for (size_t i = 0; i < N_PROPS; i++)
        g_free (props->text[i]);
}

static void
free_recipient (void *p)
{
    clear_props (&((Recipient *) p)->props);
    g_free (p);
}

static void
check_descriptor (const HkPlugin *plugin)
{
    g_assert_cmpuint (plugin->magic, ==, HK_PLUGIN_MAGIC);
    g_assert_cmpuint (plugin->size, >=, offsetof (HkPlugin, init));
    g_assert_cmpuint (plugin->abi_major, ==, HK_ABI_MAJOR);
    g_assert_cmpuint (plugin->abi_minor, <=, HK_ABI_MINOR);
    g_assert_nonnull (plugin->name);
    g_assert_nonnull (plugin->version);
    g_assert_nonnull (plugin->licence);
    g_assert_nonnull (plugin->summary);
    g_assert_nonnull (plugin->classes[0]);
    for (const HkClass *const *c = plugin->classes; *c != NULL; c++) {
        g_assert_nonnull ((*c)->name);
        g_assert_nonnull ((*c)->open);
        g_assert_nonnull ((*c)->close);
        for (const HkParam *p = (*c)->params; p != NULL && p->name != NULL; p++) {
            g_assert_nonnull (p->help);
            g_assert_true (p->type >= HK_PARAM_STRING && p->type <= HK_PARAM_ENUM);
            g_assert_true ((p->type == HK_PARAM_ENUM) == (p->choices != NULL));
        }
    }
}

static GHashTable *
new_map (GDestroyNotify free_value)
{
    return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_value);
}

HkHarness *
hk_harness_new (const HkPlugin *plugin)
{
    HkHarness *self = g_new0 (HkHarness, 1);
    check_descriptor (plugin);
    self->host = hk_harness_services;
    self->plugin = plugin;
    self->settings = new_map (g_free);
    self->tables = new_map (free_table);
    self->matches = new_map (NULL);
    self->destinations = new_map (NULL);
    self->unlisted = new_map (g_free);
    self->actions = new_map (NULL);
    self->zones = new_map (free_zone);
    self->verdicts = new_map (g_free);
    self->counters = new_map (g_free);
    self->recipients = g_ptr_array_new_with_free_func (free_recipient);
    self->confs = g_hash_table_new (NULL, NULL);
    self->content = g_byte_array_new ();
    self->log = g_string_new (NULL);
    self->edits = g_string_new (NULL);
    self->body = g_string_new (NULL);
    self->watches = g_ptr_array_new_with_free_func (g_free);
    self->timers = g_ptr_array_new_with_free_func (g_free);
    g_queue_init (&self->questions);
    self->deadline_us = INT64_MAX;
    self->call.harness = self;
    self->call.reason = g_string_new (NULL);
    self->call.kept = g_ptr_array_new_with_free_func (g_free);
    if (HK_HAS (plugin, HkPlugin, init))
        g_assert_cmpint (plugin->init (&self->host, hk_harness_call (self)), ==, HK_OK);
    return self;
}

void
hk_harness_free (HkHarness *self)
{
    g_assert_cmpuint (g_hash_table_size (self->confs), ==, 0);
    g_assert_cmpuint (self->watches->len, ==, 0);
    hk_harness_call (self); /* drops what the last one kept */
    GHashTable *maps[] = {self->settings,     self->tables,   self->matches,
                          self->destinations, self->unlisted, self->actions,
                          self->zones,        self->counters, self->confs,
                          self->verdicts};
    for (size_t i = 0; i < G_N_ELEMENTS (maps); i++)
        g_hash_table_unref (maps[i]);
    clear_props (&self->props);
    g_ptr_array_unref (self->recipients);
    g_byte_array_unref (self->content);
    g_string_free (self->log, TRUE);
    g_string_free (self->edits, TRUE);
    g_string_free (self->body, TRUE);
    g_ptr_array_unref (self->watches);
    g_ptr_array_unref (self->timers);
    g_string_free (self->call.reason, TRUE);
    g_ptr_array_unref (self->call.kept);
    g_free (self);
}

const HkHost *
hk_harness_host (HkHarness *self)
{
    return &self->host;
}

void
hk_harness_set (HkHarness *self, const char *parameter, const char *value)
{
    if (value == NULL)
        g_hash_table_remove (self->settings, parameter);
    else
        g_hash_table_insert (self->settings, g_strdup (parameter), g_strdup (value));
}

static void
set_prop (Props *props, uint32_t id, const char *value)
{
    g_assert_cmpuint (id, <, N_PROPS);
    g_free (props->text[id]);
    props->text[id] = g_strdup (value);
    props->answer[id] = 0;
}

static void
set_prop_int (Props *props, uint32_t id, int64_t value)
{
    g_assert_cmpuint (id, <, N_PROPS);
    props->number[id] = value;
    props->has_number[id] = true;
    props->answer[id] = 0;
}

void
hk_harness_prop (HkHarness *self, uint32_t id, const char *value)
{
    set_prop (&self->props, id, value);
}

void
hk_harness_prop_int (HkHarness *self, uint32_t id, int64_t value)
{
    set_prop_int (&self->props, id, value);
}

void
hk_harness_prop_answer (HkHarness *self, uint32_t id, HkAnswer answer)
{
    g_assert_cmpuint (id, <, N_PROPS);
    self->props.answer[id] = answer;
}

void
hk_harness_table (HkHarness *self, const char *spec, const char *key, const char *value)
{
    HkTable *table = g_hash_table_lookup (self->tables, spec);
    if (table == NULL) {
        table = g_new (HkTable, 1);
        table->rows = new_map (g_free);
        g_hash_table_insert (self->tables, g_strdup (spec), table);
    }
    g_hash_table_insert (table->rows, g_strdup (key), g_strdup (value));
}

void
hk_harness_match (HkHarness *self, const char *parameter, const char *subject)
{
    char *key = g_strdup_printf ("%s\t%s", parameter, subject == NULL ? "" : subject);
    g_hash_table_insert (self->matches, key, (void *) (uintptr_t) "found");
}

void
hk_harness_match_later (HkHarness *self, const char *parameter, const char *subject)
{
    char *key = g_strdup_printf ("%s\t%s", parameter, subject == NULL ? "" : subject);
    g_hash_table_insert (self->matches, key, (void *) (uintptr_t) "later");
}

void
hk_harness_destination (HkHarness *self, const char *address, int32_t dest)
{
    g_hash_table_insert (self->destinations, g_strdup (address), GINT_TO_POINTER (dest));
}

void
hk_harness_unlisted (HkHarness *self, const char *address, const char *reason)
{
    g_hash_table_insert (self->unlisted, g_strdup (address), g_strdup (reason));
}

void
hk_harness_action (HkHarness *self, const char *action, HkAnswer verdict)
{
    g_hash_table_insert (self->actions, g_strdup (action), GINT_TO_POINTER (verdict));
}

void
hk_harness_content (HkHarness *self, const void *data, size_t size)
{
    g_byte_array_set_size (self->content, 0);
    g_byte_array_append (self->content, data, (guint) size);
}

void
hk_harness_recipient (HkHarness *self, const char *address, const char *original)
{
    Recipient *r = g_new0 (Recipient, 1);
    set_prop (&r->props, HK_PROP_RECIPIENT, address);
    set_prop (&r->props, HK_PROP_ORIG_RECIPIENT, original);
    g_ptr_array_add (self->recipients, r);
}

void
hk_harness_recipient_prop (HkHarness *self, size_t i, uint32_t id, const char *value)
{
    set_prop (&recipient (self, i)->props, id, value);
}

void
hk_harness_recipient_prop_int (HkHarness *self, size_t i, uint32_t id, int64_t value)
{
    set_prop_int (&recipient (self, i)->props, id, value);
}

static Zone *
zone_for (HkHarness *self, const char *name, uint16_t type)
{
    char *key = zone_key (name, type);
    Zone *zone = g_hash_table_lookup (self->zones, key);
    if (zone != NULL) {
        g_free (key);
        return zone;
    }
    zone = g_new0 (Zone, 1);
    zone->records = g_array_new (FALSE, TRUE, sizeof (HkDnsRecord));
    zone->bytes = g_ptr_array_new_with_free_func (g_free);
    g_hash_table_insert (self->zones, key, zone);
    return zone;
}

void
hk_harness_dns (HkHarness *self, const char *name, uint16_t type, uint16_t preference,
                const char *data)
{
    enum { TYPE_A = 1, TYPE_AAAA = 28 };
    Zone *zone = zone_for (self, name, type);
    HkDnsRecord record = {.type = type, .preference = preference, .ttl = 300};
    uint8_t *bytes = (uint8_t *) g_strdup (data);
    record.data = span_of ((char *) bytes);
    if (type == TYPE_A || type == TYPE_AAAA) {
        g_free (bytes);
        bytes = g_malloc0 (16);
        g_assert_cmpint (inet_pton (type == TYPE_A ? AF_INET : AF_INET6, data, bytes), ==,
                         1);
        record.data = (HkSpan){bytes, type == TYPE_A ? 4 : 16};
    }
    g_ptr_array_add (zone->bytes, bytes);
    g_array_append_val (zone->records, record);
}

void
hk_harness_dns_outcome (HkHarness *self, const char *name, uint16_t type, int32_t outcome)
{
    zone_for (self, name, type)->outcome = outcome;
}

void
hk_harness_deadline (HkHarness *self, int64_t deadline_us)
{
    self->deadline_us = deadline_us;
}

/* ---- instances and calls ---- */

const HkClass *
hk_harness_class (HkHarness *self, int kind, const char *name)
{
    for (const HkClass *const *c = self->plugin->classes; *c != NULL; c++)
        if ((*c)->kind == kind && strcmp ((*c)->name, name) == 0)
            return *c;
    g_error ("the plugin has no class %s of kind %d", name, kind);
}

static void
free_conf (HkConf *conf)
{
    g_ptr_array_unref (conf->words);
    g_free (conf->argument);
    g_free (conf);
}

void *
hk_harness_open (HkHarness *self, int kind, const char *name, const char *argument)
{
    HkConf *conf = g_new0 (HkConf, 1);
    void *instance = NULL;
    conf->harness = self;
    conf->cls = hk_harness_class (self, kind, name);
    conf->argument = g_strdup (argument == NULL ? "" : argument);
    conf->words = g_ptr_array_new_with_free_func (g_free);
    g_auto (GStrv) words = g_strsplit_set (conf->argument, " \t,", -1);
    for (char **w = words; *w != NULL; w++)
        if (**w != '\0')
            g_ptr_array_add (conf->words, g_strdup (*w));
    self->opened = conf->cls->open (&self->host, conf, hk_harness_call (self), &instance);
    if (self->opened != HK_OK) {
        free_conf (conf);
        return NULL;
    }
    g_assert_nonnull (instance);
    g_hash_table_insert (self->confs, instance, conf);
    return instance;
}

HkAnswer
hk_harness_opened (const HkHarness *self)
{
    return self->opened;
}

static const HkClass *
class_of (HkHarness *self, void *instance)
{
    HkConf *conf = g_hash_table_lookup (self->confs, instance);
    g_assert_nonnull (conf);
    return conf->cls;
}

void
hk_harness_close (HkHarness *self, void *instance)
{
    HkConf *conf = g_hash_table_lookup (self->confs, instance);
    g_assert_nonnull (conf);
    if (conf->cls->close != NULL)
        conf->cls->close (instance);
    g_hash_table_remove (self->confs, instance);
    free_conf (conf);
}

HkCall *
hk_harness_call (HkHarness *self)
{
    HkCall *call = &self->call;
    g_clear_pointer (&call->answer, g_free);
    g_clear_pointer (&call->answer2, g_free);
    g_clear_pointer (&call->reply_dsn, g_free);
    g_clear_pointer (&call->reply_text, g_free);
    call->n_answers = 0;
    call->reply_code = 0;
    call->is_complete = false;
    g_string_truncate (call->reason, 0);
    g_ptr_array_set_size (call->kept, 0);
    g_string_truncate (self->edits, 0);
    g_string_truncate (self->body, 0);
    for (guint i = 0; i < self->recipients->len; i++)
        recipient (self, i)->has_result = false;
    return call;
}

HkAnswer
hk_harness_get_span (HkHarness *self, void *instance, HkSpan key)
{
    const HkLookupClass *cls =
        (const HkLookupClass *) (const void *) class_of (self, instance);
    g_assert_cmpint (cls->base.kind, ==, HK_KIND_LOOKUP);
    HkAnswer answer = cls->get (instance, hk_harness_call (self), key);
    g_assert_cmpint (answer, >=, HK_FOUND);
    g_assert_cmpint (answer, <=, HK_BROKEN);
    g_assert_true ((answer == HK_FOUND) == (self->call.answer != NULL));
    return answer;
}

HkAnswer
hk_harness_get (HkHarness *self, void *instance, const char *key)
{
    return hk_harness_get_span (self, instance, span_of (key));
}

static bool
call_is_complete (void *data)
{
    return ((HkCall *) data)->is_complete;
}

/* The asynchronous form, to its end. */
static HkAnswer
check_in_time (HkHarness *self, const HkRestrictionClass *cls, void *instance)
{
    void *state = NULL;
    HkCall *call = hk_harness_call (self);
    HkAnswer answer = cls->check_start (instance, call, &state);
    if (answer == HK_PENDING)
        g_assert_true (hk_harness_run (self, call_is_complete, call, CHECK_TIMEOUT_MS));
    if (answer != HK_PENDING && answer != HK_OK)
        return answer;
    return cls->check_finish (instance, call, state);
}

HkAnswer
hk_harness_check (HkHarness *self, void *instance)
{
    const HkRestrictionClass *cls =
        (const HkRestrictionClass *) (const void *) class_of (self, instance);
    g_assert_cmpint (cls->base.kind, ==, HK_KIND_RESTRICTION);
    if (HK_HAS (cls, HkRestrictionClass, check_start))
        return check_in_time (self, cls, instance);
    return cls->check (instance, hk_harness_call (self));
}

HkAnswer
hk_harness_deliver (HkHarness *self, void *instance, int timeout_ms)
{
    const HkTransportClass *cls =
        (const HkTransportClass *) (const void *) class_of (self, instance);
    g_assert_cmpint (cls->base.kind, ==, HK_KIND_TRANSPORT);
    HkCall *call = hk_harness_call (self);
    if (HK_HAS (cls, HkTransportClass, deliver))
        return cls->deliver (instance, call);
    HkAnswer answer = cls->start (instance, call);
    if (answer == HK_OK)
        g_assert_true (hk_harness_run (self, call_is_complete, call, timeout_ms));
    return answer;
}

void
hk_harness_event (HkHarness *self, void *instance)
{
    const HkEventClass *cls =
        (const HkEventClass *) (const void *) class_of (self, instance);
    g_assert_cmpint (cls->base.kind, ==, HK_KIND_EVENT);
    cls->event (instance, hk_harness_call (self));
    if (HK_HAS (cls, HkEventClass, flush))
        cls->flush (instance);
}

/* ---- what came out ---- */

const char *
hk_harness_answer (const HkHarness *self)
{
    return self->call.answer;
}

const char *
hk_harness_answer2 (const HkHarness *self)
{
    return self->call.answer2;
}

const char *
hk_harness_reason (const HkHarness *self)
{
    return self->call.reason->str;
}

int
hk_harness_reply_code (const HkHarness *self)
{
    return self->call.reply_code;
}

const char *
hk_harness_reply_dsn (const HkHarness *self)
{
    return self->call.reply_dsn;
}

const char *
hk_harness_reply_text (const HkHarness *self)
{
    return self->call.reply_text;
}

const char *
hk_harness_edits (const HkHarness *self)
{
    return self->edits->str;
}

const GString *
hk_harness_body (const HkHarness *self)
{
    return self->body;
}

bool
hk_harness_result (const HkHarness *self, size_t i, HkResult *out)
{
    const Recipient *r = recipient (self, i);
    if (r->has_result)
        *out = r->result;
    return r->has_result;
}

const char *
hk_harness_log (const HkHarness *self)
{
    return self->log->str;
}

void
hk_harness_clear_log (HkHarness *self)
{
    g_string_truncate (self->log, 0);
}

int64_t
hk_harness_counter (const HkHarness *self, const char *name)
{
    const int64_t *slot = g_hash_table_lookup (self->counters, name);
    return slot == NULL ? 0 : *slot;
}

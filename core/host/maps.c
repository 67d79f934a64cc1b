/* maps.c: lists of lookup tables: opening, asking, trying again what was not there. */
#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "host/host_priv.h"

enum { RETRY_US = 1000000, SAY_US = 10000000 };

typedef struct {
    char *spec; /* "type:argument" */
    char *type;
    const char *argument;
    const HkLookupClass *cls;
    HkInstance *instance; /* NULL: not open yet */
    char *trouble;        /* why; guarded by the list's lock */
    int64_t retry_us, said_us;
} Entry;

struct HkMaps {
    gint ref_count;
    HkPlugins *plugins;
    HkSettings *settings;
    char *parameter;
    GArray *entries; /* Entry */
    bool may_block;
    pthread_mutex_t
        lock; /* guards instance, trouble, retry_us and said_us of the entries */
};

void
hk_key_fold (HkSpan key, GString *out)
{
    uint8_t all = 0;
    g_string_set_size (out, key.size);
    /* Every lookup of every table comes by here: a loop that the compiler makes wide. */
    for (size_t i = 0; i < key.size; i++) {
        uint8_t c = key.data[i];
        all |= c;
        out->str[i] = (char) (c | (uint8_t) ((uint8_t) (c - 'A') < 26) << 5);
    }
    if (all < 0x80 || !g_utf8_validate ((const char *) key.data, (gssize) key.size, NULL))
        return;
    g_autofree char *folded = g_utf8_casefold ((const char *) key.data, (gssize) key.size);
    g_string_assign (out, folded);
}

bool
hk_parent_domain_matches (HkSettings *settings, const char *list)
{
    HkSpan rest, word;
    if (hk_conf_spec ("parent_domain_matches_subdomains") == NULL)
        return false;
    rest = hk_span_text (hk_settings_get (settings, "parent_domain_matches_subdomains"));
    while (hk_text_next_word (&rest, &word))
        if (hk_span_is (word, list))
            return true;
    return false;
}

void
hk_maps_search_defaults (HkMaps *self, const char *list, HkSearch *out)
{
    bool is_known = hk_conf_spec ("recipient_delimiter") != NULL;
    *out = (HkSearch){
        .delimiters =
            is_known ? hk_settings_get (self->settings, "recipient_delimiter") : "",
        .parent_matches = hk_parent_domain_matches (self->settings, list),
        .is_ours = self->plugins->is_ours,
        .data = self->plugins->is_ours_data,
    };
}

/* ---- opening ---- */

/* Words parted by blanks and commas; braces, wherever they stand, keep a word together. */
static bool
next_spec (HkSpan *rest, HkSpan *out)
{
    size_t i = 0, begin;
    int depth = 0;
    while (i < rest->size && strchr (" \t\r\n,", rest->data[i]) != NULL &&
           rest->data[i] != 0)
        i++;
    begin = i;
    for (; i < rest->size; i++) {
        uint8_t c = rest->data[i];
        if (c == '{')
            depth++;
        else if (c == '}')
            depth--;
        else if (depth <= 0 && (g_ascii_isspace (c) || c == ','))
            break;
    }
    *out = hk_span_sub (*rest, begin, i - begin);
    *rest = hk_span_sub (*rest, i, SIZE_MAX);
    return out->size > 0;
}

static void
clear_entry (void *p)
{
    Entry *entry = p;
    if (entry->instance != NULL)
        hk_instance_unref (entry->instance);
    g_free (entry->spec);
    g_free (entry->type);
    g_free (entry->trouble);
}

/* Under the lock, or before anybody else knows the list.  True: it is open now. */
static bool
try_open (HkMaps *self, Entry *entry, GError **error)
{
    entry->retry_us = hk_steady_us (&hk_clock_system) + RETRY_US;
    HkInstance *instance = hk_instance_open_shared (
        self->plugins, entry->type, hk_span_text (entry->argument), self->settings, error);
    if (instance == NULL)
        return false;
    g_clear_pointer (&entry->trouble, g_free);
    g_atomic_pointer_set (&entry->instance, instance);
    return true;
}

static bool
parse_spec (Entry *entry, HkSpan spec, GError **error)
{
    if (hk_span_starts_ci (spec, HK_SPAN ("proxy:")))
        spec = hk_span_sub (spec, strlen ("proxy:"), SIZE_MAX);
    size_t colon = hk_span_find (spec, ':', 0);
    entry->spec = hk_span_dup (spec);
    if (colon == 0 || colon + 1 >= spec.size) {
        g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_BROKEN,
                     "expecting \"type:name\" form instead of \"%s\"", entry->spec);
        return false;
    }
    entry->type = hk_span_dup (hk_span_sub (spec, 0, colon));
    entry->argument = entry->spec + colon + 1;
    return true;
}

static bool
add_entry (HkMaps *self, HkSpan spec, GError **error)
{
    Entry entry = {0};
    g_autoptr (GError) local = NULL;
    bool is_ok = parse_spec (&entry, spec, &local) &&
                 hk_plugins_load_for (self->plugins, HK_KIND_LOOKUP, entry.type, &local);
    if (is_ok) {
        const HkClass *cls = hk_plugins_class (self->plugins, HK_KIND_LOOKUP, entry.type);
        entry.cls = (const HkLookupClass *) (const void *) cls;
        self->may_block = self->may_block || (cls->flags & HK_MAY_BLOCK) != 0;
        is_ok = try_open (self, &entry, &local);
        self->may_block =
            self->may_block || (is_ok && hk_instance_may_block (entry.instance));
    }
    if (!is_ok && g_error_matches (local, HK_HOST_ERROR, HK_HOST_ERROR_LATER)) {
        entry.trouble = g_strdup (local->message);
        hk_log (HK_LOG_ERROR, "parameter %s: table %s: %s", self->parameter, entry.spec,
                local->message);
        is_ok = true;
    }
    if (!is_ok) {
        g_propagate_prefixed_error (error, g_steal_pointer (&local),
                                    "parameter %s: %s: ", self->parameter, entry.spec);
        clear_entry (&entry);
        return false;
    }
    g_array_append_val (self->entries, entry);
    return true;
}

HkMaps *
hk_maps_open (HkPlugins *plugins, HkSettings *settings, const char *parameter,
              const char *specs, GError **error)
{
    g_autoptr (HkMaps) self = g_new0 (HkMaps, 1);
    HkSpan rest = hk_span_text (specs), spec;
    self->ref_count = 1;
    self->plugins = plugins;
    self->settings = hk_settings_ref (settings);
    self->parameter = g_strdup (parameter);
    self->entries = g_array_new (FALSE, TRUE, sizeof (Entry));
    g_array_set_clear_func (self->entries, clear_entry);
    pthread_mutex_init (&self->lock, NULL);
    while (next_spec (&rest, &spec))
        if (!add_entry (self, spec, error))
            return NULL;
    return g_steal_pointer (&self);
}

HkMaps *
hk_maps_ref (HkMaps *self)
{
    g_atomic_int_inc (&self->ref_count);
    return self;
}

void
hk_maps_unref (HkMaps *self)
{
    if (!g_atomic_int_dec_and_test (&self->ref_count))
        return;
    g_array_unref (self->entries);
    pthread_mutex_destroy (&self->lock);
    g_free (self->parameter);
    hk_settings_unref (self->settings);
    g_free (self);
}

bool
hk_maps_is_empty (const HkMaps *self)
{
    return self->entries->len == 0;
}

bool
hk_maps_may_block (const HkMaps *self)
{
    return self->may_block;
}

char *
hk_maps_trouble (HkMaps *self)
{
    char *trouble = NULL;
    pthread_mutex_lock (&self->lock);
    for (guint i = 0; i < self->entries->len && trouble == NULL; i++) {
        const Entry *entry = &g_array_index (self->entries, Entry, i);
        if (entry->trouble != NULL)
            trouble = g_strdup_printf ("%s: %s", entry->spec, entry->trouble);
    }
    pthread_mutex_unlock (&self->lock);
    return trouble;
}

/* ---- asking ---- */

static void
set_reason (char **out, const char *spec, const char *why)
{
    if (out != NULL)
        *out = g_strdup_printf ("%s: %s", spec, why);
}

/* The open instance; NULL: not yet, and the reason is set. */
static HkInstance *
instance_of (HkMaps *self, Entry *entry, char **out_reason)
{
    HkInstance *instance = g_atomic_pointer_get (&entry->instance);
    if (instance != NULL)
        return instance;
    g_autoptr (GError) error = NULL;
    pthread_mutex_lock (&self->lock);
    if (entry->instance == NULL && hk_steady_us (&hk_clock_system) >= entry->retry_us &&
        !try_open (self, entry, &error)) {
        g_free (entry->trouble);
        entry->trouble = g_strdup (error->message);
    }
    instance = entry->instance;
    if (instance == NULL)
        set_reason (out_reason, entry->spec, entry->trouble);
    pthread_mutex_unlock (&self->lock);
    return instance;
}

/* A dead table is said, but not with every lookup. */
static void
say_later (HkMaps *self, Entry *entry, const char *why)
{
    int64_t now = hk_steady_us (&hk_clock_system);
    pthread_mutex_lock (&self->lock);
    bool is_due = entry->said_us == 0 || now - entry->said_us >= SAY_US;
    if (is_due)
        entry->said_us = now;
    pthread_mutex_unlock (&self->lock);
    if (is_due)
        hk_log (HK_LOG_WARNING, "table %s: lookup error: %s", entry->spec, why);
}

static HkAnswer
ask_instance (HkMaps *self, Entry *entry, HkInstance *instance, HkKey key,
              GString *out_value, char **out_reason)
{
    HkCall call;
    hk_call_init (&call, NULL, NULL);
    call.key = key;
    hk_instance_enter (instance);
    HkAnswer answer = entry->cls->get (hk_instance_pointer (instance), &call, key.bytes);
    hk_instance_leave (instance);
    if (answer == HK_FOUND && (call.value == NULL || call.value->len == 0)) {
        hk_call_set_reason (&call,
                            "table %s: an empty result is not allowed; a table must say "
                            "that a key is not there",
                            entry->spec);
        answer = HK_BROKEN;
    }
    answer = hk_call_answer (&call, instance, answer);
    if (answer == HK_FOUND && out_value != NULL)
        g_string_append_len (out_value, call.value->str, (gssize) call.value->len);
    if (answer != HK_FOUND && answer != HK_ABSENT) {
        const char *why = call.reason != NULL && call.reason->len > 0 ? call.reason->str
                                                                      : "lookup failed";
        if (answer != HK_BROKEN) {
            say_later (self, entry, why);
            answer = HK_LATER;
        }
        set_reason (out_reason, entry->spec, why);
    }
    hk_call_clear (&call);
    return answer;
}

static HkAnswer
ask_entry (HkMaps *self, Entry *entry, HkKey key, GString *out_value, char **out_reason)
{
    if ((entry->cls->base.flags & HK_BINARY_KEYS) == 0 &&
        hk_span_has_line_break (key.bytes))
        return HK_ABSENT;
    HkInstance *instance = instance_of (self, entry, out_reason);
    if (instance == NULL)
        return HK_LATER;
    return ask_instance (self, entry, instance, key, out_value, out_reason);
}

/* FOLDED is what tables with fixed keys get; those with patterns, and those made of others,
 * get KEY. */
static HkAnswer
ask_all (HkMaps *self, HkKey key, HkSpan folded, GString *out_value, char **out_reason)
{
    for (guint i = 0; i < self->entries->len; i++) {
        Entry *entry = &g_array_index (self->entries, Entry, i);
        uint32_t flags = entry->cls->base.flags;
        HkKey as_folded = {folded, key.is_partial, key.is_exact};
        if ((flags & HK_PATTERN_KEYS) != 0 && key.is_partial)
            continue;
        HkAnswer answer =
            ask_entry (self, entry,
                       (flags & (HK_PATTERN_KEYS | HK_NESTED_KEYS)) != 0 ? key : as_folded,
                       out_value, out_reason);
        if (answer != HK_ABSENT)
            return answer;
    }
    return HK_ABSENT;
}

HkAnswer
hk_maps_get_key (HkMaps *self, HkKey key, GString *out_value, char **out_reason)
{
    if (self->entries->len == 0 || key.bytes.size == 0)
        return HK_ABSENT;
    if (key.is_exact)
        return ask_all (self, key, key.bytes, out_value, out_reason);
    g_autoptr (GString) folded = g_string_sized_new (key.bytes.size + 1);
    hk_key_fold (key.bytes, folded);
    return ask_all (self, key, hk_span_string (folded), out_value, out_reason);
}

HkAnswer
hk_maps_get (HkMaps *self, HkSpan key, GString *out_value, char **out_reason)
{
    return hk_maps_get_key (self, (HkKey){.bytes = key}, out_value, out_reason);
}

HkAnswer
hk_maps_get_exact_case (HkMaps *self, HkSpan key, GString *out_value, char **out_reason)
{
    return hk_maps_get_key (self, (HkKey){.bytes = key, .is_exact = true}, out_value,
                            out_reason);
}

/* ---- a table that a plugin opened: a list of one ---- */

HkTable *
hk_table_new (HkMaps *maps)
{
    return (HkTable *) (void *) maps;
}

void
hk_table_free (HkTable *self)
{
    if (self != NULL)
        hk_maps_unref ((HkMaps *) (void *) self);
}

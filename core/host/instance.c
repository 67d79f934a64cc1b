/* instance.c: opened plugin classes: their parameters, their lock, how long they take. */
#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "host/host_priv.h"

enum { SLOW_US = 50000 }; /* an inline call that takes longer holds up every session */

void
hk_plugin_conf_init (HkConf *conf, HkSpan argument, HkSettings *settings,
                     const HkClass *cls)
{
    conf->argument = hk_span_dup (argument);
    conf->argument_size = argument.size;
    conf->settings = settings == NULL ? NULL : hk_settings_ref (settings);
    conf->cls = cls;
    conf->words = g_array_new (FALSE, FALSE, sizeof (HkSpan));
    HkSpan rest = hk_span (conf->argument, argument.size), word;
    while (hk_text_next_word (&rest, &word))
        g_array_append_val (conf->words, word);
}

void
hk_plugin_conf_clear (HkConf *conf)
{
    g_array_unref (conf->words);
    if (conf->settings != NULL)
        hk_settings_unref (conf->settings);
    g_free (conf->argument);
}

const HkOffer *
hk_plugins_offer (HkPlugins *self, int kind, const char *name)
{
    g_autofree char *key = g_strdup_printf ("%d:%s", kind, name);
    return g_hash_table_lookup (self->classes, key);
}

static bool
run_open (HkInstance *self, GError **error)
{
    HkCall call;
    hk_call_init (&call, NULL, self);
    HkAnswer answer =
        self->cls->open (&self->module->host, &self->conf, &call, &self->pointer);
    if (answer == HK_OK && self->pointer == NULL)
        self->pointer = self; /* a class without state */
    else if (answer != HK_OK)
        g_set_error_literal (error, HK_HOST_ERROR,
                             answer == HK_LATER ? HK_HOST_ERROR_LATER
                                                : HK_HOST_ERROR_BROKEN,
                             call.reason != NULL && call.reason->len > 0
                                 ? call.reason->str
                                 : "cannot be opened, no reason given");
    hk_call_clear (&call);
    return answer == HK_OK;
}

static void
instance_free (HkInstance *self)
{
    hk_plugin_conf_clear (&self->conf);
    g_rec_mutex_clear (&self->lock);
    g_free (self->shared_key);
    g_free (self);
}

HkInstance *
hk_instance_open (HkPlugins *plugins, int kind, const char *name, HkSpan argument,
                  HkSettings *settings, GError **error)
{
    if (!hk_plugins_load_for (plugins, kind, name, error))
        return NULL;
    const HkOffer *offer = hk_plugins_offer (plugins, kind, name);
    HkInstance *self = g_new0 (HkInstance, 1);
    self->ref_count = 1;
    self->cls = offer->cls;
    self->module = offer->module;
    self->plugins = plugins;
    g_rec_mutex_init (&self->lock);
    hk_plugin_conf_init (&self->conf, argument, settings, self->cls);
    if (run_open (self, error))
        return self;
    instance_free (self);
    return NULL;
}

HkInstance *
hk_instance_ref (HkInstance *self)
{
    g_atomic_int_inc (&self->ref_count);
    return self;
}

/* The last reference of a shared table goes away under the lock, so that nobody picks it up
 * from `shared` meanwhile. */
void
hk_instance_unref (HkInstance *self)
{
    HkPlugins *plugins = self->plugins;
    bool is_last;
    if (self->shared_key != NULL) {
        pthread_mutex_lock (&plugins->lock);
        is_last = g_atomic_int_dec_and_test (&self->ref_count);
        if (is_last && g_hash_table_lookup (plugins->shared, self->shared_key) == self)
            g_hash_table_remove (plugins->shared, self->shared_key);
        pthread_mutex_unlock (&plugins->lock);
    } else {
        is_last = g_atomic_int_dec_and_test (&self->ref_count);
    }
    if (!is_last)
        return;
    if (self->cls->close != NULL)
        self->cls->close (self->pointer);
    instance_free (self);
}

/* Tables named in several parameters are opened once, as long as the settings are the same.
 */
HkInstance *
hk_instance_open_shared (HkPlugins *plugins, const char *type, HkSpan argument,
                         HkSettings *settings, GError **error)
{
    g_autofree char *text = hk_span_dup (argument);
    g_autofree char *key = g_strdup_printf ("%p %s:%s", (void *) settings, type, text);
    pthread_mutex_lock (&plugins->lock);
    HkInstance *self = g_hash_table_lookup (plugins->shared, key);
    if (self != NULL)
        hk_instance_ref (self);
    pthread_mutex_unlock (&plugins->lock);
    if (self != NULL)
        return self;
    self = hk_instance_open (plugins, HK_KIND_LOOKUP, type, argument, settings, error);
    if (self == NULL)
        return NULL;
    self->shared_key = g_steal_pointer (&key);
    pthread_mutex_lock (&plugins->lock);
    g_hash_table_replace (plugins->shared, self->shared_key, self);
    pthread_mutex_unlock (&plugins->lock);
    return self;
}

const HkClass *
hk_instance_class (const HkInstance *self)
{
    return self->cls;
}

void *
hk_instance_pointer (const HkInstance *self)
{
    return self->pointer;
}

bool
hk_instance_may_block (const HkInstance *self)
{
    return (self->cls->flags & HK_MAY_BLOCK) != 0 || self->may_block;
}

static bool
is_inline (const HkInstance *self)
{
    return self->plugins->loop != NULL && !hk_instance_may_block (self) &&
           g_thread_self () == self->plugins->main_thread;
}

void
hk_instance_enter (HkInstance *self)
{
    if ((self->cls->flags & HK_THREAD_SAFE) == 0)
        g_rec_mutex_lock (&self->lock);
    if (is_inline (self) && self->was_slow == 0 && self->entered_us == 0)
        self->entered_us = hk_steady_us (&hk_clock_system);
}

void
hk_instance_leave (HkInstance *self)
{
    if (is_inline (self) && self->was_slow == 0 && self->entered_us != 0) {
        int64_t took = hk_steady_us (&hk_clock_system) - self->entered_us;
        self->entered_us = 0;
        if (took > SLOW_US) {
            self->was_slow = 1;
            hk_log (
                HK_LOG_WARNING,
                "%s %s: a call took %d ms on the event loop; plugin %s does not say that "
                "it may block",
                hk_kind_word (self->cls->kind), self->cls->name, (int) (took / 1000),
                self->module->plugin->name);
        }
    }
    if ((self->cls->flags & HK_THREAD_SAFE) == 0)
        g_rec_mutex_unlock (&self->lock);
}

/* call.c: the call object: what a room lends to a plugin and what the plugin gives back. */
#include "config.h"

#include "base/log.h"
#include "host/host_priv.h"

void
hk_call_init (HkCall *self, const HkCallOps *ops, void *subject)
{
    *self = (HkCall){.ops = ops, .subject = subject, .deadline_us = INT64_MAX};
}

static void
empty (GString *s)
{
    if (s != NULL)
        g_string_truncate (s, 0);
}

void
hk_call_reset (HkCall *self)
{
    empty (self->value);
    empty (self->value2);
    empty (self->reason);
    empty (self->reply_text);
    if (self->kept != NULL)
        g_ptr_array_set_size (self->kept, 0);
    self->reply_code = 0;
    self->reply_dsn[0] = '\0';
    self->n_answers = 0;
}

static void
drop (GString **s)
{
    if (*s != NULL)
        g_string_free (*s, TRUE);
    *s = NULL;
}

void
hk_call_clear (HkCall *self)
{
    drop (&self->value);
    drop (&self->value2);
    drop (&self->reason);
    drop (&self->reply_text);
    g_clear_pointer (&self->kept, g_ptr_array_unref);
}

void
hk_call_keep (HkCall *self, void *memory)
{
    if (self->kept == NULL)
        self->kept = g_ptr_array_new_with_free_func (g_free);
    g_ptr_array_add (self->kept, memory);
}

void
hk_call_set_reason (HkCall *self, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    if (self->reason == NULL)
        self->reason = g_string_new (NULL);
    g_string_vprintf (self->reason, format, ap);
    va_end (ap);
}

static bool
is_known (HkAnswer answer)
{
    return (answer >= HK_OK && answer <= HK_UNKNOWN) ||
           (answer >= HK_DUNNO && answer <= HK_NESTED);
}

HkAnswer
hk_call_answer (HkCall *self, HkInstance *instance, HkAnswer answer)
{
    const HkClass *cls = instance->cls;
    if (!is_known (answer)) {
        hk_call_set_reason (self, "plugin %s, %s %s: unknown answer %d",
                            instance->module->plugin->name, hk_kind_word (cls->kind),
                            cls->name, (int) answer);
        answer = HK_BROKEN;
    }
    if (answer == HK_BROKEN &&
        g_atomic_int_compare_and_exchange (&instance->was_broken, 0, 1))
        hk_log (HK_LOG_ERROR, "%s %s: %s", hk_kind_word (cls->kind), cls->name,
                self->reason != NULL && self->reason->len > 0 ? self->reason->str
                                                              : "wrong configuration");
    return answer;
}

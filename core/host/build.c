/* build.c: whole tables, for tools: walking through one, making one. */
#include "config.h"

#include "host/host_priv.h"

struct HkBuild {
    const HkLookupClass *cls;
    HkConf conf;
    HkCall call;
    void *build;
};

static void
set_error (GError **error, const HkCall *call, HkAnswer answer)
{
    g_set_error_literal (error, HK_HOST_ERROR,
                         answer == HK_LATER ? HK_HOST_ERROR_LATER : HK_HOST_ERROR_BROKEN,
                         call->reason != NULL && call->reason->len > 0 ? call->reason->str
                                                                       : "no reason given");
}

static HkSpan
given (const GString *text)
{
    return text == NULL ? HK_SPAN ("") : hk_span_string (text);
}

bool
hk_table_walk (HkInstance *table, HkPairFn fn, void *data, GError **error)
{
    const HkLookupClass *cls = (const HkLookupClass *) (const void *) table->cls;
    void *cursor = NULL;
    HkAnswer answer;
    HkCall call;
    if (!HK_HAS (cls, HkLookupClass, each)) {
        g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_ABSENT,
                     "sequence operation is not supported");
        return false;
    }
    hk_call_init (&call, NULL, NULL);
    hk_instance_enter (table);
    while ((answer = cls->each (table->pointer, &call, &cursor, 1)) == HK_FOUND) {
        bool go_on = fn (given (call.value), given (call.value2), data);
        hk_call_reset (&call);
        if (!go_on) {
            answer = cls->each (table->pointer, &call, &cursor, 0);
            break;
        }
    }
    hk_instance_leave (table);
    if (answer != HK_ABSENT)
        set_error (error, &call, answer);
    hk_call_clear (&call);
    return answer == HK_ABSENT;
}

static void
build_free (HkBuild *self)
{
    hk_call_clear (&self->call);
    hk_plugin_conf_clear (&self->conf);
    g_free (self);
}

HkBuild *
hk_build_new (HkPlugins *plugins, const char *type, HkSpan argument, HkSettings *settings,
              GError **error)
{
    if (!hk_plugins_load_for (plugins, HK_KIND_LOOKUP, type, error))
        return NULL;
    const HkOffer *offer = hk_plugins_offer (plugins, HK_KIND_LOOKUP, type);
    const HkLookupClass *cls = (const HkLookupClass *) (const void *) offer->cls;
    if (!HK_HAS (cls, HkLookupClass, build_begin) ||
        !HK_HAS (cls, HkLookupClass, build_put) ||
        !HK_HAS (cls, HkLookupClass, build_end)) {
        g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_ABSENT,
                     "unsupported map type for this operation: %s", type);
        return NULL;
    }
    HkBuild *self = g_new0 (HkBuild, 1);
    self->cls = cls;
    hk_plugin_conf_init (&self->conf, argument, settings, offer->cls);
    hk_call_init (&self->call, NULL, NULL);
    HkAnswer answer =
        cls->build_begin (&offer->module->host, &self->conf, &self->call, &self->build);
    if (answer == HK_OK)
        return self;
    set_error (error, &self->call, answer);
    build_free (self);
    return NULL;
}

HkAnswer
hk_build_put (HkBuild *self, HkSpan key, HkSpan value, bool replace, GError **error)
{
    hk_call_reset (&self->call);
    HkAnswer answer = self->cls->build_put (self->build, &self->call, key, value, replace);
    if (answer == HK_OK || answer == HK_FOUND)
        return answer;
    set_error (error, &self->call, answer);
    return answer == HK_LATER ? HK_LATER : HK_BROKEN;
}

bool
hk_build_commit (HkBuild *self, GError **error)
{
    hk_call_reset (&self->call);
    HkAnswer answer = self->cls->build_end (self->build, &self->call, 1);
    if (answer != HK_OK)
        set_error (error, &self->call, answer);
    build_free (self);
    return answer == HK_OK;
}

void
hk_build_abandon (HkBuild *self)
{
    hk_call_reset (&self->call);
    self->cls->build_end (self->build, &self->call, 0);
    build_free (self);
}

/* events.c: the bus: hands each event to every event plugin, and flushes once a turn. */
#include "config.h"

#include "base/log.h"
#include "host/events.h"
#include "host/host_priv.h"

struct HkEvents {
    HkLoop *loop;
    GThread *thread;
    GPtrArray *instances; /* HkInstance * of event classes */
    HkTurnHook hook;
    HkCall call;
};

static const HkEventClass *
class_of (HkInstance *instance)
{
    return (const HkEventClass *) (const void *) hk_instance_class (instance);
}

static void
flush_all (void *data)
{
    HkEvents *self = data;
    for (guint i = 0; i < self->instances->len; i++) {
        HkInstance *instance = g_ptr_array_index (self->instances, i);
        const HkEventClass *cls = class_of (instance);
        if (!HK_HAS (cls, HkEventClass, flush))
            continue;
        hk_instance_enter (instance);
        cls->flush (hk_instance_pointer (instance));
        hk_instance_leave (instance);
    }
}

static bool
open_classes (HkEvents *self, HkPlugins *plugins, HkSettings *settings, GError **error)
{
    for (guint i = 0; i < plugins->modules->len; i++) {
        const HkModule *module = g_ptr_array_index (plugins->modules, i);
        for (const HkClass *const *c = module->plugin->classes; *c != NULL; c++) {
            if ((*c)->kind != HK_KIND_EVENT ||
                hk_plugins_class (plugins, HK_KIND_EVENT, (*c)->name) != *c)
                continue;
            HkInstance *instance = hk_instance_open (plugins, HK_KIND_EVENT, (*c)->name,
                                                     HK_SPAN (""), settings, error);
            if (instance == NULL) {
                g_prefix_error (error, "event plugin %s: ", module->plugin->name);
                return false;
            }
            g_ptr_array_add (self->instances, instance);
        }
    }
    return true;
}

HkEvents *
hk_events_new (HkPlugins *plugins, HkSettings *settings, HkLoop *loop, GError **error)
{
    HkEvents *self = g_new0 (HkEvents, 1);
    self->loop = loop;
    self->thread = g_thread_self ();
    self->hook.fn = flush_all;
    self->hook.data = self;
    self->instances = g_ptr_array_new_with_free_func ((GDestroyNotify) hk_instance_unref);
    hk_call_init (&self->call, NULL, NULL);
    if (open_classes (self, plugins, settings, error))
        return self;
    hk_events_free (self);
    return NULL;
}

void
hk_events_free (HkEvents *self)
{
    if (self->loop != NULL)
        hk_loop_cancel_turn_end (self->loop, &self->hook);
    flush_all (self);
    while (self->instances->len > 0) /* in reverse order of opening */
        g_ptr_array_remove_index (self->instances, self->instances->len - 1);
    g_ptr_array_unref (self->instances);
    hk_call_clear (&self->call);
    g_free (self);
}

static HkAnswer
event_prop (HkCall *call, uint32_t id, HkSpan *out)
{
    const HkEvent *event = call->subject;
    if (id == HK_PROP_AGENT && event->agent != NULL) {
        *out = hk_span_text (event->agent);
        return HK_FOUND;
    }
    if (id >= G_N_ELEMENTS (event->text) || event->text[id].data == NULL)
        return HK_ABSENT;
    *out = event->text[id];
    return HK_FOUND;
}

static HkAnswer
event_prop_int (HkCall *call, uint32_t id, int64_t *out)
{
    const HkEvent *event = call->subject;
    if (id == HK_PROP_EVENT)
        *out = event->kind;
    else if (id == HK_PROP_LEVEL)
        *out = event->level;
    else if (id < G_N_ELEMENTS (event->number) && (event->has_number >> id & 1) != 0)
        *out = event->number[id];
    else
        return HK_ABSENT;
    return HK_FOUND;
}

static const HkCallOps event_ops = {.prop = event_prop, .prop_int = event_prop_int};

void
hk_events_emit (HkEvents *self, const HkEvent *event)
{
    for (guint i = 0; i < self->instances->len; i++) {
        HkInstance *instance = g_ptr_array_index (self->instances, i);
        hk_call_reset (&self->call);
        self->call.ops = &event_ops;
        self->call.subject = (void *) (uintptr_t) event;
        hk_instance_enter (instance);
        class_of (instance)->event (hk_instance_pointer (instance), &self->call);
        hk_instance_leave (instance);
    }
    if (self->loop != NULL)
        hk_loop_at_turn_end (self->loop, &self->hook);
    else
        flush_all (self);
}

typedef struct {
    HkEvents *events;
    int level;
    char *agent, *text;
} Posted;

static void
emit_posted (void *data)
{
    Posted *p = data;
    HkEvent event = {.kind = HK_EVENT_TEXT, .agent = p->agent, .level = p->level};
    hk_event_text (&event, HK_PROP_TEXT, hk_span_text (p->text));
    hk_events_emit (p->events, &event);
    g_free (p->agent);
    g_free (p->text);
    g_free (p);
}

void
hk_events_text (HkEvents *self, int level, const char *agent, HkSpan text)
{
    Posted *p = g_new (Posted, 1);
    *p = (Posted){self, level, g_strdup (agent), hk_span_dup (text)};
    if (self->loop == NULL || g_thread_self () == self->thread)
        emit_posted (p);
    else
        hk_loop_post (self->loop, emit_posted, p);
}

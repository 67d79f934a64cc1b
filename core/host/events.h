/* events.h: the bus: one record for everything that happens, to all loaded event plugins.
 *
 * Emitting costs one walk over the plugins; they read properties through the call.  At the
 * end of the loop turn their `flush` runs.  Loop thread; from a worker use hk_events_text.
 */
#ifndef HK_HOST_EVENTS_H
#define HK_HOST_EVENTS_H

#include "host/host.h"

typedef struct HkEvents HkEvents;

/* Opens an instance of every loaded event class. LOOP may be NULL: flush at once. */
HkEvents *hk_events_new (HkPlugins *plugins, HkSettings *settings, HkLoop *loop,
                         GError **error);
void hk_events_free (HkEvents *self);

/* A record: fields that are not set are absent. */
typedef struct HkEvent {
    int kind;          /* HK_EVENT_* */
    const char *agent; /* program word of the tag: "smtpd", "cleanup", "qmgr", "smtp" */
    int level;
    HkSpan text[48]; /* by HK_PROP_*; data NULL: absent */
    int64_t number[48];
    uint64_t has_number; /* bit per HK_PROP_* */
} HkEvent;
static inline void
hk_event_text (HkEvent *self, unsigned prop, HkSpan value)
{
    self->text[prop] = value.data == NULL ? hk_span ("", 0) : value;
}
static inline void
hk_event_number (HkEvent *self, unsigned prop, int64_t value)
{
    self->number[prop] = value;
    self->has_number |= UINT64_C (1) << prop;
}
void hk_events_emit (HkEvents *self, const HkEvent *event);
/* HK_EVENT_TEXT from any thread: goes to the loop when called elsewhere. */
void hk_events_text (HkEvents *self, int level, const char *agent, HkSpan text);

#endif

/* transport_discard.c: "discard": takes mail and throws it away.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <hikyaku/transport.h>

#include <stdlib.h>

typedef struct {
    const HkHost *host;
} Instance;

static HkAnswer
discard_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    Instance *self = malloc (sizeof *self);
    (void) conf;
    if (self == NULL)
        return host->later (call, "out of memory");
    self->host = host;
    *out_instance = self;
    return HK_OK;
}

static void
discard_close (void *instance)
{
    free (instance);
}

static HkAnswer
discard_start (void *instance, HkCall *call)
{
    Instance *self = instance;
    HkResult result = {.size = sizeof result,
                       .status = HK_STATUS_SENT,
                       .flags = HK_RESULT_FINAL,
                       .dsn = {(const uint8_t *) "2.0.0", 5},
                       .relay = {(const uint8_t *) "none", 4}};
    if (self->host->prop (call, HK_PROP_NEXTHOP, &result.text) != HK_FOUND)
        result.text = (HkSpan){(const uint8_t *) "discarded", 9};
    for (size_t i = 0; i < self->host->n_recipients (call); i++)
        self->host->result (call, i, &result);
    self->host->complete (call);
    return HK_OK;
}

static const HkTransportClass discard_class = {
    .base = {.size = sizeof (HkTransportClass),
             .kind = HK_KIND_TRANSPORT,
             .class_minor = HK_TRANSPORT_MINOR,
             .name = "discard",
             .flags = HK_THREAD_SAFE,
             .open = discard_open,
             .close = discard_close},
    .transport_flags = HK_TRANSPORT_PROBES,
    .start = discard_start,
};

HK_PLUGIN (transport_discard, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "throws mail away and says it was sent",
           .classes = HK_CLASSES (&discard_class.base))

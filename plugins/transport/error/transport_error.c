/* transport_error.c: "error" and "retry": every recipient bounces, or waits, with the next
 * hop as the reason.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <hikyaku/transport.h>

#include <stdlib.h>
#include <string.h>

typedef struct {
    const HkHost *host;
} Instance;

static HkAnswer
error_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
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
error_close (void *instance)
{
    free (instance);
}

static int
is_digit (uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Length of "x.y.z" at the front of TEXT when its class is CLASS, else 0. */
static size_t
dsn_length (HkSpan text, uint8_t class)
{
    size_t at = 2;
    if (text.size < 5 || text.data[0] != class || text.data[1] != '.')
        return 0;
    for (int part = 0; part < 2; part++) {
        size_t from = at;
        while (at < text.size && at - from < 3 && is_digit (text.data[at]))
            at++;
        if (at == from)
            return 0;
        if (part == 0 && (at >= text.size || text.data[at++] != '.'))
            return 0;
    }
    return at == text.size || text.data[at] == ' ' ? at : 0;
}

static HkAnswer
give_all (Instance *self, HkCall *call, int32_t status, uint8_t class,
          const char *preset_dsn)
{
    HkSpan reason;
    if (self->host->prop (call, HK_PROP_NEXTHOP, &reason) != HK_FOUND)
        reason = (HkSpan){(const uint8_t *) "mail cannot be delivered", 24};
    HkResult result = {.size = sizeof result, .status = status, .text = reason};
    size_t n = dsn_length (reason, class);
    result.dsn = n > 0 ? (HkSpan){reason.data, n}
                       : (HkSpan){(const uint8_t *) preset_dsn, strlen (preset_dsn)};
    while (n > 0 && n < reason.size && reason.data[n] == ' ')
        n++;
    result.text.data += n;
    result.text.size -= n;
    result.relay = (HkSpan){(const uint8_t *) "none", 4};
    for (size_t i = 0; i < self->host->n_recipients (call); i++)
        self->host->result (call, i, &result);
    self->host->complete (call);
    return HK_OK;
}

/* A service that is called "retry" defers, whatever its command: as in Postfix's master.cf.
 */
static HkAnswer
error_start (void *instance, HkCall *call)
{
    Instance *self = instance;
    HkSpan service;
    if (self->host->prop (call, HK_PROP_SERVICE, &service) == HK_FOUND &&
        service.size == 5 && memcmp (service.data, "retry", 5) == 0)
        return give_all (self, call, HK_STATUS_DEFERRED, '4', "4.0.0");
    return give_all (instance, call, HK_STATUS_BOUNCED, '5', "5.0.0");
}

static HkAnswer
retry_start (void *instance, HkCall *call)
{
    return give_all (instance, call, HK_STATUS_DEFERRED, '4', "4.0.0");
}

static const HkTransportClass error_class = {
    .base = {.size = sizeof (HkTransportClass),
             .kind = HK_KIND_TRANSPORT,
             .class_minor = HK_TRANSPORT_MINOR,
             .name = "error",
             .flags = HK_THREAD_SAFE,
             .open = error_open,
             .close = error_close},
    .transport_flags = HK_TRANSPORT_PROBES,
    .start = error_start,
};

static const HkTransportClass retry_class = {
    .base = {.size = sizeof (HkTransportClass),
             .kind = HK_KIND_TRANSPORT,
             .class_minor = HK_TRANSPORT_MINOR,
             .name = "retry",
             .flags = HK_THREAD_SAFE,
             .open = error_open,
             .close = error_close},
    .transport_flags = HK_TRANSPORT_PROBES,
    .start = retry_start,
};

HK_PLUGIN (transport_error, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "bounces or defers all mail with the next hop as the reason",
           .classes = HK_CLASSES (&error_class.base, &retry_class.base))

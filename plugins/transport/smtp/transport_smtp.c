/* transport_smtp.c: "smtp" and "lmtp": handing mail to other servers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_smtp_priv.h"

static void
free_queue (gpointer queue)
{
    g_queue_free (queue);
}

static void
smtp_close (void *instance)
{
    SmtpInstance *self = instance;
    transport_smtp_connection_close_idle (self);
    g_hash_table_unref (self->idle);
    transport_smtp_conf_clear (&self->conf);
    g_free (self);
}

static HkAnswer
open_kind (const HkHost *host, const HkConf *conf, HkCall *call, bool is_lmtp,
           void **out_instance)
{
    SmtpInstance *self = g_new0 (SmtpInstance, 1);
    self->host = host;
    self->conf.is_lmtp = is_lmtp;
    self->idle = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_queue);
    HkAnswer answer = transport_smtp_conf_read (&self->conf, host, conf, call);
    if (answer != HK_OK) {
        smtp_close (self);
        return answer;
    }
    if (self->conf.refusal != NULL)
        host->log (host, HK_LOG_WARNING, "%s: all mail waits", self->conf.refusal);
    *out_instance = self;
    return HK_OK;
}

static HkAnswer
smtp_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    return open_kind (host, conf, call, false, out_instance);
}

static HkAnswer
lmtp_open (const HkHost *host, const HkConf *conf, HkCall *call, void **out_instance)
{
    return open_kind (host, conf, call, true, out_instance);
}

static HkAnswer
smtp_start (void *instance, HkCall *call)
{
    transport_smtp_delivery_start (instance, call);
    return HK_OK;
}

static void
smtp_quiet (void *instance)
{
    SmtpInstance *self = instance;
    self->is_quiet = true;
    transport_smtp_connection_close_idle (self);
}

static const HkTransportClass smtp_class = {
    .base = {.size = sizeof (HkTransportClass),
             .kind = HK_KIND_TRANSPORT,
             .class_minor = HK_TRANSPORT_MINOR,
             .name = "smtp",
             .params = transport_smtp_params,
             .open = smtp_open,
             .close = smtp_close},
    .transport_flags = HK_TRANSPORT_PROBES,
    .start = smtp_start,
    .quiet = smtp_quiet,
};

static const HkTransportClass lmtp_class = {
    .base = {.size = sizeof (HkTransportClass),
             .kind = HK_KIND_TRANSPORT,
             .class_minor = HK_TRANSPORT_MINOR,
             .name = "lmtp",
             .params = transport_smtp_lmtp_params,
             .open = lmtp_open,
             .close = smtp_close},
    .transport_flags = HK_TRANSPORT_PROBES,
    .start = smtp_start,
    .quiet = smtp_quiet,
};

HK_PLUGIN (transport_smtp, .version = "1.0", .licence = "LGPL-2.1-or-later",
           .summary = "hands mail to other servers over SMTP and LMTP",
           .classes = HK_CLASSES (&smtp_class.base, &lmtp_class.base))

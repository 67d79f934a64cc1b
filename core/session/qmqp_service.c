/* qmqp_service.c: the parameters of the QMQP server, one qmqpd line of master.cf compiled, and
 * the process's set of connections. */
#include "config.h"
#include "session/qmqp_priv.h"

const HkConfSpec hk_qmqp_params[] = {
    {.name = "qmqpd_authorized_clients",
     .type = HK_CONF_STRING,
     .preset = "",
     .help = "clients that may use the QMQP server: as in mynetworks"},
    {.name = "qmqpd_client_port_logging",
     .type = HK_CONF_BOOL,
     .preset = "no",
     .help = "log the port of a QMQP client behind its address"},
    {.name = "qmqpd_error_delay",
     .type = HK_CONF_TIME,
     .preset = "1s",
     .min = 0,
     .max = 3600,
     .help = "wait before each negative reply of the QMQP server"},
    {.name = "qmqpd_timeout",
     .type = HK_CONF_TIME,
     .preset = "300s",
     .min = 1,
     .max = 86400 * 7,
     .help = "longest wait for a QMQP client; with smtpd_min_data_rate"},
    {.name = NULL},
};

/* ---- one line of master.cf
 * ------------------------------------------------------------------- */

static void
read_limits (HkQmqpService *self, HkSettings *v)
{
    self->message_limit = (uint64_t) MAX (hk_settings_int (v, "message_size_limit"), 0);
    self->address_limit = (size_t) hk_settings_int (v, "line_length_limit");
    self->timeout_us = hk_settings_int (v, "qmqpd_timeout") * HK_SECOND;
    self->name_timeout_us =
        hk_settings_int (v, "smtpd_peername_lookup_timeout") * HK_SECOND;
    self->error_delay_us = hk_settings_int (v, "qmqpd_error_delay") * HK_SECOND;
    self->min_data_rate = (unsigned) hk_settings_int (v, "smtpd_min_data_rate");
    self->log_port = hk_settings_bool (v, "qmqpd_client_port_logging");
    self->soft_bounce = hk_settings_bool (v, "soft_bounce");
}

HkQmqpService *
hk_qmqp_service_new (HkQmqps *qmqps, const HkDialogueOptions *options, GError **error)
{
    g_autoptr (HkQmqpService) self = g_new0 (HkQmqpService, 1);
    HkSettings *view = options->view;
    self->qmqps = qmqps;
    self->intake = options->intake;
    self->view = hk_settings_ref (view);
    self->service = g_strdup (options->service);
    self->myhostname = hk_settings_get (view, "myhostname");
    self->mail_name = hk_settings_get (view, "mail_name");
    read_limits (self, view);
    self->clients =
        hk_match_list_open (options->plugins, view, "qmqpd_authorized_clients",
                            hk_settings_get (view, "qmqpd_authorized_clients"),
                            HK_MATCH_ADDRESSES, error);
    return self->clients != NULL ? g_steal_pointer (&self) : NULL;
}

void
hk_qmqp_service_free (HkQmqpService *self)
{
    if (self == NULL)
        return;
    g_clear_pointer (&self->clients, hk_match_list_free);
    hk_settings_unref (self->view);
    g_free (self->service);
    g_free (self);
}

/* ---- the set
 * --------------------------------------------------------------------------------- */

static void
tell_drained (void *data)
{
    HkQmqps *self = data;
    if (self->options.drained != NULL)
        self->options.drained (self->options.data);
}

HkQmqps *
hk_qmqps_new (const HkSessionsOptions *options)
{
    HkQmqps *self = g_new0 (HkQmqps, 1);
    self->options = *options;
    self->buffer = g_malloc (HK_SESSION_READ_SIZE);
    self->drained_hook = (HkTurnHook){.fn = tell_drained, .data = self};
    if (options->stats != NULL) {
        self->stat_connects = hk_stats_slot (options->stats, "qmqpd.connections");
        self->stat_messages = hk_stats_slot (options->stats, "qmqpd.messages");
    }
    return self;
}

void
hk_qmqps_free (HkQmqps *self)
{
    if (self == NULL)
        return;
    while (self->first != NULL)
        hk_qmqp_free (self->first);
    hk_loop_cancel_turn_end (self->options.loop, &self->drained_hook);
    g_free (self->buffer);
    g_free (self);
}

void
hk_qmqps_set_pressure (HkQmqps *self, bool on)
{
    self->has_pressure = on;
}

void
hk_qmqps_add (HkQmqps *self, HkQmqp *qmqp)
{
    qmqp->next = self->first;
    if (self->first != NULL)
        self->first->prev = qmqp;
    self->first = qmqp;
    self->count++;
    if (self->stat_connects != NULL)
        hk_stats_add (self->stat_connects, 1);
}

void
hk_qmqps_forget (HkQmqps *self, HkQmqp *qmqp)
{
    if (qmqp->prev != NULL)
        qmqp->prev->next = qmqp->next;
    else
        self->first = qmqp->next;
    if (qmqp->next != NULL)
        qmqp->next->prev = qmqp->prev;
    self->count--;
    if (self->is_draining && self->count == 0)
        hk_loop_at_turn_end (self->options.loop, &self->drained_hook);
}

void
hk_qmqps_drain (HkQmqps *self)
{
    if (self->is_draining)
        return;
    self->is_draining = true;
    for (HkQmqp *q = self->first, *next; q != NULL; q = next) {
        next = q->next;
        if (hk_qmqp_is_idle (q))
            hk_qmqp_free (q);
    }
    if (self->count == 0)
        hk_loop_at_turn_end (self->options.loop, &self->drained_hook);
}

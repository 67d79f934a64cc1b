/* access.c: opening and closing the lists of a service; verdicts. */
#include "access/access_priv.h"

#include "base/log.h"

const char *const hk_list_parameters[HK_N_LISTS] = {
    [HK_LIST_CLIENT] = "smtpd_client_restrictions",
    [HK_LIST_HELO] = "smtpd_helo_restrictions",
    [HK_LIST_SENDER] = "smtpd_sender_restrictions",
    [HK_LIST_RELAY] = "smtpd_relay_restrictions",
    [HK_LIST_RECIPIENT] = "smtpd_recipient_restrictions",
    [HK_LIST_DATA] = "smtpd_data_restrictions",
    [HK_LIST_END_OF_DATA] = "smtpd_end_of_data_restrictions",
    [HK_LIST_ETRN] = "smtpd_etrn_restrictions",
};

const char *
hk_stage_name (HkStage stage, bool is_esmtp)
{
    switch (stage) {
    case HK_STAGE_CONNECT:
        return "CONNECT";
    case HK_STAGE_HELO:
        return is_esmtp ? "EHLO" : "HELO";
    case HK_STAGE_MAIL:
        return "MAIL";
    case HK_STAGE_RCPT:
        return "RCPT";
    case HK_STAGE_DATA:
        return "DATA";
    case HK_STAGE_END_OF_DATA:
        return "END-OF-MESSAGE";
    case HK_STAGE_VRFY:
        return "VRFY";
    case HK_STAGE_ETRN:
        return "ETRN";
    }
    return "unknown";
}

/* ---- verdicts
 * ------------------------------------------------------------------------------- */

void
hk_verdict_init (HkVerdict *self)
{
    *self = (HkVerdict){
        .text = g_string_new (NULL),
        .hold_reason = g_string_new (NULL),
        .filter = g_string_new (NULL),
        .redirect = g_string_new (NULL),
        .postponed = g_string_new (NULL),
        .prepend = g_ptr_array_new_with_free_func (g_free),
        .bcc = g_ptr_array_new_with_free_func (g_free),
        .log = g_ptr_array_new_with_free_func (g_free),
    };
}

void
hk_verdict_reset (HkVerdict *self)
{
    self->what = HK_VERDICT_PASS;
    self->code = 0;
    self->dsn[0] = '\0';
    self->hold = false;
    g_string_truncate (self->text, 0);
    g_string_truncate (self->hold_reason, 0);
    g_string_truncate (self->filter, 0);
    g_string_truncate (self->redirect, 0);
    g_string_truncate (self->postponed, 0);
    g_ptr_array_set_size (self->prepend, 0);
    g_ptr_array_set_size (self->bcc, 0);
    g_ptr_array_set_size (self->log, 0);
}

void
hk_verdict_clear (HkVerdict *self)
{
    g_string_free (self->text, TRUE);
    g_string_free (self->hold_reason, TRUE);
    g_string_free (self->filter, TRUE);
    g_string_free (self->redirect, TRUE);
    g_string_free (self->postponed, TRUE);
    g_ptr_array_unref (self->prepend);
    g_ptr_array_unref (self->bcc);
    g_ptr_array_unref (self->log);
}

/* ---- opening
 * --------------------------------------------------------------------------------- */

static void
open_classes (HkAccess *self)
{
    g_auto (GStrv) names = hk_settings_words (self->settings, "smtpd_restriction_classes");
    for (char **at = names; *at != NULL; at++)
        if (hk_settings_raw (self->settings, *at) != NULL)
            hk_access_class_plan (self, *at, HK_LIST_RECIPIENT);
}

static bool
open_named_lists (HkAccess *self, GError **error)
{
    static const struct {
        const char *parameter;
        HkMatchKind kind;
    } names[HK_N_NAMED_LISTS] = {
        {"mynetworks", HK_MATCH_ADDRESSES},
        {"permit_mx_backup_networks", HK_MATCH_ADDRESSES},
        {"mydestination", HK_MATCH_DOMAINS},
        {"relay_domains", HK_MATCH_DOMAINS},
    };
    for (size_t i = 0; i < HK_N_NAMED_LISTS; i++) {
        const char *parameter = names[i].parameter;
        self->named[i].parameter = parameter;
        self->named[i].list = hk_match_list_open (
            self->plugins, self->settings, parameter,
            hk_settings_get (self->settings, parameter), names[i].kind, error);
        if (self->named[i].list == NULL)
            return false;
    }
    return true;
}

/* Postfix leaves smtpd_relay_restrictions empty below compatibility_level 1, where the old
 * default of smtpd_recipient_restrictions used to stand guard.  A configuration that names
 * neither is not an open relay but an unfinished one: it gets the default of today. */
static void
guard_unfinished (HkAccess *self)
{
    HkPlan *relay = self->lists[HK_LIST_RELAY];
    if (relay->guards_relay || self->lists[HK_LIST_RECIPIENT]->steps->len > 0 ||
        relay->steps->len > 0 ||
        hk_settings_raw (self->settings, hk_list_parameters[HK_LIST_RELAY]) != NULL)
        return;
    hk_plan_free (relay);
    self->lists[HK_LIST_RELAY] = hk_plan_compile_text (
        self, HK_LIST_RELAY,
        HK_SPAN ("permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"));
}

/* Without one of these words the door is open to everyone's mail to everywhere. */
static bool
check_relay_guard (HkAccess *self, GError **error)
{
    if (self->lists[HK_LIST_RELAY]->guards_relay ||
        self->lists[HK_LIST_RECIPIENT]->guards_relay)
        return true;
    g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_BROKEN,
                 "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, "
                 "specify at least one working instance of: reject_unauth_destination, "
                 "defer_unauth_destination, reject, defer, defer_if_permit or "
                 "check_relay_domains");
    return false;
}

static bool
named_list_may_block (const HkAccess *self)
{
    for (size_t i = 0; i < HK_N_NAMED_LISTS; i++)
        if (hk_match_list_may_block (self->named[i].list))
            return true;
    return self->permit_log != NULL && hk_match_list_may_block (self->permit_log);
}

static bool
open_permit_log (HkAccess *self, GError **error)
{
    static const char parameter[] = "smtpd_log_access_permit_actions";
    const char *text = hk_settings_get (self->settings, parameter);
    if (hk_span_strip (hk_span_text (text)).size == 0)
        return true;
    self->permit_log = hk_match_list_open (self->plugins, self->settings, parameter, text,
                                           HK_MATCH_STRINGS, error);
    return self->permit_log != NULL;
}

static void
read_settings (HkAccess *self)
{
    HkSettings *s = self->settings;
    self->is_delayed = hk_settings_bool (s, "smtpd_delay_reject");
    self->relay_is_first =
        hk_settings_bool (s, "smtpd_relay_before_recipient_restrictions");
    self->checks_recipient = hk_settings_bool (s, "smtpd_reject_unlisted_recipient");
    self->checks_sender = hk_settings_bool (s, "smtpd_reject_unlisted_sender");
    g_auto (GStrv) overrides = hk_settings_words (s, "receive_override_options");
    self->takes_unknown =
        g_strv_contains ((const char *const *) overrides, "no_unknown_recipient_checks");
    self->reject_code = (int) hk_settings_int (s, "access_map_reject_code");
    self->defer_code = (int) hk_settings_int (s, "access_map_defer_code");
}

HkAccess *
hk_access_new (HkPlugins *plugins, HkSettings *view, HkRouter *router, HkComplaintFn fn,
               void *data, GError **error)
{
    HkAccess *self = g_new0 (HkAccess, 1);
    self->plugins = plugins;
    self->settings = hk_settings_ref (view);
    self->router = hk_router_ref (router);
    self->classes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                           (GDestroyNotify) hk_plan_free);
    self->values = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                          (GDestroyNotify) hk_plan_free);
    g_mutex_init (&self->lock);
    read_settings (self);
    if (!open_named_lists (self, error) || !open_permit_log (self, error)) {
        hk_access_free (self);
        return NULL;
    }
    for (int i = 0; i < HK_N_LISTS; i++)
        self->lists[i] = hk_plan_compile (self, i);
    guard_unfinished (self);
    open_classes (self);
    if (fn != NULL)
        hk_access_complain (self, fn, data);
    if (!check_relay_guard (self, error)) {
        hk_access_free (self);
        return NULL;
    }
    return self;
}

void
hk_access_free (HkAccess *self)
{
    for (int i = 0; i < HK_N_LISTS; i++)
        if (self->lists[i] != NULL)
            hk_plan_free (self->lists[i]);
    for (size_t i = 0; i < HK_N_NAMED_LISTS; i++)
        if (self->named[i].list != NULL)
            hk_match_list_free (self->named[i].list);
    if (self->permit_log != NULL)
        hk_match_list_free (self->permit_log);
    g_hash_table_unref (self->values);
    g_hash_table_unref (self->classes);
    g_mutex_clear (&self->lock);
    hk_router_unref (self->router);
    hk_settings_unref (self->settings);
    g_free (self);
}

/* ---- which lists run when
 * ------------------------------------------------------------------- */

size_t
hk_access_lists_of (const HkAccess *self, HkStage stage, int out[5])
{
    size_t n = 0;
    bool early = !self->is_delayed;
    switch (stage) {
    case HK_STAGE_CONNECT:
        if (early)
            out[n++] = HK_LIST_CLIENT;
        break;
    case HK_STAGE_HELO:
        if (early)
            out[n++] = HK_LIST_HELO;
        break;
    case HK_STAGE_MAIL:
        if (early)
            out[n++] = HK_LIST_SENDER;
        break;
    case HK_STAGE_RCPT:
    case HK_STAGE_VRFY:
        if (!early) {
            out[n++] = HK_LIST_CLIENT;
            out[n++] = HK_LIST_HELO;
            out[n++] = HK_LIST_SENDER;
        }
        out[n++] = self->relay_is_first ? HK_LIST_RELAY : HK_LIST_RECIPIENT;
        out[n++] = self->relay_is_first ? HK_LIST_RECIPIENT : HK_LIST_RELAY;
        break;
    case HK_STAGE_DATA:
        out[n++] = HK_LIST_DATA;
        break;
    case HK_STAGE_END_OF_DATA:
        out[n++] = HK_LIST_END_OF_DATA;
        break;
    case HK_STAGE_ETRN:
        if (!early) {
            out[n++] = HK_LIST_CLIENT;
            out[n++] = HK_LIST_HELO;
        }
        out[n++] = HK_LIST_ETRN;
        break;
    }
    return n;
}

static bool
lists_may_block (const HkAccess *self, HkStage stage)
{
    int lists[5];
    size_t n = hk_access_lists_of (self, stage, lists), n_steps = 0;
    for (size_t i = 0; i < n; i++) {
        n_steps += self->lists[lists[i]]->steps->len;
        if (self->lists[lists[i]]->may_block)
            return true;
    }
    /* A table may answer with the name of a list that blocks. */
    return n_steps > 0 &&
           (self->blocks_by_class || g_atomic_int_get (&self->values_may_block) != 0 ||
            named_list_may_block (self));
}

static bool
asks_router (HkStage stage)
{
    return stage == HK_STAGE_RCPT || stage == HK_STAGE_VRFY;
}

bool
hk_access_may_block (const HkAccess *self, HkStage stage)
{
    return lists_may_block (self, stage) ||
           (asks_router (stage) && hk_router_may_block (self->router));
}

bool
hk_access_may_block_for (const HkAccess *self, HkStage stage,
                         const HkAccessSubject *subject)
{
    if (lists_may_block (self, stage))
        return true;
    return asks_router (stage) &&
           (hk_router_listed_may_block (self->router, subject->recipient) ||
            (subject->sender.size > 0 &&
             hk_router_listed_may_block (self->router, subject->sender)));
}

bool
hk_access_is_probe_sender (HkAccess *self, HkSpan recipient, int64_t now_s, GString *out)
{
    return hk_router_is_probe_sender (self->router, recipient, now_s, out);
}

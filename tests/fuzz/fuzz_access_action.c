/* fuzz_access_action.c: any bytes as the answer of an access table (also of a policy
 * server): every one leads to a verdict, and every refusal has a valid code and status. */
#include "config.h"

#include "access/access_priv.h"
#include "mail/reply.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static HkAccess *access_;

static void
make_access (void)
{
    g_autoptr (GError) error = NULL;
    hk_conf_register (hk_base_params);
    hk_conf_register (hk_host_params);
    hk_conf_register (hk_route_params);
    hk_conf_register (hk_access_params);
    HkSettings *settings = hk_settings_from_text (
        "myhostname = mx.fuzz.test\nmydestination = fuzz.test\nlocal_recipient_maps =\n"
        "alias_maps =\ninet_interfaces = 127.0.0.1\nmynetworks =\n"
        "smtpd_relay_restrictions = defer_if_permit\n"
        "smtpd_restriction_classes = a, b\na = defer_if_reject, b\nb = a\n",
        "", &error);
    g_assert_no_error (error);
    HkPlugins *plugins = hk_plugins_new ("/nonexistent", NULL, NULL);
    hk_plugins_set_settings (plugins, settings);
    HkRouter *router = hk_router_new (plugins, settings, &error);
    g_assert_no_error (error);
    access_ = hk_access_new (plugins, settings, router, NULL, NULL, &error);
    g_assert_no_error (error);
}

static void
check_verdict (const HkVerdict *verdict)
{
    if (verdict->what != HK_VERDICT_REJECT && verdict->what != HK_VERDICT_DISCONNECT)
        return;
    g_assert (verdict->code >= 400 && verdict->code <= 599);
    g_assert (hk_dsn_prefix (hk_span_text (verdict->dsn)) == strlen (verdict->dsn));
    g_assert (verdict->dsn[0] == (verdict->code < 500 ? '4' : '5'));
    g_assert (verdict->text->len > 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (access_ == NULL)
        make_access ();
    HkVerdict verdict;
    hk_verdict_init (&verdict);
    const HkAccessSubject subject = {.client_name = HK_SPAN ("c"),
                                     .client_address = HK_SPAN ("192.0.2.1"),
                                     .sender = HK_SPAN ("s@x"),
                                     .recipient = HK_SPAN ("r@x"),
                                     .has_sender = true,
                                     .has_recipient = true};
    HkStep step = {.word = (char *) "check_sender_access"};
    HkAccessRun run = {.access = access_,
                       .subject = &subject,
                       .out = &verdict,
                       .stage = HK_STAGE_RCPT,
                       .list = size % HK_N_LISTS,
                       .step = &step};
    hk_access_action (&run, hk_span (data, size), HK_SPAN_NONE);
    check_verdict (&verdict);
    GString *const lent[] = {run.client, run.reply_subject, run.reason, run.if_permit.text,
                             run.if_reject.text};
    for (size_t i = 0; i < G_N_ELEMENTS (lent); i++)
        if (lent[i] != NULL)
            g_string_free (lent[i], TRUE);
    hk_verdict_clear (&verdict);
    return 0;
}

/* test_event_log_text.c: each event's line, word for word. */
#include "harness.h"

extern const HkPlugin HK_PLUGIN_SYMBOL (event_log_text);

typedef struct {
    uint32_t prop;
    const char *text; /* NULL: number */
    int64_t number;
} Prop;

static const struct {
    int kind;
    Prop props[16];
    const char *line;
} rows[] = {
    { HK_EVENT_CONNECT,
      { { HK_PROP_AGENT, "smtpd", 0 },
        { HK_PROP_CLIENT_NAME, "a.example", 0 },
        { HK_PROP_CLIENT_ADDRESS, "192.0.2.1", 0 } },
      "smtpd: connect from a.example[192.0.2.1]\n" },
    { HK_EVENT_DISCONNECT, /* a Unix socket has no address */
      { { HK_PROP_AGENT, "smtpd", 0 }, { HK_PROP_TEXT, "ehlo=1 quit=1 commands=2", 0 } },
      "smtpd: disconnect from unknown[unknown] ehlo=1 quit=1 commands=2\n" },
    { HK_EVENT_LOST,
      { { HK_PROP_AGENT, "smtpd", 0 },
        { HK_PROP_CLIENT_ADDRESS, "192.0.2.1", 0 },
        { HK_PROP_TEXT, "lost connection after DATA", 0 } },
      "smtpd: lost connection after DATA from unknown[192.0.2.1]\n" },
    { HK_EVENT_REJECT, /* the null sender is shown as <> */
      { { HK_PROP_AGENT, "smtpd", 0 },
        { HK_PROP_CLIENT_ADDRESS, "192.0.2.1", 0 },
        { HK_PROP_STATUS, "reject", 0 },
        { HK_PROP_STAGE, "RCPT", 0 },
        { HK_PROP_TEXT, "554 5.7.1 <r@b.example>: Relay access denied", 0 },
        { HK_PROP_SENDER, "", 0 },
        { HK_PROP_RECIPIENT, "r@b.example", 0 },
        { HK_PROP_PROTOCOL, "ESMTP", 0 },
        { HK_PROP_HELO_NAME, "h", 0 } },
      "smtpd: NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 <r@b.example>: Relay "
      "access denied; from=<> to=<r@b.example> proto=ESMTP helo=<h>\n" },
    { HK_EVENT_CLIENT,
      { { HK_PROP_AGENT, "smtpd", 0 },
        { HK_PROP_QUEUE_ID, "4F00", 0 },
        { HK_PROP_CLIENT_NAME, "n", 0 },
        { HK_PROP_CLIENT_ADDRESS, "::1", 0 },
        { HK_PROP_SASL_METHOD, "PLAIN", 0 },
        { HK_PROP_SASL_USERNAME, "u", 0 } },
      "smtpd: 4F00: client=n[::1], sasl_method=PLAIN, sasl_username=u\n" },
    { HK_EVENT_PICKUP,
      { { HK_PROP_AGENT, "pickup", 0 },
        { HK_PROP_QUEUE_ID, "4F00", 0 },
        { HK_PROP_UID, NULL, 1000 },
        { HK_PROP_SENDER, "me", 0 } },
      "pickup: 4F00: uid=1000 from=<me>\n" },
    { HK_EVENT_MESSAGE_ID,
      { { HK_PROP_AGENT, "cleanup", 0 },
        { HK_PROP_QUEUE_ID, "4F00", 0 },
        { HK_PROP_MESSAGE_ID, "<a@b>", 0 } },
      "cleanup: 4F00: message-id=<a@b>\n" },
    { HK_EVENT_ACTIVE,
      { { HK_PROP_AGENT, "qmgr", 0 },
        { HK_PROP_QUEUE_ID, "4F00", 0 },
        { HK_PROP_SENDER, "s@x", 0 },
        { HK_PROP_SIZE, NULL, 4096 },
        { HK_PROP_RECIPIENT_COUNT, NULL, 2 } },
      "qmgr: 4F00: from=<s@x>, size=4096, nrcpt=2 (queue active)\n" },
    { HK_EVENT_DELIVERY, /* conn_use=1 is not said; delays in Postfix's resolution */
      { { HK_PROP_AGENT, "smtp", 0 },
        { HK_PROP_QUEUE_ID, "4F00", 0 },
        { HK_PROP_RECIPIENT, "r@y", 0 },
        { HK_PROP_RELAY, "mx.y[192.0.2.2]:25", 0 },
        { HK_PROP_CONN_USE, NULL, 1 },
        { HK_PROP_DELAY_US, NULL, 1234567 },
        { HK_PROP_DELAY_QUEUE_US, NULL, 104000 },
        { HK_PROP_DELAY_MANAGER_US, NULL, 4999 },
        { HK_PROP_DELAY_CONNECT_US, NULL, 1020000 },
        { HK_PROP_DELAY_XMIT_US, NULL, 65000000 },
        { HK_PROP_DSN, "2.0.0", 0 },
        { HK_PROP_STATUS, "sent", 0 },
        { HK_PROP_TEXT, "250 2.0.0 Ok", 0 } },
      "smtp: 4F00: to=<r@y>, relay=mx.y[192.0.2.2]:25, delay=1.2, delays=0.1/0/1/65, dsn=2.0.0, "
      "status=sent (250 2.0.0 Ok)\n" },
    { HK_EVENT_DELIVERY,
      { { HK_PROP_AGENT, "virtual", 0 },
        { HK_PROP_QUEUE_ID, "4F00", 0 },
        { HK_PROP_RECIPIENT, "r@y", 0 },
        { HK_PROP_ORIG_RECIPIENT, "alias@y", 0 },
        { HK_PROP_RELAY, "virtual", 0 },
        { HK_PROP_CONN_USE, NULL, 3 },
        { HK_PROP_DSN, "2.0.0", 0 },
        { HK_PROP_STATUS, "sent", 0 },
        { HK_PROP_TEXT, "delivered to maildir", 0 } },
      "virtual: 4F00: to=<r@y>, orig_to=<alias@y>, relay=virtual, conn_use=3, delay=0, "
      "delays=0/0/0/0, dsn=2.0.0, status=sent (delivered to maildir)\n" },
    { HK_EVENT_REMOVED,
      { { HK_PROP_AGENT, "qmgr", 0 }, { HK_PROP_QUEUE_ID, "4F00", 0 } },
      "qmgr: 4F00: removed\n" },
    { HK_EVENT_EXPIRED,
      { { HK_PROP_AGENT, "qmgr", 0 },
        { HK_PROP_QUEUE_ID, "4F00", 0 },
        { HK_PROP_SENDER, "s@x", 0 },
        { HK_PROP_TEXT, "expired", 0 } },
      "qmgr: 4F00: from=<s@x>, status=expired, returned to sender\n" },
    { HK_EVENT_NOTICE,
      { { HK_PROP_AGENT, "bounce", 0 },
        { HK_PROP_QUEUE_ID, "4F00", 0 },
        { HK_PROP_OTHER_ID, "4F01", 0 },
        { HK_PROP_TEXT, "sender non-delivery notification", 0 } },
      "bounce: 4F00: sender non-delivery notification: 4F01\n" },
};

static void
test_lines (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
        HkHarness *h = hk_harness_new (&HK_PLUGIN_SYMBOL (event_log_text));
        void *instance = hk_harness_open (h, HK_KIND_EVENT, "log_text", "");
        g_assert_nonnull (instance);
        hk_harness_prop_int (h, HK_PROP_EVENT, rows[i].kind);
        for (const Prop *p = rows[i].props; p->prop != 0; p++) {
            if (p->text != NULL)
                hk_harness_prop (h, p->prop, p->text);
            else
                hk_harness_prop_int (h, p->prop, p->number);
        }
        hk_harness_event (h, instance);
        g_assert_cmpstr (hk_harness_log (h), ==, rows[i].line);
        hk_harness_close (h, instance);
        hk_harness_free (h);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/event/log_text/lines", test_lines);
    return g_test_run ();
}

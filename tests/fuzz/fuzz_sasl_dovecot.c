/* fuzz_sasl_dovecot.c: what an authentication server says: greeting and replies, line by line;
 * and the words of security options. */
#include "config.h"

/* The plugin's own file: a fuzzer links no plugin. */
#include "../../plugins/sasl/dovecot/sasl_dovecot_lines.c"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check_greeting (const DovecotGreeting *greeting)
{
    g_assert (!greeting->is_done ||
              (greeting->has_version && greeting->mechanisms->len <= SASL_DOVECOT_MECHANISMS_MAX));
    for (guint i = 0; greeting->mechanisms != NULL && i < greeting->mechanisms->len; i++) {
        const DovecotMechanism *m =
            &g_array_index (greeting->mechanisms, DovecotMechanism, i);
        HkSpan name = {(const uint8_t *) m->name, strlen (m->name)};
        /* It stands in an EHLO line. */
        g_assert (is_mechanism_name (name) && (m->traits & SASL_DOVECOT_PRIVATE) == 0);
    }
}

/* What is escaped and parted by TAB is read as it was. */
static void
check_field (HkSpan text)
{
    g_autoptr (GString) line = g_string_new ("FAIL\t1\treason=");
    DovecotReply reply;
    sasl_dovecot_append_field (line, text);
    g_assert (memchr (line->str, '\n', line->len) == NULL);
    sasl_dovecot_reply_init (&reply);
    g_assert (sasl_dovecot_reply_line (
        &reply, (HkSpan){(const uint8_t *) line->str, line->len}));
    g_assert (reply.reason->len == text.size &&
              memcmp (reply.reason->str, text.data, text.size) == 0);
    sasl_dovecot_reply_clear (&reply);
}

static void
read_lines (HkSpan input, bool is_greeting)
{
    DovecotGreeting greeting = {.mechanisms = NULL};
    DovecotReply reply;
    sasl_dovecot_reply_init (&reply);
    for (size_t at = 0, end; at < input.size; at = end + 1) {
        const uint8_t *lf = memchr (input.data + at, '\n', input.size - at);
        const char *why = NULL;
        end = lf == NULL ? input.size : (size_t) (lf - input.data);
        HkSpan line = {input.data + at, end - at};
        if (is_greeting && !sasl_dovecot_greeting_line (&greeting, line, &why)) {
            g_assert (why != NULL);
            break;
        }
        if (!is_greeting && sasl_dovecot_reply_line (&reply, line))
            g_assert (reply.data->len <= line.size && reply.user->len <= line.size);
    }
    check_greeting (&greeting);
    sasl_dovecot_greeting_clear (&greeting);
    sasl_dovecot_reply_clear (&reply);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    DovecotOptions options;
    HkSpan word;
    if (size < 2)
        return 0;
    HkSpan input = {data + 1, size - 1};
    read_lines (input, (data[0] & 1) != 0);
    check_field (input);
    if (!sasl_dovecot_options (input, &options, &word))
        g_assert (word.size > 0);
    return 0;
}

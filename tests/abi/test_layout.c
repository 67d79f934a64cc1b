/* test_layout.c: sizes and offsets of what crosses the plugin border, against the frozen
 * list.
 *
 * The list is for 64-bit machines; on others the test is skipped.  --print shows today's.
 */
#include <glib.h>
#include <hikyaku/event.h>
#include <hikyaku/filter.h>
#include <hikyaku/lookup.h>
#include <hikyaku/restriction.h>
#include <hikyaku/sasl.h>
#include <hikyaku/transport.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *structure, *member; /* "-": the whole */
    size_t offset, size;
} Line;

#define S(type)                                                                            \
    {                                                                                      \
#type, "-", 0, sizeof(type)                                                        \
    }
#define M(type, member)                                                                    \
    {                                                                                      \
#type, #member, offsetof(type, member), sizeof(((type *) 0)->member)               \
    }

static const Line lines[] = {
    S (HkSpan),
    M (HkSpan, data),
    M (HkSpan, size),
    S (HkParam),
    M (HkParam, name),
    M (HkParam, type),
    M (HkParam, flags),
    M (HkParam, preset),
    M (HkParam, min),
    M (HkParam, max),
    M (HkParam, choices),
    M (HkParam, help),
    S (HkClass),
    M (HkClass, size),
    M (HkClass, kind),
    M (HkClass, class_minor),
    M (HkClass, name),
    M (HkClass, flags),
    M (HkClass, reserved),
    M (HkClass, params),
    M (HkClass, open),
    M (HkClass, close),
    S (HkPlugin),
    M (HkPlugin, size),
    M (HkPlugin, magic),
    M (HkPlugin, abi_major),
    M (HkPlugin, abi_minor),
    M (HkPlugin, reserved),
    M (HkPlugin, name),
    M (HkPlugin, version),
    M (HkPlugin, licence),
    M (HkPlugin, summary),
    M (HkPlugin, classes),
    M (HkPlugin, init),
    S (HkDnsRecord),
    M (HkDnsRecord, type),
    M (HkDnsRecord, preference),
    M (HkDnsRecord, ttl),
    M (HkDnsRecord, data),
    S (HkResult),
    M (HkResult, size),
    M (HkResult, status),
    M (HkResult, flags),
    M (HkResult, conn_use),
    M (HkResult, dsn),
    M (HkResult, text),
    M (HkResult, relay),
    M (HkResult, diagnostic),
    M (HkResult, remote),
    M (HkResult, connect_us),
    M (HkResult, transmit_us),
    M (HkResult, forward),
    M (HkResult, n_forward),
    M (HkResult, forward_sender),
    M (HkResult, forward_header),
    S (HkHost),
    M (HkHost, size),
    M (HkHost, abi_major),
    M (HkHost, abi_minor),
    M (HkHost, version),
    M (HkHost, log),
    M (HkHost, conf_argument),
    M (HkHost, conf_n_words),
    M (HkHost, conf_word),
    M (HkHost, conf_string),
    M (HkHost, conf_int),
    M (HkHost, answer),
    M (HkHost, later),
    M (HkHost, broken),
    M (HkHost, now_us),
    M (HkHost, deadline_us),
    M (HkHost, prop),
    M (HkHost, prop_int),
    M (HkHost, table_open),
    M (HkHost, table_close),
    M (HkHost, table_get),
    M (HkHost, table_search),
    M (HkHost, reply),
    M (HkHost, action),
    M (HkHost, destination),
    M (HkHost, listed),
    M (HkHost, match_list),
    M (HkHost, content_size),
    M (HkHost, content_read),
    M (HkHost, content_map),
    M (HkHost, edit_header_add),
    M (HkHost, edit_header_set),
    M (HkHost, edit_body),
    M (HkHost, edit_recipient_add),
    M (HkHost, edit_recipient_delete),
    M (HkHost, edit_sender),
    M (HkHost, edit_hold),
    M (HkHost, n_recipients),
    M (HkHost, recipient_prop),
    M (HkHost, recipient_prop_int),
    M (HkHost, result),
    M (HkHost, complete),
    M (HkHost, make_durable),
    M (HkHost, watch_start),
    M (HkHost, watch_events),
    M (HkHost, watch_end),
    M (HkHost, timer_start),
    M (HkHost, timer_end),
    M (HkHost, dns_start),
    M (HkHost, counter),
    M (HkHost, counter_add),
    M (HkHost, log_line),
    M (HkHost, edit_header_lines),
    M (HkHost, edit_redirect),
    M (HkHost, edit_filter),
    M (HkHost, content_note),
    M (HkHost, dns_session),
    M (HkHost, verify_start),
    M (HkHost, verify_end),
    S (HkLookupClass),
    M (HkLookupClass, base),
    M (HkLookupClass, get),
    M (HkLookupClass, put),
    M (HkLookupClass, del),
    M (HkLookupClass, each),
    M (HkLookupClass, build_begin),
    M (HkLookupClass, build_put),
    M (HkLookupClass, build_end),
    M (HkLookupClass, suffix),
    S (HkRestrictionClass),
    M (HkRestrictionClass, base),
    M (HkRestrictionClass, n_words),
    M (HkRestrictionClass, needs),
    M (HkRestrictionClass, check),
    M (HkRestrictionClass, check_start),
    M (HkRestrictionClass, check_finish),
    M (HkRestrictionClass, check_cancel),
    M (HkRestrictionClass, prepare),
    S (HkUser),
    M (HkUser, size),
    M (HkUser, uid),
    M (HkUser, gid),
    M (HkUser, reserved),
    S (HkTransportClass),
    M (HkTransportClass, base),
    M (HkTransportClass, transport_flags),
    M (HkTransportClass, reserved),
    M (HkTransportClass, deliver),
    M (HkTransportClass, start),
    M (HkTransportClass, user),
    M (HkTransportClass, quiet),
    S (HkFilterClass),
    M (HkFilterClass, base),
    M (HkFilterClass, session_begin),
    M (HkFilterClass, session_end),
    M (HkFilterClass, message_begin),
    M (HkFilterClass, recipient),
    M (HkFilterClass, header),
    M (HkFilterClass, body),
    M (HkFilterClass, commit),
    M (HkFilterClass, abort),
    M (HkFilterClass, message_end),
    S (HkSaslClass),
    M (HkSaslClass, base),
    M (HkSaslClass, mechanisms),
    M (HkSaslClass, server_begin),
    M (HkSaslClass, server_step),
    M (HkSaslClass, server_end),
    M (HkSaslClass, client_begin),
    M (HkSaslClass, client_step),
    M (HkSaslClass, client_end),
    M (HkSaslClass, mechanisms_start),
    M (HkSaslClass, mechanisms_cancel),
    M (HkSaslClass, server_step_start),
    S (HkEventClass),
    M (HkEventClass, base),
    M (HkEventClass, event),
    M (HkEventClass, flush),
};

static char *
print_line (const Line *line)
{
    return g_strdup_printf ("%s %s %zu %zu", line->structure, line->member, line->offset,
                            line->size);
}

static void
print_all (void)
{
    for (size_t i = 0; i < G_N_ELEMENTS (lines); i++) {
        g_autofree char *text = print_line (&lines[i]);
        printf ("%s\n", text);
    }
}

static GHashTable *
today (void)
{
    GHashTable *set = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS (lines); i++)
        g_hash_table_add (set, print_line (&lines[i]));
    return set;
}

/* The size of a whole structure may grow; nothing else of the list may change or go. */
static gboolean
has_grown (const char *frozen)
{
    for (size_t i = 0; i < G_N_ELEMENTS (lines); i++) {
        g_autofree char *prefix = g_strdup_printf ("%s - 0 ", lines[i].structure);
        if (strcmp (lines[i].member, "-") == 0 && g_str_has_prefix (frozen, prefix))
            return lines[i].size >
                   (size_t) g_ascii_strtoull (frozen + strlen (prefix), NULL, 10);
    }
    return FALSE;
}

static void
test_frozen (void)
{
    if (sizeof (void *) != 8) {
        g_test_skip ("the list is for 64-bit machines");
        return;
    }
    const char *source = g_getenv ("HK_SOURCE_DIR");
    g_autofree char *path = g_strdup_printf ("%s/tests/abi/layout_%d.txt",
                                             source != NULL ? source : ".", HK_ABI_MAJOR);
    g_autofree char *text = NULL;
    g_autoptr (GError) error = NULL;
    g_autoptr (GHashTable) set = today ();
    g_assert_true (g_file_get_contents (path, &text, NULL, &error));
    g_auto (GStrv) frozen = g_strsplit (g_strchomp (text), "\n", -1);
    for (char **f = frozen; *f != NULL; f++)
        if (**f != '#' && !g_hash_table_contains (set, *f) && !has_grown (*f)) {
            g_test_message ("%s: frozen and not so any more: %s", path, *f);
            g_test_fail ();
        }
}

/* A member that is in no line of the list would be free to move. */
static void
test_complete (void)
{
    const char *source = g_getenv ("HK_SOURCE_DIR");
    g_autofree char *path = g_strdup_printf ("%s/tests/abi/layout_%d.txt",
                                             source != NULL ? source : ".", HK_ABI_MAJOR);
    g_autofree char *text = NULL;
    g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS (lines); i++) {
        g_autofree char *head =
            g_strdup_printf ("%s %s ", lines[i].structure, lines[i].member);
        if (strstr (text, head) == NULL) {
            g_test_message ("%s: add the line of %s", path, head);
            g_test_fail ();
        }
    }
}

int
main (int argc, char **argv)
{
    if (argc > 1 && strcmp (argv[1], "--print") == 0) {
        print_all ();
        return 0;
    }
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/abi/layout/frozen", test_frozen);
    g_test_add_func ("/abi/layout/complete", test_complete);
    return g_test_run ();
}

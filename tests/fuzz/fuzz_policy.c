/* fuzz_policy.c: what a policy server answers, and what a DNS list's word, template and name may
 * be. */
#include "config.h"

#include "../../plugins/restriction/dnsbl/restriction_dnsbl_list.c"
#include "../../plugins/restriction/dnsbl/restriction_dnsbl_reply.c"
#include "../../plugins/restriction/policy/restriction_policy_reply.c"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static char *
value (const char *name, void *data)
{
    (void) data;
    return strlen (name) > 3 ? NULL : g_strdup (name);
}

static void
try_list (HkSpan word)
{
    static const uint8_t address[] = {127, 0, 0, 2};
    DnsblList *list = restriction_dnsbl_list_new (word);
    if (list == NULL)
        return;
    restriction_dnsbl_list_matches (list, (HkSpan){address, 4});
    restriction_dnsbl_list_free (list);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    HkSpan all = {data, size};
    const char *why = NULL;
    char *action = NULL;
    HkAnswer answer = restriction_policy_reply_parse (all, &action, &why);
    if ((answer == HK_FOUND) != (action != NULL) || (answer == HK_BROKEN) != (why != NULL) ||
        (answer == HK_UNKNOWN && size >= POLICY_MAX_REPLY))
        __builtin_trap ();
    g_free (action);
    try_list (all);
    for (int subject = DNSBL_ADDRESS; subject <= DNSBL_RECIPIENT; subject++) {
        g_autofree char *query =
            restriction_dnsbl_query ((DnsblSubject) subject, all, "list.test");
        if (query != NULL && strlen (query) > 253)
            __builtin_trap ();
    }
    g_autofree char *template = g_strndup ((const char *) data, size);
    g_autoptr (GString) out = g_string_new (NULL);
    restriction_dnsbl_expand (template, value, NULL, out);
    return 0;
}

/* fuzz_table_file.c: text tables: logical lines, pairs, inline rules, cidr rules, search
 * keys.
 *
 * The cidr plugin is taken in whole: its parser reads what the lines give. */
#include "config.h"

#include "host/host_priv.h"

#include "../../plugins/lookup/cidr/lookup_cidr.c"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Lines come in order, without their ends, none empty and none a comment; each lies in the
 * text. */
static void
walk_lines (const char *copy, size_t size)
{
    char *text = g_memdup2 (copy, MAX (size, 1));
    HkLines lines = hk_lines (text, size);
    HkSpan line, key, value;
    uint32_t number, last = 0;
    int got;
    while ((got = hk_lines_next (&lines, &line, &number)) != 0) {
        g_assert (line.data >= (uint8_t *) text &&
                  line.data + line.size <= (uint8_t *) lines.at);
        g_assert (number > last && line.size > 0);
        last = number;
        if (got < 0)
            continue;
        g_assert (line.data[0] != '#' && !hk_is_blank ((char) line.data[0]));
        g_assert (memchr (line.data, '\n', line.size) == NULL);
        int pair = hk_lines_pair (line, &key, &value);
        g_assert (key.data == line.data && key.size <= line.size);
        g_assert ((pair == HK_PAIR_OK) <= (value.size > 0));
        g_assert (value.size == 0 || value.data + value.size <= line.data + line.size);
    }
    g_assert (lines.at == lines.end);
    g_free (text);
}

static void
walk_braces (HkSpan spec)
{
    char *rules;
    size_t size;
    if (hk_lines_from_braces (spec, &rules, &size) != NULL)
        return;
    g_assert (size <= spec.size);
    walk_lines (rules, size);
    free (rules);
}

static HkSpan argument;

static HkSpan
conf_argument (const HkConf *conf)
{
    (void) conf;
    return argument;
}

static void HK_PRINTF (3, 4)
    say (const HkHost *host, int32_t level, const char *format, ...)
{
    va_list ap;
    (void) host;
    g_assert (level == HK_LOG_WARNING);
    va_start (ap, format);
    g_free (g_strdup_vprintf (format, ap));
    va_end (ap);
}

static void
ask_cidr (HkSpan rules)
{
    static const char *const keys[] = {"10.1.2.3", "2001:db8::1", "x", "::"};
    HkHost host;
    HkCall call;
    void *table = NULL;
    hk_services_fill (&host);
    host.conf_argument = conf_argument;
    host.log = say;
    argument = rules;
    hk_call_init (&call, NULL, NULL);
    if (cidr_open (&host, NULL, &call, &table) == HK_OK) {
        for (size_t i = 0; i < G_N_ELEMENTS (keys); i++) {
            HkAnswer answer = cidr_get (table, &call, hk_span_text (keys[i]));
            g_assert (answer == HK_FOUND || answer == HK_ABSENT);
        }
        cidr_close (table);
    }
    hk_call_clear (&call);
}

static bool
count (HkSpan key, bool is_partial, void *data)
{
    g_assert (key.size > 0 || is_partial);
    ++*(size_t *) data;
    return true;
}

static void
search (HkSpan subject)
{
    for (int order = HK_SEARCH_EXACT; order <= HK_SEARCH_MAILBOX; order++) {
        HkSearch how = {"+-", order % 2 == 0, NULL, NULL};
        size_t n = 0;
        hk_search_keys (order, subject, &how, count, &n);
        g_assert (n <= subject.size + 6);
    }
    g_autoptr (GString) folded = g_string_new (NULL), again = g_string_new (NULL);
    hk_key_fold (subject, folded);
    hk_key_fold (hk_span_string (folded), again);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    HkSpan input = {data, size};
    if (size == 0)
        return 0;
    walk_lines ((const char *) data, size);
    walk_braces (input);
    search (input);
    g_autoptr (GString) rules = g_string_new ("{ {");
    hk_string_append (rules, input);
    g_string_append (rules, "} }");
    ask_cidr (hk_span_string (rules));
    return 0;
}

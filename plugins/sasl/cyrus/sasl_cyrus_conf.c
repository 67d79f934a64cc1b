/* sasl_cyrus_conf.c: the library's configuration file, and the words of security options.
 *
 * The library keeps one configuration for a process; this one is an instance's, given to each
 * connection, so that two services may have different files.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sasl_cyrus.h"

#include <string.h>

enum { CONF_SIZE_MAX = 64 * 1024 };

/* "pwcheck_method: saslauthd". */
static void
read_line (GHashTable *options, char *line)
{
    g_strstrip (line);
    char *colon = strchr (line, ':');
    if (*line == '#' || colon == NULL)
        return;
    *colon = '\0';
    char *key = g_ascii_strdown (g_strchomp (line), -1);
    g_hash_table_replace (options, key, g_strdup (g_strstrip (colon + 1)));
}

GHashTable *
sasl_cyrus_conf_read (const char *path, const char *name)
{
    GHashTable *options = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
    g_auto (GStrv) directories = g_strsplit (path, ":", -1);
    g_autofree char *file = g_strconcat (name, ".conf", NULL);
    for (char **d = directories; *d != NULL; d++) {
        g_autofree char *full = g_build_filename (*d, file, NULL);
        g_autofree char *text = NULL;
        gsize size;
        if (**d == '\0' || !g_file_get_contents (full, &text, &size, NULL) ||
            size > CONF_SIZE_MAX)
            continue;
        g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
        for (char **l = lines; *l != NULL; l++)
            read_line (options, *l);
        break;
    }
    return options;
}

static bool
is_separator (uint8_t c)
{
    return c == ' ' || c == '\t' || c == ',' || c == '\r' || c == '\n';
}

static bool
find_option (HkSpan word, unsigned *out)
{
    static const struct {
        const char *word;
        unsigned flag;
    } options[] = {
        {"noplaintext", SASL_SEC_NOPLAINTEXT}, {"noactive", SASL_SEC_NOACTIVE},
        {"nodictionary", SASL_SEC_NODICTIONARY}, {"noanonymous", SASL_SEC_NOANONYMOUS},
        {"mutual_auth", SASL_SEC_MUTUAL_AUTH}, {"forward_secrecy", SASL_SEC_FORWARD_SECRECY},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (options); i++)
        if (strlen (options[i].word) == word.size &&
            g_ascii_strncasecmp ((const char *) word.data, options[i].word, word.size) == 0) {
            *out |= options[i].flag;
            return true;
        }
    return false;
}

bool
sasl_cyrus_options (HkSpan words, unsigned *out, HkSpan *out_word)
{
    *out = 0;
    for (size_t i = 0, end; i < words.size; i = end) {
        while (i < words.size && is_separator (words.data[i]))
            i++;
        for (end = i; end < words.size && !is_separator (words.data[end]);)
            end++;
        *out_word = (HkSpan){words.data + i, end - i};
        if (end > i && !find_option (*out_word, out))
            return false;
    }
    return true;
}

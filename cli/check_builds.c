/* check_builds.c: tables that the configuration uses and that postmap must (again) build.
 */
#include "config.h"

#include "base/log.h"
#include "cli/check.h"

#include <string.h>
#include <sys/stat.h>

static void
say (HkBuildCheck *self, int level, HkSettings *view, const char *name, const char *text)
{
    const char *file;
    unsigned line;
    g_autofree char *whole =
        hk_settings_origin (view, name, &file, &line)
            ? g_strdup_printf ("%s: line %u: %s: %s", file, line, name, text)
            : g_strdup_printf ("%s: %s", name, text);
    self->say (level, whole, self->data);
}

static bool
is_older (const struct stat *a, const struct stat *b)
{
    if (a->st_mtim.tv_sec != b->st_mtim.tv_sec)
        return a->st_mtim.tv_sec < b->st_mtim.tv_sec;
    return a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
}

/* The value of a list-of-tables parameter is opened by the check, which says what is
 * missing; it cannot know that a text is one of aliases. */
static bool
is_said_elsewhere (const char *name, bool has_aliases)
{
    const HkConfSpec *spec = hk_conf_spec (name);
    return spec != NULL && spec->type == HK_CONF_MAPS && !has_aliases;
}

static void
check_table (HkBuildCheck *self, HkSettings *view, const char *name, const char *type,
             const char *source, const char *suffix)
{
    bool has_aliases = g_str_has_prefix (name, "alias_");
    const char *tool = has_aliases ? "postalias" : "postmap";
    g_autofree char *index = g_strconcat (source, suffix, NULL), *text = NULL;
    struct stat source_st, index_st;
    if (stat (source, &source_st) != 0)
        return; /* nothing to build it from; the index alone is enough */
    bool is_missing = stat (index, &index_st) != 0;
    if (is_missing && !is_said_elsewhere (name, has_aliases)) {
        text = g_strdup_printf ("%s is not there; to be built: %s %s:%s", index, tool, type,
                                source);
        say (self, HK_LOG_ERROR, view, name, text);
    } else if (!is_missing && is_older (&index_st, &source_st)) {
        text = g_strdup_printf ("%s is older than its text; to be built: %s %s:%s", index,
                                tool, type, source);
        say (self, HK_LOG_WARNING, view, name, text);
    }
}

void
hk_check_builds_of (HkBuildCheck *self, HkSettings *view, const char *name)
{
    const char *value = hk_settings_get (view, name);
    g_auto (GStrv) words = g_strsplit_set (value == NULL ? "" : value, " ,\t\r\n{}", -1);
    for (char **word = words; *word != NULL; word++) {
        const char *spec = g_str_has_prefix (*word, "proxy:") ? *word + 6 : *word;
        const char *colon = strchr (spec, ':');
        if (colon == NULL || colon[1] != '/' || g_hash_table_contains (self->seen, spec))
            continue;
        g_autofree char *type = g_strndup (spec, (gsize) (colon - spec));
        const HkLookupClass *cls = (const HkLookupClass *) (const void *) hk_plugins_class (
            self->plugins, HK_KIND_LOOKUP, type);
        if (cls == NULL || !HK_HAS (cls, HkLookupClass, build_begin) ||
            !HK_HAS (cls, HkLookupClass, suffix))
            continue;
        g_hash_table_add (self->seen, g_strdup (spec));
        check_table (self, view, name, type, colon + 1, cls->suffix);
    }
}

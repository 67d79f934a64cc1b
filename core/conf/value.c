/* value.c: is a text a value of its parameter's type? */
#include "config.h"

#include "conf/conf_priv.h"

static bool
parse_integer (const char *text, int64_t *out)
{
    HkSpan s = hk_conf_strip (hk_span_text (text));
    bool is_negative = s.size > 1 && s.data[0] == '-';
    uint64_t v;
    if (!hk_text_parse_u64 (is_negative ? hk_span_sub (s, 1, s.size) : s, INT64_MAX, &v))
        return false;
    *out = is_negative ? -(int64_t) v : (int64_t) v;
    return true;
}

static char *
check_bounds (const HkConfSpec *spec, const char *text, int64_t v)
{
    if (spec->min == 0 && spec->max == 0)
        return NULL;
    if (v < spec->min)
        return g_strdup_printf (
            "\"%s\" is too small: at least %" G_GINT64_FORMAT " expected", text, spec->min);
    if (spec->max > spec->min && v > spec->max)
        return g_strdup_printf (
            "\"%s\" is too large: at most %" G_GINT64_FORMAT " expected", text, spec->max);
    return NULL;
}

static char *
check_bool (const char *text, int64_t *out)
{
    *out = g_ascii_strcasecmp (text, "yes") == 0;
    if (*out || g_ascii_strcasecmp (text, "no") == 0)
        return NULL;
    return g_strdup_printf ("\"%s\" is neither yes nor no", text);
}

static char *
check_choice (const HkConfSpec *spec, const char *text, int64_t *out)
{
    g_auto (GStrv) choices =
        g_strsplit (spec->choices == NULL ? "" : spec->choices, "|", -1);
    for (size_t i = 0; choices[i] != NULL; i++) {
        if (g_ascii_strcasecmp (choices[i], text) == 0) {
            *out = (int64_t) i;
            return NULL;
        }
    }
    g_autofree char *list = g_strjoinv (", ", choices);
    return g_strdup_printf ("\"%s\" is not one of: %s", text, list);
}

/* Each word is type:name, or a path that the default type is for. */
static char *
check_maps (const char *text)
{
    HkSpan rest = hk_span_text (text), word;
    while (hk_text_next_word (&rest, &word)) {
        if (word.data[0] == '/' || word.data[0] == '{' ||
            hk_span_find (word, ':', 0) < word.size)
            continue;
        return g_strdup_printf ("\"%.*s\" is no table: type:name expected",
                                HK_SPAN_ARG (word));
    }
    return NULL;
}

/* As in Postfix, a bare number has the unit that the default is written in. */
static char
unit_of (const HkConfSpec *spec)
{
    size_t n = spec->preset == NULL ? 0 : strlen (spec->preset);
    if (n > 1 && g_ascii_isdigit (spec->preset[0]) && g_ascii_isalpha (spec->preset[n - 1]))
        return spec->preset[n - 1];
    return spec->unit == 0 ? 's' : spec->unit;
}

char *
hk_conf_value (const HkConfSpec *spec, const char *text, int64_t *out)
{
    *out = 0;
    switch (spec->type) {
    case HK_CONF_BOOL:
        return check_bool (text, out);
    case HK_CONF_ENUM:
        return check_choice (spec, text, out);
    case HK_CONF_MAPS:
        return check_maps (text);
    case HK_CONF_INT:
    case HK_CONF_SIZE:
        if (!parse_integer (text, out))
            return g_strdup_printf ("\"%s\" is not a number", text);
        return check_bounds (spec, text, *out);
    case HK_CONF_TIME:
        if (!hk_text_parse_time (hk_conf_strip (hk_span_text (text)), unit_of (spec), out))
            return g_strdup_printf ("\"%s\" is not a time (such as 30s, 5m, 1h, 2d, 1w)",
                                    text);
        return check_bounds (spec, text, *out);
    default:
        return NULL;
    }
}

char *
hk_conf_canonical (const HkConfSpec *spec, const char *text)
{
    if (spec->type == HK_CONF_BOOL)
        return g_ascii_strdown (text, -1);
    int64_t i;
    if (spec->type != HK_CONF_ENUM || spec->choices == NULL)
        return g_strdup (text);
    g_autofree char *wrong = check_choice (spec, text, &i);
    if (wrong != NULL)
        return g_strdup (text);
    g_auto (GStrv) choices = g_strsplit (spec->choices, "|", -1);
    return g_strdup (choices[i]);
}

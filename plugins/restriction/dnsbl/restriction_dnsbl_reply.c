/* restriction_dnsbl_reply.c: templates of replies: one level of $name.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restriction_dnsbl.h"

#include <string.h>

/* Templates come from the configuration and its tables; what they hold is finite. */
enum { MAX_DEPTH = 8, MAX_OUT = 4096 };

typedef struct {
    DnsblValueFn fn;
    void *data;
    GString *out;
    unsigned depth;
} Expansion;

static bool expand_text (Expansion *self, const char *text, size_t size);

static size_t
name_size (const char *s, size_t size)
{
    size_t n = 0;
    while (n < size && (g_ascii_isalnum (s[n]) || s[n] == '_'))
        n++;
    return n;
}

/* The size of a group that begins with OPEN; 0: it does not end. */
static size_t
group_size (const char *s, size_t size, char open)
{
    char close = open == '{' ? '}' : ')';
    unsigned depth = 0;
    for (size_t n = 0; n < size; n++) {
        if (s[n] == open)
            depth++;
        else if (s[n] == close && --depth == 0)
            return n + 1;
    }
    return 0;
}

static char *
value_of (Expansion *self, const char *name, size_t size)
{
    g_autofree char *word = g_strndup (name, size);
    return self->fn (word, self->data);
}

/* "{then}:{else}" or a plain text; the first part's size in *OUT_SIZE, the second, or NULL,
 * in *OUT_REST. */
typedef struct {
    const char *yes, *no;
    size_t yes_size, no_size;
} Choice;

static bool
split_choice (const char *s, size_t size, Choice *out)
{
    *out = (Choice){.yes = s, .yes_size = size};
    while (size > 0 && g_ascii_isspace (*s)) {
        s++;
        size--;
    }
    if (size == 0 || *s != '{')
        return true;
    size_t n = group_size (s, size, '{');
    if (n == 0)
        return false;
    out->yes = s + 1;
    out->yes_size = n - 2;
    s += n;
    size -= n;
    if (size == 0)
        return true;
    if (*s != ':')
        return false;
    s++;
    size--;
    out->no = s;
    out->no_size = size;
    if (size > 1 && *s == '{' && group_size (s, size, '{') == size) {
        out->no = s + 1;
        out->no_size = size - 2;
    }
    return true;
}

/* What stands between the braces of ${...}. */
static bool
expand_group (Expansion *self, const char *s, size_t size)
{
    size_t n = name_size (s, size);
    Choice choice = {NULL, NULL, 0, 0};
    if (n == 0)
        return false;
    g_autofree char *value = value_of (self, s, n);
    if (value == NULL)
        return false;
    if (n == size) {
        g_string_append (self->out, value);
        return true;
    }
    if ((s[n] != '?' && s[n] != ':') || !split_choice (s + n + 1, size - n - 1, &choice))
        return false;
    bool takes_first = (value[0] != '\0') == (s[n] == '?');
    if (takes_first)
        return expand_text (self, choice.yes, choice.yes_size);
    return choice.no == NULL || expand_text (self, choice.no, choice.no_size);
}

static bool
expand_text (Expansion *self, const char *s, size_t size)
{
    bool ok = ++self->depth <= MAX_DEPTH;
    for (size_t i = 0; ok && i < size && self->out->len < MAX_OUT;) {
        if (s[i] != '$') {
            g_string_append_c (self->out, s[i++]);
            continue;
        }
        i++;
        if (i < size && s[i] == '$') {
            g_string_append_c (self->out, s[i++]);
            continue;
        }
        bool is_group = i < size && (s[i] == '{' || s[i] == '(');
        size_t n = is_group ? group_size (s + i, size - i, s[i])
                            : name_size (s + i, size - i);
        if (n == 0)
            ok = false;
        else if (is_group)
            ok = expand_group (self, s + i + 1, n - 2);
        else
            ok = expand_group (self, s + i, n);
        i += n;
    }
    self->depth--;
    return ok;
}

bool
restriction_dnsbl_expand (const char *template, DnsblValueFn fn, void *data, GString *out)
{
    Expansion self = {.fn = fn, .data = data, .out = out};
    return expand_text (&self, template, strlen (template));
}

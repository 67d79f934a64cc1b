/* transport_local_targets.c: lists of destinations in aliases, .forward and :include:
 * files.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_local_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE = 1 << 20, MAX_ADDRESSES = 10000, MAX_DEPTH = 10 };

void
transport_local_targets_init (LocalTargets *self, const char *name, const char *origin)
{
    *self = (LocalTargets){.addresses = g_ptr_array_new_with_free_func (g_free),
                           .self = name,
                           .origin = origin,
                           .allow_include = true};
}

void
transport_local_targets_clear (LocalTargets *self)
{
    g_ptr_array_unref (self->addresses);
    g_free (self->problem);
}

static void problem (LocalTargets *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
problem (LocalTargets *self, const char *format, ...)
{
    va_list args;
    if (self->problem != NULL)
        return;
    va_start (args, format);
    self->problem = g_strdup_vprintf (format, args);
    va_end (args);
}

char *
transport_local_read_file (const char *path, bool *out_is_absent, char **out_why)
{
    struct stat st;
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    *out_is_absent = fd < 0 && (errno == ENOENT || errno == ENOTDIR);
    if (fd < 0 || fstat (fd, &st) != 0) {
        *out_why = g_strdup_printf ("cannot open file %s: %s", path, g_strerror (errno));
        if (fd >= 0)
            close (fd);
        return NULL;
    }
    char *text = NULL;
    if (!S_ISREG (st.st_mode))
        *out_why = g_strdup_printf ("%s is not a regular file", path);
    else if (st.st_mode & (S_IWGRP | S_IWOTH))
        *out_why = g_strdup_printf ("%s can be written by others than its owner", path);
    else if (st.st_size > MAX_FILE)
        *out_why = g_strdup_printf ("%s is too large", path);
    else {
        text = g_malloc ((gsize) st.st_size + 1);
        ssize_t n = pread (fd, text, (size_t) st.st_size, 0);
        if (n < 0) {
            *out_why = g_strdup_printf ("cannot read %s: %s", path, g_strerror (errno));
            g_clear_pointer (&text, g_free);
        } else {
            text[n] = '\0';
        }
    }
    close (fd);
    return text;
}

static void
include_file (LocalTargets *self, const char *path)
{
    bool is_absent;
    g_autofree char *why = NULL;
    if (!self->allow_include || self->depth >= MAX_DEPTH) {
        problem (self, ":include:%s: too many nested files", path);
        return;
    }
    if (!g_path_is_absolute (path)) {
        problem (self, ":include:%s: the path is not absolute", path);
        return;
    }
    g_autofree char *text = transport_local_read_file (path, &is_absent, &why);
    if (text == NULL) {
        problem (self, ":include: %s", why);
        return;
    }
    self->depth++;
    transport_local_targets_add (self, (HkSpan){(const uint8_t *) text, strlen (text)});
    self->depth--;
}

static bool
is_self (const LocalTargets *self, const char *item)
{
    if (*item == '\\')
        item++;
    size_t n = strlen (self->self);
    if (g_ascii_strncasecmp (item, self->self, n) != 0)
        return false;
    return item[n] == '\0' ||
           (item[n] == '@' && g_ascii_strcasecmp (item + n + 1, self->origin) == 0);
}

static void
add_address (LocalTargets *self, const char *item)
{
    if (*item == '\\')
        item++;
    char *address = strrchr (item, '@') != NULL
                        ? g_strdup (item)
                        : g_strconcat (item, "@", self->origin, NULL);
    for (guint i = 0; i < self->addresses->len; i++)
        if (g_ascii_strcasecmp (self->addresses->pdata[i], address) == 0) {
            g_free (address);
            return;
        }
    g_ptr_array_add (self->addresses, address);
}

/* One destination, quotes taken off, not empty. */
static void
add_item (LocalTargets *self, char *item)
{
    char *open = strchr (item, '<'), *close = open == NULL ? NULL : strchr (open, '>');
    if (self->addresses->len >= MAX_ADDRESSES)
        problem (self, "the list has more than %d addresses", MAX_ADDRESSES);
    else if (*item == '|')
        problem (self, "delivery to a command (%s) is not available in this version", item);
    else if (*item == '/')
        problem (self, "delivery to a file (%s) is not available in this version", item);
    else if (g_ascii_strncasecmp (item, ":include:", 9) == 0)
        include_file (self, g_strstrip (item + 9));
    else {
        if (close != NULL) { /* Name <address> */
            *close = '\0';
            item = open + 1;
        }
        if (is_self (self, item))
            self->names_self = true;
        else if (*item != '\0')
            add_address (self, item);
    }
}

/* Up to the next comma or line end outside quotes; *AT moves behind it. */
static char *
next_item (const char **at, const char *end)
{
    GString *out = g_string_new (NULL);
    bool in_quotes = false;
    for (; *at < end; (*at)++) {
        char c = **at;
        if (c == '"') {
            in_quotes = !in_quotes;
        } else if (c == '\\' && in_quotes && *at + 1 < end) {
            g_string_append_c (out, *++*at);
        } else if (!in_quotes && (c == ',' || c == '\n' || c == '\r')) {
            (*at)++;
            break;
        } else if (c != '\0') {
            g_string_append_c (out, c);
        }
    }
    return g_string_free (out, FALSE);
}

void
transport_local_targets_add (LocalTargets *self, HkSpan text)
{
    const char *at = (const char *) text.data, *end = at + text.size;
    bool is_line_start = true;
    while (at < end && self->problem == NULL) {
        if (is_line_start && *at == '#') {
            const char *lf = memchr (at, '\n', (size_t) (end - at));
            at = lf == NULL ? end : lf + 1;
            continue;
        }
        g_autofree char *item = next_item (&at, end);
        is_line_start = at[-1] == '\n';
        g_strstrip (item);
        if (*item != '\0')
            add_item (self, item);
    }
}

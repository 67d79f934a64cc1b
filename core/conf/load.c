/* load.c: read conf.d, main.cf and master.cf into a set. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf_priv.h"

/* ---- one text -------------------------------------------------------------------- */

static void
add_plugins (HkSettings *self, HkSpan names)
{
    HkSpan word;
    while (hk_text_next_word (&names, &word)) {
        g_autofree char *name = hk_span_dup (word);
        const char *kept = g_string_chunk_insert_const (self->texts, name);
        bool is_known = false;
        for (guint i = 0; i < self->plugins->len && !is_known; i++)
            is_known = strcmp (g_ptr_array_index (self->plugins, i), kept) == 0;
        if (!is_known)
            g_ptr_array_add (self->plugins, (char *) kept);
    }
}

/* "plugin = NAME …" accumulates: its value is all names so far. */
static void
put_plugins (HkSettings *self, HkSpan value, const char *file, unsigned line)
{
    g_autoptr (GString) all = g_string_new (NULL);
    add_plugins (self, value);
    for (guint i = 0; i < self->plugins->len; i++)
        g_string_append_printf (all, "%s%s", i == 0 ? "" : " ",
                                (const char *) g_ptr_array_index (self->plugins, i));
    hk_settings_put (self, HK_SPAN ("plugin"), hk_span_string (all), file, line);
}

static void
warn_of_earlier (HkSettings *self, const char *name, const char *file, unsigned line)
{
    const HkConfEntry *old = g_hash_table_lookup (self->by_name, name);
    if (old == NULL || strcmp (old->file, file) != 0)
        return;
    HkOverridden both = {old->file, old->name, old->raw, line};
    g_array_append_val (self->overridden, both);
    hk_settings_complain (self, HK_LOG_WARNING, file, line,
                          "%s: overrides the earlier entry in line %u", name, old->line);
}

static bool
read_setting (HkSettings *self, HkSpan text, const char *file, unsigned line,
              GError **error)
{
    HkSpan name, value;
    const char *wrong = hk_conf_split (text, &name, &value);
    if (wrong != NULL) {
        g_autoptr (GString) shown = g_string_new (NULL);
        hk_text_append_printable (shown, text, 60, true);
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_SYNTAX, "%s: line %u: %s: \"%s\"",
                     file, line, wrong, shown->str);
        return false;
    }
    if (hk_span_is (name, "plugin")) {
        put_plugins (self, value, file, line);
        return true;
    }
    g_autofree char *word = hk_span_dup (name);
    warn_of_earlier (self, word, file, line);
    hk_settings_put (self, name, value, file, line);
    return true;
}

static bool
refuse_nul (HkSpan text, const char *file, GError **error)
{
    if (hk_span_find (text, 0, 0) == text.size)
        return true;
    g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_SYNTAX, "%s: holds a NUL byte", file);
    return false;
}

static bool
read_settings (HkSettings *self, HkSpan text, const char *file, GError **error)
{
    HkConfLines lines;
    HkSpan logical;
    unsigned number;
    bool is_orphan, ok = refuse_nul (text, file, error);
    hk_conf_lines_init (&lines, text);
    while (ok && hk_conf_lines_next (&lines, &logical, &number, &is_orphan)) {
        if (is_orphan)
            hk_settings_complain (
                self, HK_LOG_WARNING, file, number,
                "a logical line must not begin with blank space: ignored");
        else
            ok = read_setting (self, logical, file, number, error);
    }
    hk_conf_lines_clear (&lines);
    return ok;
}

/* ---- files ----------------------------------------------------------------------- */

static bool
set_io_error (GError **error, const char *path, int code)
{
    g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO, "open %s: %s", path,
                 g_strerror (code));
    errno = code;
    return false;
}

static bool
read_all (int fd, const char *path, GString *out, GError **error)
{
    char buffer[16384];
    ssize_t n;
    while ((n = read (fd, buffer, sizeof buffer)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return set_io_error (error, path, errno);
        g_string_append_len (out, buffer, n);
        if (out->len > HK_CONF_MAX_FILE) {
            g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO, "%s: larger than %u bytes",
                         path, HK_CONF_MAX_FILE);
            return false;
        }
    }
    return true;
}

/* On failure *OUT_ERRNO tells a missing file from a broken one.  Never waits on a FIFO. */
static GString *
read_file (const char *path, struct stat *out_stat, int *out_errno, GError **error)
{
    *out_errno = 0;
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        *out_errno = errno;
        set_io_error (error, path, errno);
        return NULL;
    }
    g_autoptr (GString) text = g_string_new (NULL);
    bool ok = fstat (fd, out_stat) == 0 || set_io_error (error, path, errno);
    if (ok && !S_ISREG (out_stat->st_mode))
        ok = set_io_error (error, path, S_ISDIR (out_stat->st_mode) ? EISDIR : EINVAL);
    ok = ok && read_all (fd, path, text, error);
    close (fd);
    return ok ? g_steal_pointer (&text) : NULL;
}

/* ---- conf.d ---------------------------------------------------------------------- */

static int
compare_paths (const void *a, const void *b)
{
    return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Names of DIR/conf.d that end in ".conf", in C-locale order. */
static GPtrArray *
list_snippets (const char *dir, GError **error)
{
    g_autofree char *path = g_build_filename (dir, "conf.d", NULL);
    g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (GError) local = NULL;
    const char *name;
    GDir *handle = g_dir_open (path, 0, &local);
    if (handle == NULL && g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return g_steal_pointer (&names);
    if (handle == NULL) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO, "%s", local->message);
        return NULL;
    }
    while ((name = g_dir_read_name (handle)) != NULL)
        if (name[0] != '.' && g_str_has_suffix (name, ".conf"))
            g_ptr_array_add (names, g_strdup (name));
    g_dir_close (handle);
    g_ptr_array_sort (names, compare_paths);
    return g_steal_pointer (&names);
}

/* A snippet decides which code is loaded: strangers must not write it. */
static bool
is_trusted (HkSettings *self, const char *file, const struct stat *st, GError **error)
{
    if (st->st_mode & S_IWOTH) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO,
                     "%s: everybody may write it: refused", file);
        return false;
    }
    if (st->st_mode & S_IWGRP)
        hk_settings_complain (self, HK_LOG_WARNING, NULL, 0, "%s: its group may write it",
                              file);
    return true;
}

static bool
read_snippet (HkSettings *self, const char *dir, const char *name, GError **error)
{
    g_autofree char *file = g_build_filename ("conf.d", name, NULL);
    g_autofree char *path = g_build_filename (dir, file, NULL);
    g_autoptr (GError) local = NULL;
    struct stat st;
    int code;
    g_autoptr (GString) text = read_file (path, &st, &code, &local);
    if (text == NULL && code == ENOENT) {
        hk_settings_complain (self, HK_LOG_WARNING, NULL, 0,
                              "%s: a link to a file that does not exist: ignored", file);
        return true;
    }
    if (text == NULL) {
        g_propagate_error (error, g_steal_pointer (&local));
        return false;
    }
    return is_trusted (self, file, &st, error) &&
           read_settings (self, hk_span_string (text), file, error);
}

static bool
read_snippets (HkSettings *self, const char *dir, GError **error)
{
    g_autoptr (GPtrArray) names = list_snippets (dir, error);
    if (names == NULL)
        return false;
    for (guint i = 0; i < names->len; i++)
        if (!read_snippet (self, dir, g_ptr_array_index (names, i), error))
            return false;
    return true;
}

static bool
read_main (HkSettings *self, const char *dir, GError **error)
{
    g_autofree char *path = g_build_filename (dir, "main.cf", NULL);
    struct stat st;
    int code;
    g_autoptr (GString) text = read_file (path, &st, &code, error);
    if (text == NULL)
        return false;
    if (st.st_mode & S_IWOTH)
        hk_settings_complain (self, HK_LOG_WARNING, NULL, 0,
                              "main.cf: everybody may write it");
    return read_settings (self, hk_span_string (text), "main.cf", error);
}

static bool
read_master (HkSettings *self, const char *dir, GError **error)
{
    g_autofree char *path = g_build_filename (dir, "master.cf", NULL);
    g_autoptr (GError) local = NULL;
    struct stat st;
    int code;
    g_autoptr (GString) text = read_file (path, &st, &code, &local);
    if (text == NULL && code == ENOENT) {
        hk_settings_complain (self, HK_LOG_WARNING, NULL, 0, "%s", local->message);
        return true;
    }
    if (text == NULL) {
        g_propagate_error (error, g_steal_pointer (&local));
        return false;
    }
    return hk_conf_read_master (self, hk_span_string (text), error);
}

/* ---- the face -------------------------------------------------------------------- */

HkSettings *
hk_settings_load (const char *dir, GError **error)
{
    g_autoptr (HkSettings) self = hk_settings_new (NULL);
    self->dir = g_canonicalize_filename (dir, NULL);
    if (!read_snippets (self, dir, error) || !read_main (self, dir, error) ||
        !read_master (self, dir, error))
        return NULL;
    g_ptr_array_add (self->plugins, NULL);
    return g_steal_pointer (&self);
}

HkSettings *
hk_settings_from_text (const char *main_cf, const char *master_cf, GError **error)
{
    g_autoptr (HkSettings) self = hk_settings_new (NULL);
    if (!read_settings (self, hk_span_text (main_cf), "main.cf", error) ||
        !hk_conf_read_master (self, hk_span_text (master_cf), error))
        return NULL;
    g_ptr_array_add (self->plugins, NULL);
    return g_steal_pointer (&self);
}

/* edit.c: change a configuration file in place: comments and order stay, all or nothing. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf_priv.h"

/* ---- the text -------------------------------------------------------------------- */

static bool
check_change (const HkConfChange *change, GError **error)
{
    HkSpan name = hk_span_text (change->name);
    const char *wrong = NULL;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] == '=' || name.data[i] < '!' || name.data[i] == 127)
            wrong = "not the name of a parameter";
    if (name.size == 0 || name.data[0] == '#')
        wrong = "not the name of a parameter";
    if (change->value != NULL && strpbrk (change->value, "\r\n") != NULL)
        wrong = "a value cannot hold a line break";
    if (wrong == NULL)
        return true;
    g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_VALUE, "\"%s\": %s", change->name,
                 wrong);
    return false;
}

/* The change that LINE, the first of a logical line, falls under; -1: none. */
static int
find_change (HkSpan line, const HkConfChange *changes, size_t n)
{
    HkSpan name, value;
    if (hk_conf_split (line, &name, &value) != NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (hk_span_is (name, changes[i].name))
            return (int) i;
    return -1;
}

/* LAST[i]: offset in TEXT of the last line that change I is about; (size_t) -1: none. */
static void
find_last (HkSpan text, HkConfChange *changes, size_t n, size_t *last)
{
    HkSpan rest = text, line;
    for (size_t i = 0; i < n; i++) {
        last[i] = (size_t) -1;
        changes[i].n_found = 0;
    }
    while (hk_conf_next_physical (&rest, &line)) {
        if (hk_conf_line_kind (line) != HK_LINE_STARTS)
            continue;
        int i = find_change (line, changes, n);
        if (i < 0)
            continue;
        last[i] = (size_t) (line.data - text.data);
        changes[i].n_found++;
    }
}

static void
end_line (GString *out)
{
    if (out->len > 0 && out->str[out->len - 1] != '\n')
        g_string_append_c (out, '\n');
}

static void
put_setting (GString *out, const HkConfChange *change)
{
    g_autofree char *value = g_strstrip (g_strdup (change->value));
    end_line (out);
    g_string_append_printf (out, "%s =%s%s\n", change->name, value[0] == '\0' ? "" : " ",
                            value);
}

/* A line of a setting that is being changed; IS_LAST: the new value takes its place. */
static void
put_changed (GString *out, HkSpan line, bool is_last, const HkConfChange *change)
{
    if (change->comment_out) {
        g_string_append_c (out, '#');
        hk_string_append (out, line);
    } else if (is_last && change->value != NULL) {
        put_setting (out, change);
    }
}

static void
edit_text (HkSpan text, HkConfChange *changes, size_t n, GString *out)
{
    g_autofree size_t *last = g_new (size_t, n);
    HkSpan rest = text, line;
    int current = -1;
    find_last (text, changes, n, last);
    while (hk_conf_next_physical (&rest, &line)) {
        HkLineKind kind = hk_conf_line_kind (line);
        if (kind == HK_LINE_STARTS)
            current = find_change (line, changes, n);
        bool is_setting = kind == HK_LINE_STARTS || kind == HK_LINE_CONTINUES;
        if (!is_setting || current < 0)
            hk_string_append (out, line);
        else
            put_changed (out, line, last[current] == (size_t) (line.data - text.data),
                         &changes[current]);
    }
    for (size_t i = 0; i < n; i++)
        if (last[i] == (size_t) -1 && changes[i].value != NULL && !changes[i].comment_out)
            put_setting (out, &changes[i]);
}

/* ---- the file -------------------------------------------------------------------- */

static bool
fail (GError **error, const char *what, const char *path)
{
    int code = errno;
    g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO, "%s %s: %s", what, path,
                 g_strerror (code));
    return false;
}

/* The new file, locked, so that two editors wait for each other.  -1: failed. */
static int
open_new (const char *path, GError **error)
{
    for (;;) {
        struct stat mine, there;
        int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 || flock (fd, LOCK_EX) != 0 || fstat (fd, &mine) != 0) {
            fail (error, "open", path);
            if (fd >= 0)
                close (fd);
            return -1;
        }
        /* The other editor has renamed it while we waited: then ours is the live file. */
        if (lstat (path, &there) == 0 && there.st_ino == mine.st_ino &&
            there.st_dev == mine.st_dev)
            return fd;
        close (fd);
    }
}

static bool
write_all (int fd, const GString *text)
{
    for (size_t done = 0; done < text->len;) {
        ssize_t n = write (fd, text->str + done, text->len - done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t) n : 0;
    }
    return true;
}

/* The old file's text, mode and owner; a snippet that is not there yet is empty. */
static bool
read_old (const char *path, bool may_be_new, GString *text, struct stat *st, GError **error)
{
    g_autofree char *content = NULL;
    gsize size;
    g_autoptr (GError) local = NULL;
    if (stat (path, st) != 0) {
        if (errno != ENOENT || !may_be_new)
            return fail (error, "open", path);
        *st = (struct stat){
            .st_mode = S_IFREG | 0644, .st_uid = geteuid (), .st_gid = getegid ()};
        return true;
    }
    if (!g_file_get_contents (path, &content, &size, &local)) {
        g_set_error (error, HK_CONF_ERROR, HK_CONF_ERROR_IO, "open %s: %s", path,
                     local->message);
        return false;
    }
    g_string_append_len (text, content, (gssize) size);
    return true;
}

static bool
sync_directory (const char *path)
{
    g_autofree char *dir = g_path_get_dirname (path);
    int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync (fd) == 0;
    if (fd >= 0)
        close (fd);
    return ok;
}

/* FD is open on FRESH, which becomes PATH. */
static bool
replace (int fd, const char *fresh, const char *path, const GString *text,
         const struct stat *old, GError **error)
{
    if (ftruncate (fd, 0) != 0 || !write_all (fd, text))
        return fail (error, "write", fresh);
    if (fchown (fd, old->st_uid, old->st_gid) != 0 &&
        (old->st_uid != geteuid () || old->st_gid != getegid ()))
        return fail (error, "change the owner of", fresh);
    if (fchmod (fd, old->st_mode & 07777) != 0 || fsync (fd) != 0)
        return fail (error, "write", fresh);
    if (rename (fresh, path) != 0)
        return fail (error, "rename to", path);
    return sync_directory (path) || fail (error, "write", path);
}

bool
hk_conf_rewrite (const char *path, bool may_be_new, HkConfRewriteFn fn, void *data,
                 GError **error)
{
    g_autofree char *fresh = g_strconcat (path, ".tmp", NULL);
    g_autoptr (GString) old = g_string_new (NULL);
    g_autoptr (GString) text = g_string_new (NULL);
    struct stat st;
    int fd = open_new (fresh, error);
    if (fd < 0)
        return false;
    bool ok = read_old (path, may_be_new, old, &st, error);
    ok = ok && fn (hk_span_string (old), text, data, error);
    ok = ok && replace (fd, fresh, path, text, &st, error);
    if (!ok)
        unlink (fresh);
    close (fd);
    return ok;
}

/* ---- main.cf --------------------------------------------------------------------- */

typedef struct {
    HkConfChange *changes;
    size_t n;
} Changes;

static bool
rewrite_settings (HkSpan old, GString *out, void *data, GError **error)
{
    Changes *self = data;
    (void) error;
    edit_text (old, self->changes, self->n, out);
    return true;
}

bool
hk_conf_edit_all (const char *dir, const char *file, HkConfChange *changes, size_t n,
                  GError **error)
{
    g_autofree char *path = g_build_filename (dir, file, NULL);
    Changes all = {changes, n};
    for (size_t i = 0; i < n; i++)
        if (!check_change (&changes[i], error))
            return false;
    return hk_conf_rewrite (path, strcmp (file, "main.cf") != 0, rewrite_settings, &all,
                            error);
}

bool
hk_conf_edit (const char *dir, const char *file, const char *name, const char *value,
              bool comment_out, GError **error)
{
    HkConfChange change = {.name = name, .value = value, .comment_out = comment_out};
    return hk_conf_edit_all (dir, file, &change, 1, error);
}

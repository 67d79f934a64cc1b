/* tables.c: making and changing indexed tables: the common part of postmap and postalias.
 */
#include "config.h"

#include "base/text.h"
#include "cli/cli.h"
#include "cli/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <hikyaku/textfile.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_SOURCE = 1 << 30 };

/* ---- messages ---- */

static void G_GNUC_PRINTF (3, 0)
    print_message (HkTableTool *tool, const char *word, const char *format, va_list ap)
{
    g_autofree char *text = g_strdup_vprintf (format, ap);
    fflush (stdout);
    hk_progress_hide (tool->progress);
    fprintf (stderr, "%s: %s: %s\n", tool->syntax->program, word, text);
}

void
hk_table_tool_warn (HkTableTool *tool, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    print_message (tool, "warning", format, ap);
    va_end (ap);
    tool->n_warnings++;
}

bool
hk_table_tool_fail (HkTableTool *tool, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    print_message (tool, "fatal", format, ap);
    va_end (ap);
    return false;
}

static void
plugin_says (int level, const char *plugin, const char *text, void *data)
{
    (void) plugin;
    if (level >= HK_LOG_WARNING)
        hk_table_tool_warn (data, "%s", text);
}

bool
hk_table_tool_is_utf8 (HkSpan text)
{
    uint8_t all = 0;
    for (size_t i = 0; i < text.size;
         i++) /* plain ASCII, as nearly all is, costs nothing */
        all |= text.data[i];
    return text.size == 0 || (all < 0x80 && memchr (text.data, '\0', text.size) == NULL) ||
           g_utf8_validate_len ((const char *) text.data, text.size, NULL);
}

char *
hk_table_tool_printable (HkSpan text)
{
    GString *out = g_string_new (NULL);
    hk_text_append_printable (out, text, 100, true);
    return g_string_free (out, FALSE);
}

/* ---- configuration and plugins ---- */

bool
hk_table_tool_start (HkTableTool *tool)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *dir =
        g_canonicalize_filename (hk_cli_config_dir (tool->config_dir), NULL);
    tool->settings = hk_settings_load (dir, &error);
    if (tool->settings == NULL)
        return hk_table_tool_fail (tool, "%s", error->message);
    tool->plugins =
        hk_plugins_new (hk_settings_get (tool->settings, "plugin_directory"), NULL, NULL);
    hk_plugins_set_log (tool->plugins, plugin_says, tool);
    hk_plugins_load_enabled_kind (tool->plugins, tool->settings, HK_KIND_LOOKUP);
    /* -h and -b are about any mail: they check only when -U asks for it. */
    tool->wants_utf8 = !tool->no_utf8 &&
                       (tool->force_utf8 || !(tool->header_keys || tool->body_keys)) &&
                       hk_settings_bool (tool->settings, "smtputf8_enable");
    return true;
}

void
hk_table_tool_stop (HkTableTool *tool)
{
    if (tool->plugins != NULL)
        hk_plugins_free (tool->plugins);
    if (tool->settings != NULL)
        hk_settings_unref (tool->settings);
}

void
hk_table_tool_split (HkTableTool *tool, const char *spec, char **out_type, char **out_file)
{
    if (g_str_has_prefix (spec, "proxy:"))
        spec += strlen ("proxy:");
    const char *colon = strchr (spec, ':');
    *out_type = colon != NULL
                    ? g_strndup (spec, (gsize) (colon - spec))
                    : g_strdup (hk_settings_get (tool->settings, "default_database_type"));
    *out_file = g_strdup (colon != NULL ? colon + 1 : spec);
}

/* ---- reading the text ---- */

/* What is read from where, into which table. */
typedef struct {
    HkTableTool *tool;
    HkBuild *build;
    const char *index; /* its file, for messages */
    bool folds;
    GString *folded;
} Feed;

static bool
put_entry (Feed *feed, HkSpan key, HkSpan value, bool replace, bool is_silent)
{
    g_autoptr (GError) error = NULL;
    if (feed->folds) {
        hk_key_fold (key, feed->folded);
        key = hk_span_string (feed->folded);
    }
    HkAnswer answer = hk_build_put (feed->build, key, value, replace, &error);
    if (error != NULL)
        return hk_table_tool_fail (feed->tool, "%s", error->message);
    if (answer == HK_FOUND && !replace && !is_silent)
        hk_table_tool_warn (feed->tool, "%s: duplicate entry: \"%.*s\"", feed->index,
                            HK_SPAN_ARG (key));
    return true;
}

/* -F: VALUE names files; their content, joined by line ends, in base64.  False after a
 * warning: the entry is skipped. */
static bool
load_value (HkTableTool *tool, unsigned number, GString *value)
{
    g_autoptr (GString) all = g_string_new (NULL);
    g_auto (GStrv) names = g_strsplit_set (value->str, ", \t\r\n", -1);
    unsigned n = 0;
    for (char **name = names; *name != NULL; name++) {
        char *data = NULL;
        size_t size;
        HkFileState state;
        if (**name == '\0')
            continue;
        int e = hk_file_read (*name, MAX_SOURCE, &data, &size, &state);
        if (e == EINVAL && strcmp (*name, "/dev/null") == 0)
            e = 0, size = 0;
        if (e != 0) {
            hk_table_tool_warn (tool, "%s, line %u: open %s: %s: skipping this entry",
                                tool->file, number, *name, g_strerror (e));
            return false;
        }
        if (n++ > 0)
            g_string_append_c (all, '\n');
        g_string_append_len (all, data == NULL ? "" : data, (gssize) size);
        free (data);
    }
    if (n == 0)
        hk_table_tool_warn (
            tool, "%s, line %u: empty pathname list: >>%s<<': skipping this entry",
            tool->file, number, value->str);
    g_autofree char *coded = g_base64_encode ((const guchar *) all->str, all->len);
    g_string_assign (value, coded);
    return n > 0;
}

static bool
feed_line (Feed *feed, HkSpan line, unsigned number, GString *key, GString *value)
{
    HkTableTool *tool = feed->tool;
    if (tool->wants_utf8 && !hk_table_tool_is_utf8 (line)) {
        g_autofree char *shown = hk_table_tool_printable (line);
        hk_table_tool_warn (tool,
                            "%s, line %u: non-UTF-8 input \"%s\" -- ignoring this line",
                            tool->file, number, shown);
        return true;
    }
    const char *why = tool->syntax->parse (tool, line, number, key, value);
    if (why != NULL) {
        if (*why != '\0') /* else it was said */
            hk_table_tool_warn (tool, "%s, line %u: %s", tool->file, number, why);
        return true;
    }
    if (tool->file_values && !load_value (tool, number, value))
        return true;
    return put_entry (feed, hk_span_string (key), hk_span_string (value), tool->replace,
                      tool->ignore_duplicates);
}

static bool
feed_text (Feed *feed, char *data, size_t size)
{
    HkTableTool *tool = feed->tool;
    HkLines lines = hk_lines (data, size);
    g_autoptr (GString) key = g_string_new (NULL), value = g_string_new (NULL);
    HkSpan line;
    uint32_t number;
    int got;
    bool is_ok = true;
    HkProgress progress;
    hk_progress_start (&progress, STDERR_FILENO, tool->syntax->program, tool->file,
                       g_get_monotonic_time ());
    tool->progress = &progress;
    while (is_ok && (got = hk_lines_next (&lines, &line, &number)) != 0) {
        hk_progress_step (&progress, (uint64_t) (lines.at - data), size,
                          g_get_monotonic_time ());
        if (got > 0)
            is_ok = feed_line (feed, line, number, key, value);
        else
            hk_table_tool_warn (
                tool, "%s: logical line must not start with whitespace: \"%.*s\"",
                tool->file, (int) MIN (line.size, 30), (const char *) line.data);
    }
    hk_progress_hide (&progress);
    tool->progress = NULL;
    return is_ok;
}

/* All of standard input, at most MAX_SOURCE; NULL after a message. */
static GByteArray *
read_input (HkTableTool *tool)
{
    g_autoptr (GByteArray) all = g_byte_array_new ();
    uint8_t block[65536];
    ssize_t n;
    while ((n = read (STDIN_FILENO, block, sizeof block)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || all->len > MAX_SOURCE) {
            hk_table_tool_fail (tool, "read standard input: %s",
                                g_strerror (n < 0 ? errno : EFBIG));
            return NULL;
        }
        g_byte_array_append (all, block, (guint) n);
    }
    return g_steal_pointer (&all);
}

static bool
feed_input (Feed *feed)
{
    g_autoptr (GByteArray) all = read_input (feed->tool);
    feed->tool->file = "stdin";
    return all != NULL && feed_text (feed, (char *) all->data, all->len);
}

static bool
feed_file (Feed *feed, const char *file)
{
    char *data = NULL;
    size_t size = 0;
    HkFileState state;
    int e = hk_file_read (file, MAX_SOURCE, &data, &size, &state);
    if (e != 0)
        return hk_table_tool_fail (feed->tool, "open %s: %s", file, g_strerror (e));
    feed->tool->file = file;
    bool is_ok = feed_text (feed, data, size);
    free (data);
    return is_ok;
}

/* ---- what is in the table already, without the keys of -d ---- */

typedef struct {
    Feed *feed;
    GHashTable *without; /* keys as they stand in the table; NULL: keep all */
    bool found, failed;
} Copy;

static bool
copy_entry (HkSpan key, HkSpan value, void *data)
{
    Copy *copy = data;
    g_autofree char *k = hk_span_dup (key);
    g_autoptr (GError) error = NULL;
    if (copy->without != NULL && g_hash_table_contains (copy->without, k)) {
        copy->found = true;
        return true;
    }
    hk_build_put (copy->feed->build, key, value, true,
                  &error); /* as it is, not folded again */
    if (error != NULL)
        hk_table_tool_fail (copy->feed->tool, "%s", error->message);
    copy->failed = error != NULL;
    return !copy->failed;
}

/* ---- rights ---- */

/* As root, work on somebody else's text with that one's rights: the index belongs to the
 * owner, and a link set by the owner leads nowhere the owner could not go. */
static bool
become_owner (HkTableTool *tool, const char *file)
{
    struct stat st;
    if (geteuid () != 0 || tool->keep_root || stat (file, &st) < 0 || st.st_uid == 0)
        return true;
    if (setgroups (0, NULL) == 0 && setegid (st.st_gid) == 0 && seteuid (st.st_uid) == 0)
        return true;
    return hk_table_tool_fail (tool, "cannot work with the rights of %s's owner: %s", file,
                               g_strerror (errno));
}

static void
become_root (uid_t old_uid, gid_t old_gid)
{
    if (geteuid () != old_uid && (seteuid (old_uid) < 0 || setegid (old_gid) < 0))
        g_error ("cannot get the rights back: %s", g_strerror (errno));
}

/* ---- one table ---- */

typedef struct {
    char *type, *file, *index;
    const HkLookupClass *cls;
    uid_t uid;
    gid_t gid;
} Target;

static void
target_clear (Target *self)
{
    become_root (self->uid, self->gid);
    g_free (self->type);
    g_free (self->file);
    g_free (self->index);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Target, target_clear)

static bool
target_init (Target *self, HkTableTool *tool, const char *spec)
{
    g_autoptr (GError) error = NULL;
    hk_table_tool_split (tool, spec, &self->type, &self->file);
    self->uid = geteuid ();
    self->gid = getegid ();
    if (!hk_plugins_load_for (tool->plugins, HK_KIND_LOOKUP, self->type, &error))
        return hk_table_tool_fail (tool, "%s", error->message);
    self->cls = (const HkLookupClass *) (const void *) hk_plugins_class (
        tool->plugins, HK_KIND_LOOKUP, self->type);
    if (!HK_HAS (self->cls, HkLookupClass, build_begin))
        return hk_table_tool_fail (tool, "unsupported map type for this operation: %s",
                                   self->type);
    self->index = g_strconcat (
        self->file, HK_HAS (self->cls, HkLookupClass, suffix) ? self->cls->suffix : "",
        NULL);
    return become_owner (tool, g_file_test (self->file, G_FILE_TEST_EXISTS) ? self->file
                                                                            : self->index);
}

static bool
feed_begin (Feed *feed, HkTableTool *tool, const Target *target)
{
    g_autoptr (GError) error = NULL;
    feed->tool = tool;
    feed->index = target->index;
    feed->folds = !tool->no_fold;
    feed->build = hk_build_new (tool->plugins, target->type, hk_span_text (target->file),
                                tool->settings, &error);
    if (feed->build == NULL)
        return hk_table_tool_fail (tool, "%s", error->message);
    feed->folded = g_string_new (NULL);
    return true;
}

static bool
feed_end (Feed *feed, const Target *target, bool is_ok)
{
    g_autoptr (GError) error = NULL;
    g_string_free (feed->folded, TRUE);
    if (!is_ok) {
        hk_build_abandon (feed->build);
        return false;
    }
    if (!hk_build_commit (feed->build, &error))
        return hk_table_tool_fail (feed->tool, "%s", error->message);
    if (feed->tool->plain_mode && chmod (target->index, 0644) < 0)
        return hk_table_tool_fail (feed->tool, "chmod %s: %s", target->index,
                                   g_strerror (errno));
    return true;
}

/* Copy the table as it is; nothing when there is none yet and MUST_EXIST is false. */
static bool
copy_table (Feed *feed, const Target *target, GHashTable *without, bool must_exist,
            bool *out_found)
{
    Copy copy = {.feed = feed, .without = without};
    g_autoptr (GError) error = NULL;
    if (!must_exist && !g_file_test (target->index, G_FILE_TEST_EXISTS))
        return true;
    g_autoptr (HkInstance) old =
        hk_instance_open (feed->tool->plugins, HK_KIND_LOOKUP, target->type,
                          hk_span_text (target->file), feed->tool->settings, &error);
    if (old == NULL || !hk_table_walk (old, copy_entry, &copy, &error))
        return hk_table_tool_fail (feed->tool, "%s", error->message);
    *out_found = copy.found;
    return !copy.failed;
}

/* Before anything else, whatever the type: what is most often wrong. */
static bool
may_read_source (HkTableTool *tool, const char *spec)
{
    g_autofree char *type = NULL, *file = NULL;
    hk_table_tool_split (tool, spec, &type, &file);
    if (tool->incremental || access (file, R_OK) == 0)
        return true;
    return hk_table_tool_fail (tool, "open %s: %s", file, g_strerror (errno));
}

bool
hk_table_tool_build (HkTableTool *tool, const char *spec)
{
    g_auto (Target) target = {0};
    Feed feed = {0};
    bool found = false;
    if (g_str_has_prefix (spec, "proxy:"))
        return hk_table_tool_fail (tool, "can't create maps via the proxy service");
    if (!may_read_source (tool, spec) || !target_init (&target, tool, spec))
        return false;
    if (!feed_begin (&feed, tool, &target))
        return false;
    bool is_ok = tool->incremental ? copy_table (&feed, &target, NULL, false, &found) &&
                                         feed_input (&feed)
                                   : feed_file (&feed, target.file);
    return feed_end (&feed, &target, is_ok);
}

/* ---- -d ---- */

static GHashTable *
keys_to_erase (HkTableTool *tool, const char *first_spec)
{
    GHashTable *keys = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr (GString) folded = g_string_new (NULL);
    g_autoptr (GByteArray) all = NULL;
    HkSpan rest = hk_span_text (tool->erase);
    if (strcmp (tool->erase, "-") == 0) {
        all = read_input (tool);
        rest = all == NULL ? HK_SPAN ("") : hk_span (all->data, all->len);
    }
    while (rest.size > 0) {
        size_t end = hk_span_find (rest, '\n', 0);
        HkSpan key = hk_span_sub (rest, 0, end);
        rest = hk_span_sub (rest, end + 1, SIZE_MAX);
        if (tool->wants_utf8 && !hk_table_tool_is_utf8 (key)) {
            g_autofree char *shown = hk_table_tool_printable (key);
            hk_table_tool_warn (
                tool, "%s: non-UTF-8 key \"%s\": malformed UTF-8 or invalid codepoint",
                first_spec, shown);
        } else if (tool->no_fold)
            g_hash_table_add (keys, hk_span_dup (key));
        else {
            hk_key_fold (key, folded);
            g_hash_table_add (keys, g_strdup (folded->str));
        }
    }
    return keys;
}

/* 1 found and erased, 0 not there, -1 after a message. */
static int
erase_from (HkTableTool *tool, const char *spec, GHashTable *keys)
{
    g_auto (Target) target = {0};
    Feed feed = {0};
    bool found = false;
    if (!target_init (&target, tool, spec) || !feed_begin (&feed, tool, &target))
        return -1;
    bool is_ok = copy_table (&feed, &target, keys, true, &found);
    if (is_ok && !found) { /* nothing to change: the file stays as it is */
        g_string_free (feed.folded, TRUE);
        hk_build_abandon (feed.build);
        return 0;
    }
    return feed_end (&feed, &target, is_ok) ? 1 : -1;
}

static int
erase (HkTableTool *tool, char **specs)
{
    g_autoptr (GHashTable) keys = keys_to_erase (tool, specs[0]);
    bool found = false;
    for (; *specs != NULL; specs++) {
        int got = erase_from (tool, *specs, keys);
        if (got < 0)
            return 1;
        found = found || got > 0;
    }
    return found ? 0 : 1;
}

/* ---- the program ---- */

static bool
set_option (HkTableTool *tool, int c, const char *argument)
{
    if (strchr ("qds", c) != NULL && (tool->query != NULL || tool->erase != NULL))
        return hk_table_tool_fail (tool, "%s", tool->syntax->one_mode);
    bool *const flags[128] = {
        ['s'] = &tool->sequence,    ['i'] = &tool->incremental,
        ['r'] = &tool->replace,     ['w'] = &tool->ignore_duplicates,
        ['f'] = &tool->no_fold,     ['p'] = &tool->plain_mode,
        ['o'] = &tool->keep_root,   ['F'] = &tool->file_values,
        ['h'] = &tool->header_keys, ['b'] = &tool->body_keys,
        ['m'] = &tool->mime_keys,   ['u'] = &tool->no_utf8,
        ['U'] = &tool->force_utf8,
    };
    switch (c) {
    case 'c':
        tool->config_dir = argument;
        return true;
    case 'q':
        if (tool->query != NULL)
            return hk_table_tool_fail (tool, "specify only one of -s -q or -d");
        tool->query = argument;
        return true;
    case 'd':
        if (tool->erase != NULL)
            return hk_table_tool_fail (tool, "specify only one of -s -q or -d");
        tool->erase = argument;
        return true;
    case 'v':
    case 'N': /* about the end of strings in Berkeley DB: nothing to choose here */
    case 'n':
        return true;
    default:
        if (c <= 0 || c >= 128 || flags[c] == NULL)
            return hk_table_tool_fail (tool, "usage: %s", tool->syntax->usage);
        *flags[c] = true;
        return true;
    }
}

/* getopt's own message would name the path by which the program was called. */
static void
say_wrong_option (HkTableTool *tool)
{
    const char *known = strchr (tool->syntax->options, optopt);
    if (known != NULL && known[1] == ':')
        fprintf (stderr, "%s: option requires an argument -- '%c'\n", tool->syntax->program,
                 optopt);
    else
        fprintf (stderr, "%s: invalid option -- '%c'\n", tool->syntax->program, optopt);
}

static bool
parse_options (HkTableTool *tool, int argc, char **argv)
{
    int c;
    optind = 1;
    opterr = 0;
    while ((c = getopt (argc, argv, tool->syntax->options)) != -1) {
        if (c == '?')
            say_wrong_option (tool);
        if (!set_option (tool, c, optarg))
            return false;
    }
    int n_modes = (tool->query != NULL) + (tool->erase != NULL) + tool->sequence;
    if (n_modes > 1)
        return hk_table_tool_fail (tool, "%s", tool->syntax->one_mode);
    if ((tool->header_keys || tool->body_keys || tool->mime_keys) &&
        (tool->query == NULL || strcmp (tool->query, "-") != 0))
        return hk_table_tool_fail (tool, "specify -b -h or -m only with \"-q -\"");
    if (tool->mime_keys && !tool->header_keys && !tool->body_keys)
        hk_table_tool_warn (tool, "ignoring -m option without -b or -h");
    if (optind == argc)
        return hk_table_tool_fail (tool, "usage: %s", tool->syntax->usage);
    return true;
}

static int
run (HkTableTool *tool, char **specs)
{
    if (tool->query != NULL)
        return hk_table_tool_query (tool, specs);
    if (tool->sequence)
        return hk_table_tool_sequence (tool, specs);
    if (tool->erase != NULL)
        return erase (tool, specs);
    for (; *specs != NULL; specs++)
        if (!hk_table_tool_build (tool, *specs))
            return 1;
    return 0;
}

int
hk_table_tool_run (HkTableTool *tool, int argc, char **argv)
{
    int status = 1;
    if (!parse_options (tool, argc, argv))
        return 1;
    if (hk_table_tool_start (tool))
        status = run (tool, argv + optind);
    if (fflush (stdout) != 0 && status == 0) {
        hk_table_tool_fail (tool, "write output: %s", g_strerror (errno));
        status = 1;
    }
    hk_table_tool_stop (tool);
    return status;
}

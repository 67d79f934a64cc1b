/* multi_edit.c: `postmulti -e`: a mail system comes, changes its name, and goes. */
#include "config.h"

#include "cli/cli.h"
#include "cli/multi.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum { SELECTS = 1, TAKES_PLACE = 2, NAMES = 4, SETS = 8 } Traits;

static const struct {
    const char *name;
    unsigned traits; /* needs -i; may have a place in the list; may name; may set */
} actions[] = {
    {"create", TAKES_PLACE | NAMES | SETS},
    {"destroy", SELECTS},
    {"import", TAKES_PLACE | NAMES | SETS},
    {"deport", SELECTS},
    {"enable", SELECTS},
    {"disable", SELECTS},
    {"assign", SELECTS | NAMES},
    {"init", 0},
};

static const char config_name[] = "config_directory";

static bool
is (const HkMulti *self, const char *action)
{
    return strcmp (self->action, action) == 0;
}

static unsigned
traits_of (const char *action)
{
    for (size_t i = 0; i < G_N_ELEMENTS (actions); i++)
        if (strcmp (actions[i].name, action) == 0)
            return actions[i].traits;
    return UINT_MAX;
}

/* ---- what was asked -------------------------------------------------------------- */

/* The value of "NAME=value" among the arguments. */
static const char *
setting (const HkMulti *self, const char *name)
{
    size_t size = strlen (name);
    for (char **a = self->arguments; *a != NULL; a++)
        if (strncmp (*a, name, size) == 0 && (*a)[size] == '=')
            return *a + size + 1;
    return NULL;
}

static int
check_settings (const HkMulti *self)
{
    static const char *const of_create[] = {config_name, "queue_directory",
                                            "data_directory", NULL};
    static const char *const of_import[] = {config_name, NULL};
    const char *const *valid = is (self, "create") ? of_create : of_import;
    for (char **a = self->arguments; *a != NULL; a++) {
        const char *equals = strchr (*a, '=');
        if (equals == NULL || equals == *a)
            return hk_multi_fail (self, "Malformed parameter setting '%s'", *a);
        g_autofree char *name = g_strndup (*a, (gsize) (equals - *a));
        if (!g_strv_contains (valid, name))
            return hk_multi_fail (self, "Parameter '%s' not valid with action %s", name,
                                  self->action);
        if (equals[1] != '/')
            return hk_multi_fail (self, "Parameter setting '%s' is not an absolute path",
                                  name);
        if (strpbrk (equals, " \t\r\n,") != NULL)
            return hk_multi_fail (self, "Parameter setting '%s' contains white space",
                                  name);
    }
    return 0;
}

static bool
is_name (const char *name)
{
    const char *prefixes[] = {"postfix-", "hikyaku-"};
    if (strcmp (name, "-") == 0)
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS (prefixes); i++)
        if (g_str_has_prefix (name, prefixes[i]) && strlen (name) > strlen (prefixes[i]))
            return true;
    return false;
}

int
hk_multi_edit_check (const HkMulti *self)
{
    unsigned traits = traits_of (self->action);
    bool names = self->new_name != NULL || self->new_group != NULL;
    if (traits == UINT_MAX)
        return hk_multi_fail (self,
                              "Invalid '-e' edit action '%s'. Specify 'create', 'destroy', "
                              "'import', 'deport', 'enable', 'disable', 'assign' or 'init'",
                              self->action);
    if (names && !(traits & NAMES))
        return hk_multi_fail (self, "Cannot assign instance name or group with '-e %s'",
                              self->action);
    if (is (self, "assign") && !names)
        return hk_multi_fail (self, "Specify new instance name or group with '-e assign'");
    if (self->arguments[0] != NULL && !(traits & SETS))
        return hk_multi_fail (self, "Parameter overrides not valid with '-e %s'",
                              self->action);
    if ((traits & SELECTS) && self->by_name == NULL)
        return hk_multi_fail (self, "Select an instance via '-i name'");
    return check_settings (self);
}

/* Names become file names and words of main.cf. */
static int
check_new_name (const HkMulti *self)
{
    static const char bad[] = " \t\r\n,/=$#{}\"'";
    if (self->new_name != NULL && !is_name (self->new_name))
        return hk_multi_fail (self,
                              "New instance name must start with 'postfix-' or 'hikyaku-'");
    if (self->new_name != NULL && strpbrk (self->new_name, bad) != NULL)
        return hk_multi_fail (self, "Illegal character in instance name '%s'",
                              self->new_name);
    if (self->new_group != NULL && strpbrk (self->new_group, bad) != NULL)
        return hk_multi_fail (self, "Illegal character in group name '%s'",
                              self->new_group);
    return 0;
}

/* ---- changing main.cf ------------------------------------------------------------ */

static int
set (const HkMulti *self, const char *dir, const char *name, const char *value)
{
    g_autoptr (GError) error = NULL;
    return hk_conf_edit (dir, "main.cf", name, value, false, &error)
               ? 0
               : hk_multi_fail (self, "%s", error->message);
}

/* "-" takes a name or a group away. */
static const char *
or_nothing (const char *value)
{
    return value != NULL && strcmp (value, "-") != 0 ? value : "";
}

static int
assign (const HkMulti *self, const char *dir)
{
    HkConfChange changes[] = {
        {.name = "multi_instance_name", .value = or_nothing (self->new_name)},
        {.name = "multi_instance_group", .value = or_nothing (self->new_group)}};
    size_t first = self->new_name != NULL ? 0 : 1;
    size_t n = (self->new_name != NULL) + (self->new_group != NULL);
    g_autoptr (GError) error = NULL;
    if (n == 0 || hk_conf_edit_all (dir, "main.cf", changes + first, n, &error))
        return 0;
    return hk_multi_fail (self, "%s", error->message);
}

/* multi_instance_directories as the instances stand now. */
static int
save_list (const HkMulti *self)
{
    g_autoptr (GString) list = g_string_new (NULL);
    for (guint i = 1; i < self->instances->len; i++) {
        const HkMultiInstance *one = g_ptr_array_index (self->instances, i);
        g_string_append_printf (list, "%s%s", i > 1 ? " " : "", one->config_dir);
    }
    return set (self, self->primary_dir, "multi_instance_directories", list->str);
}

static int
init (const HkMulti *self)
{
    HkConfChange changes[] = {
        {.name = "multi_instance_wrapper",
         .value = "${command_directory}/hikyaku multi -p --"},
        {.name = "multi_instance_enable", .value = "yes"}};
    g_autoptr (GError) error = NULL;
    if (hk_conf_edit_all (self->primary_dir, "main.cf", changes, 2, &error))
        return 0;
    return hk_multi_fail (self, "%s", error->message);
}

static int
check_init (const HkMulti *self)
{
    const HkMultiInstance *primary = g_ptr_array_index (self->instances, 0);
    if (hk_settings_get (primary->settings, "multi_instance_wrapper")[0] == '\0')
        return hk_multi_fail (
            self, "multi_instance_wrapper is empty, run 'postmulti -e init' first.");
    if (!hk_settings_bool (primary->settings, "multi_instance_enable"))
        return hk_multi_fail (self,
                              "multi_instance_enable!=yes, run 'postmulti -e init' first.");
    return 0;
}

/* ---- create, import -------------------------------------------------------------- */

/* Given, or that of the primary with the new name for its last part; NULL: neither. */
static char *
new_path (const HkMulti *self, const char *parameter, const char *of_primary)
{
    const char *given = setting (self, parameter);
    if (given != NULL)
        return g_canonicalize_filename (given, "/");
    if (self->new_name == NULL || strcmp (self->new_name, "-") == 0)
        return NULL;
    g_autofree char *parent = g_path_get_dirname (of_primary);
    return g_build_filename (parent, self->new_name, NULL);
}

static bool
has_file (const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename (dir, name, NULL);
    return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* Where the new one stands among the secondary instances; 0: -g or -i fit none. */
static guint
place_of (const HkMulti *self)
{
    if (self->all)
        return 1;
    if (self->by_group == NULL && self->by_name == NULL)
        return self->instances->len;
    for (guint i = 1; i < self->instances->len; i++)
        if (hk_multi_matches (self, g_ptr_array_index (self->instances, i)))
            return i;
    return 0;
}

/* What all instances share, as the primary has it. */
static void
append_shared (GString *out, HkSettings *primary)
{
    static const char *const shared[] = {"plugin_directory", "mail_owner", "setgid_group",
                                         "inet_protocols", "maillog_file"};
    for (size_t i = 0; i < G_N_ELEMENTS (shared); i++) {
        const char *raw = hk_settings_raw (primary, shared[i]);
        if (raw != NULL)
            g_string_append_printf (out, "%s = %s\n", shared[i], raw);
    }
}

static char *
new_main_cf (const HkMulti *self, const HkMultiInstance *one)
{
    const HkMultiInstance *primary = g_ptr_array_index (self->instances, 0);
    GString *out = g_string_new ("# One of several mail systems on this machine; see "
                                 "postmulti(1).\n");
    append_shared (out, primary->settings);
    g_string_append_printf (out, "queue_directory = %s\ndata_directory = %s\n",
                            one->queue_dir, one->data_dir);
    return g_string_free (out, FALSE);
}

/* The primary's services, without those that would listen where the primary does. */
static char *
new_master_cf (HkSettings *primary)
{
    GString *out = g_string_new ("# Give an inet service an address of its own before its "
                                 "'#' is taken away.\n");
    for (size_t i = 0; i < hk_settings_n_services (primary); i++) {
        const char *const *words = hk_settings_service_words (primary, i);
        if (hk_settings_service (primary, i)->type == HK_SERVICE_INET)
            g_string_append_c (out, '#');
        for (size_t w = 0; words[w] != NULL; w++) {
            bool is_group = words[w][0] == '\0' || strpbrk (words[w], " \t") != NULL;
            g_string_append_printf (out, is_group ? "%s{ %s }" : "%s%s", w == 0 ? "" : " ",
                                    words[w]);
        }
        g_string_append_c (out, '\n');
    }
    return g_string_free (out, FALSE);
}

static int
write_file (const HkMulti *self, const char *dir, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename (dir, name, NULL);
    g_autoptr (GError) error = NULL;
    if (!g_file_set_contents_full (
            path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
            0644, &error))
        return hk_multi_fail (self, "%s", error->message);
    return 0;
}

/* Which plugins are enabled is said there. */
static int
copy_snippets (const HkMulti *self, const char *to)
{
    g_autofree char *from = g_build_filename (self->primary_dir, "conf.d", NULL);
    GDir *dir = g_dir_open (from, 0, NULL);
    const char *name;
    int status = 0;
    while (dir != NULL && status == 0 && (name = g_dir_read_name (dir)) != NULL) {
        g_autofree char *path = g_build_filename (from, name, NULL), *text = NULL;
        g_autoptr (GError) error = NULL;
        if (!g_str_has_suffix (name, ".conf"))
            continue;
        if (!g_file_get_contents (path, &text, NULL, &error))
            status = hk_multi_fail (self, "%s", error->message);
        else
            status = write_file (self, to, name, text);
    }
    if (dir != NULL)
        g_dir_close (dir);
    return status;
}

static int
make_directory (const HkMulti *self, const char *path, int mode)
{
    return g_mkdir_with_parents (path, mode) == 0
               ? 0
               : hk_multi_fail (self, "make directory %s: %s", path, g_strerror (errno));
}

/* data_directory belongs to the mail system's user. */
static int
make_data_directory (const HkMulti *self, const HkMultiInstance *one, HkSettings *primary)
{
    bool is_new = !g_file_test (one->data_dir, G_FILE_TEST_EXISTS);
    if (make_directory (self, one->data_dir, 0700) != 0)
        return 1;
    const struct passwd *pw = getpwnam (hk_settings_get (primary, "mail_owner"));
    if (is_new && geteuid () == 0 && pw != NULL &&
        chown (one->data_dir, pw->pw_uid, (gid_t) -1) != 0)
        return hk_multi_fail (self, "chown %s: %s", one->data_dir, g_strerror (errno));
    return 0;
}

static int
make_files (const HkMulti *self, const HkMultiInstance *one)
{
    const HkMultiInstance *primary = g_ptr_array_index (self->instances, 0);
    g_autofree char *main_cf = new_main_cf (self, one);
    g_autofree char *master_cf = new_master_cf (primary->settings);
    g_autofree char *snippets = g_build_filename (one->config_dir, "conf.d", NULL);
    if (make_directory (self, snippets, 0755) != 0 || copy_snippets (self, snippets) != 0 ||
        make_directory (self, one->queue_dir, 0755) != 0 ||
        make_data_directory (self, one, primary->settings) != 0 ||
        write_file (self, one->config_dir, "master.cf", master_cf) != 0)
        return 1;
    return write_file (self, one->config_dir, "main.cf", main_cf); /* makes it whole */
}

static int
create_files (const HkMulti *self, const char *dir)
{
    const HkMultiInstance *primary = g_ptr_array_index (self->instances, 0);
    HkMultiInstance *one = g_new0 (HkMultiInstance, 1);
    int status = 1;
    one->config_dir = g_strdup (dir);
    one->queue_dir = new_path (self, "queue_directory", primary->queue_dir);
    one->data_dir = new_path (self, "data_directory", primary->data_dir);
    one->name = g_strdup (
        self->new_name != NULL && strcmp (self->new_name, "-") != 0 ? self->new_name : "");
    if (one->queue_dir == NULL || one->data_dir == NULL)
        hk_multi_fail (self, "Missing %s parameter value",
                       one->queue_dir == NULL ? "queue_directory" : "data_directory");
    else if (has_file (dir, "main.cf"))
        hk_multi_fail (self, "%s has a main.cf and no master.cf", dir);
    else if (hk_multi_is_unique (self, one))
        status = make_files (self, one);
    hk_multi_instance_free (one);
    return status;
}

/* The files are there: into the list, if it may live beside the others under its new name.
 */
static int
enlist (HkMulti *self, const char *dir, guint place)
{
    HkMultiInstance *one = hk_multi_instance_new (self, dir);
    if (one == NULL)
        return hk_multi_fail (self, "Failed to obtain all required %s/main.cf parameters",
                              dir);
    if (self->new_name != NULL) {
        g_free (one->name);
        one->name = g_strdup (strcmp (self->new_name, "-") == 0 ? "" : self->new_name);
    }
    if (!hk_multi_is_unique (self, one) || assign (self, dir) != 0) {
        hk_multi_instance_free (one);
        return 1;
    }
    g_ptr_array_insert (self->instances, (gint) place, one);
    return save_list (self);
}

static int
add (HkMulti *self)
{
    guint place = place_of (self);
    g_autofree char *dir = new_path (self, config_name, self->primary_dir);
    if (place == 0)
        return hk_multi_fail (self, "No matching secondary instances");
    if (check_new_name (self) != 0)
        return 1;
    if (dir == NULL)
        return hk_multi_fail (self, "Missing config_directory parameter value");
    for (guint i = 0; i < self->instances->len; i++) {
        const HkMultiInstance *other = g_ptr_array_index (self->instances, i);
        if (strcmp (other->config_dir, dir) == 0)
            return hk_multi_fail (
                self,
                "new config_directory=%s is already in use by instance %s, "
                "config_directory=%s",
                dir, other->config_dir, other->config_dir);
    }
    if (check_init (self) != 0)
        return 1;
    bool is_there = has_file (dir, "main.cf") && has_file (dir, "master.cf");
    if (is (self, "create") && !is_there && create_files (self, dir) != 0)
        return 1;
    return enlist (self, dir, place);
}

/* ---- one that is there ----------------------------------------------------------- */

/* Out of the list, durably, before any file goes: no list ever names what is half gone. */
static int
remove_at (HkMulti *self, guint at)
{
    HkMultiInstance *one = g_ptr_array_index (self->instances, at);
    bool destroys = is (self, "destroy");
    if (destroys && hk_multi_check_idle (self, one) != 0)
        return 1;
    g_ptr_array_steal_index (self->instances, at);
    int status = save_list (self);
    if (status == 0 && destroys)
        hk_multi_remove_files (self, one);
    hk_multi_instance_free (one);
    return status;
}

static int
rename_instance (const HkMulti *self, HkMultiInstance *one)
{
    if (check_new_name (self) != 0)
        return 1;
    if (self->new_name != NULL) {
        g_free (one->name);
        one->name = g_strdup (strcmp (self->new_name, "-") == 0 ? "" : self->new_name);
    }
    if (!hk_multi_is_unique (self, one) || check_init (self) != 0)
        return 1;
    return assign (self, one->config_dir);
}

static int
change_at (HkMulti *self, guint at)
{
    HkMultiInstance *one = g_ptr_array_index (self->instances, at);
    bool removes = is (self, "destroy") || is (self, "deport");
    if (removes && one->is_primary)
        return hk_multi_fail (self, "Cannot remove the primary instance");
    if (is (self, "destroy") && one->is_enabled)
        return hk_multi_fail (self, "Cannot remove enabled instances");
    if (is (self, "assign"))
        return rename_instance (self, one);
    if (check_init (self) != 0)
        return 1;
    if (removes)
        return remove_at (self, at);
    return set (self, one->config_dir, "multi_instance_enable",
                is (self, "enable") ? "yes" : "no");
}

int
hk_multi_edit (HkMulti *self)
{
    if (is (self, "init"))
        return init (self);
    if (traits_of (self->action) & TAKES_PLACE)
        return add (self);
    for (guint i = 0; i < self->instances->len; i++) {
        if (hk_multi_matches (self, g_ptr_array_index (self->instances, i)))
            return change_at (self, i);
    }
    return hk_multi_fail (self, "No instance named %s", self->by_name);
}

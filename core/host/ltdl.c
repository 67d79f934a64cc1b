/* ltdl.c: finding a plugin's descriptor, built in or in a module; the only file that knows
 * libltdl. */
#include "config.h"

#include "host/host_priv.h"

#include <dlfcn.h>
#include <errno.h>
#include <ltdl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYMBOL_SUFFIX "_LTX_hikyaku_plugin_" G_STRINGIFY (HK_ABI_MAJOR)

/* Made by the build: { "NAME.a", NULL }, { "NAME_LTX_hikyaku_plugin_0", address }, … */
extern const lt_dlsymlist hk_builtin_symbols[];

static bool
start_ltdl (GError **error)
{
    static bool is_started;
    if (is_started)
        return true;
    /* Modules come by absolute path only; this makes a relative one fail as well. */
    unsetenv ("LTDL_LIBRARY_PATH");
    if (lt_dlinit () != 0 || lt_dlpreload (hk_builtin_symbols) != 0) {
        g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_REFUSED,
                     "cannot start libltdl: %s", lt_dlerror ());
        return false;
    }
    is_started = true;
    return true;
}

char **
hk_modules_builtin_names (void)
{
    g_autoptr (GStrvBuilder) names = g_strv_builder_new ();
    for (const lt_dlsymlist *s = hk_builtin_symbols; s->name != NULL; s++)
        if (s->address == NULL && g_str_has_suffix (s->name, ".a")) {
            g_autofree char *name = g_strndup (s->name, strlen (s->name) - 2);
            g_strv_builder_add (names, name);
        }
    return g_strv_builder_end (names);
}

bool
hk_modules_is_builtin (const char *name)
{
    g_auto (GStrv) names = hk_modules_builtin_names ();
    return g_strv_contains ((const char *const *) names, name);
}

static lt_dlhandle
open_with (const char *file, int (*how) (lt_dladvise *advise), bool is_local)
{
    lt_dladvise advise;
    lt_dlhandle handle = NULL;
    if (lt_dladvise_init (&advise) != 0)
        return NULL;
    if (how (&advise) == 0 && (!is_local || lt_dladvise_local (&advise) == 0))
        handle = lt_dlopenadvise (file, advise);
    lt_dladvise_destroy (&advise);
    return handle;
}

static const HkPlugin *
find_symbol (lt_dlhandle handle, const char *name)
{
    g_autofree char *symbol = g_strconcat (name, SYMBOL_SUFFIX, NULL);
    return lt_dlsym (handle, symbol);
}

static const HkPlugin *
open_builtin (const char *name, GError **error)
{
    g_autofree char *file = g_strconcat (name, ".a", NULL);
    lt_dlhandle handle = open_with (file, lt_dladvise_preload, false);
    const HkPlugin *plugin = handle == NULL ? NULL : find_symbol (handle, name);
    if (plugin == NULL)
        g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_REFUSED,
                     "plugin %s (built in): symbol %s" SYMBOL_SUFFIX " is not linked in",
                     name, name);
    return plugin;
}

static bool refuse (GError **error, const char *path, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

static bool
refuse (GError **error, const char *path, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    g_autofree char *text = g_strdup_vprintf (format, ap);
    va_end (ap);
    g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_REFUSED, "plugin file %s: %s", path,
                 text);
    return false;
}

/* Owner, mode and type of a module or of the directory that it is in. */
static bool
check_safe (const char *path, mode_t type, GError **error)
{
    struct stat st;
    if (lstat (path, &st) < 0)
        return refuse (error, path, "%s", g_strerror (errno));
    if ((st.st_mode & S_IFMT) != type)
        return refuse (error, path, "expected a %s, found something else",
                       type == S_IFREG ? "regular file" : "directory");
    if (st.st_uid != 0 && st.st_uid != geteuid ())
        return refuse (error, path, "expected owner root or uid %u, found uid %u",
                       (unsigned) geteuid (), (unsigned) st.st_uid);
    bool is_sticky = type == S_IFDIR && (st.st_mode & S_ISVTX) != 0;
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !is_sticky)
        return refuse (error, path,
                       "expected a mode that keeps group and others from writing, "
                       "found %04o (try: chmod go-w)",
                       (unsigned) st.st_mode & 07777);
    return true;
}

static bool
check_file (const char *directory, const char *path, GError **error)
{
    g_autofree char *real_directory = NULL;
    char *real = realpath (directory, NULL);
    if (real == NULL)
        return refuse (error, directory, "plugin_directory: %s", g_strerror (errno));
    real_directory = g_strdup (real);
    free (real);
    return check_safe (real_directory, S_IFDIR, error) && check_safe (path, S_IFREG, error);
}

/* libltdl binds lazily and says "file not found" whatever the reason was.  So the module is
 * mapped once by hand first, bound now: for the true text, and so that a missing function
 * is found here and not at its first call.  The mapping stays: nothing is ever unloaded. */
static bool
map_now (const char *path, GError **error)
{
    if (dlopen (path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) != NULL)
        return true;
    const char *text = dlerror ();
    return refuse (error, path, "cannot be loaded: %s",
                   text != NULL ? text : "no reason given");
}

static const HkPlugin *
open_file (const char *directory, const char *name, const char *path, GError **error)
{
    if (!g_path_is_absolute (path)) {
        refuse (error, path, "plugin_directory must be an absolute path");
        return NULL;
    }
    if (access (path, R_OK) < 0) {
        g_set_error (error, HK_HOST_ERROR, HK_HOST_ERROR_ABSENT,
                     "plugin %s: not built in, and %s: %s", name, path, g_strerror (errno));
        return NULL;
    }
    if (!check_file (directory, path, error) || !map_now (path, error))
        return NULL;
    lt_dlhandle handle = open_with (path, lt_dladvise_resident, true);
    if (handle == NULL) {
        refuse (error, path, "cannot be loaded: %s", lt_dlerror ());
        return NULL;
    }
    const HkPlugin *plugin = find_symbol (handle, name);
    if (plugin == NULL)
        refuse (error, path,
                "expected the symbol %s" SYMBOL_SUFFIX ", found none of that name "
                "(not a plugin, another name, or made for another major ABI than %d)",
                name, HK_ABI_MAJOR);
    return plugin;
}

const HkPlugin *
hk_modules_open (const char *directory, const char *name, char **out_where, GError **error)
{
    const HkPlugin *plugin;
    g_autofree char *path = g_strconcat (directory, "/", name, ".so", NULL);
    if (!start_ltdl (error))
        return NULL;
    if (hk_modules_is_builtin (name)) {
        g_free (path);
        path = g_strdup ("(built in)");
        plugin = open_builtin (name, error);
    } else {
        plugin = open_file (directory, name, path, error);
    }
    if (plugin != NULL)
        *out_where = g_steal_pointer (&path);
    return plugin;
}

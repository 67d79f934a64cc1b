/* test_refused.c: modules that must not load: each is refused with a message that says what
 * and where, and the good ones beside them load.  Modules are compiled here with the C
 * compiler. */
#include "config.h"

#include "host/host.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char *directory;
static const char *source_dir;

static const char good[] =
    "#include <hikyaku/lookup.h>\n"
    "static HkAnswer o (const HkHost *h, const HkConf *c, HkCall *k, void **i)\n"
    "{ static int x; (void) h; (void) c; (void) k; *i = &x; return HK_OK; }\n"
    "static void c (void *i) { (void) i; }\n"
    "static HkAnswer g (void *i, HkCall *k, HkSpan s)\n"
    "{ (void) i; (void) k; (void) s; return HK_ABSENT; }\n"
    "static const HkLookupClass t = { .base = { .size = sizeof (HkLookupClass),\n"
    "  .kind = HK_KIND_LOOKUP, .class_minor = 1, .name = \"NAME\", .open = o, .close = c "
    "},\n"
    "  .get = g };\n";

/* NAME is replaced; the text stands behind `good`. */
static const struct {
    const char *name, *text;
    int mode;
    const char *said; /* NULL: loads */
} modules[] = {
    {"lookup_good",
     "HK_PLUGIN (lookup_good, .version = \"1\", .licence = \"x\", .summary = \"s\","
     " .classes = HK_CLASSES (&t.base))",
     0755, NULL},
    {"lookup_major",
     "HK_PLUGIN (lookup_major, .version = \"1\", .licence = \"x\","
     " .summary = \"s\", .classes = HK_CLASSES (&t.base), .abi_major = 7)",
     0755, "expected ABI major 0, found 7"},
    {"lookup_minor",
     "HK_PLUGIN (lookup_minor, .version = \"1\", .licence = \"x\","
     " .summary = \"s\", .classes = HK_CLASSES (&t.base), .abi_minor = 99)",
     0755, "expected ABI minor at most " G_STRINGIFY (HK_ABI_MINOR) ", found 99"},
    {"lookup_nosymbol",
     "const HkPlugin *unused (void); const void *x (void) { return &t; }", 0755,
     "expected the symbol lookup_nosymbol_LTX_hikyaku_plugin_0"},
    {"lookup_renamed",
     "HK_PLUGIN (lookup_other, .version = \"1\", .licence = \"x\","
     " .summary = \"s\", .classes = HK_CLASSES (&t.base))",
     0755, "expected the symbol lookup_renamed_LTX_hikyaku_plugin_0"},
    {"lookup_echo",
     "HK_PLUGIN (lookup_echo, .version = \"1\", .licence = \"x\","
     " .summary = \"s\", .classes = HK_CLASSES (&t.base),"
     " .name = \"lookup_somebody\")",
     0755, "expected the name lookup_echo in its descriptor, found lookup_somebody"},
    {"lookup_world",
     "HK_PLUGIN (lookup_world, .version = \"1\", .licence = \"x\","
     " .summary = \"s\", .classes = HK_CLASSES (&t.base))",
     0757, "found 0757 (try: chmod go-w)"},
    {"lookup_undefined",
     "void nobody_has_this (void); void call_it (void);"
     " void call_it (void) { nobody_has_this (); }\n"
     "HK_PLUGIN (lookup_undefined, .version = \"1\", .licence = \"x\","
     " .summary = \"s\", .classes = HK_CLASSES (&t.base))",
     0755, "undefined symbol: nobody_has_this"},
    {"lookup_second",
     "HK_PLUGIN (lookup_second, .version = \"1\", .licence = \"x\","
     " .summary = \"s\", .classes = HK_CLASSES (&t.base))",
     0755, NULL},
};

static char *
module_path (const char *name)
{
    return g_strdup_printf ("%s/%s.so", directory, name);
}

static bool
compile (const char *name, const char *text)
{
    g_autofree char *source = g_strdup_printf ("%s/%s.c", directory, name);
    g_autofree char *object = module_path (name);
    g_autofree char *include = g_strdup_printf ("-I%s/plugin-api", source_dir);
    g_autoptr (GString) all = g_string_new (good);
    g_autoptr (GError) error = NULL;
    int status = -1;
    g_string_append (all, text);
    g_string_replace (all, "NAME", name, 0);
    g_assert_true (g_file_set_contents (source, all->str, -1, NULL));
    const char *argv[] = {
        "cc",    "-std=gnu11", "-w",   "-shared", "-fPIC", "-fvisibility=hidden",
        include, "-o",         object, source,    NULL};
    bool ran = g_spawn_sync (NULL, (char **) (uintptr_t) argv, NULL, G_SPAWN_SEARCH_PATH,
                             NULL, NULL, NULL, NULL, &status, &error);
    g_unlink (source);
    return ran && status == 0;
}

static void
expect (HkPlugins *plugins, const char *name, const char *said)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *path = module_path (name);
    bool is_loaded = hk_plugins_load (plugins, name, &error);
    if (said == NULL) {
        g_assert_no_error (error);
        g_assert_true (is_loaded);
        g_assert_nonnull (hk_plugins_class (plugins, HK_KIND_LOOKUP, name));
        return;
    }
    g_assert_false (is_loaded);
    g_assert_nonnull (error);
    g_test_message ("%s", error->message);
    g_assert_nonnull (strstr (error->message, said));
    g_assert_nonnull (strstr (error->message, path)); /* what and where */
    g_assert_null (hk_plugins_class (plugins, HK_KIND_LOOKUP, name));
}

static void
test_compiled (void)
{
    HkPlugins *plugins = hk_plugins_new (directory, NULL, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS (modules); i++) {
        g_autofree char *path = module_path (modules[i].name);
        if (!compile (modules[i].name, modules[i].text)) {
            g_test_skip ("no C compiler called cc");
            break;
        }
        g_assert_cmpint (chmod (path, (mode_t) modules[i].mode), ==, 0);
        expect (plugins, modules[i].name, modules[i].said);
        g_unlink (path);
    }
    hk_plugins_free (plugins);
}

static void
test_no_elf (void)
{
    HkPlugins *plugins = hk_plugins_new (directory, NULL, NULL);
    g_autofree char *path = module_path ("lookup_text");
    g_autofree char *link = module_path ("lookup_link");
    g_autofree char *folder = module_path ("lookup_folder");
    g_autofree char *script = g_strnfill (4096, '#');
    g_assert_true (g_file_set_contents (path, script, -1, NULL));
    g_assert_cmpint (chmod (path, 0755), ==, 0);
    expect (plugins, "lookup_text", "invalid ELF header");
    g_assert_cmpint (symlink (path, link), ==,
                     0); /* where it leads is somebody else's choice */
    expect (plugins, "lookup_link", "expected a regular file");
    g_assert_cmpint (g_mkdir (folder, 0755), ==, 0);
    expect (plugins, "lookup_folder", "expected a regular file");
    expect (plugins, "lookup_nowhere", "No such file");
    g_rmdir (folder);
    g_unlink (link);
    g_unlink (path);
    hk_plugins_free (plugins);
}

static void
test_directory (void)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *path = module_path ("lookup_text");
    HkPlugins *relative = hk_plugins_new ("plugins", NULL, NULL);
    g_assert_false (hk_plugins_load (relative, "lookup_text", &error));
    g_assert_nonnull (strstr (error->message, "absolute path"));
    g_clear_error (&error);
    hk_plugins_free (relative);
    HkPlugins *plugins = hk_plugins_new (directory, NULL, NULL);
    g_assert_true (g_file_set_contents (path, "x", -1, NULL));
    g_assert_cmpint (chmod (directory, 0777), ==, 0);
    g_assert_false (hk_plugins_load (plugins, "lookup_text", &error));
    g_test_message ("%s", error->message);
    g_assert_nonnull (strstr (error->message, "0777"));
    g_assert_cmpint (chmod (directory, 0755), ==, 0);
    g_unlink (path);
    hk_plugins_free (plugins);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    source_dir = g_getenv ("HK_SOURCE_DIR");
    if (source_dir == NULL)
        source_dir = ".";
    directory = g_dir_make_tmp ("hk-refused-XXXXXX", NULL);
    g_test_add_func ("/abi/refused/compiled", test_compiled);
    g_test_add_func ("/abi/refused/no_elf", test_no_elf);
    g_test_add_func ("/abi/refused/directory", test_directory);
    int rc = g_test_run ();
    g_rmdir (directory);
    g_free (directory);
    return rc;
}

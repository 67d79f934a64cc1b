/* test_transport_local.c: lists of destinations, aliases, .forward and mailboxes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_local_priv.h"

#include <glib/gstdio.h>
#include <harness.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (transport_local);

/* ---- lists */

static void
test_targets (void)
{
    static const struct {
        const char *text, *addresses; /* joined by blanks */
        bool names_self;
        const char *problem; /* its begin */
    } cases[] = {
        {"a", "a@o.test", false, NULL},
        {"a, b@x.test\nc", "a@o.test b@x.test c@o.test", false, NULL},
        {"a,A@o.test,a", "a@o.test", false, NULL},
        {"# remark, x\n  Full Name <a@x.test> \n", "a@x.test", false, NULL},
        {"\"a@x.test\"", "a@x.test", false, NULL},
        {"\\me, a", "a@o.test", true, NULL},
        {"me@o.test", "", true, NULL},
        {"me@x.test", "me@x.test", false, NULL},
        {"a, \"|prog x, y\"", "a@o.test", false, "delivery to a command"},
        {"/var/log/x", "", false, "delivery to a file"},
        {":include:relative", "", false, ":include:relative: the path"},
        {":include:/nowhere/at/all", "", false, ":include: cannot open"},
        {"", "", false, NULL},
        {",,\n\n,", "", false, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        LocalTargets t;
        transport_local_targets_init (&t, "me", "o.test");
        transport_local_targets_add (&t, transport_local_span (cases[i].text));
        g_ptr_array_add (t.addresses, NULL);
        g_autofree char *all = g_strjoinv (" ", (char **) t.addresses->pdata);
        g_assert_cmpstr (all, ==, cases[i].addresses);
        g_assert_cmpint (t.names_self, ==, cases[i].names_self);
        g_assert_cmpint (t.problem != NULL, ==, cases[i].problem != NULL);
        if (t.problem != NULL)
            g_assert_true (g_str_has_prefix (t.problem, cases[i].problem));
        transport_local_targets_clear (&t);
    }
}

static void
test_include (void)
{
    g_autofree char *dir = g_dir_make_tmp ("local-XXXXXX", NULL);
    g_autofree char *path = g_build_filename (dir, "list", NULL);
    g_autofree char *item = g_strconcat (":include:", path, NULL);
    g_autofree char *loop = g_strconcat ("a\n", item, NULL);
    LocalTargets t;
    g_assert_true (g_file_set_contents_full (path, "a\nb@x.test # not a remark\n", -1,
                                             G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    transport_local_targets_init (&t, "me", "o.test");
    transport_local_targets_add (&t, transport_local_span (item));
    g_assert_null (t.problem);
    g_assert_cmpuint (t.addresses->len, ==, 2);
    transport_local_targets_clear (&t);

    /* A list that includes itself ends. */
    g_assert_true (
        g_file_set_contents_full (path, loop, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    transport_local_targets_init (&t, "me", "o.test");
    transport_local_targets_add (&t, transport_local_span (item));
    g_assert_nonnull (t.problem);
    transport_local_targets_clear (&t);

    /* One that others may write is not read. */
    g_assert_cmpint (chmod (path, 0666), ==, 0);
    transport_local_targets_init (&t, "me", "o.test");
    transport_local_targets_add (&t, transport_local_span (item));
    g_assert_nonnull (t.problem);
    transport_local_targets_clear (&t);
    g_unlink (path);
    g_rmdir (dir);
}

static void
test_note (void)
{
    LocalNote in = {(char *) "u", (char *) "/home/u", NULL, (char *) "a,\nb"}, out;
    g_autoptr (GString) text = transport_local_note_write (&in);
    transport_local_note_read ((HkSpan){(const uint8_t *) text->str, text->len}, &out);
    g_assert_cmpstr (out.user, ==, "u");
    g_assert_cmpstr (out.home, ==, "/home/u");
    g_assert_null (out.sender);
    g_assert_cmpstr (out.alias, ==, "a,\nb");
    transport_local_note_clear (&out);
}

/* ---- deliveries */

typedef struct {
    HkHarness *h;
    void *t;
    char *dir;
} World;

static void
world_init (World *self, const char *recipient, const char *content)
{
    self->dir = g_dir_make_tmp ("local-XXXXXX", NULL);
    g_autofree char *spool = g_strconcat (self->dir, "/", NULL);
    self->h = hk_harness_new (&HK_PLUGIN_SYMBOL (transport_local));
    hk_harness_set (self->h, "myhostname", "mx.test");
    hk_harness_set (self->h, "myorigin", "o.test");
    hk_harness_set (self->h, "default_privs", "nobody");
    hk_harness_set (self->h, "recipient_delimiter", "+");
    hk_harness_set (self->h, "forward_path",
                    "$home/.forward${recipient_delimiter}${extension}, "
                    "$home/.forward");
    hk_harness_set (self->h, "alias_maps", "hash:aliases");
    hk_harness_set (self->h, "mail_spool_directory", spool);
    hk_harness_table (self->h, "hash:aliases", "list", "a, b@x.test");
    hk_harness_table (self->h, "hash:aliases", "owner-list", "boss");
    hk_harness_table (self->h, "hash:aliases", "cmd", "|prog");
    hk_harness_prop (self->h, HK_PROP_SENDER, "s@y.test");
    hk_harness_content (self->h, content, strlen (content));
    hk_harness_recipient (self->h, recipient, NULL);
    self->t = hk_harness_open (self->h, HK_KIND_TRANSPORT, "local", "");
    g_assert_nonnull (self->t);
}

static void
world_clear (World *self)
{
    const char *argv[] = {"rm", "-rf", self->dir, NULL};
    hk_harness_close (self->h, self->t);
    hk_harness_free (self->h);
    g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                  NULL, NULL);
    g_free (self->dir);
}

static void
deliver_note (World *self, const LocalNote *note, HkResult *out)
{
    g_autoptr (GString) text = transport_local_note_write (note);
    hk_harness_recipient_prop (self->h, 0, HK_PROP_USER_ANSWER, text->str);
    g_assert_cmpint (hk_harness_deliver (self->h, self->t, 1000), ==, HK_OK);
    g_assert_true (hk_harness_result (self->h, 0, out));
}

static char *
text_of (HkSpan s)
{
    return g_strndup ((const char *) s.data, s.size);
}

static void
test_alias (void)
{
    World w;
    HkUser user = {.size = sizeof user};
    HkResult result;
    world_init (&w, "List+ext@o.test", "a\r\n");
    const HkTransportClass *class =
        (const HkTransportClass *) hk_harness_class (w.h, HK_KIND_TRANSPORT, "local");
    g_assert_cmpint (class->user (w.t, hk_harness_call (w.h), 0, &user), ==, HK_OK);
    g_assert_cmpuint (user.uid, ==, getpwnam ("nobody")->pw_uid);
    g_autofree char *note = g_strdup (hk_harness_answer (w.h));
    g_assert_cmpstr (note, ==, "\n\nowner-list@o.test\n=a, b@x.test");
    hk_harness_recipient_prop (w.h, 0, HK_PROP_USER_ANSWER, note);
    g_assert_cmpint (hk_harness_deliver (w.h, w.t, 1000), ==, HK_OK);
    g_assert_true (hk_harness_result (w.h, 0, &result));
    g_assert_cmpint (result.status, ==, HK_STATUS_FORWARDED);
    world_clear (&w);
}

static void
test_outcomes (void)
{
    static const struct {
        const char *recipient, *content;
        LocalNote note;
        int status;
        const char *dsn, *text;
    } cases[] = {
        {"u@o.test",
         "a\r\n",
         {(char *) "u", (char *) "", NULL, NULL},
         HK_STATUS_SENT,
         "2.0.0",
         "delivered to maildir"},
        {"cmd@o.test",
         "a\r\n",
         {NULL, NULL, NULL, (char *) "|prog"},
         HK_STATUS_DEFERRED,
         "4.3.5",
         "alias cmd: delivery to a command"},
        {"gone@o.test",
         "a\r\n",
         {NULL, NULL, NULL, NULL},
         HK_STATUS_BOUNCED,
         "5.1.1",
         "unknown user: \"gone\""},
        {"u@o.test",
         "Delivered-To: U@o.test\r\n\r\n",
         {(char *) "u", (char *) "", NULL, NULL},
         HK_STATUS_BOUNCED,
         "5.4.6",
         "mail forwarding loop for u@o.test"},
        {"u@o.test",
         "A: b\r\n\r\nDelivered-To: u@o.test\r\n",
         {(char *) "u", (char *) "", NULL, NULL},
         HK_STATUS_SENT,
         "2.0.0",
         "delivered to maildir"}, /* only the header counts */
        {"none@o.test",
         "a\r\n",
         {NULL, NULL, NULL, (char *) ""},
         HK_STATUS_SENT,
         "2.0.0",
         "the alias has no destination"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        World w;
        HkResult result;
        world_init (&w, cases[i].recipient, cases[i].content);
        deliver_note (&w, &cases[i].note, &result);
        g_autofree char *text = text_of (result.text), *dsn = text_of (result.dsn);
        g_test_message ("%s", text);
        g_assert_cmpint (result.status, ==, cases[i].status);
        g_assert_cmpstr (dsn, ==, cases[i].dsn);
        g_assert_true (g_str_has_prefix (text, cases[i].text));
        world_clear (&w);
    }
}

static void
test_forward_file (void)
{
    World w;
    HkResult result;
    world_init (&w, "u+x@o.test", "a\r\n");
    g_autofree char *path = g_build_filename (w.dir, ".forward", NULL);
    g_autofree char *own = g_build_filename (w.dir, ".forward+x", NULL);
    LocalNote note = {(char *) "u", w.dir, NULL, NULL};
    g_assert_true (g_file_set_contents_full (path, "other@x.test\n", -1,
                                             G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    deliver_note (&w, &note, &result);
    g_assert_cmpint (result.status, ==, HK_STATUS_FORWARDED);
    /* The extension's file comes first; an empty one means: do not forward. */
    g_assert_true (
        g_file_set_contents_full (own, "", -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    deliver_note (&w, &note, &result);
    g_assert_cmpint (result.status, ==, HK_STATUS_SENT);
    world_clear (&w);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/local/targets", test_targets);
    g_test_add_func ("/local/include", test_include);
    g_test_add_func ("/local/note", test_note);
    g_test_add_func ("/local/alias", test_alias);
    g_test_add_func ("/local/outcomes", test_outcomes);
    g_test_add_func ("/local/forward-file", test_forward_file);
    return g_test_run ();
}

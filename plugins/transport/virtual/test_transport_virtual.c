/* test_transport_virtual.c: what stands in the mailbox afterwards, in a private directory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_TMPFILE */
#endif
#include "mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <harness.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const HkPlugin HK_PLUGIN_SYMBOL (transport_virtual);

static bool has_nameless = true;

/* Stands before the C library's: a file system without nameless files. */
int
open (const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list args;
        va_start (args, flags);
        mode = va_arg (args, mode_t);
        va_end (args);
    }
    if ((flags & O_TMPFILE) == O_TMPFILE && !has_nameless) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return openat (AT_FDCWD, path, flags, mode);
}

typedef struct {
    HkHarness *h;
    void *t;
    char *dir;
} World;

static void
world_init (World *self, const char *mailbox, const char *content)
{
    self->dir = g_dir_make_tmp ("virtual-XXXXXX", NULL);
    self->h = hk_harness_new (&HK_PLUGIN_SYMBOL (transport_virtual));
    hk_harness_set (self->h, "myhostname", "mx/1.test");
    hk_harness_set (self->h, "virtual_mailbox_base", self->dir);
    hk_harness_set (self->h, "virtual_mailbox_maps", "hash:boxes");
    hk_harness_set (self->h, "virtual_uid_maps", "hash:ids");
    hk_harness_set (self->h, "virtual_gid_maps", "hash:ids");
    hk_harness_set (self->h, "deliver_lock_attempts", "1");
    hk_harness_set (self->h, "deliver_lock_delay", "1");
    hk_harness_table (self->h, "hash:boxes", "u@x.test", mailbox);
    hk_harness_table (self->h, "hash:ids", "u@x.test", "5000");
    hk_harness_prop (self->h, HK_PROP_SENDER, "s@y.test");
    hk_harness_content (self->h, content, strlen (content));
    hk_harness_recipient (self->h, "U@x.test", "orig@x.test");
}

/* `user` first, as the host does. */
static void
deliver (World *self, HkResult *out)
{
    HkUser user = {.size = sizeof user};
    const HkTransportClass *class =
        (const HkTransportClass *) hk_harness_class (self->h, HK_KIND_TRANSPORT, "virtual");
    if (self->t == NULL)
        self->t = hk_harness_open (self->h, HK_KIND_TRANSPORT, "virtual", "");
    g_assert_nonnull (self->t);
    HkAnswer answer = class->user (self->t, hk_harness_call (self->h), 0, &user);
    g_autofree char *note = g_strdup (hk_harness_answer (self->h));
    if (answer == HK_OK)
        g_assert_cmpuint (user.uid, ==, 5000);
    hk_harness_recipient_prop (self->h, 0, HK_PROP_USER_ANSWER, note);
    g_assert_cmpint (hk_harness_deliver (self->h, self->t, 1000), ==, HK_OK);
    g_assert_true (hk_harness_result (self->h, 0, out));
}

static void
expect (const HkResult *result, int status, const char *dsn, const char *text)
{
    g_autofree char *said = g_strndup ((const char *) result->text.data, result->text.size);
    g_autofree char *code = g_strndup ((const char *) result->dsn.data, result->dsn.size);
    g_test_message ("%s %s", code, said);
    g_assert_cmpint (result->status, ==, status);
    g_assert_cmpstr (code, ==, dsn);
    g_assert_true (g_str_has_prefix (said, text));
}

static void
world_clear (World *self)
{
    const char *argv[] = {"rm", "-rf", self->dir, NULL};
    if (self->t != NULL)
        hk_harness_close (self->h, self->t);
    hk_harness_free (self->h);
    g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                  NULL, NULL);
    g_free (self->dir);
}

static char *
only_file (const char *dir)
{
    g_autoptr (GDir) d = g_dir_open (dir, 0, NULL);
    g_assert_nonnull (d);
    g_autofree char *name = g_strdup (g_dir_read_name (d));
    g_assert_null (g_dir_read_name (d));
    return name == NULL ? NULL : g_build_filename (dir, name, NULL);
}

#define HEADER                                                                             \
    "Return-Path: <s@y.test>\nX-Original-To: orig@x.test\nDelivered-To: U@x.test\n"

static void
test_maildir (void)
{
    World w = {0};
    HkResult result;
    struct stat st;
    world_init (&w, "x/u/", "Subject: a\r\n\r\nFrom here\r\n.\r\nlone \r cr\r\nend");
    deliver (&w, &result);
    expect (&result, HK_STATUS_SENT, "2.0.0", "delivered to maildir");
    g_autofree char *new_dir = g_build_filename (w.dir, "x/u/new", NULL);
    g_autofree char *tmp_dir = g_build_filename (w.dir, "x/u/tmp", NULL);
    g_autofree char *file = only_file (new_dir), *rest = only_file (tmp_dir), *text = NULL;
    g_assert_null (rest);
    g_assert_true (g_file_get_contents (file, &text, NULL, NULL));
    g_assert_cmpstr (text, ==, HEADER "Subject: a\n\nFrom here\n.\nlone \r cr\nend\n");
    g_assert_true (g_str_has_suffix (file, ".mx\\0571.test"));
    g_assert_cmpint (stat (file, &st), ==, 0);
    g_assert_cmpint (st.st_mode & 07777, ==, 0600);
    g_assert_cmpint (stat (new_dir, &st), ==, 0);
    g_assert_cmpint (st.st_mode & 07777, ==, 0700);
    world_clear (&w);
}

static guint
count_files (const World *w, const char *name)
{
    g_autofree char *path = g_build_filename (w->dir, name, NULL);
    g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
    guint n = 0;
    while (dir != NULL && g_dir_read_name (dir) != NULL)
        n++;
    return n;
}

/* An attempt that is repeated, as after a crash, adds nothing; another message does, also when
 * it should have the same name. */
static void
test_repeated (void)
{
    World w = {0};
    HkResult result;
    world_init (&w, "u/", "Subject: a\r\n\r\nx\r\n");
    hk_harness_prop (w.h, HK_PROP_QUEUE_ID, "4dQ1");
    hk_harness_prop_int (w.h, HK_PROP_ARRIVAL_US, 1700000000000042);
    deliver (&w, &result);
    expect (&result, HK_STATUS_SENT, "2.0.0", "delivered to maildir");
    g_autofree char *new_dir = g_build_filename (w.dir, "u/new", NULL);
    g_autofree char *file = only_file (new_dir);
    g_assert_nonnull (strstr (file, "/1700000000.M000042Q4dQ1R"));
    deliver (&w, &result);
    expect (&result, HK_STATUS_SENT, "2.0.0", "delivered to maildir (by an earlier attempt)");
    g_assert_cmpuint (count_files (&w, "u/new"), ==, 1);
    g_assert_cmpuint (count_files (&w, "u/tmp"), ==, 0);
    hk_harness_content (w.h, "Subject: b\r\n\r\nx\r\n", 17);
    deliver (&w, &result);
    expect (&result, HK_STATUS_SENT, "2.0.0", "delivered to maildir");
    g_assert_cmpuint (count_files (&w, "u/new"), ==, 2);
    deliver (&w, &result);
    g_assert_cmpuint (count_files (&w, "u/new"), ==, 2);
    hk_harness_prop (w.h, HK_PROP_QUEUE_ID, "4dQ2");
    deliver (&w, &result);
    g_assert_cmpuint (count_files (&w, "u/new"), ==, 3);
    world_clear (&w);
}

static void
test_named (void)
{
    has_nameless = false;
    test_maildir ();
    test_repeated ();
    has_nameless = true;
}

static void
test_mbox (void)
{
    World w = {0};
    HkResult result;
    world_init (&w, "u", "Subject: a\r\n\r\nFrom here\r\nx\r\n");
    deliver (&w, &result);
    expect (&result, HK_STATUS_SENT, "2.0.0", "delivered to mailbox");
    deliver (&w, &result);
    expect (&result, HK_STATUS_SENT, "2.0.0", "delivered to mailbox");
    g_autofree char *file = g_build_filename (w.dir, "u", NULL), *text = NULL;
    g_assert_true (g_file_get_contents (file, &text, NULL, NULL));
    g_assert_true (g_str_has_prefix (text, "From s@y.test  "));
    g_auto (GStrv) parts = g_strsplit (text, HEADER "Subject: a\n\n>From here\nx\n\n", -1);
    g_assert_cmpuint (g_strv_length (parts), ==, 3); /* From, From, nothing */
    g_autofree char *lock = g_strconcat (file, ".lock", NULL);
    g_assert_false (g_file_test (lock, G_FILE_TEST_EXISTS));
    world_clear (&w);
}

static void
test_limits (void)
{
    static const struct {
        const char *mailbox, *text;
    } cases[] = {{"u/", "maildir delivery failed: error writing message: File too large"},
                 {"u", "cannot update mailbox"}};
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        World w = {0};
        HkResult result;
        world_init (&w, cases[i].mailbox, "Subject: too long for it\r\n\r\n");
        hk_harness_set (w.h, "virtual_mailbox_limit", "10");
        deliver (&w, &result);
        expect (&result, HK_STATUS_BOUNCED, "5.2.2", cases[i].text);
        world_clear (&w);
    }
}

static void
test_locked (void)
{
    World w = {0};
    HkResult result;
    world_init (&w, "u", "a\r\n");
    g_autofree char *lock = g_build_filename (w.dir, "u.lock", NULL);
    g_assert_true (g_file_set_contents (lock, "", 0, NULL));
    deliver (&w, &result);
    expect (&result, HK_STATUS_DEFERRED, "4.2.0", "unable to create lock file");
    world_clear (&w);
}

static void
test_not_ours (void)
{
    World w = {0};
    HkResult result;
    world_init (&w, "u", "a\r\n");
    g_autofree char *path = g_build_filename (w.dir, "u", NULL);
    g_autofree char *other = g_build_filename (w.dir, "other", NULL);
    g_assert_true (g_file_set_contents (other, "secret", -1, NULL));
    g_assert_cmpint (symlink (other, path), ==, 0);
    deliver (&w, &result);
    expect (&result, HK_STATUS_DEFERRED, "4.2.0", "cannot open mailbox");
    g_assert_cmpint (g_unlink (path), ==, 0);
    g_assert_cmpint (link (other, path), ==, 0);
    deliver (&w, &result);
    expect (&result, HK_STATUS_DEFERRED, "4.2.0", "destination");
    g_autofree char *text = NULL;
    g_assert_true (g_file_get_contents (other, &text, NULL, NULL));
    g_assert_cmpstr (text, ==, "secret");
    world_clear (&w);
}

static void
test_users (void)
{
    static const struct {
        const char *mailbox, *uid;
        HkAnswer answer;
        const char *reason;
    } cases[] = {
        {"u/", "5000", HK_OK, ""},
        {"u/", "99", HK_BROKEN,
         "recipient u@x.test: uid 99 in virtual_uid_maps is below "
         "virtual_minimum_uid"},
        {"u/", "0", HK_BROKEN, "recipient u@x.test: bad number \"0\" in virtual_uid_maps"},
        {"u/", "5k", HK_BROKEN,
         "recipient u@x.test: bad number \"5k\" in virtual_uid_maps"},
        {"../../etc/u/", "5000", HK_BROKEN, NULL},
    };
    const HkTransportClass *class;
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        World w = {0};
        HkUser user = {.size = sizeof user};
        world_init (&w, cases[i].mailbox, "a\r\n");
        hk_harness_table (w.h, "hash:ids", "u@x.test", cases[i].uid);
        w.t = hk_harness_open (w.h, HK_KIND_TRANSPORT, "virtual", "");
        class =
            (const HkTransportClass *) hk_harness_class (w.h, HK_KIND_TRANSPORT, "virtual");
        g_assert_cmpint (class->user (w.t, hk_harness_call (w.h), 0, &user), ==,
                         cases[i].answer);
        if (cases[i].reason != NULL)
            g_assert_cmpstr (hk_harness_reason (w.h), ==, cases[i].reason);
        world_clear (&w);
    }
}

static void
test_unknown (void)
{
    World w = {0};
    HkResult result;
    world_init (&w, "u/", "a\r\n");
    hk_harness_recipient (w.h, "nobody@x.test", NULL);
    w.t = hk_harness_open (w.h, HK_KIND_TRANSPORT, "virtual", "");
    g_assert_cmpint (hk_harness_deliver (w.h, w.t, 1000), ==, HK_OK);
    g_assert_true (hk_harness_result (w.h, 1, &result));
    expect (&result, HK_STATUS_BOUNCED, "5.1.1", "unknown user: \"nobody@x.test\"");
    world_clear (&w);
}

static void
test_lock_words (void)
{
    unsigned methods;
    HkSpan good = {(const uint8_t *) "fcntl, dotlock", 14};
    HkSpan bad = {(const uint8_t *) "fcntl, magic", 12};
    g_assert_true (mailbox_parse_locks (good, &methods));
    g_assert_cmpuint (methods, ==, MAILBOX_LOCK_FCNTL | MAILBOX_LOCK_DOT);
    g_assert_false (mailbox_parse_locks (bad, &methods));
}

/* RFC 3030: no byte changes, the lines on top end as those of the message do; an mbox has no
 * place for it. */
static void
test_binary (void)
{
    static const char content[] = "Subject: b\r\n\r\n\0a\nb\rc\r\nFrom d";
    World w = {0};
    HkResult result;
    world_init (&w, "box/", "");
    hk_harness_prop (w.h, HK_PROP_ENCODING, "binary");
    hk_harness_content (w.h, content, sizeof content - 1);
    deliver (&w, &result);
    expect (&result, HK_STATUS_SENT, "2.0.0", "delivered to maildir");
    g_autofree char *dir = g_build_filename (w.dir, "box/new", NULL);
    g_autofree char *path = only_file (dir);
    g_autofree char *bytes = NULL;
    gsize size;
    g_assert_true (g_file_get_contents (path, &bytes, &size, NULL));
    g_assert_cmpuint (size, >, sizeof content - 1);
    g_assert_cmpint (memcmp (bytes + size - (sizeof content - 1), content, sizeof content - 1),
                     ==, 0);
    g_assert_true (g_str_has_prefix (bytes, "Return-Path: <s@y.test>\r\n"));
    world_clear (&w);
    World m = {0};
    world_init (&m, "box", "");
    hk_harness_prop (m.h, HK_PROP_ENCODING, "binary");
    hk_harness_content (m.h, content, sizeof content - 1);
    deliver (&m, &result);
    expect (&result, HK_STATUS_BOUNCED, "5.6.1", "BINARYMIME content cannot");
    world_clear (&m);
}

/* Nothing is written, and nothing is made for it. */
static void
test_probe (void)
{
    static const struct {
        const char *mailbox, *text;
    } cases[] = {{"u/", "delivers to maildir"}, {"u", "delivers to mailbox"}};
    for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
        World w = {0};
        HkResult result;
        world_init (&w, cases[i].mailbox, "");
        hk_harness_prop_int (w.h, HK_PROP_PROBE, 1);
        deliver (&w, &result);
        expect (&result, HK_STATUS_SENT, "2.0.0", cases[i].text);
        g_assert_null (only_file (w.dir));
        world_clear (&w);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/virtual/maildir", test_maildir);
    g_test_add_func ("/virtual/repeated", test_repeated);
    g_test_add_func ("/virtual/named/maildir", test_named);
    g_test_add_func ("/virtual/mbox", test_mbox);
    g_test_add_func ("/virtual/limits", test_limits);
    g_test_add_func ("/virtual/locked", test_locked);
    g_test_add_func ("/virtual/not-ours", test_not_ours);
    g_test_add_func ("/virtual/users", test_users);
    g_test_add_func ("/virtual/unknown", test_unknown);
    g_test_add_func ("/virtual/probe", test_probe);
    g_test_add_func ("/virtual/lock-words", test_lock_words);
    g_test_add_func ("/virtual/binary", test_binary);
    return g_test_run ();
}

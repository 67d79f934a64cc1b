/* test_channel.c: frames arrive whole and in order, with their descriptors; wrong ones end the
 * channel. */
#include "config.h"

#include "ipc/channel.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    HkLoop *loop;
    HkChannel *a, *b;
    unsigned n_frames, n_closed, n_fds, stop_after;
    uint64_t sum;
} Pair;

static void
on_frame (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    Pair *pair = data;
    (void) channel;
    HkUnpack in = hk_unpack (payload);
    g_assert_cmpuint (hk_unpack_u64 (&in), ==, pair->n_frames); /* in order */
    g_assert_false (in.failed);
    pair->sum += type;
    pair->n_frames++;
    if (fd >= 0) {
        char c;
        g_assert_cmpint (pread (fd, &c, 1, 0), ==, 1);
        g_assert_cmpint (c, ==, 'A' + (char) (pair->n_frames % 26));
        pair->n_fds++;
        close (fd);
    }
    if (pair->n_frames == pair->stop_after)
        hk_loop_quit (pair->loop);
}

static void
on_closed (HkChannel *channel, void *data)
{
    Pair *pair = data;
    (void) channel;
    pair->n_closed++;
    hk_loop_quit (pair->loop);
}

static const HkChannelFns fns = { on_frame, on_closed };

static void
setup (Pair *pair)
{
    g_autoptr (GError) error = NULL;
    int fds[2];
    *pair = (Pair) { .loop = hk_loop_new (&error) };
    g_assert_no_error (error);
    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    pair->a = hk_channel_new (pair->loop, fds[0], &fns, pair);
    pair->b = hk_channel_new (pair->loop, fds[1], &fns, pair);
}

static void
teardown (Pair *pair)
{
    hk_channel_close (pair->a);
    hk_channel_close (pair->b);
    hk_loop_free (pair->loop);
}

/* More than the socket's buffer holds, every seventh frame with a file that only it names. */
static void
test_many (void)
{
    enum { N = 5000 };
    Pair pair;
    uint64_t sum = 0;
    setup (&pair);
    pair.stop_after = N;
    g_autofree char *padding = g_strnfill (997, 'x');
    for (unsigned i = 0; i < N; i++) {
        uint16_t type = (uint16_t) (i % 100 + 1);
        sum += type;
        g_autoptr (GByteArray) payload = g_byte_array_new ();
        hk_pack_u64 (payload, i);
        g_byte_array_append (payload, (const guint8 *) padding, i % 997);
        int fd = -1;
        if (i % 7 == 0) {
            char c = (char) ('A' + (i + 1) % 26);
            fd = open ("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
            g_assert_cmpint (fd, >=, 0);
            g_assert_cmpint (pwrite (fd, &c, 1, 0), ==, 1);
        }
        hk_channel_send (pair.a, type, hk_span (payload->data, payload->len), fd);
        if (fd >= 0)
            close (fd);
        if (i % 500 == 0)
            hk_loop_turn (pair.loop, false);
    }
    hk_loop_run (pair.loop);
    g_assert_cmpuint (pair.n_frames, ==, N);
    g_assert_cmpuint (pair.sum, ==, sum);
    g_assert_cmpuint (pair.n_fds, ==, (N + 6) / 7);
    g_assert_cmpuint (pair.n_closed, ==, 0);
    teardown (&pair);
}

static void
test_too_long (void)
{
    Pair pair;
    int fds[2];
    setup (&pair);
    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    HkChannel *c = hk_channel_new (pair.loop, fds[0], &fns, &pair);
    static const uint8_t wild[] = { 0xff, 0xff, 0xff, 0xff, 1, 0 };
    g_assert_cmpint (write (fds[1], wild, sizeof wild), ==, (ssize_t) sizeof wild);
    hk_loop_run (pair.loop);
    g_assert_cmpuint (pair.n_closed, ==, 1);
    g_assert_cmpuint (pair.n_frames, ==, 0);
    hk_channel_close (c);
    close (fds[1]);
    teardown (&pair);
}

static void
test_peer_ends (void)
{
    Pair pair;
    setup (&pair);
    hk_channel_close (pair.a);
    hk_loop_run (pair.loop);
    g_assert_cmpuint (pair.n_closed, ==, 1);
    pair.a = NULL;
    teardown (&pair);
}

/* A socket whose path does not fit into sun_path; tools' blocking calls on it. */
static void
test_long_path (void)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *top = g_dir_make_tmp ("hk-ipc-XXXXXX", &error);
    g_autofree char *word = g_strnfill (120, 'd');
    g_autofree char *dir = g_build_filename (top, word, NULL);
    g_autofree char *path = g_build_filename (dir, "sock", NULL);
    g_assert_cmpint (g_mkdir (dir, 0700), ==, 0);
    int listener = hk_ipc_listen (path, 0600, &error);
    g_assert_no_error (error);
    int fd = hk_ipc_connect (path, &error);
    g_assert_no_error (error);
    int peer = accept (listener, NULL, NULL);
    g_assert_true (hk_ipc_send_blocking (fd, 33, HK_SPAN ("hello"), &error));
    g_autoptr (GByteArray) got = g_byte_array_new ();
    uint16_t type = 0;
    g_assert_true (hk_ipc_receive_blocking (peer, 1000, &type, got, &error));
    g_assert_cmpuint (type, ==, 33);
    g_assert_true (hk_span_is (hk_span (got->data, got->len), "hello"));
    close (fd);
    g_assert_false (hk_ipc_receive_blocking (peer, 1000, &type, got, &error));
    g_assert_no_error (error);
    close (peer);
    close (listener);
    g_assert_cmpint (hk_ipc_connect (path, &error), ==, -1); /* dead */
    g_assert_nonnull (error);
    g_clear_error (&error);
    listener = hk_ipc_listen (path, 0600, &error); /* a dead socket is replaced */
    g_assert_no_error (error);
    g_assert_cmpint (hk_ipc_listen (path, 0600, &error), ==, -1); /* a living one is not */
    g_assert_nonnull (error);
    close (listener);
    g_unlink (path);
    g_rmdir (dir);
    g_rmdir (top);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/ipc/many", test_many);
    g_test_add_func ("/ipc/too-long", test_too_long);
    g_test_add_func ("/ipc/peer-ends", test_peer_ends);
    g_test_add_func ("/ipc/long-path", test_long_path);
    return g_test_run ();
}

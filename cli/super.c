/* super.c: `hikyaku super`, postsuper: delete, hold, release, requeue, expire messages. */
#include "config.h"

#include "cli/cli.h"
#include "cli/queue.h"
#include "mail/envelope.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

typedef struct {
    char option;
    uint16_t type;
    bool force;
    const char *done;    /* about one message */
    const char *summary; /* about all */
} Change;

static const Change changes[] = {
    {'r', HK_FRAME_REQUEUE, false, "requeued", "Requeued"},
    {'d', HK_FRAME_DELETE, false, "removed", "Deleted"},
    {'e', HK_FRAME_EXPIRE, false, "expired", "Force-expired"},
    {'f', HK_FRAME_EXPIRE, true, "expired", "Force-expired"},
    {'h', HK_FRAME_HOLD, false, "placed on hold", "Placed on hold"},
    {'H', HK_FRAME_RELEASE, false, "released from hold", "Released from hold"},
};

typedef struct {
    const char *program;
    int fd;
    char **queues; /* NULL-ended; none: all */
    uint64_t n[G_N_ELEMENTS (changes)];
} Super;

/* ---- one request
 * ------------------------------------------------------------------------- */

static int
request (Super *self, size_t which, const char *id, const char *queue)
{
    const Change *change = &changes[which];
    g_autoptr (GByteArray) payload = g_byte_array_new ();
    g_autofree char *text = NULL;
    uint64_t n = 0;
    hk_pack_span (payload, hk_span_text (id));
    hk_pack_span (payload, hk_span_text (queue));
    if (change->type == HK_FRAME_EXPIRE)
        hk_pack_u64 (payload, change->force);
    if (!hk_queue_ask (self->fd, change->type, payload, NULL, NULL, &n, &text)) {
        fprintf (stderr, "%s: fatal: %s\n", self->program, text);
        return EX_UNAVAILABLE;
    }
    self->n[which] += n;
    if (n > 0 && strcmp (id, "ALL") != 0)
        fprintf (stderr, "%s: %s: %s\n", self->program, id, change->done);
    return EX_OK;
}

static int
apply (Super *self, size_t which, const char *id)
{
    HkQueueId number;
    if (strcmp (id, "ALL") != 0 && !hk_queue_id_parse (hk_span_text (id), &number)) {
        fprintf (stderr, "%s: warning: invalid mail queue id: %s\n", self->program, id);
        return EX_OK;
    }
    if (self->queues[0] == NULL)
        return request (self, which, id, "");
    int status = EX_OK;
    for (char **queue = self->queues; *queue != NULL && status == EX_OK; queue++)
        status = request (self, which, id, *queue);
    return status;
}

static int
apply_stdin (Super *self, size_t which)
{
    char line[1024];
    int status = EX_OK;
    while (status == EX_OK && fgets (line, sizeof line, stdin) != NULL) {
        g_strstrip (line);
        if (line[0] != '\0')
            status = apply (self, which, line);
    }
    return status;
}

/* ---- the whole
 * --------------------------------------------------------------------------- */

static size_t
find_change (int option)
{
    for (size_t i = 0; i < G_N_ELEMENTS (changes); i++)
        if (changes[i].option == option)
            return i;
    return G_N_ELEMENTS (changes);
}

static void
report (const Super *self)
{
    for (size_t i = 0; i < G_N_ELEMENTS (changes); i++) {
        uint64_t n = self->n[i];
        if (changes[i].option == 'f')
            continue; /* counted with 'e' */
        if (changes[i].option == 'e')
            n += self->n[find_change ('f')];
        if (n > 0)
            fprintf (stderr, "%s: %s: %" G_GUINT64_FORMAT " message%s\n", self->program,
                     changes[i].summary, n, n == 1 ? "" : "s");
    }
}

static int
usage (const char *program)
{
    fprintf (
        stderr,
        "usage: %s [-psSv] [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] "
        "[-f queue_id (expire and release)] [-h queue_id (hold)] [-H queue_id (release)] "
        "[-r queue_id (requeue)] [queue ...]\n",
        program);
    return EX_USAGE;
}

static bool
are_queues (char **names, const char *program)
{
    static const char *const known[] = {"incoming", "active", "deferred", "hold", NULL};
    for (; *names != NULL; names++) {
        if (!g_strv_contains (known, *names)) {
            fprintf (stderr, "%s: fatal: invalid directory name: %s\n", program, *names);
            return false;
        }
    }
    return true;
}

typedef struct {
    size_t which;
    const char *id;
} Order;

static int
run (Super *self, const char *dir, const GArray *orders)
{
    int status = EX_OK;
    self->fd = hk_queue_connect (self->program, dir, NULL, &status);
    if (self->fd < 0)
        return status;
    for (guint i = 0; i < orders->len && status == EX_OK; i++) {
        const Order *order = &g_array_index (orders, Order, i);
        status = strcmp (order->id, "-") == 0 ? apply_stdin (self, order->which)
                                              : apply (self, order->which, order->id);
    }
    close (self->fd);
    report (self);
    return status;
}

int
hk_cli_super (int argc, char **argv)
{
    g_autofree char *base = hk_queue_program (argv[0], "super", "postsuper");
    const char *dir = NULL;
    g_autoptr (GArray) orders = g_array_new (FALSE, FALSE, sizeof (Order));
    int option;
    optind = 1;
    while ((option = getopt (argc, argv, "c:d:e:f:h:H:pr:sSv")) != -1) {
        Order order = {find_change (option), optarg};
        if (option == 'c')
            dir = optarg;
        else if (order.which < G_N_ELEMENTS (changes))
            g_array_append_val (orders, order);
        else if (option == '?')
            return usage (base);
        /* -p, -s, -S: the store keeps its own order; `hikyaku fsck` checks it */
    }
    Super self = {.program = base, .queues = argv + optind};
    if (!are_queues (self.queues, base))
        return EX_USAGE;
    return orders->len == 0 ? EX_OK : run (&self, dir, orders);
}

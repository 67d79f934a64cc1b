/* queue.c: `hikyaku queue`, postqueue, mailq: list the queue and flush it. */
#include "config.h"

#include "base/text.h"
#include "cli/cli.h"
#include "cli/queue.h"
#include "mail/address.h"
#include "mail/envelope.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 100000

char *
hk_queue_program (const char *argv0, const char *verb, const char *name)
{
    g_autofree char *base = g_path_get_basename (argv0);
    return g_strdup (strcmp (base, verb) == 0 ? name : base);
}

/* ---- talking to the queue manager
 * -------------------------------------------------------- */

/* The queue manager that serves us alone. */
static struct {
    pid_t pid;
    int fd; /* our own copy of the connection */
} direct = {0, -1};

/* It must have let go of the queue when we are gone: the next tool comes at once. */
static void
end_direct (void)
{
    shutdown (direct.fd, SHUT_RDWR);
    while (waitpid (direct.pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/* The mail system is down: start a queue manager that serves us alone. */
static int
connect_directly (const char *dir)
{
    int pair[2];
    g_autofree char *path = g_build_filename (hk_role_dir (), "qmgr", NULL);
    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    fflush (NULL);
    pid_t pid = fork ();
    if (pid == 0) {
        dup2 (pair[1], 3); /* without the flag that pair[1] has, unless it is the same */
        fcntl (3, F_SETFD, 0);
        execl (path, path, "-c", dir, "-t", NULL);
        _exit (EX_OSFILE);
    }
    close (pair[1]);
    if (pid < 0) {
        close (pair[0]);
        return -1;
    }
    direct.pid = pid;
    direct.fd = fcntl (pair[0], F_DUPFD_CLOEXEC, 4);
    atexit (end_direct);
    return pair[0];
}

int
hk_queue_connect (const char *program, const char *dir, const char *what, int *out_status)
{
    g_autoptr (GError) error = NULL;
    g_autofree char *absolute = g_canonicalize_filename (hk_cli_config_dir (dir), NULL);
    g_autoptr (HkSettings) settings = hk_settings_load (absolute, &error);
    if (settings == NULL) {
        fprintf (stderr, "%s: fatal: %s\n", program, error->message);
        *out_status = EX_CONFIG;
        return -1;
    }
    signal (SIGPIPE, SIG_IGN);
    g_autofree char *path = g_build_filename (hk_settings_get (settings, "queue_directory"),
                                              "public", "qmgr", NULL);
    int fd = hk_ipc_connect (path, &error);
    bool may_go_on = what == NULL && access (hk_settings_get (settings, "queue_directory"),
                                             R_OK | W_OK | X_OK) == 0;
    if (fd < 0 && may_go_on) {
        fprintf (stderr,
                 "%s: warning: Mail system is down -- accessing queue directly (%s)\n",
                 program, error->message);
        fd = connect_directly (absolute);
    }
    if (fd < 0) {
        fprintf (stderr, "%s: fatal: %s (%s)\n", program,
                 what != NULL ? what : "mail system is down", error->message);
        *out_status = EX_UNAVAILABLE;
    }
    return fd;
}

bool
hk_queue_ask (int fd, uint16_t type, const GByteArray *payload, HkQueueFrameFn fn,
              void *data, uint64_t *out_n, char **out_text)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GByteArray) answer = g_byte_array_new ();
    uint16_t answer_type;
    HkSpan bytes = payload != NULL ? hk_span (payload->data, payload->len) : HK_SPAN_NONE;
    *out_n = 0;
    if (!hk_ipc_send_blocking (fd, type, bytes, &error)) {
        *out_text = g_strdup (error->message);
        return false;
    }
    while (hk_ipc_receive_blocking (fd, TIMEOUT_MS, &answer_type, answer, &error)) {
        HkSpan span = hk_span (answer->data, answer->len);
        if (answer_type != HK_FRAME_REPLY) {
            if (fn != NULL)
                fn (answer_type, span, data);
            continue;
        }
        HkUnpack in = hk_unpack (span);
        bool ok = hk_unpack_u64 (&in) == 0;
        *out_n = hk_unpack_u64 (&in);
        *out_text = hk_span_dup (hk_unpack_span (&in));
        *out_n = ok || *out_n <= EX__MAX ? *out_n : 0;
        return ok && !in.failed;
    }
    *out_text = g_strdup (error != NULL ? error->message : "the queue manager hung up");
    return false;
}

/* ---- one entry
 * --------------------------------------------------------------------------- */

typedef struct {
    HkSpan queue, id, sender;
    int64_t arrival_us;
    uint64_t size;
    bool is_forced;
    uint64_t n_recipients;
    HkUnpack recipients;
} Entry;

typedef struct {
    HkSpan address, original, reason;
} EntryRecipient;

typedef struct {
    bool json;
    uint64_t n, bytes;
} Listing;

static bool
read_entry (HkSpan payload, Entry *out)
{
    HkUnpack in = hk_unpack (payload);
    out->queue = hk_unpack_span (&in);
    out->id = hk_unpack_span (&in);
    out->arrival_us = hk_unpack_i64 (&in);
    out->size = hk_unpack_u64 (&in);
    out->is_forced = hk_unpack_u64 (&in) != 0;
    out->sender = hk_unpack_span (&in);
    out->n_recipients = hk_unpack_u64 (&in);
    out->recipients = in;
    if (out->sender.size == 0)
        out->sender = HK_SPAN ("MAILER-DAEMON");
    return !in.failed;
}

static bool
next_recipient (Entry *entry, EntryRecipient *out)
{
    if (entry->n_recipients == 0)
        return false;
    entry->n_recipients--;
    out->address = hk_unpack_span (&entry->recipients);
    out->original = hk_unpack_span (&entry->recipients);
    out->reason = hk_unpack_span (&entry->recipients);
    return !entry->recipients.failed;
}

/* ---- text
 * -------------------------------------------------------------------------------- */

static void
print_reason (HkSpan reason)
{
    g_autoptr (GString) text = g_string_new (NULL);
    hk_text_append_printable (text, reason, 4096, true);
    int width = (int) MIN (text->len, 100);
    printf ("%*s(%s)\n", MAX (76 - width, 0), "", text->str);
}

static void
print_text (Entry *entry)
{
    g_autoptr (GString) id = g_string_new (NULL), sender = g_string_new (NULL);
    time_t seconds = (time_t) (entry->arrival_us / HK_SECOND);
    struct tm local;
    char when[32] = "";
    hk_string_append (id, entry->id);
    if (hk_span_is (entry->queue, "active"))
        g_string_append_c (id, '*');
    else if (hk_span_is (entry->queue, "hold"))
        g_string_append_c (id, '!');
    else if (entry->is_forced)
        g_string_append_c (id, '#');
    if (localtime_r (&seconds, &local) != NULL)
        asctime_r (&local, when); /* C locale, whatever the user's is */
    hk_text_append_printable (sender, entry->sender, 1024, true);
    printf ("%-16s %8" G_GUINT64_FORMAT " %19.19s %s\n", id->str, entry->size, when,
            sender->str);
    EntryRecipient recipient;
    g_autofree char *said = g_strdup ("");
    while (next_recipient (entry, &recipient)) {
        g_autoptr (GString) address = g_string_new (NULL);
        /* Recipients that share a reason stand below it. */
        if (recipient.reason.size > 0 && !hk_span_is (recipient.reason, said)) {
            print_reason (recipient.reason);
            g_free (said);
            said = hk_span_dup (recipient.reason);
        }
        hk_text_append_printable (address, recipient.address, 1024, true);
        printf ("%-16s %8s %-19s %s\n", "", "", "", address->str);
    }
    putchar ('\n');
}

/* ---- JSON (RFC 8259)
 * --------------------------------------------------------------------- */

static void
append_json (GString *out, HkSpan s)
{
    g_autofree char *valid = g_utf8_make_valid ((const char *) s.data, (gssize) s.size);
    g_string_append_c (out, '"');
    for (const char *p = s.size > 0 ? valid : ""; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            g_string_append_printf (out, "\\%c", *p);
        else if ((unsigned char) *p < 0x20 || *p == 0x7f)
            g_string_append_printf (out, "\\u%04X", (unsigned) *p);
        else
            g_string_append_c (out, *p);
    }
    g_string_append_c (out, '"');
}

static void
print_json (Entry *entry)
{
    g_autoptr (GString) out = g_string_new ("{\"queue_name\": ");
    append_json (out, entry->queue);
    g_string_append (out, ", \"queue_id\": ");
    append_json (out, entry->id);
    g_string_append_printf (
        out,
        ", \"arrival_time\": %" G_GINT64_FORMAT ", \"message_size\": %" G_GUINT64_FORMAT
        ", \"forced_expire\": %s, \"sender\": ",
        entry->arrival_us / HK_SECOND, entry->size, entry->is_forced ? "true" : "false");
    append_json (out, entry->sender);
    g_string_append (out, ", \"recipients\": [");
    EntryRecipient recipient;
    for (bool first = true; next_recipient (entry, &recipient); first = false) {
        g_string_append (out, first ? "{\"address\": " : ", {\"address\": ");
        append_json (out, recipient.address);
        if (recipient.reason.size > 0) {
            g_string_append (out, ", \"delay_reason\": ");
            append_json (out, recipient.reason);
        }
        g_string_append_c (out, '}');
    }
    g_string_append (out, "]}\n");
    fwrite (out->str, 1, out->len, stdout);
}

/* ---- requests
 * ---------------------------------------------------------------------------- */

static void
on_entry (uint16_t type, HkSpan payload, void *data)
{
    Listing *self = data;
    Entry entry;
    if (type != HK_FRAME_ENTRY || !read_entry (payload, &entry))
        return;
    if (self->n++ == 0 && !self->json)
        printf ("-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n");
    self->bytes += entry.size;
    if (self->json)
        print_json (&entry);
    else
        print_text (&entry);
}

static int
list (const char *program, const char *dir, bool json)
{
    int status = 0;
    uint64_t n;
    g_autofree char *text = NULL;
    Listing listing = {.json = json};
    int fd = hk_queue_connect (program, dir, NULL, &status);
    if (fd < 0)
        return status;
    bool ok = hk_queue_ask (fd, HK_FRAME_LIST, NULL, on_entry, &listing, &n, &text);
    close (fd);
    if (!ok) {
        fprintf (stderr, "%s: fatal: %s\n", program, text);
        return n != 0 ? (int) n : EX_UNAVAILABLE;
    }
    if (!json && listing.n == 0)
        printf ("Mail queue is empty\n");
    else if (!json)
        printf ("-- %" G_GUINT64_FORMAT " Kbytes in %" G_GUINT64_FORMAT " Request%s.\n",
                listing.bytes / 1024, listing.n, listing.n == 1 ? "" : "s");
    if (fflush (stdout) == 0)
        return EX_OK;
    fprintf (stderr, "%s: fatal: output write error: %s\n", program, g_strerror (errno));
    return EX_IOERR;
}

static int
flush (const char *program, const char *dir, uint16_t type, const char *argument)
{
    int status = 0;
    uint64_t n;
    g_autofree char *text = NULL;
    g_autoptr (GByteArray) payload = g_byte_array_new ();
    int fd = hk_queue_connect (program, dir,
                               "Cannot flush mail queue - mail system is down", &status);
    if (fd < 0)
        return status;
    hk_pack_span (payload, hk_span_text (argument));
    bool ok = hk_queue_ask (fd, type, payload, NULL, NULL, &n, &text);
    close (fd);
    if (ok)
        return EX_OK;
    fprintf (stderr, "%s: fatal: %s\n", program, text);
    return n != 0 ? (int) n : EX_UNAVAILABLE;
}

static int
flush_id (const char *program, const char *dir, const char *text)
{
    HkQueueId id;
    if (!hk_queue_id_parse (hk_span_text (text), &id)) {
        fprintf (stderr, "%s: fatal: Cannot flush queue ID - invalid name: \"%.100s\"\n",
                 program, text);
        return EX_USAGE;
    }
    return flush (program, dir, HK_FRAME_FLUSH, text);
}

static int
flush_site (const char *program, const char *dir, const char *site)
{
    HkSpan name = hk_span_text (site);
    if (!hk_domain_is_valid (name, true) && !hk_domain_is_literal (name)) {
        fprintf (stderr,
                 "%s: fatal: Cannot flush mail queue - invalid destination: \"%.100s\"\n",
                 program, site);
        return EX_USAGE;
    }
    return flush (program, dir, HK_FRAME_FLUSH_SITE, site);
}

static int
usage (const char *program)
{
    fprintf (stderr,
             "usage: %s [-v] [-c config_dir] -p | -j | -f | -i queue_id | -s site\n",
             program);
    return EX_USAGE;
}

int
hk_cli_queue (int argc, char **argv)
{
    g_autofree char *program = hk_queue_program (argv[0], "queue", "postqueue");
    const char *dir = NULL, *argument = NULL;
    int option,
        mode = strcmp (argv[0], "queue") == 0 || strcmp (program, "mailq") == 0 ? 'p' : 0;
    bool is_given = false;
    optind = 1;
    /* mailq is sendmail's name: Ac and the like are harmless */
    while ((option = getopt (argc, argv, "c:fi:jps:v")) != -1) {
        if (option == 'c') {
            dir = optarg;
        } else if (option != 'v') {
            if (option == '?' || is_given)
                return usage (program);
            is_given = true;
            mode = option;
            argument = optarg;
        }
    }
    if (optind < argc || mode == 0)
        return usage (program);
    switch (mode) {
    case 'f':
        return flush (program, dir, HK_FRAME_FLUSH, "");
    case 'i':
        return flush_id (program, dir, argument);
    case 's':
        return flush_site (program, dir, argument);
    default:
        return list (program, dir, mode == 'j');
    }
}

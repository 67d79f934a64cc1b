/* cat.c: `hikyaku cat`, postcat: show a queued message. */
#include "config.h"

#include "cli/cli.h"
#include "cli/queue.h"
#include "mail/header.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* Where the record of a message file begins (doc/formats.md). */
#define FILE_FIRST 64
/* A header section is looked for in so much of the content. */
#define HEAD_MAX (1u << 20)

enum { SHOW_ENVELOPE = 1, SHOW_HEADER = 2, SHOW_BODY = 4, SHOW_OFFSET = 8 };

typedef struct {
    const char *program;
    unsigned show;
    HkStoredMessage *message;
    const char *label; /* "deferred/4F…" */
} Cat;

/* ---- lines
 * ------------------------------------------------------------------------------- */

static void
print_offset (const Cat *self, uint64_t offset)
{
    if (self->show & SHOW_OFFSET)
        printf ("%9" G_GUINT64_FORMAT " ", offset);
}

static void
marker (const Cat *self, uint64_t offset, const char *text)
{
    if (!(self->show & SHOW_ENVELOPE))
        return;
    print_offset (self, offset);
    printf ("*** %s %s ***\n", text, self->label);
}

/* Envelope records have no place of their own in the file: theirs is the record's begin. */
static void
field (const Cat *self, const char *name, HkSpan value)
{
    print_offset (self, 0);
    printf ("%s: %.*s\n", name, HK_SPAN_ARG (value));
}

static void
attribute (const Cat *self, const char *name, HkSpan value)
{
    if (value.size == 0)
        return;
    print_offset (self, 0);
    printf ("named_attribute: %s=%.*s\n", name, HK_SPAN_ARG (value));
}

static void
time_field (const Cat *self, const char *name, int64_t us)
{
    time_t seconds = (time_t) (us / HK_SECOND);
    struct tm local;
    char text[32] = "";
    if (localtime_r (&seconds, &local) != NULL)
        asctime_r (&local, text);
    field (self, name, hk_span_text (g_strchomp (text)));
}

/* ---- envelope
 * ---------------------------------------------------------------------------- */

static void
notify_attribute (const Cat *self, uint32_t notify)
{
    char text[16];
    g_snprintf (text, sizeof text, "%u", notify);
    if (notify != 0)
        attribute (self, "notify_flags", hk_span_text (text));
}

static void
print_recipient (const Cat *self, const HkRecipient *recipient, int status)
{
    attribute (self, "dsn_orig_rcpt", recipient->orcpt);
    notify_attribute (self, recipient->notify);
    field (self, "original_recipient",
           recipient->original.size > 0 ? recipient->original : recipient->address);
    field (self,
           status == HK_STATUS_SENT || status == HK_STATUS_BOUNCED ? "done_recipient"
                                                                   : "recipient",
           recipient->address);
}

/* What the sender asked of us (RFC 4865, 2852, 6710, 8689, 3030). */
static void
print_promises (const Cat *self, const HkEnvelope *envelope)
{
    char priority[16];
    uint32_t flags = envelope->flags;
    if (envelope->release_s != 0)
        time_field (self, "release_time", envelope->release_s * HK_SECOND);
    if (flags & HK_ENVELOPE_BY)
        time_field (self, "deliver_by", envelope->deliver_by_us);
    if (flags & HK_ENVELOPE_BY)
        attribute (self, "deliver_by_mode",
                   flags & HK_ENVELOPE_BY_RETURN ? HK_SPAN ("R") : HK_SPAN ("N"));
    g_snprintf (priority, sizeof priority, "%d", envelope->priority);
    if (envelope->priority != 0)
        attribute (self, "mt_priority", hk_span_text (priority));
    if (flags & HK_ENVELOPE_REQUIRE_TLS)
        attribute (self, "require_tls", HK_SPAN ("yes"));
    if (flags & HK_ENVELOPE_BODY_BINARY)
        attribute (self, "encoding", HK_SPAN ("binary"));
}

static void
print_envelope (const Cat *self)
{
    const HkEnvelope *envelope = self->message->envelope;
    char size[80];
    g_snprintf (size, sizeof size, "%15" G_GUINT64_FORMAT " %15" G_GUINT64_FORMAT " %15zu",
                self->message->content_size, self->message->content_offset,
                envelope->n_recipients);
    marker (self, 0, "ENVELOPE RECORDS");
    field (self, "message_size", hk_span_text (size));
    time_field (self, "message_arrival_time", envelope->arrival_us);
    attribute (self, "envelope_id", envelope->envid);
    field (self, "sender", envelope->sender);
    attribute (self, "log_client_name", envelope->client_name);
    attribute (self, "log_client_address", envelope->client_address);
    attribute (self, "log_client_port", envelope->client_port);
    attribute (self, "log_helo_name", envelope->client_helo);
    attribute (self, "log_protocol_name", envelope->client_protocol);
    attribute (self, "sasl_method", envelope->sasl_method);
    attribute (self, "sasl_username", envelope->sasl_username);
    attribute (self, "sasl_sender", envelope->sasl_sender);
    if (envelope->content_filter.size > 0)
        field (self, "content_filter", envelope->content_filter);
    if (envelope->redirect.size > 0)
        field (self, "redirect_to", envelope->redirect);
    if (envelope->verp.size > 0)
        field (self, "verp_delimiters", envelope->verp);
    print_promises (self, envelope);
    for (size_t i = 0; i < envelope->n_recipients; i++)
        print_recipient (self, &envelope->recipients[i], self->message->states[i].status);
}

/* ---- content
 * ----------------------------------------------------------------------------- */

/* Lines end with LF here, as in a file; what spans two chunks is held back. */
static void
print_lines (const Cat *self, HkSpan text, uint64_t offset)
{
    for (size_t at = 0; at < text.size;) {
        size_t end = hk_span_find (text, '\n', at);
        HkSpan line = hk_span_sub (text, at, end - at);
        if (line.size > 0 && line.data[line.size - 1] == '\r')
            line.size--;
        print_offset (self, offset + at);
        fwrite (line.data, 1, line.size, stdout);
        putchar ('\n');
        at = end + 1;
    }
}

static char *
read_content (const Cat *self, size_t *out_size)
{
    uint64_t size = self->message->content_size, at = 0;
    char *bytes = size > SIZE_MAX / 2 ? NULL : g_try_malloc ((size_t) size + 1);
    if (bytes == NULL)
        return NULL;
    while (at < size) {
        ssize_t n = pread (self->message->fd, bytes + at, (size_t) (size - at),
                           (off_t) (self->message->content_offset + at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            g_free (bytes);
            return NULL;
        }
        at += (uint64_t) n;
    }
    *out_size = (size_t) size;
    return bytes;
}

static bool
print_content (const Cat *self)
{
    size_t size, at = 0;
    HkHeader header;
    g_autofree char *bytes = read_content (self, &size);
    if (bytes == NULL) {
        fprintf (stderr, "%s: fatal: %s: cannot read the content: %s\n", self->program,
                 self->label, g_strerror (errno));
        return false;
    }
    HkSpan content = hk_span (bytes, size), head = hk_span_sub (content, 0, HEAD_MAX);
    uint64_t offset = self->message->content_offset;
    while (hk_header_next (head, &at, &header))
        ;
    /* The empty line belongs to the body (postcat(1)): it is the first that is no header.
     */
    size_t body = at;
    if (body >= 2 && memcmp (bytes + body - 2, "\r\n", 2) == 0)
        body -= 2;
    marker (self, offset, "MESSAGE CONTENTS");
    if (self->show & SHOW_HEADER)
        print_lines (self, hk_span_sub (content, 0, body), offset);
    if (self->show & SHOW_BODY)
        print_lines (self, hk_span_sub (content, body, size), offset + body);
    marker (self, offset + size, "HEADER EXTRACTED");
    marker (self, offset + size, "MESSAGE FILE END");
    return true;
}

static int
show (Cat *self, const char *path, uint64_t offset)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (HkStoredMessage) message = hk_stored_message_read (path, offset, &error);
    if (message == NULL) {
        fprintf (stderr, "%s: fatal: %s: %s\n", self->program, self->label, error->message);
        return EX_UNAVAILABLE;
    }
    self->message = message;
    if (self->show & SHOW_ENVELOPE)
        print_envelope (self);
    bool ok = !(self->show & (SHOW_HEADER | SHOW_BODY)) || print_content (self);
    return ok && fflush (stdout) == 0 ? EX_OK : EX_IOERR;
}

/* ---- finding it
 * -------------------------------------------------------------------------- */

typedef struct {
    char *path, *queue;
    uint64_t offset;
} Found;

static void
on_found (uint16_t type, HkSpan payload, void *data)
{
    Found *self = data;
    if (type != HK_FRAME_FOUND || self->path != NULL)
        return;
    HkUnpack in = hk_unpack (payload);
    self->path = hk_span_dup (hk_unpack_span (&in));
    self->offset = hk_unpack_u64 (&in);
    hk_unpack_u64 (&in);
    self->queue = hk_span_dup (hk_unpack_span (&in));
}

static int
show_queued (Cat *self, int fd, const char *id)
{
    g_autoptr (GByteArray) payload = g_byte_array_new ();
    g_autofree char *text = NULL;
    Found found = {NULL, NULL, 0};
    uint64_t n;
    hk_pack_span (payload, hk_span_text (id));
    bool ok = hk_queue_ask (fd, HK_FRAME_LOCATE, payload, on_found, &found, &n, &text);
    int status = EX_UNAVAILABLE;
    if (ok && found.path != NULL) {
        g_autofree char *label = g_strconcat (found.queue, "/", id, NULL);
        self->label = label;
        status = show (self, found.path, found.offset);
    } else {
        fprintf (stderr, "%s: fatal: open queue file %s: %s\n", self->program, id, text);
    }
    g_free (found.path);
    g_free (found.queue);
    return status;
}

static int
usage (const char *program)
{
    fprintf (stderr,
             "usage: %s [-b (body text)] [-c config_dir] [-d (decimal record type)] "
             "[-e (envelope records)] [-h (header text)] [-q (access queue)] [-v] "
             "[file(s)...]\n",
             program);
    return EX_USAGE;
}

int
hk_cli_cat (int argc, char **argv)
{
    g_autofree char *program = hk_queue_program (argv[0], "cat", "postcat");
    Cat self = {.program = program};
    const char *dir = NULL;
    uint64_t offset = FILE_FIRST;
    bool in_queue = false;
    int option, status = EX_OK;
    optind = 1;
    while ((option = getopt (argc, argv, "bc:dehnoqrs:v")) != -1) {
        switch (option) {
        case 'b':
            self.show |= SHOW_BODY;
            break;
        case 'e':
            self.show |= SHOW_ENVELOPE;
            break;
        case 'h':
            self.show |= SHOW_HEADER;
            break;
        case 'o':
            self.show |= SHOW_OFFSET;
            break;
        case 'q':
            in_queue = true;
            break;
        case 'c':
            dir = optarg;
            break;
        case 's':
            offset = g_ascii_strtoull (optarg, NULL, 10);
            break;
        case '?':
            return usage (program);
        default: /* -d, -n, -r, -v: records here have no types of their own */
            break;
        }
    }
    if ((self.show & (SHOW_BODY | SHOW_ENVELOPE | SHOW_HEADER)) == 0)
        self.show |= SHOW_BODY | SHOW_ENVELOPE | SHOW_HEADER;
    if (optind >= argc)
        return usage (program);
    int fd = -1;
    if (in_queue &&
        (fd = hk_queue_connect (program, dir, NULL, &status)) < 0)
        return status;
    for (int i = optind; i < argc && status == EX_OK; i++) {
        self.label = argv[i];
        status =
            in_queue ? show_queued (&self, fd, argv[i]) : show (&self, argv[i], offset);
    }
    if (fd >= 0)
        close (fd);
    return status;
}

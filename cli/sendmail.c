/* sendmail.c: `hikyaku sendmail`, alias sendmail: takes a message from a program.
 *
 *     sendmail [options] recipient…        sendmail -t [options]
 *
 * The message becomes a file in maildrop/, durable before the exit status is 0; that works
 * while the system is down as well.  Other modes hand over: -bp and -q to the queue tool,
 * -bi and -I to the alias tool, -bd to `start`; -bs speaks SMTP with the running system. */
#include "config.h"

#include "cli/cli.h"
#include "conf/conf.h"
#include "host/authorized.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/verp.h"
#include "net/address.h"
#include "smtpd/maildrop.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* Without message_size_limit: what is taken from standard input at most. */
#define LARGEST_MESSAGE (UINT64_C (1) << 30)

typedef struct {
    const char *config;    /* -c, -C */
    const char *sender;    /* -f, -r; NULL: who we are */
    const char *full_name; /* -F */
    const char *envid;
    const char *verp; /* -XV: delimiters, empty: the configured ones; NULL: no VERP */
    char mode;          /* of -b: 'm', 's', 'p', 'i', 'd' */
    bool from_headers;  /* -t */
    bool dots_are_text; /* -i */
    bool runs_queue;
    const char *queue_arg; /* text behind -q */
    const char *alias_database; /* "A…" of -o */
    uint32_t flags, notify;
} Options;

typedef struct {
    GPtrArray *recipients; /* char * */
    GString *content;
} Message;

/* Addresses are strings until here; EXIT is what the program that called us sees. */
static int fail (int exit_code, const char *format, ...) G_GNUC_PRINTF (2, 3);

static int
fail (int exit_code, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    fputs ("sendmail: ", stderr);
    vfprintf (stderr, format, ap);
    fputc ('\n', stderr);
    va_end (ap);
    return exit_code;
}

/* ---- options ----------------------------------------------------------------------------
 */

static bool
parse_notify (const char *text, uint32_t *out)
{
    static const struct {
        const char *word;
        uint32_t bit;
    } words[] = {{"never", HK_NOTIFY_NEVER},
                 {"success", HK_NOTIFY_SUCCESS},
                 {"failure", HK_NOTIFY_FAILURE},
                 {"delay", HK_NOTIFY_DELAY}};
    g_auto (GStrv) list = g_strsplit (text, ",", 8);
    *out = 0;
    for (char **w = list; *w != NULL; w++) {
        uint32_t bit = 0;
        for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
            if (g_ascii_strcasecmp (*w, words[i].word) == 0)
                bit = words[i].bit;
        if (bit == 0)
            return false;
        *out |= bit;
    }
    return *out != 0 && (!(*out & HK_NOTIFY_NEVER) || *out == HK_NOTIFY_NEVER);
}

/* -C names a file of the configuration or its directory. */
static const char *
config_of (const char *argument)
{
    return g_str_has_suffix (argument, ".cf") ? g_path_get_dirname (argument) : argument;
}

static bool
take_body_type (Options *o, const char *word)
{
    if (g_ascii_strcasecmp (word, "8BITMIME") == 0)
        o->flags |= HK_ENVELOPE_BODY_8BIT;
    else if (g_ascii_strcasecmp (word, "7BIT") != 0)
        return false;
    return true;
}

static bool
take_return (Options *o, const char *word)
{
    if (g_ascii_strcasecmp (word, "hdrs") == 0)
        o->flags |= HK_ENVELOPE_RET_HDRS;
    else if (g_ascii_strcasecmp (word, "full") == 0)
        o->flags |= HK_ENVELOPE_RET_FULL;
    else
        return false;
    return true;
}

static int
take_option (Options *o, int c, const char *argument)
{
    switch (c) {
    case 'B':
        return take_body_type (o, argument) ? 0
                                            : fail (EX_USAGE, "-B takes 7BIT or 8BITMIME");
    case 'C':
    case 'c':
        o->config = config_of (argument);
        return 0;
    case 'F':
        o->full_name = argument;
        return 0;
    case 'I':
        o->mode = 'i';
        return 0;
    case 'N':
        return parse_notify (argument, &o->notify)
                   ? 0
                   : fail (EX_USAGE,
                           "-N takes never, or a list of success, failure, delay");
    case 'R':
        return take_return (o, argument) ? 0 : fail (EX_USAGE, "-R takes hdrs or full");
    case 'V':
        o->envid = argument;
        return 0;
    case 'X':
        if (argument[0] == 'V')
            o->verp = argument + 1;
        return 0; /* else a log file of Sendmail's */
    case 'b':
        if (strchr ("mspidl", argument[0]) == NULL)
            return fail (EX_USAGE, "-b%s is not served", argument);
        o->mode = argument[0];
        return 0;
    case 'f':
    case 'r':
        o->sender = argument;
        return 0;
    case 'i':
        o->dots_are_text = true;
        return 0;
    case 'o':
        if (argument[0] == 'i')
            o->dots_are_text = true;
        else if (argument[0] == 'A' && argument[1] != '\0')
            o->alias_database = argument;
        return 0; /* Sendmail's other options mean nothing here */
    case 'q':
        o->runs_queue = true;
        o->queue_arg = argument;
        return 0;
    case 't':
        o->from_headers = true;
        return 0;
    case '?':
        return fail (EX_USAGE, "usage: sendmail [options] [recipient ...]");
    default:
        return 0; /* accepted for other programs' sake */
    }
}

/* Before DSN took the letter, "-V" and "-Vxy" were "-XV" and "-XVxy". */
static void
renew_verp_option (char **word)
{
    size_t n = *word == NULL ? 0 : strlen (*word);
    if ((n != 2 && n != 4) || strncmp (*word, "-V", 2) != 0)
        return;
    char *renewed = g_strconcat ("-X", *word + 1, NULL); /* lives as long as ARGV */
    fprintf (stderr, "sendmail: warning: option %s is deprecated; specify %s instead\n", *word,
             renewed);
    *word = renewed;
}

static int
parse_options (Options *o, int argc, char **argv)
{
    int c, result = 0;
    optind = 1;
    opterr = 0;
    while (result == 0) {
        if (optind < argc)
            renew_verp_option (&argv[optind]);
        c = getopt (argc, argv, "+A:B:C:F:GIL:N:O:R:UV:X:b:c:d::e:f:h:imno:p:q::r:tvx:");
        if (c == -1)
            break;
        result = take_option (o, c, optarg);
    }
    return result;
}

/* ---- other modes ------------------------------------------------------------------------
 */

/* Call another verb with "-c DIR" in front of its own arguments. */
static int
call_verb (HkCliFn fn, const Options *o, const char *name, const char *one, const char *two)
{
    char *argv[8];
    int argc = 0;
    argv[argc++] = (char *) name;
    if (o->config != NULL) {
        argv[argc++] = (char *) "-c";
        argv[argc++] = (char *) o->config;
    }
    if (one != NULL)
        argv[argc++] = (char *) one;
    if (two != NULL)
        argv[argc++] = (char *) two;
    argv[argc] = NULL;
    optind = 0; /* glibc: begin anew */
    return fn (argc, argv);
}

static int
run_queue (const Options *o)
{
    const char *argument = o->queue_arg == NULL ? "" : o->queue_arg;
    if (argument[0] == 'I')
        return call_verb (hk_cli_queue, o, "postqueue", "-i", argument + 1);
    if (argument[0] == 'R')
        return call_verb (hk_cli_queue, o, "postqueue", "-s", argument + 1);
    if (argument[0] == 'S')
        return fail (EX_USAGE, "-qS is not served");
    return call_verb (hk_cli_queue, o, "postqueue", "-f", NULL);
}

/* ---- -bs: SMTP on standard input and output
 * ---------------------------------------------- */

static int
connect_to (const struct sockaddr *address, socklen_t size)
{
    int fd = socket (address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect (fd, address, size) == 0)
        return fd;
    if (fd >= 0)
        close (fd);
    return -1;
}

static int
connect_unix (HkSettings *settings, const HkService *service)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    g_autofree char *path =
        g_build_filename (hk_settings_get (settings, "queue_directory"),
                          service->is_private ? "private" : "public", service->name, NULL);
    if (strlen (path) >= sizeof un.sun_path)
        return -1;
    strcpy (un.sun_path, path);
    return connect_to ((struct sockaddr *) &un, sizeof un);
}

/* A wildcard address is reached over the loopback interface. */
static int
connect_address (const HkAddress *address)
{
    char text[64];
    HkAddress target = *address;
    hk_address_text (address, text);
    const char *loopback = strcmp (text, "0.0.0.0") == 0 ? "127.0.0.1"
                           : strcmp (text, "::") == 0    ? "::1"
                                                         : NULL;
    if (loopback != NULL &&
        !hk_address_parse_ip (hk_span_text (loopback), hk_address_port (address), &target))
        return -1;
    return connect_to ((struct sockaddr *) &target.storage, target.size);
}

static int
connect_inet (HkSettings *settings, const HkService *service)
{
    g_autoptr (GArray) addresses = g_array_new (FALSE, TRUE, sizeof (HkAddress));
    g_auto (GStrv) interfaces = hk_settings_words (settings, "inet_interfaces");
    if (!hk_service_addresses (service->name, (const char *const *) interfaces,
                               hk_settings_get (settings, "inet_protocols"), addresses,
                               NULL))
        return -1;
    for (guint i = 0; i < addresses->len; i++) {
        int fd = connect_address (&g_array_index (addresses, HkAddress, i));
        if (fd >= 0)
            return fd;
    }
    return -1;
}

static int
connect_smtpd (HkSettings *settings)
{
    for (size_t i = 0; i < hk_settings_n_services (settings); i++) {
        const HkService *s = hk_settings_service (settings, i);
        int fd = -1;
        if (strcmp (s->command, "smtpd") != 0)
            continue;
        if (s->type == HK_SERVICE_UNIX)
            fd = connect_unix (settings, s);
        else if (s->type == HK_SERVICE_INET)
            fd = connect_inet (settings, s);
        if (fd >= 0)
            return fd;
    }
    return -1;
}

/* What can be read from FROM goes to TO; false at its end. */
static bool
copy_some (int from, int to)
{
    char buffer[16384];
    ssize_t n = read (from, buffer, sizeof buffer);
    for (ssize_t done = 0; done < n;) {
        ssize_t w = write (to, buffer + done, (size_t) (n - done));
        if (w <= 0)
            return false;
        done += w;
    }
    return n > 0;
}

static int
speak_smtp (HkSettings *settings)
{
    int fd = connect_smtpd (settings);
    if (fd < 0)
        return fail (EX_TEMPFAIL, "the mail system does not answer: %s; is it running?",
                     g_strerror (errno));
    struct pollfd both[2] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    for (;;) {
        if (poll (both, 2, -1) < 0 && errno != EINTR)
            return fail (EX_OSERR, "poll: %s", g_strerror (errno));
        if (both[1].revents != 0 && !copy_some (fd, 1))
            return 0;
        if (both[0].revents != 0 && !copy_some (0, fd)) {
            shutdown (fd, SHUT_WR);
            both[0].fd = -1;
        }
    }
}

/* ---- the message ------------------------------------------------------------------------
 */

/* All of standard input, up to LIMIT bytes and one more. */
static bool
read_input (GString *out, uint64_t limit)
{
    char buffer[65536];
    size_t n;
    while (out->len <= limit && (n = fread (buffer, 1, sizeof buffer, stdin)) > 0)
        g_string_append_len (out, buffer, (gssize) n);
    return !ferror (stdin);
}

/* Without -i a line that is only a dot ends the message. */
static void
cut_at_dot (GString *content)
{
    for (size_t at = 0; at < content->len;) {
        const char *line = content->str + at;
        size_t left = content->len - at;
        if (line[0] == '.' && (left == 1 || line[1] == '\n' ||
                               (left > 2 && line[1] == '\r' && line[2] == '\n'))) {
            g_string_truncate (content, at);
            return;
        }
        const char *lf = memchr (line, '\n', left);
        if (lf == NULL)
            return;
        at += (size_t) (lf - line) + 1;
    }
}

/* A mailbox separator in front is not part of the message. */
static void
drop_from_lines (GString *content)
{
    for (;;) {
        size_t skip = strspn (content->str, ">");
        const char *lf = memchr (content->str, '\n', content->len);
        if (lf == NULL || strncmp (content->str + skip, "From ", 5) != 0)
            return;
        g_string_erase (content, 0, lf - content->str + 1);
    }
}

static void
add_recipient (HkSpan address, void *data)
{
    Message *m = data;
    if (address.size > 0 && !hk_span_has_line_break (address))
        g_ptr_array_add (m->recipients, hk_span_dup (address));
}

static bool
is_named (const HkHeader *h, const char *name, bool is_resent)
{
    g_autofree char *whole =
        is_resent ? g_strconcat ("Resent-", name, NULL) : g_strdup (name);
    return hk_span_is_ci (h->name, whole);
}

/* -t: who stands in the header.  Resent- lines, if there are any, count alone. */
static bool
recipients_from_headers (Message *m)
{
    HkSpan content = hk_span_string (m->content);
    HkHeader h;
    bool is_resent = false, ok = true;
    for (size_t at = 0; hk_header_next (content, &at, &h);)
        is_resent = is_resent || is_named (&h, "To", true) || is_named (&h, "Cc", true) ||
                    is_named (&h, "Bcc", true);
    for (size_t at = 0; hk_header_next (content, &at, &h);)
        if (is_named (&h, "To", is_resent) || is_named (&h, "Cc", is_resent) ||
            is_named (&h, "Bcc", is_resent))
            ok = hk_address_list_parse (h.value, add_recipient, m) && ok;
    return ok;
}

/* Nobody is to see the blind copies. */
static void
drop_bcc (GString *content)
{
    g_autoptr (GString) kept = g_string_sized_new (content->len);
    HkSpan all = hk_span_string (content);
    HkHeader h;
    size_t at = 0, end = 0;
    while (hk_header_next (all, &at, &h)) {
        end = (size_t) (h.whole.data + h.whole.size - all.data);
        if (!hk_span_is_ci (h.name, "Bcc") && !hk_span_is_ci (h.name, "Resent-Bcc"))
            hk_string_append (kept, h.whole);
    }
    hk_string_append (kept, hk_span_sub (all, end, all.size));
    g_string_assign (content, "");
    hk_string_append (content, hk_span_string (kept));
}

/* "Display Name" for a From line: quoted where RFC 5322 asks for it, RFC 2047 beyond ASCII.
 */
static void
append_phrase (GString *out, const char *name)
{
    g_autofree char *clean = g_strndup (name, 60);
    g_strdelimit (clean, "\r\n\t\"\\", ' ');
    if (!g_str_is_ascii (clean)) {
        g_autofree char *valid = g_utf8_make_valid (clean, -1);
        g_autofree char *coded = g_base64_encode ((const guchar *) valid, strlen (valid));
        g_string_append_printf (out, "=?utf-8?B?%s?=", coded);
        return;
    }
    bool is_plain = true;
    for (const char *p = clean; *p != '\0'; p++)
        is_plain = is_plain && (g_ascii_isalnum (*p) || strchr (" -_'+!", *p) != NULL);
    g_string_append_printf (out, is_plain ? "%s" : "\"%s\"", clean);
}

/* A From line with the writer's name; without a name it is left to the server to add one.
 */
static void
add_from (Message *m, HkSettings *settings, const char *sender, const char *full_name)
{
    HkHeader h;
    HkSpan content = hk_span_string (m->content);
    size_t at = 0;
    if (full_name == NULL || full_name[0] == '\0' || sender[0] == '\0' ||
        hk_header_find (content, "From", &h) || hk_header_find (content, "Resent-From", &h))
        return;
    g_autoptr (GString) line = g_string_new ("From: ");
    append_phrase (line, full_name);
    g_string_append_printf (line, " <%s", sender);
    if (strchr (sender, '@') == NULL)
        g_string_append_printf (line, "@%s", hk_settings_get (settings, "myorigin"));
    g_string_append (line, ">\n");
    if (!hk_header_next (content, &at, &h) && at == 0)
        g_string_append_c (line, '\n'); /* a body without any header */
    g_string_prepend (m->content, line->str);
}

/* ---- submission -------------------------------------------------------------------------
 */

/* We may not write there: the setgid helper does. */
static int
run_helper (const Options *o, HkSpan packed)
{
    int pipe_fds[2], status;
    g_autofree char *path = g_build_filename (hk_role_dir (), "drop", NULL);
    if (pipe (pipe_fds) < 0)
        return fail (EX_OSERR, "pipe: %s", g_strerror (errno));
    pid_t pid = fork ();
    if (pid == 0) {
        dup2 (pipe_fds[0], 0);
        close (pipe_fds[0]);
        close (pipe_fds[1]);
        execl (path, "drop", "-c", hk_cli_config_dir (o->config), (char *) NULL);
        _exit (EX_UNAVAILABLE);
    }
    close (pipe_fds[0]);
    bool ok = pid > 0;
    while (ok && packed.size > 0) {
        ssize_t n = write (pipe_fds[1], packed.data, packed.size);
        ok = n > 0 || (n < 0 && errno == EINTR);
        packed = hk_span_sub (packed, n > 0 ? (size_t) n : 0, packed.size);
    }
    close (pipe_fds[1]);
    if (pid < 0 || waitpid (pid, &status, 0) < 0 || !WIFEXITED (status))
        return fail (EX_TEMPFAIL, "%s: failed", path);
    if (WEXITSTATUS (status) == EX_UNAVAILABLE)
        return fail (EX_TEMPFAIL, "cannot write into maildrop, and %s does not run", path);
    return ok || WEXITSTATUS (status) != 0 ? WEXITSTATUS (status) : EX_TEMPFAIL;
}

static int
submit (const Options *o, HkSettings *settings, const Message *m, const char *sender,
        const char *verp)
{
    g_autofree HkRecipient *recipients = g_new0 (HkRecipient, m->recipients->len);
    g_autoptr (GError) error = NULL;
    for (guint i = 0; i < m->recipients->len; i++) {
        recipients[i].address = hk_span_text (g_ptr_array_index (m->recipients, i));
        recipients[i].notify = o->notify;
    }
    const HkSubmission submission = {
        .sender = hk_span_text (sender),
        .recipients = recipients,
        .n_recipients = m->recipients->len,
        .flags = o->flags,
        .envid = hk_span_text (o->envid),
        .verp = hk_span_text (verp),
        .content = hk_span_string (m->content),
    };
    g_autoptr (GByteArray) packed = hk_maildrop_pack (&submission);
    HkSpan bytes = hk_span (packed->data, packed->len);
    if (hk_maildrop_write (hk_settings_get (settings, "queue_directory"), bytes, &error))
        return 0;
    if (g_error_matches (error, HK_MAILDROP_ERROR, HK_MAILDROP_ERROR_DENIED))
        return run_helper (o, bytes);
    return fail (EX_TEMPFAIL, "%s", error->message);
}

/* Who calls us, for the envelope and the From line. */
static char *
caller (char **out_full_name)
{
    const struct passwd *pw = getpwuid (getuid ());
    *out_full_name = NULL;
    if (pw == NULL)
        return g_strdup_printf ("uid%u", (unsigned) getuid ());
    g_auto (GStrv) gecos = g_strsplit (pw->pw_gecos == NULL ? "" : pw->pw_gecos, ",", 2);
    if (gecos[0] != NULL && strchr (gecos[0], '&') == NULL)
        *out_full_name = g_strdup (gecos[0]);
    return g_strdup (pw->pw_name);
}

static char *
clean_sender (const char *text)
{
    HkSpan s = hk_span_strip (hk_span_text (text));
    if (s.size >= 2 && s.data[0] == '<' && s.data[s.size - 1] == '>')
        s = hk_span (s.data + 1, s.size - 2);
    return hk_span_dup (s);
}

static bool
take_arguments (Message *m, char **argv)
{
    for (; *argv != NULL; argv++) {
        guint before = m->recipients->len;
        bool ok = hk_address_list_parse (hk_span_text (*argv), add_recipient, m);
        if (!ok || m->recipients->len == before)
            return false;
    }
    return true;
}

static int
choose_verp (const Options *o, HkSettings *settings, const char *sender, char out[3])
{
    const char *allowed = hk_settings_get (settings, "verp_delimiter_filter");
    if (o->verp == NULL)
        return 0;
    const char *wanted =
        o->verp[0] != '\0' ? o->verp : hk_settings_get (settings, "default_verp_delimiters");
    if (!hk_verp_parse (hk_span_text (wanted), allowed, out))
        return fail (EX_USAGE, "-XV requires two characters from %s", allowed);
    if (sender[0] == '\0')
        return fail (EX_USAGE, "-XV requires a sender that is not empty");
    return 0;
}

static int
take_message (const Options *o, HkSettings *settings, Message *m, char **argv)
{
    uint64_t limit = (uint64_t) MAX (hk_settings_int (settings, "message_size_limit"), 0);
    g_autofree char *gecos = NULL;
    g_autofree char *me = caller (&gecos);
    g_autofree char *sender = clean_sender (o->sender != NULL ? o->sender : me);

    char verp[3] = "";

    if (hk_span_has_line_break (hk_span_text (sender)))
        return fail (EX_DATAERR, "the sender's address is malformed");
    int result = choose_verp (o, settings, sender, verp);
    if (result != 0)
        return result;
    if (!take_arguments (m, argv))
        return fail (EX_USAGE, "a recipient's address is malformed");
    if (m->recipients->len == 0 && !o->from_headers)
        return fail (EX_USAGE,
                     "Recipient addresses must be specified on the command line or "
                     "via the -t option");
    if (!read_input (m->content, limit == 0 ? LARGEST_MESSAGE : limit))
        return fail (EX_IOERR, "reading the message: %s", g_strerror (errno));
    if (m->content->len > (limit == 0 ? LARGEST_MESSAGE : limit))
        return fail (EX_UNAVAILABLE, "message file too big");
    if (!o->dots_are_text)
        cut_at_dot (m->content);
    drop_from_lines (m->content);
    if (o->from_headers && !recipients_from_headers (m))
        return fail (EX_DATAERR, "an address in the message header is malformed");
    if (m->recipients->len == 0)
        return fail (EX_USAGE, "No recipient addresses found in message header");
    if (m->recipients->len > HK_MAILDROP_MAX_RECIPIENTS)
        return fail (EX_USAGE, "too many recipients");
    if (o->from_headers)
        drop_bcc (m->content);
    add_from (m, settings, sender, o->full_name != NULL ? o->full_name : gecos);
    return submit (o, settings, m, sender, verp);
}

int
hk_cli_sendmail (int argc, char **argv)
{
    Options o = {.mode = 'm'};
    int result = parse_options (&o, argc, argv);
    if (result != 0)
        return result;
    if (o.mode == 'p')
        return call_verb (hk_cli_queue, &o, "postqueue", "-p", NULL);
    if (o.mode == 'i' && optind < argc)
        return fail (EX_USAGE, "alias initialization mode requires no recipient");
    if (o.mode == 'i')
        return call_verb (hk_cli_alias, &o, "newaliases", o.alias_database == NULL ? NULL : "-o",
                          o.alias_database);
    if (o.mode == 'd' || o.mode == 'l')
        return call_verb (hk_cli_control, &o, "start", NULL, NULL);
    if (o.runs_queue)
        return run_queue (&o);

    g_autoptr (GError) error = NULL;
    g_autoptr (HkSettings) settings =
        hk_settings_load (hk_cli_config_dir (o.config), &error);
    if (settings == NULL)
        return fail (EX_CONFIG, "%s", error->message);
    g_autofree char *refusal = NULL;
    if (!hk_user_is_authorized (NULL, settings, "authorized_submit_users", getuid (), false,
                                "submit mail", &refusal))
        return fail (EX_NOPERM, "%s", refusal);
    if (o.mode == 's')
        return speak_smtp (settings);
    Message m = {g_ptr_array_new_with_free_func (g_free), g_string_new (NULL)};
    result = take_message (&o, settings, &m, argv + optind);
    g_ptr_array_unref (m.recipients);
    g_string_free (m.content, TRUE);
    return result;
}

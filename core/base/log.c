/* log.c: the sink of log lines: standard error or output, a file, syslog. */
#include "config.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* One sink a process; `lock` guards all of it. */
static struct {
    pthread_mutex_t lock;
    HkLogTo to;
    int fd; /* file, or the datagram socket to /dev/log */
    char *name, *program;
    GString *gathered; /* whole lines, files and standard streams only */
    bool is_batching, is_verbose;
    time_t stamp_second;
    char stamp[32];
} sink = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

enum { FLUSH_AT = 32 * 1024 };

static int
connect_syslog (void)
{
    int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
    if (fd >= 0 && connect (fd, (struct sockaddr *) &a, sizeof a) < 0) {
        close (fd);
        fd = -1;
    }
    return fd;
}

void
hk_log_open (HkLogTo to, int fd, const char *syslog_name, const char *program)
{
    pthread_mutex_lock (&sink.lock);
    g_free (sink.name);
    g_free (sink.program);
    sink.to = to;
    sink.name = g_strdup (syslog_name);
    sink.program = g_strdup (program);
    sink.fd = to == HK_LOG_TO_SYSLOG ? connect_syslog () : fd;
    pthread_mutex_unlock (&sink.lock);
}

void
hk_log_set_verbose (bool verbose)
{
    sink.is_verbose = verbose;
}

static int
stream_fd (void)
{
    switch (sink.to) {
    case HK_LOG_TO_STDOUT:
        return STDOUT_FILENO;
    case HK_LOG_TO_FILE:
        return sink.fd;
    default:
        return STDERR_FILENO;
    }
}

static void
write_gathered (void)
{
    const char *p = sink.gathered->str;
    size_t left = sink.gathered->len;
    while (left > 0) {
        ssize_t n = write (stream_fd (), p, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* nowhere to say it; the mail matters more than its log */
        p += n;
        left -= (size_t) n;
    }
    g_string_truncate (sink.gathered, 0);
}

/* "Nov 25 21:00:00": the stamp that syslog's file format has. */
static const char *
stamp_now (void)
{
    time_t now = time (NULL);
    if (now != sink.stamp_second) {
        struct tm tm;
        localtime_r (&now, &tm);
        strftime (sink.stamp, sizeof sink.stamp, "%b %e %H:%M:%S", &tm);
        sink.stamp_second = now;
    }
    return sink.stamp;
}

static const char *
host_name (void)
{
    static char name[256];
    if (name[0] == '\0') {
        gethostname (name, sizeof name - 1);
        name[strcspn (name, ".")] = '\0';
    }
    return name;
}

static void
append_tag (GString *out, const char *program)
{
    char pid[24];
    g_string_append (out, sink.name != NULL ? sink.name : "hikyaku");
    g_string_append_c (out, '/');
    g_string_append (out, program != NULL   ? program
                          : sink.program != NULL ? sink.program
                                                 : "hikyaku");
    g_snprintf (pid, sizeof pid, "[%d]: ", (int) getpid ());
    g_string_append (out, pid);
}

static void
send_syslog (int level, const char *program, HkSpan text)
{
    enum { FACILITY_MAIL = 2 << 3 };
    static const int priority[] = { 7, 6, 4, 3 };
    g_autoptr (GString) line = g_string_sized_new (256);
    g_string_append_printf (line, "<%d>%s ", FACILITY_MAIL | priority[level], stamp_now ());
    append_tag (line, program);
    hk_text_append_printable (line, text, 2000, true);
    if (sink.fd >= 0 && send (sink.fd, line->str, line->len, MSG_NOSIGNAL) >= 0)
        return;
    if (sink.fd >= 0)
        close (sink.fd);
    sink.fd = connect_syslog ();
    if (sink.fd >= 0 && send (sink.fd, line->str, line->len, MSG_NOSIGNAL) < 0) {
        close (sink.fd); /* syslog went away again: next line tries anew */
        sink.fd = -1;
    }
}

void
hk_log_line (int level, const char *program, HkSpan text)
{
    level = CLAMP (level, HK_LOG_DEBUG, HK_LOG_ERROR);
    if (level == HK_LOG_DEBUG && !sink.is_verbose)
        return;
    pthread_mutex_lock (&sink.lock);
    if (sink.to == HK_LOG_TO_SYSLOG) {
        send_syslog (level, program, text);
    } else {
        if (sink.gathered == NULL)
            sink.gathered = g_string_sized_new (4096);
        g_string_append (sink.gathered, stamp_now ());
        g_string_append_c (sink.gathered, ' ');
        g_string_append (sink.gathered, host_name ());
        g_string_append_c (sink.gathered, ' ');
        append_tag (sink.gathered, program);
        hk_text_append_printable (sink.gathered, text, 8000, true);
        g_string_append_c (sink.gathered, '\n');
        if (!sink.is_batching || sink.gathered->len > FLUSH_AT)
            write_gathered ();
    }
    pthread_mutex_unlock (&sink.lock);
}

void
hk_log (int level, const char *format, ...)
{
    static const char *const word[] = { "", "", "warning: ", "error: " };
    if (level == HK_LOG_DEBUG && !sink.is_verbose)
        return;
    va_list args;
    va_start (args, format);
    g_autoptr (GString) line = g_string_new (word[CLAMP (level, 0, 3)]);
    g_string_append_vprintf (line, format, args);
    va_end (args);
    hk_log_line (level, NULL, hk_span_string (line));
}

void
hk_log_batch (bool open)
{
    pthread_mutex_lock (&sink.lock);
    sink.is_batching = open;
    pthread_mutex_unlock (&sink.lock);
}

void
hk_log_flush (void)
{
    pthread_mutex_lock (&sink.lock);
    if (sink.gathered != NULL && sink.gathered->len > 0)
        write_gathered ();
    pthread_mutex_unlock (&sink.lock);
}

void
hk_log_reopen (int fd)
{
    pthread_mutex_lock (&sink.lock);
    if (sink.gathered != NULL && sink.gathered->len > 0)
        write_gathered ();
    if (sink.to == HK_LOG_TO_FILE) {
        if (sink.fd >= 0)
            close (sink.fd);
        sink.fd = fd;
    } else {
        close (fd);
    }
    pthread_mutex_unlock (&sink.lock);
}

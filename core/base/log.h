/* log.h: where lines go: syslog, a file, standard output.
 *
 * Lines about messages come from events through an event plugin; this is the sink under it,
 * and the door for lines that are about the process itself.  One sink a process, opened by
 * `main`; until then lines go to standard error.  Any thread; a line is one write. */
#ifndef HK_BASE_LOG_H
#define HK_BASE_LOG_H

#include "base/bytes.h"

typedef enum { HK_LOG_TO_STDERR, HK_LOG_TO_STDOUT, HK_LOG_TO_FILE, HK_LOG_TO_SYSLOG } HkLogTo;

/* TAG is "hikyaku/smtpd", the part before "[pid]".  FD: the open file of HK_LOG_TO_FILE
 * (taken), else -1. */
void hk_log_open (HkLogTo to, int fd, const char *syslog_name, const char *program);

/* One line about the process: "warning: …" and "error: …" get their word put in front.
 * TEXT may hold anything: control characters are shown as '?'. */
void hk_log (int level, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* One line with the program word PROGRAM in its tag ("smtpd", "cleanup", "smtp").  While a
 * batch is open, lines are gathered; hk_log_flush writes them with one system call. */
void hk_log_line (int level, const char *program, HkSpan text);
void hk_log_batch (bool open);
void hk_log_flush (void);

/* Debug lines are dropped unless asked for. */
void hk_log_set_verbose (bool verbose);

/* The file was rotated: write to FD (taken) from now on. */
void hk_log_reopen (int fd);

#endif

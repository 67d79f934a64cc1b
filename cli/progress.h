/* progress.h: one line on a terminal that says how far a long job is. */
#ifndef HK_CLI_PROGRESS_H
#define HK_CLI_PROGRESS_H

#include "base/bytes.h"

/* Plain structure, on the stack; times are steady microseconds, handed in. */
typedef struct {
    int fd; /* -1: no terminal, nothing is ever written */
    const char *program, *what;
    int64_t start_us, shown_us;
    bool is_shown;
} HkProgress;

void hk_progress_start (HkProgress *self, int fd, const char *program, const char *what,
                        int64_t now_us);
/* DONE of TOTAL; shown when the job takes longer than two seconds, and then four times a
 * second at most. */
void hk_progress_step (HkProgress *self, uint64_t done, uint64_t total, int64_t now_us);
/* Take the line away: before a message, and at the end.  SELF may be NULL. */
void hk_progress_hide (HkProgress *self);

#endif

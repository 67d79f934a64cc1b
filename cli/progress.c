/* progress.c: "postmap: /etc/x: 42 %", on a terminal and not before it is worth it. */
#include "config.h"

#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

enum { FIRST_US = 2000000, NEXT_US = 250000 };

void
hk_progress_start (HkProgress *self, int fd, const char *program, const char *what,
                   int64_t now_us)
{
    *self = (HkProgress){.fd = isatty (fd) ? fd : -1,
                         .program = program,
                         .what = what,
                         .start_us = now_us,
                         .shown_us = now_us};
}

void
hk_progress_step (HkProgress *self, uint64_t done, uint64_t total, int64_t now_us)
{
    if (self->fd < 0 || now_us - self->start_us <= FIRST_US ||
        now_us - self->shown_us < NEXT_US)
        return;
    self->shown_us = now_us;
    self->is_shown = true;
    dprintf (self->fd, "\r\033[K%s: %s: %u %%", self->program, self->what,
             total == 0 ? 0 : (unsigned) ((double) done / (double) total * 100));
}

void
hk_progress_hide (HkProgress *self)
{
    if (self != NULL && self->is_shown)
        dprintf (self->fd, "\r\033[K");
    if (self != NULL)
        self->is_shown = false;
}

/* sandbox.c: what the kernel can keep smtpd from: writing files outside its directories. */
#include "config.h"

#include "base/log.h"
#include "smtpd/smtpd_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (UINT64_C (1) << 13)
#endif

/* Everything that Landlock's first version can forbid but reading and executing: tables are
 * opened anew when they change, wherever they are. */
static const uint64_t all_writes =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

/* What this kernel can forbid.  Renaming from one directory into another is never allowed
 * unless it is asked for, which the first version cannot: a lane then makes its segments
 * anew instead of taking them from free/. */
static uint64_t
known_writes (void)
{
    long version =
        syscall (SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version >= 2 ? all_writes | LANDLOCK_ACCESS_FS_REFER : all_writes;
}

static bool
allow (int rules, uint64_t writes, const char *dir)
{
    int fd = open (dir, O_PATH | O_CLOEXEC | O_DIRECTORY);
    if (fd < 0)
        return errno == ENOENT;
    struct landlock_path_beneath_attr below = {.allowed_access = writes, .parent_fd = fd};
    long result =
        syscall (SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0);
    close (fd);
    return result == 0;
}

void
hk_sandbox_enter (const char *const *dirs)
{
    uint64_t writes = known_writes ();
    struct landlock_ruleset_attr attr = {.handled_access_fs = writes};
    int rules = (int) syscall (SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (rules < 0) {
        hk_log (HK_LOG_DEBUG, "Landlock is not available: %s", g_strerror (errno));
        return;
    }
    bool ok = prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    for (; ok && *dirs != NULL; dirs++)
        ok = allow (rules, writes, *dirs);
    if (!ok || syscall (SYS_landlock_restrict_self, rules, 0) != 0)
        hk_log (HK_LOG_WARNING, "Landlock: %s", g_strerror (errno));
    close (rules);
}

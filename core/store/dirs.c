/* dirs.c: the directories of a queue and who owns them. */
#include "config.h"

#include "store/disk_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum { OWNER_ROOT, OWNER_SMTPD, OWNER_QMGR } Owner;

typedef struct {
    const char *path;
    unsigned mode;
    Owner owner;
    Owner group; /* OWNER_ROOT: the setgid group */
} Directory;

/* lane/N: written by smtpd (lane 0 by qmgr), recycled by qmgr through the group.  free/ is
 * shared by both.  maildrop/ is written by the setgid helper.  public/ may be entered by
 * everybody, for mailq: the queue manager asks who is there, other sockets have their modes. */
static const Directory directories[] = {
    {"lane", 02770, OWNER_SMTPD, OWNER_QMGR},
    {"lane/0", 02770, OWNER_QMGR, OWNER_SMTPD},
    {"lane/1", 02770, OWNER_SMTPD, OWNER_QMGR},
    {"free", 02770, OWNER_QMGR, OWNER_SMTPD},
    {"incoming", 02770, OWNER_SMTPD, OWNER_QMGR},
    {"journal", 0700, OWNER_QMGR, OWNER_QMGR},
    {"deferred", 0700, OWNER_QMGR, OWNER_QMGR},
    {"hold", 0700, OWNER_QMGR, OWNER_QMGR},
    {"active", 0700, OWNER_QMGR, OWNER_QMGR},
    {"corrupt", 0700, OWNER_QMGR, OWNER_QMGR},
    {"maildrop", 01730, OWNER_SMTPD, OWNER_ROOT},
    {"private", 0770, OWNER_QMGR, OWNER_SMTPD},
    {"public", 02711, OWNER_QMGR, OWNER_ROOT},
    {"pid", 0755, OWNER_QMGR, OWNER_QMGR},
};

static bool
set_owner (int fd, const Directory *dir, const HkStoreOwners *owners, GError **error)
{
    int uid = dir->owner == OWNER_SMTPD ? owners->smtpd_uid : owners->qmgr_uid;
    int gid = dir->group == OWNER_SMTPD  ? owners->smtpd_gid
              : dir->group == OWNER_QMGR ? owners->qmgr_gid
                                         : owners->setgid_gid;
    struct stat st;
    if (fstat (fd, &st) != 0) {
        hk_disk_error (error, errno, "stat", dir->path);
        return false;
    }
    bool is_owned =
        (uid < 0 || st.st_uid == (uid_t) uid) && (gid < 0 || st.st_gid == (gid_t) gid);
    if (!is_owned && fchown (fd, (uid_t) uid, (gid_t) gid) != 0) {
        hk_disk_error (error, errno, "change owner of", dir->path);
        return false;
    }
    /* After chown, which clears the setgid bit. */
    if ((st.st_mode & 07777) != dir->mode || !is_owned)
        if (fchmod (fd, dir->mode) != 0) {
            hk_disk_error (error, errno, "change mode of", dir->path);
            return false;
        }
    return true;
}

static bool
make_one (int root, const Directory *dir, const HkStoreOwners *owners, GError **error)
{
    if (mkdirat (root, dir->path, 0700) != 0 && errno != EEXIST) {
        hk_disk_error (error, errno, "make directory", dir->path);
        return false;
    }
    int fd = openat (root, dir->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        hk_disk_error (error, errno, "open directory", dir->path);
        return false;
    }
    bool ok = owners == NULL || set_owner (fd, dir, owners, error);
    /* The names of directories are names as well. */
    if (ok && fsync (fd) != 0) {
        hk_disk_error (error, errno, "sync directory", dir->path);
        ok = false;
    }
    close (fd);
    return ok;
}

static bool
sync_path (const char *path)
{
    int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync (fd) == 0;
    int failure = errno;
    if (fd >= 0)
        close (fd);
    errno = failure;
    return ok;
}

/* PATH and what is missing above it, each name durable in its directory: else all of the
 * queue might be gone after a power cut. */
static bool
make_root (const char *path, GError **error)
{
    g_autofree char *parent = g_path_get_dirname (path);
    if (!g_file_test (parent, G_FILE_TEST_IS_DIR) && !make_root (parent, error))
        return false;
    bool is_new = mkdir (path, 0755) == 0;
    if (!is_new && errno != EEXIST) {
        hk_disk_error (error, errno, "make directory", path);
        return false;
    }
    /* One that stands already may be younger than its last sync; it may also stand in a
     * directory that is not ours to open. */
    if (sync_path (parent) || (!is_new && errno == EACCES))
        return true;
    hk_disk_error (error, errno, "sync directory", parent);
    return false;
}

bool
hk_store_prepare (const char *queue_directory, const HkStoreOwners *owners, GError **error)
{
    static const HkStoreOwners nobody = {-1, -1, -1, -1, -1};
    if (!make_root (queue_directory, error))
        return false;
    int root = hk_disk_open_dir (AT_FDCWD, queue_directory, error);
    if (root < 0)
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < G_N_ELEMENTS (directories); i++)
        ok = make_one (root, &directories[i], owners != NULL ? owners : &nobody, error);
    for (size_t i = 0; ok && i < 2; i++) { /* lane/, then the queue directory */
        int fd = i == 0 ? hk_disk_open_dir (root, "lane", error) : dup (root);
        ok = fd >= 0 && fsync (fd) == 0;
        if (!ok && error != NULL && *error == NULL)
            hk_disk_error (error, errno, "sync directory", queue_directory);
        if (fd >= 0)
            close (fd);
    }
    close (root);
    if (!ok)
        g_prefix_error (error, "%s: ", queue_directory);
    return ok;
}

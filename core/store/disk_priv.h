/* disk_priv.h: small steps on files that the whole room uses: whole writes, locks, zero
 * filling, names.  Any thread. */
#ifndef HK_STORE_DISK_PRIV_H
#define HK_STORE_DISK_PRIV_H

#include "store/store.h"

#define HK_LANES 64 /* a queue id has six bits for its lane */
#define HK_HEX_NAME 17

HkStoreError hk_disk_code (int error_number);
void hk_disk_error (GError **error, int error_number, const char *what, const char *name);
/* All of it, or false with errno. */
bool hk_disk_write (const HkStoreIo *io, int fd, const void *data, size_t size,
                    uint64_t at);
/* False with errno when the file was removed: what is written to it is lost. */
bool hk_disk_has_name (int fd);
/* As much as there is; -1 with errno. */
ssize_t hk_disk_read (int fd, void *data, size_t size, uint64_t at);
int hk_disk_open_dir (int at, const char *path, GError **error);
bool hk_disk_lock (int fd, const char *name, GError **error); /* BUSY */
/* Reserve and write zeros, synced; false with errno. */
bool hk_disk_fill (const HkStoreIo *io, int fd, uint64_t size);

/* Segment, journal and checkpoint names: 16 lower-case hexadecimal digits. */
char *hk_hex_name (uint64_t number, char out[HK_HEX_NAME]);
bool hk_hex_parse (const char *name, uint64_t *out); /* the first 16 characters of NAME */

#endif

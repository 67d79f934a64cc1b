/* parent.c: memory to share, and files that only the parent may open. */
#include "config.h"

#include "tls/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"

enum { MEMORY_SIZE = 4096 };

int
hk_tls_parent_memory (void)
{
    int fd = memfd_create ("hikyaku-tickets", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (ftruncate (fd, MEMORY_SIZE) == 0 &&
        fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    int e = errno;
    close (fd);
    errno = e;
    return -1;
}

static const char *const file_parameters[] = {
    "smtpd_tls_chain_files",       "smtpd_tls_cert_file",  "smtpd_tls_key_file",
    "smtpd_tls_dcert_file",        "smtpd_tls_dkey_file",  "smtpd_tls_eccert_file",
    "smtpd_tls_eckey_file",        "smtpd_tls_ocsp_files", "smtpd_tls_CAfile",
    "smtpd_tls_dh1024_param_file",
};

static bool
is_named (HkSettings *view, HkSpan path)
{
    for (size_t i = 0; i < G_N_ELEMENTS (file_parameters); i++) {
        HkSpan rest = hk_span_text (hk_settings_get (view, file_parameters[i])), word;
        while (hk_text_next_word (&rest, &word))
            if (hk_span_equal (word, path))
                return true;
    }
    return false;
}

static bool
is_named_anywhere (HkSettings *settings, HkSpan path)
{
    bool found = is_named (settings, path);
    for (size_t i = 0; i < hk_settings_n_services (settings) && !found; i++) {
        if (strcmp (hk_settings_service (settings, i)->command, "smtpd") != 0)
            continue;
        g_autoptr (HkSettings) view = hk_settings_view (settings, i);
        found = is_named (view, path);
    }
    return found;
}

int
hk_tls_parent_open (HkSettings *settings, HkSpan path)
{
    if (path.size == 0 || path.data[0] != '/' || memchr (path.data, 0, path.size) != NULL ||
        !is_named_anywhere (settings, path))
        return -1;
    g_autofree char *name = hk_span_dup (path);
    return open (name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* service.c: what processes of one service of master.cf do the same way. */
#include "config.h"

#include "role/service.h"

#include "base/log.h"
#include "base/text.h"
#include "ipc/frames.h"
#include "role/params.h"

#include <sys/stat.h>
#include <unistd.h>

bool
hk_service_process_read (HkServiceProcess *self, const char *dir, const char *index_text,
                         GError **error)
{
    uint64_t index;
    size_t found;
    const char *list = g_getenv ("HIKYAKU_SERVICE");
    /* one line for each address, all of one service */
    g_auto (GStrv) names = g_strsplit (list != NULL ? list : "", "\n", 2);
    hk_register_params ();
    g_autoptr (HkSettings) all = hk_settings_load (dir, error);
    if (all == NULL)
        return false;
    if (!hk_text_parse_u64 (hk_span_text (index_text), INT_MAX, &index))
        return hk_process_fail (error, "there is no service number %s", index_text);
    if (!hk_process_find_service (all, index, list != NULL ? names[0] : NULL, &found, error))
        return false;
    self->settings = hk_settings_view (all, found);
    self->line = hk_settings_service (self->settings, found);
    return true;
}

bool
hk_service_process_listen (bool (*listen) (void *data, int fd, GError **error), void *data,
                           GError **error)
{
    const char *list = g_getenv ("HIKYAKU_LISTENERS"); /* "FD=INDEX[,FD=INDEX]" */
    g_auto (GStrv) each = g_strsplit (list != NULL ? list : "", ",", -1);
    bool has_any = false;
    struct stat st;
    for (char **one = each; *one != NULL; one++) {
        int fd = (int) g_ascii_strtoll (*one, NULL, 10);
        if (fd <= HK_CONTROL_FD || fstat (fd, &st) != 0 || !S_ISSOCK (st.st_mode))
            break;
        if (!listen (data, fd, error))
            return false;
        has_any = true;
    }
    return has_any ||
           hk_process_fail (error,
                            "no listening socket was handed over (HIKYAKU_LISTENERS)");
}

static void
on_control (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data)
{
    HkServiceProcess *self = data;
    (void) channel;
    (void) payload;
    if (type == HK_FRAME_LOG && fd >= 0) {
        hk_log_reopen (fd);
        return;
    }
    if (fd >= 0)
        close (fd);
    if (type == HK_FRAME_DRAIN)
        self->drain (self->data);
}

static void
on_control_closed (HkChannel *channel, void *data)
{
    HkServiceProcess *self = data;
    hk_channel_close (channel);
    self->control = NULL;
    self->drain (self->data);
}

void
hk_service_process_connect (HkServiceProcess *self, HkLoop *loop,
                            void (*drain) (void *data), void *data)
{
    static const HkChannelFns fns = {on_control, on_control_closed};
    self->drain = drain;
    self->data = data;
    self->control = hk_process_connect_master (loop, &fns, self);
    if (self->control == NULL)
        return;
    hk_channel_send (self->control, HK_FRAME_UP, HK_SPAN_NONE, -1);
    hk_channel_flush (self->control); /* the loop does not turn yet */
}

void
hk_service_process_clear (HkServiceProcess *self)
{
    if (self->control != NULL)
        hk_channel_close (self->control);
    hk_settings_unref (self->settings);
}

/* channel.h: framed messages between roles over a Unix stream socket.
 *
 * Frame: u32 little-endian length of what follows (at most HK_FRAME_MAX), u16 type, payload
 * (base/pack.h).  Frames of one loop turn leave in one system call.  A descriptor may ride on
 * a frame.  A frame that is too long or a broken stream ends the channel: `on_close` once. */
#ifndef HK_IPC_CHANNEL_H
#define HK_IPC_CHANNEL_H

#include "base/pack.h"
#include "loop/loop.h"

#define HK_FRAME_MAX (16u << 20)

typedef struct HkChannel HkChannel;

typedef struct {
    /* FD: taken by the callee when >= 0.  Inside, the channel may be closed. */
    void (*frame) (HkChannel *channel, uint16_t type, HkSpan payload, int fd, void *data);
    void (*closed) (HkChannel *channel, void *data); /* the peer ended, or error; then close */
} HkChannelFns;

/* Takes FD (non-blocking from then on). */
HkChannel *hk_channel_new (HkLoop *loop, int fd, const HkChannelFns *fns, void *data);
void hk_channel_close (HkChannel *self); /* tries to send what is gathered; no callback */
/* Gathers; FD is sent as a duplicate (-1: none), the caller keeps its own. */
void hk_channel_send (HkChannel *self, uint16_t type, HkSpan payload, int fd);
/* Begin a frame in place: append the payload to the array, then end. */
GByteArray *hk_channel_begin (HkChannel *self, uint16_t type);
void hk_channel_end (HkChannel *self);
void hk_channel_flush (HkChannel *self);
size_t hk_channel_backlog (const HkChannel *self); /* bytes not yet taken by the kernel */
void *hk_channel_data (HkChannel *self);

/* ---- sockets */
/* Connect to the Unix socket at PATH (longer than sun_path is handled); -1 and error. */
int hk_ipc_connect (const char *path, GError **error);
/* Bind and listen; removes a dead socket of the same name; mode as given. */
int hk_ipc_listen (const char *path, unsigned mode, GError **error);

/* ---- for tools: blocking send and receive with a deadline. */
bool hk_ipc_send_blocking (int fd, uint16_t type, HkSpan payload, GError **error);
/* OUT_PAYLOAD is cleared and filled.  False: error, or end of stream (error not set then). */
bool hk_ipc_receive_blocking (int fd, int timeout_ms, uint16_t *out_type,
                              GByteArray *out_payload, GError **error);

#endif

/* master_priv.h: what main.c asks of master.c. */
#ifndef HK_MASTER_PRIV_H
#define HK_MASTER_PRIV_H

#include "master/master.h"

void hk_master_start (HkMaster *self);
void hk_master_stop (HkMaster *self, int64_t timeout_us);
void hk_master_stop_step (HkLoopTimer *timer);
void hk_master_reload (HkMaster *self);
int hk_master_open_log (HkSettings *settings, GError **error); /* -1, no error: no file */
void hk_master_reopen_log (HkMaster *self);
/* Whoever started us in the background is told that all roles serve. */
void hk_master_tell_ready (HkMaster *self);

#endif

/* service.h: what processes of one service of master.cf (deliver, spawn) do the same way:
 *
 *     ROLE -c CONFIGDIR SERVICEINDEX
 */
#ifndef HK_ROLE_SERVICE_H
#define HK_ROLE_SERVICE_H

#include "role/process.h"

typedef struct {
    HkSettings *settings;  /* as the service sees them; NULL before read */
    const HkService *line; /* of settings */
    HkChannel *control;    /* NULL: started by hand, or master is gone */
    void (*drain) (void *data);
    void *data;
} HkServiceProcess;

/* Registers the parameters, reads the files, finds the line.  INDEX: as on the command line. */
bool hk_service_process_read (HkServiceProcess *self, const char *dir, const char *index,
                              GError **error);
/* LISTEN each socket that master gave: all are this service's.  False: there is none. */
bool hk_service_process_listen (bool (*listen) (void *data, int fd, GError **error),
                                void *data, GError **error);
/* Tells master that the service is up.  DRAIN, from LOOP, when master says so or is gone. */
void hk_service_process_connect (HkServiceProcess *self, HkLoop *loop,
                                 void (*drain) (void *data), void *data);
void hk_service_process_clear (HkServiceProcess *self); /* also after a read that failed */

#endif

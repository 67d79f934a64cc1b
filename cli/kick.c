/* kick.c: `hikyaku kick`, postkick(1): tell a service that there is work.
 *
 * Roles here learn of mail by themselves, so a wake-up has only to find out whether the
 * service is there; a request to try deferred mail now reaches the queue manager. */
#include "config.h"

#include "cli/cli.h"
#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/frames.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Postfix's letters: D all destinations are alive again, A all queues, F ignore when the
 * next attempt is due; W (wake up) and I (look at incoming) ask for what is done anyway. */
static bool
asks_for_flush (const char *request)
{
    return strpbrk (request, "DAF") != NULL;
}

static bool
is_service (HkSettings *settings, const char *class, const char *name)
{
    bool is_private = strcmp (class, "private") == 0;
    if (!is_private && strcmp (class, "public") != 0)
        return false;
    for (size_t i = 0; i < hk_settings_n_services (settings); i++) {
        const HkService *service = hk_settings_service (settings, i);
        if (service->type != HK_SERVICE_INET && service->is_private == is_private &&
            strcmp (service->name, name) == 0)
            return true;
    }
    return false;
}

static bool
tell (HkSettings *settings, bool flushes)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GByteArray) payload = g_byte_array_new (), reply = g_byte_array_new ();
    g_autofree char *path = g_build_filename (hk_settings_get (settings, "queue_directory"),
                                              "public", "qmgr", NULL);
    uint16_t type = 0;
    int fd = hk_ipc_connect (path, &error);
    if (fd < 0)
        return false;
    hk_pack_span (payload, HK_SPAN_NONE);
    bool ok =
        !flushes || (hk_ipc_send_blocking (fd, HK_FRAME_FLUSH,
                                           hk_span (payload->data, payload->len), &error) &&
                     hk_ipc_receive_blocking (fd, 30000, &type, reply, &error) &&
                     type == HK_FRAME_REPLY);
    close (fd);
    return ok;
}

static int
usage (const char *program)
{
    fprintf (stderr, "%s: fatal: usage: %s [-c config_dir] [-v] class service request\n",
             program, program);
    return 1;
}

int
hk_cli_kick (int argc, char **argv)
{
    g_autofree char *base = g_path_get_basename (argv[0]);
    g_autoptr (GError) error = NULL;
    const char *program = strcmp (base, "kick") == 0 ? "postkick" : base, *dir = NULL;
    int c;
    argv[0] = (char *) program; /* for getopt's messages */
    optind = 0; /* a full reset: no scan of an earlier command line goes on */
    while ((c = getopt (argc, argv, "+c:v")) != -1) {
        if (c == 'c')
            dir = optarg;
        else if (c != 'v')
            return usage (program);
    }
    if (argc - optind != 3)
        return usage (program);
    const char *class = argv[optind], *service = argv[optind + 1];
    g_autoptr (HkSettings) settings = hk_settings_load (hk_cli_config_dir (dir), &error);
    if (settings == NULL) {
        fprintf (stderr, "%s: fatal: %s\n", program, error->message);
        return 1;
    }
    bool is_known = is_service (settings, class, service);
    if (!is_known)
        fprintf (stderr,
                 "%s: warning: unable to look up %s/%s: no such service in master.cf\n",
                 program, class, service);
    bool flushes = strcmp (service, "qmgr") == 0 && asks_for_flush (argv[optind + 2]);
    if (is_known && tell (settings, flushes))
        return 0;
    fprintf (stderr,
             "%s: warning: Cannot contact class %s service %s - perhaps the mail system is "
             "down\n",
             program, class, service);
    return 1;
}

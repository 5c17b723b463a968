/* Who started a process, as far as its control groups say.
 *
 * The names are those that systemd, Docker, Podman, containerd, CRI-O, LXC and systemd-nspawn give
 * to the groups that they make: cgroups(7), systemd.unit(5), and systemd's
 * docs/CONTAINER_INTERFACE. What has no such name is unknown.  A scope was not started by systemd,
 * only put there: unknown too, unless it is a container's. */
#ifndef SVCMGR_ORIGIN_H
#define SVCMGR_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORIGIN_CGROUPS_BYTES   4096
#define ORIGIN_UNIT_BYTES      256
#define ORIGIN_CONTAINER_BYTES 65
#define ORIGIN_TEXT_BYTES      384

enum origin_engine {
    ORIGIN_ENGINE_UNKNOWN,
    ORIGIN_DOCKER,
    ORIGIN_PODMAN,
    ORIGIN_KUBERNETES,
    ORIGIN_LXC,
    ORIGIN_MACHINE /* known to systemd-machined: machinectl(1) */
};

struct origin {
    bool in_container;
    enum origin_engine engine;
    char container[ORIGIN_CONTAINER_BYTES]; /* 12 digits of its id, or its name; "" unknown */
    char unit[ORIGIN_UNIT_BYTES]; /* as systemctl takes it; of a container: inside; "" none */
    bool of_user;                 /* a unit of a user's manager, not of the system's */
    int64_t manager_uid;          /* that user */
};

/* Reads the text of /proc/PID/cgroup, in version 1, version 2 or both.  'own' is that of whoever
 * asks: a container that both are in goes without saying.  Nothing but NULs may be missing in it.
 */
void origin_read(const char *cgroups, const char *own, struct origin *ret_origin);

/* "systemd unit hermes.service", "systemd unit x.service (user)", "container 0123456789ab", "a
 * container"; "" when nothing is known. */
void origin_describe(const struct origin *origin, char *ret_text, size_t size);

#endif

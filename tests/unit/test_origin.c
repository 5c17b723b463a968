#include "unit.h"

#include "origin.h"

#include "banned.h"

#define ID     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_TOO "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define SHOWN  "0123456789ab"

/* As found in /proc/PID/cgroup on real machines; 'said' is what a sentence says of it. */
static const struct {
    const char *cgroups;
    const char *said;
    enum origin_engine engine;
} rows[] = {
    /* Units of the system. */
    { "0::/system.slice/hermes.service\n", "systemd unit hermes.service", 0 },
    { "0::/system.slice/hermes.service", "systemd unit hermes.service", 0 },
    { "0::/system.slice/nginx.service/worker/1\n", "systemd unit nginx.service", 0 },
    { "0::/system.slice/outer.service/inner.service\n", "systemd unit outer.service", 0 },
    { "0::/system.slice/system-getty.slice/getty@tty1.service\n", "systemd unit getty@tty1.service",
            0 },
    { "0::/system.slice/a\\x2db.service\n", "systemd unit a\\x2db.service", 0 },
    { "0::/system.slice/_cpu.service\n", "systemd unit cpu.service", 0 },
    { "0::/system.slice/sshd.socket\n", "systemd unit sshd.socket", 0 },
    { "0::/system.slice/gone.service (deleted)\n", "systemd unit gone.service", 0 },
    { "0::/a.slice/a-b.slice/a-b-c.slice/deep.service\n", "systemd unit deep.service", 0 },
    { "0::/../system.slice/x.service\n", "systemd unit x.service", 0 },
    /* Units of a user's manager. */
    { "0::/user.slice/user-1000.slice/user@1000.service/app.slice/y.service\n",
            "systemd unit y.service (user)", 0 },
    { "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-web.slice/web@1.service\n",
            "systemd unit web@1.service (user)", 0 },
    { "0::/user.slice/user-1000.slice/user@1000.service/session.slice/dbus.service/x\n",
            "systemd unit dbus.service (user)", 0 },
    { "0::/user.slice/user-1000.slice/user@1000.service/app.slice/"
      "vte-spawn-5b4c2a3e-0000-4000-8000-000000000000.scope\n",
            "", 0 },
    { "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", "", 0 },
    { "0::/user.slice/user-1000.slice/user@1000.service\n", "", 0 },
    { "0::/user.slice/user-1000.slice/user@1000x.service/app.slice/y.service\n",
            "systemd unit user@1000x.service", 0 },
    /* Put there, not started. */
    { "0::/user.slice/user-1000.slice/session-3.scope\n", "", 0 },
    { "0::/user.slice/user-1000.slice/session-c1.scope/x.service\n", "", 0 },
    { "0::/init.scope\n", "", 0 },
    { "0::/system.slice/run-r1234.scope\n", "", 0 },
    { "0::/\n", "", 0 },
    { "0::/system.slice\n", "", 0 },
    /* Names that are no unit's. */
    { "0::/x y.service\n", "", 0 },
    { "0::/$(reboot).service\n", "", 0 },
    { "0::/.service\n", "", 0 },
    { "0::/jobs/31e89bdb7fe46a82392e4edc0df60507\n", "", 0 },
    /* Docker. */
    { "0::/system.slice/docker-" ID ".scope\n", "container " SHOWN, ORIGIN_DOCKER },
    { "0::/docker/" ID "\n", "container " SHOWN, ORIGIN_DOCKER },
    { "0::/docker/" ID "/docker/" ID_TOO "\n", "container " SHOWN, ORIGIN_DOCKER },
    { "0::/../docker/" ID "\n", "container " SHOWN, ORIGIN_DOCKER },
    { "0::/system.slice:docker:" ID "\n", "container " SHOWN, ORIGIN_DOCKER },
    { "0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope\n",
            "container " SHOWN, ORIGIN_DOCKER },
    { "0::/system.slice/docker-" ID ".scope/system.slice/nginx.service\n",
            "container " SHOWN " (systemd unit nginx.service in it)", ORIGIN_DOCKER },
    { "0::/system.slice/docker.service\n", "systemd unit docker.service", 0 },
    { "0::/system.slice/containerd.service\n", "systemd unit containerd.service", 0 },
    { "0::/actions_job/" ID "\n", "container " SHOWN, ORIGIN_ENGINE_UNKNOWN },
    /* Podman. */
    { "0::/machine.slice/libpod-" ID ".scope/container\n", "container " SHOWN, ORIGIN_PODMAN },
    { "0::/machine.slice/libpod-conmon-" ID ".scope\n", "container " SHOWN, ORIGIN_PODMAN },
    { "0::/libpod_parent/libpod-" ID "\n", "container " SHOWN, ORIGIN_PODMAN },
    { "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope/container\n",
            "container " SHOWN, ORIGIN_PODMAN },
    /* Kubernetes. */
    { "0::/kubepods.slice/kubepods-burstable.slice/"
      "kubepods-burstable-pod2c48913c_b29f_11e7_9350_020968147796.slice/cri-containerd-" ID
      ".scope\n",
            "container " SHOWN, ORIGIN_KUBERNETES },
    { "0::/kubepods.slice/kubepods-pod1.slice/crio-" ID ".scope\n", "container " SHOWN,
            ORIGIN_KUBERNETES },
    { "0::/kubepods/besteffort/pod2c48913c-b29f-11e7-9350-020968147796/" ID "\n",
            "container " SHOWN, ORIGIN_KUBERNETES },
    { "0::/kubepods.slice/kubepods-pod1.slice/docker-" ID ".scope\n", "container " SHOWN,
            ORIGIN_KUBERNETES },
    /* LXC. */
    { "0::/lxc.payload.web/system.slice/x.service\n",
            "container web (systemd unit x.service in it)", ORIGIN_LXC },
    { "0::/lxc.payload.web\n", "container web", ORIGIN_LXC },
    { "0::/lxc.payload/web/init.scope\n", "container web", ORIGIN_LXC },
    { "0::/lxc.monitor.web\n", "", 0 },
    { "8:memory:/lxc/web\n1:name=systemd:/lxc/web\n", "container web", ORIGIN_LXC },
    { "0::/lxc\n", "", 0 },
    /* systemd-nspawn, systemd-machined. */
    { "0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/x.service\n",
            "container web (systemd unit x.service in it)", ORIGIN_MACHINE },
    { "0::/machine.slice/machine-my\\x2dbox.scope\n", "container my-box", ORIGIN_MACHINE },
    { "0::/machine.slice/machine-bad\\x0abox.scope\n", "container bad?box", ORIGIN_MACHINE },
    /* Not quite an id. */
    { "0::/docker/0123456789ab\n", "", 0 },
    { "0::/system.slice/docker-0123456789ab.scope\n", "", 0 },
    { "0::/x" ID "\n", "", 0 },
    { "0::/docker/0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n", "", 0 },
    /* Version 1, each controller with a tree of its own, and both versions together. */
    { "12:pids:/system.slice/x.service\n11:cpu,cpuacct:/\n1:name=systemd:/system.slice/x.service\n"
      "0::/system.slice/x.service\n",
            "systemd unit x.service", 0 },
    { "11:cpu,cpuacct:/wrong.service\n1:name=systemd:/system.slice/x.service\n",
            "systemd unit x.service", 0 },
    { "11:cpu,cpuacct:/wrong.service\n1:name=systemd:/\n0::/\n", "", 0 },
    { "10:memory:/docker/" ID "\n9:cpu,cpuacct:/docker/" ID "\n1:name=systemd:/docker/" ID
      "\n0::/system.slice/containerd.service\n",
            "container " SHOWN, ORIGIN_DOCKER },
    { "9:name=systemd:/\n8:pids:/\n4:memory:/docker/" ID "\n0::/\n", "container " SHOWN,
            ORIGIN_DOCKER },
    { "1:name=systemd:/user.slice/user-0.slice/session-1.scope\n0::/user.slice/user-0.slice/"
      "session-1.scope\n",
            "", 0 },
    { "1:name=systemd:/system.slice/with:colon.service\n", "systemd unit with:colon.service", 0 },
    /* No such text at all. */
    { "", "", 0 },
    { "\n\n", "", 0 },
    { "garbage", "", 0 },
    { "0:\n", "", 0 },
    { "0::\n", "", 0 },
    { "0::x.service\n", "systemd unit x.service", 0 },
    { "::::::\n", "", 0 },
    { "0::////\n", "", 0 },
};

static void reads_what_started_a_process(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct origin origin;
        char text[ORIGIN_TEXT_BYTES];

        origin_read(rows[i].cgroups, "0::/\n", &origin);
        origin_describe(&origin, text, sizeof text);
        CHECK_TEXT(rows[i].cgroups, text, rows[i].said);
        CHECK_INT(rows[i].cgroups, (int)origin.engine, (int)rows[i].engine);
        CHECK(rows[i].cgroups, !origin.of_user || origin.manager_uid == 1000);
    }
}

/* Both are in one container: what is further in is what counts. */
static const struct {
    const char *cgroups;
    const char *own;
    const char *said;
} inside[] = {
    { "0::/docker/" ID "/x.service\n", "0::/docker/" ID "\n", "systemd unit x.service" },
    { "0::/docker/" ID "\n", "0::/docker/" ID "/shell\n", "" },
    { "0::/docker/" ID "/docker/" ID_TOO "\n", "0::/docker/" ID "\n", "container fedcba987654" },
    { "0::/docker/" ID_TOO "\n", "0::/docker/" ID "\n", "container fedcba987654" },
    { "0::/system.slice/docker-" ID ".scope/system.slice/x.service\n",
            "0::/system.slice/docker-" ID ".scope/init.scope\n", "systemd unit x.service" },
    { "0::/docker/" ID "\n", "0::/docker/" ID "/docker/" ID_TOO "\n", "container " SHOWN },
    { "4:memory:/docker/" ID "/a\n1:name=systemd:/docker/" ID "/system.slice/x.service\n",
            "4:memory:/docker/" ID "\n1:name=systemd:/docker/" ID "/init.scope\n",
            "systemd unit x.service" },
    { "0::/lxc.payload.web/x.service\n", "0::/lxc.payload.web\n", "systemd unit x.service" },
    { "0::/lxc.payload.website/x.service\n", "0::/lxc.payload.web\n",
            "container website (systemd unit x.service in it)" },
    { "0::/docker/" ID "\n", "", "container " SHOWN },
    { "0::/docker/" ID "\n", "garbage", "container " SHOWN },
};

static void leaves_out_the_container_that_both_are_in(void **state)
{
    for (size_t i = 0; i < COUNT_OF(inside); i++) {
        struct origin origin;
        char text[ORIGIN_TEXT_BYTES];

        origin_read(inside[i].cgroups, inside[i].own, &origin);
        origin_describe(&origin, text, sizeof text);
        CHECK_TEXT(inside[i].cgroups, text, inside[i].said);
    }
}

static void names_of_any_length_do_no_harm(void **state)
{
    static char text[ORIGIN_CGROUPS_BYTES];
    static const char *const ends[] = { ".service", ".scope", "", ID, "/" ID ".scope" };
    static const char *const begins[] = { "0::/", "0::/lxc.payload.", "0::/machine-", "0::/lxc/",
        "0::/systemd-nspawn@", "0::/user@", "0::/_" };

    for (size_t b = 0; b < COUNT_OF(begins); b++)
        for (size_t e = 0; e < COUNT_OF(ends); e++)
            for (size_t length = 0; length < 700; length++) {
                struct origin origin;
                size_t at = strlen(begins[b]);

                memcpy(text, begins[b], at);
                memset(text + at, '\\', length);
                (void)snprintf(text + at + length, sizeof text - at - length, "%s\n", ends[e]);
                origin_read(text, text, &origin);
                origin_read(text, "", &origin);
                CHECK(text, strlen(origin.unit) < sizeof origin.unit);
                CHECK(text, strlen(origin.container) < sizeof origin.container);
            }
}

static void a_container_without_a_name(void **state)
{
    struct origin origin = { .in_container = true };
    char text[ORIGIN_TEXT_BYTES];

    origin_describe(&origin, text, sizeof text);
    assert_string_equal(text, "a container");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_started_a_process),
        cmocka_unit_test(leaves_out_the_container_that_both_are_in),
        cmocka_unit_test(names_of_any_length_do_no_harm),
        cmocka_unit_test(a_container_without_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

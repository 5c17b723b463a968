/* Control groups, with files of the same names in a folder: which controllers there are differs
 * from machine to machine.  tests/e2e/systemd/test_groups.py has the kernel's own. */
#include "unit.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "platform.h"

#include "banned.h"

#define NUMBER 7

static char root[64];
static char base[4096]; /* the group that this process is in, below the root */

static void path_of(const char *name, char *ret_path, size_t size)
{
    assert_in_range(snprintf(ret_path, size, "%s/%s", base, name), 1, size - 1);
}

static void put(const char *name, const char *text)
{
    char path[4300];
    FILE *file;

    path_of(name, path, sizeof path);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make(const char *name)
{
    char path[4300];

    path_of(name, path, sizeof path);
    assert_int_equal(mkdir(path, 0700), 0);
}

/* The first line of a file. */
static const char *got(const char *name)
{
    static char text[4096];
    char path[4300];
    FILE *file;

    path_of(name, path, sizeof path);
    file = fopen(path, "r");
    assert_non_null(file);
    if (fgets(text, sizeof text, file) == NULL)
        text[0] = '\0';
    assert_int_equal(fclose(file), 0);
    return text;
}

static bool find_own(char *ret_path, size_t size)
{
    FILE *file = fopen("/proc/self/cgroup", "r");
    char line[4200];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        found = strncmp(line, "0::/", 4) == 0;
        line[strcspn(line, "\n")] = '\0';
        if (found)
            (void)snprintf(ret_path, size, "%s", line + 3);
    }
    if (file != NULL)
        (void)fclose(file);
    return found;
}

/* The folder of the group that this process is in, its parts as the kernel would make them. */
static int set_up(void **state)
{
    char own[4096];

    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/svcmgr-cgroup.XXXXXX");
    if (!platform_tree_is_told() || !find_own(own, sizeof own) || mkdtemp(root) == NULL)
        return 0;
    (void)snprintf(base, sizeof base, "%s", root);
    for (char *at = own; *at != '\0';) {
        size_t length = strcspn(at + 1, "/") + 1;
        size_t end = strlen(base);

        (void)snprintf(base + end, sizeof base - end, "%.*s", (int)length, at);
        if (mkdir(base, 0700) == -1 && errno != EEXIST)
            return -1;
        at += length;
    }
    put("cgroup.procs", "");
    put("cgroup.subtree_control", "");
    put("cgroup.controllers", "cpu memory pids\n");
    make("svcmgr");
    put("svcmgr/cgroup.procs", "");
    make("instance.7");
    put("instance.7/cgroup.procs", "");
    put("instance.7/cgroup.kill", "");
    put("instance.7/memory.max", "max\n");
    return 0;
}

static int remove_one(const char *path, const struct stat *file, int kind, struct FTW *place)
{
    (void)file;
    (void)kind;
    (void)place;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    if (base[0] != '\0')
        (void)nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    base[0] = '\0';
    return 0;
}

static void delegate(void)
{
    if (!platform_tree_is_told() || setxattr(base, "user.delegate", "1", 1, 0) == -1)
        skip(); /* the portable build has no groups, and some file systems no such marks */
}

static void what_is_not_delegated_is_not_touched(void **state)
{
    struct err err;

    (void)state;
    assert_false(platform_group_open(root, getpid()));
    assert_int_equal(platform_group_make(NUMBER, &err), -1);
    assert_int_equal(platform_group_limit_memory(NUMBER, 1, &err), -1);
    assert_int_equal(platform_group_enter(NUMBER, getpid(), &err), -1);
    assert_int_equal(platform_group_oom_kills(NUMBER), -1);
    if (platform_tree_is_told())
        assert_string_equal(got("svcmgr/cgroup.procs"), "");
}

static void keeper_and_supervisor_go_into_a_part_of_their_own(void **state)
{
    (void)state;
    delegate();
    put("cgroup.procs", "4711\n");
    assert_true(platform_group_open(root, getppid()));
    assert_string_equal(got("cgroup.subtree_control"), "+memory");
    /* Each write goes to the beginning here: the last one was who was in the group itself. */
    assert_memory_equal(got("svcmgr/cgroup.procs"), "4711", 4);
}

static void a_limit_is_written_and_a_process_moved(void **state)
{
    struct err err;
    char pid[32];

    (void)state;
    delegate();
    assert_true(platform_group_open(root, getpid()));
    assert_int_equal(platform_group_make(NUMBER, &err), 0);
    assert_int_equal(platform_group_limit_memory(NUMBER, 104857600, &err), 0);
    assert_string_equal(got("instance.7/memory.max"), "104857600");
    assert_int_equal(platform_group_enter(NUMBER, getpid(), &err), 0);
    (void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
    assert_string_equal(got("instance.7/cgroup.procs"), pid);
}

static void an_empty_one_is_made_anew_and_goes(void **state)
{
    char path[4300];
    struct err err;

    (void)state;
    delegate();
    assert_true(platform_group_open(root, getpid()));
    path_of("instance.8", path, sizeof path);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(platform_group_make(8, &err), 0);
        assert_int_equal(access(path, F_OK), 0);
    }
    platform_group_remove(8);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(platform_group_make(0, &err), -1);
}

static void without_the_controller_there_is_no_limit(void **state)
{
    static const char *const controllers[] = { "cpu pids\n", "", "cpu memoryx xmemory\n" };
    struct err err;

    (void)state;
    delegate();
    for (size_t i = 0; i < sizeof controllers / sizeof controllers[0]; i++) {
        put("cgroup.controllers", controllers[i]);
        assert_true(platform_group_open(root, getpid()));
        assert_int_equal(platform_group_make(NUMBER, &err), 0);
        assert_int_equal(platform_group_limit_memory(NUMBER, 1, &err), -1);
        assert_non_null(strstr(err.text, "has no memory controller"));
    }
    assert_string_equal(got("instance.7/memory.max"), "max\n");
}

static void kills_for_want_of_memory_are_counted(void **state)
{
    static const struct {
        const char *text;
        int64_t count;
    } rows[] = {
        { "low 0\nhigh 0\nmax 31\noom 4\noom_kill 2\noom_group_kill 1\n", 2 },
        { "low 0\noom 0\noom_kill 0\n", 0 },
        { "oom_kill 12", 12 },
        { "low 0\noom 3\noom_group_kill 1\n", -1 },
        { "oom_kill x\n", -1 },
        { "", -1 },
    };

    (void)state;
    delegate();
    assert_true(platform_group_open(root, getpid()));
    assert_int_equal(platform_group_oom_kills(NUMBER), -1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put("instance.7/memory.events", rows[i].text);
        assert_int_equal(platform_group_oom_kills(NUMBER), rows[i].count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_not_delegated_is_not_touched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
                keeper_and_supervisor_go_into_a_part_of_their_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_limit_is_written_and_a_process_moved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_one_is_made_anew_and_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
                without_the_controller_there_is_no_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kills_for_want_of_memory_are_counted, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

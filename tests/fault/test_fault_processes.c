/* Spawning, running, finding processes: nothing is left of a spawn that failed. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform.h"
#include "platform_sys.h"

#include "banned.h"

#define LIMIT_MS 20000

/* The code that a child ended with; it is reaped. */
static int wait_for(int64_t pid)
{
    int status;

    while (waitpid((pid_t)pid, &status, 0) == -1)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static struct platform_spawn program(
        const char *const *words, platform_handle output, const platform_handle *passed)
{
    static char variable[] = "A=1";
    static char *const environment[] = { variable, NULL };

    return (struct platform_spawn) {
        .file = words[0],
        .words = words,
        .environment = environment,
        .directory = "/",
        .umask = 022,
        .raise_open_files_to = 4096,
        .output = output,
        .error_output = output,
        .passed = passed,
        .passed_count = 1,
    };
}

static int release_and_wait(struct platform_child *child, struct err *err)
{
    char told[64];
    int result = platform_spawn_release(child, err);
    long got;
    int code;

    /* End of file: it has executed, or is gone. */
    do
        got = platform_receive(child->failure, told, sizeof told, platform_now_ms() + LIMIT_MS);
    while (got > 0);
    platform_close(child->failure);
    code = wait_for(child->identity.pid);
    if (result == 0 && code != 7)
        result = err_set(err, ERR_FAILED, 0, "the program ended with %d", code);
    return result;
}

static int spawn(struct err *err)
{
    static const char *const words[] = { "/bin/sh", "-c", "exit 7", NULL };
    platform_handle ends[2];
    struct platform_child child;
    struct platform_spawn request;
    int result = -1;

    if (platform_pipe(&ends[0], &ends[1], err) == -1)
        return -1;
    request = program(words, ends[1], &ends[0]);
    if (platform_spawn(&request, &child, err) == 0)
        result = release_and_wait(&child, err);
    platform_close(ends[0]);
    platform_close(ends[1]);
    return result;
}

/* It never executes: what the program would do is not done. */
static int abandon(struct err *err)
{
    char path[128];
    const char *words[] = { "/bin/sh", "-c", ": > \"$0\"", path, NULL };
    platform_handle null;
    struct platform_child child;
    struct platform_spawn request;
    int result = -1;

    (void)snprintf(path, sizeof path, "%s", fault_path("executed"));
    if (platform_open_log(fault_path("output"), &null, err) == -1)
        return -1;
    request = program(words, null, &null);
    if (platform_spawn(&request, &child, err) == 0) {
        platform_spawn_abandon(&child);
        result = 0;
    }
    platform_close(null);
    assert_int_equal(access(path, F_OK), -1);
    return result;
}

static void spawns_or_leaves_nothing(void **state)
{
    fault_try("spawn", spawn, 15);
    fault_try("abandon", abandon, 12);
}

static int capture(struct err *err)
{
    static const char *const words[] = { "/bin/sh", "-c", "echo printed; exit 7", NULL };
    struct buffer out = { 0 };
    int code = -1;
    int result = platform_capture(words, LIMIT_MS, 1000, &out, &code, err);

    if (result == 0 && (code != 7 || strcmp(buffer_text(&out), "printed\n") != 0))
        result = err_set(err, ERR_FAILED, 0, "code %d, \"%s\"", code, buffer_text(&out));
    buffer_free(&out);
    return result;
}

static int run(struct err *err)
{
    static const char *const words[] = { "/bin/sh", "-c", "exit 7", NULL };
    int code = -1;

    if (platform_run(words, &code, err) == -1)
        return -1;
    return code == 7 ? 0 : err_set(err, ERR_FAILED, 0, "code %d", code);
}

static void runs_to_the_end(void **state)
{
    fault_try("capture", capture, 8);
    fault_try("run", run, 2);
}

/* ---- Looking at processes -------------------------------------------------------------------- */

/* Whoever lives is never said to be gone, whatever cannot be read. */
static int look_at_living(struct err *err)
{
    static struct identity child;
    struct platform_tree tree;
    bool empty;

    (void)err;
    child.pid = fork();
    assert_true(child.pid != -1);
    if (child.pid == 0) {
        (void)pause();
        _exit(0);
    }
    tree = (struct platform_tree) { .session = child.pid, .whole = true };
    empty = platform_tree_is_empty(&tree);
    (void)kill((pid_t)child.pid, SIGKILL);
    (void)wait_for(child.pid);
    assert_false(empty);
    return 0;
}

static int no_descriptor_left(const char *path, int flags, ...)
{
    (void)path;
    (void)flags;
    errno = EMFILE;
    return -1;
}

static void never_takes_the_living_for_gone(void **state)
{
    struct err err;

    platform_become_reaper();
    fault_try("tree", look_at_living, 3);
    sys.open = no_descriptor_left;
    (void)look_at_living(&err);
    sys.open = open;
}

int main(void)
{
    static const struct sigaction ignore = { .sa_handler = SIG_IGN };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spawns_or_leaves_nothing),
        cmocka_unit_test(runs_to_the_end),
        cmocka_unit_test(never_takes_the_living_for_gone),
    };

    /* As in every program of ours: the loop sees to it.  A child may be gone before its barrier. */
    if (sigaction(SIGPIPE, &ignore, NULL) == -1)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

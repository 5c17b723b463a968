#include "started.h"

#include "str.h"

static char file[PLATFORM_PATH_BYTES];
static const char *stored_words[WORDS_MAX];

const char *started_file(void)
{
    char *end;

    assert_true(platform_executable(file, sizeof file));
    end = strrchr(file, '\\');
    assert_non_null(end);
    assert_true(str_copy(end + 1, sizeof file - (size_t)(end + 1 - file), "child.exe"));
    return file;
}

/* The words are those behind its name. */
struct platform_spawn started_spec(const char *const *words)
{
    static char root[64] = "SystemRoot=";
    static char *environment[] = { root, NULL };
    size_t count = 0;

    if (root[11] == '\0')
        (void)GetEnvironmentVariableA("SystemRoot", root + 11, sizeof root - 11);
    stored_words[count++] = started_file();
    while (*words != NULL && count < WORDS_MAX - 1)
        stored_words[count++] = *words++;
    stored_words[count] = NULL;
    return (struct platform_spawn) {
        .file = file,
        .words = stored_words,
        .environment = environment,
        .input = PLATFORM_NO_HANDLE,
        .output = PLATFORM_NO_HANDLE,
        .error_output = PLATFORM_NO_HANDLE,
    };
}

void started_make(const struct platform_spawn *spec, struct started *ret_started)
{
    struct platform_spawn with_output = *spec;
    HANDLE write;
    struct err err;

    assert_true(CreatePipe(&ret_started->output, &write, NULL, 0));
    with_output.output = windows_of_handle(write);
    if (platform_spawn(&with_output, &ret_started->child, &err) == -1)
        fail_msg("%s", err.text);
    assert_true(CloseHandle(write));
}

void started_begin(const char *const *words, struct started *ret_started)
{
    struct platform_spawn spec = started_spec(words);
    struct err err;

    started_make(&spec, ret_started);
    if (platform_spawn_release(&ret_started->child, &err) == -1)
        fail_msg("%s", err.text);
}

static bool read_byte(const struct started *started, char *ret_byte)
{
    DWORD got = 0;

    return ReadFile(started->output, ret_byte, 1, &got, NULL) && got == 1;
}

void started_line(struct started *started, char ret_text[SAID_BYTES])
{
    size_t length = 0;

    while (length < SAID_BYTES - 1 && read_byte(started, ret_text + length) &&
            ret_text[length] != '\n')
        length += ret_text[length] != '\r';
    ret_text[length] = '\0';
}

void started_rest(struct started *started, char ret_text[SAID_BYTES])
{
    size_t length = 0;

    while (length < SAID_BYTES - 1 && read_byte(started, ret_text + length))
        length += ret_text[length] != '\r';
    ret_text[length] = '\0';
}

void started_await(const struct started *started, struct platform_exit *ret_exit)
{
    int64_t deadline_ms = platform_now_ms() + LIMIT_MS;
    struct platform_event event;

    do {
        platform_wait(deadline_ms, &event);
        assert_int_not_equal(event.kind, PLATFORM_EVENT_TIMER);
    } while (event.kind != PLATFORM_EVENT_EXIT || event.pid != started->child.identity.pid);
    *ret_exit = event.exit;
}

void started_end(struct started *started, struct platform_exit *ret_exit)
{
    started_await(started, ret_exit);
    platform_reap(started->child.identity.pid);
    assert_true(CloseHandle(started->output));
}

void started_await_handle(HANDLE process)
{
    assert_non_null(process);
    assert_int_equal(WaitForSingleObject(process, LIMIT_MS), WAIT_OBJECT_0);
    assert_true(CloseHandle(process));
}

struct platform_tree started_tree(const struct started *started)
{
    return (struct platform_tree) {
        .main_pid = started->child.identity.pid,
        .main_start = started->child.identity.start_time,
        .session = started->child.identity.pid,
    };
}

void started_await_empty(const struct platform_tree *tree)
{
    int64_t deadline_ms = platform_now_ms() + LIMIT_MS;

    while (!platform_tree_is_empty(tree)) {
        assert_true(platform_now_ms() < deadline_ms);
        (void)SwitchToThread();
    }
}

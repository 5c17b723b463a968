#include "launchctl.h"

#include "platform_launch.h"
#include "str.h"

#include "banned.h"

#define OUTPUT_BYTES ((size_t)512 * 1024)
#define WORDS_MAX    8
#define DOING_BYTES  400

void launchctl_target(
        enum launchctl_domain domain, const char *label, char *ret_target, size_t size)
{
    const char *slash = label != NULL ? "/" : "";

    if (label == NULL)
        label = "";
    if (domain == LAUNCHCTL_SYSTEM)
        (void)str_format(ret_target, size, "system%s%s", slash, label);
    else
        (void)str_format(ret_target, size, "%s/%u%s%s", domain == LAUNCHCTL_GUI ? "gui" : "user",
                (unsigned)platform_uid(), slash, label);
}

bool launchctl_is_here(void)
{
    struct platform_launchd launchd;

    return platform_launchd(&launchd);
}

int launchctl_call(const char *const *words, int64_t limit_ms, struct buffer *out, int *ret_code,
        struct err *err)
{
    const char *all[WORDS_MAX + 2];
    struct platform_launchd launchd;
    char doing[DOING_BYTES];
    size_t count = 0;

    if (!platform_launchd(&launchd))
        return err_set(err, ERR_FAILED, 0, "launchd does not run this machine");
    all[count++] = launchd.launchctl;
    for (size_t i = 0; words[i] != NULL && count <= WORDS_MAX; i++)
        all[count++] = words[i];
    all[count] = NULL;
    if (platform_capture_all(all, limit_ms, OUTPUT_BYTES, out, ret_code, err) == 0)
        return 0;
    str_command_line(doing, sizeof doing, words);
    return err_set(err, ERR_FAILED, 0, "launchd did not answer in %lld s (launchctl %s)",
            (long long)(limit_ms / 1000), doing);
}

int launchctl_do(const char *verb, const char *target, const char *path, struct err *err)
{
    const char *const words[] = { verb, target, path, NULL };
    char doing[DOING_BYTES];
    struct buffer out = { 0 };
    int code = -1;

    if (launchctl_call(words, LAUNCHCTL_LIMIT_MS, &out, &code, err) == -1)
        code = -1;
    if (code > 0) {
        str_command_line(doing, sizeof doing, words);
        (void)launchd_reply_explain(code, buffer_text(&out), doing, err);
    }
    buffer_free(&out);
    return code;
}

enum launchctl_look launchctl_look(enum launchctl_domain domain, const char *label,
        int64_t limit_ms, struct launchd_job *ret_job, struct err *err)
{
    char target[LAUNCHCTL_TARGET_BYTES];
    const char *const words[] = { "print", target, NULL };
    enum launchctl_look look = LAUNCHCTL_ABSENT;
    struct buffer out = { 0 };
    int code;

    launchctl_target(domain, label, target, sizeof target);
    if (launchctl_call(words, limit_ms, &out, &code, err) == -1) {
        look = LAUNCHCTL_UNKNOWN;
    } else if (code == LAUNCHD_REPLY_DONE) {
        look = LAUNCHCTL_LOADED;
        launchd_reply_job(buffer_text(&out), ret_job);
    }
    buffer_free(&out);
    return look;
}

bool launchctl_has_domain(enum launchctl_domain domain)
{
    char target[LAUNCHCTL_TARGET_BYTES];
    struct err ignored;

    launchctl_target(domain, NULL, target, sizeof target);
    return launchctl_do("print", target, NULL, &ignored) == LAUNCHD_REPLY_DONE;
}

bool launchctl_is_disabled(enum launchctl_domain domain, const char *label)
{
    char target[LAUNCHCTL_TARGET_BYTES];
    const char *const words[] = { "print-disabled", target, NULL };
    struct buffer out = { 0 };
    struct err ignored;
    bool disabled = false;
    int code;

    launchctl_target(domain, NULL, target, sizeof target);
    if (launchctl_call(words, LAUNCHCTL_LIMIT_MS, &out, &code, &ignored) == 0 &&
            code == LAUNCHD_REPLY_DONE)
        disabled = launchd_reply_is_disabled(buffer_text(&out), label);
    buffer_free(&out);
    return disabled;
}

/* Another program: the supervisor tries it first, and the keeper follows in place, one image
 * telling the next what it knows. */
#include <string.h>

#include "keeper_parts.h"
#include "str.h"

#include "banned.h"

/* ---- The trial ------------------------------------------------------------------------------- */

void keeper_take_candidate(platform_handle program)
{
    platform_close(keeper.candidate);
    keeper.candidate = program;
}

void keeper_candidate_took_over(void)
{
    if (!keeper.on_trial)
        return;
    keeper.on_trial = false;
    keeper.trial_by_ms = PLATFORM_NEVER;
    keeper.came = KEEPER_CAME_REVIVED;
    platform_close(keeper.executable);
    keeper.executable = keeper.candidate;
    keeper.candidate = PLATFORM_NO_HANDLE;
    keeper.renews = true;
}

void keeper_trial_text(
        bool in_time, const struct platform_exit *how, char ret_text[KEEPER_TRIAL_END_BYTES])
{
    if (!in_time)
        (void)str_format(ret_text, KEEPER_TRIAL_END_BYTES, "it did not take over in %d s",
                KEEPER_TRIAL_MS / 1000);
    else if (how->by_signal > 0)
        (void)str_format(ret_text, KEEPER_TRIAL_END_BYTES, "it was ended by SIG%s",
                platform_signal_name(how->by_signal));
    else
        (void)str_format(ret_text, KEEPER_TRIAL_END_BYTES, "it exited with code %d", how->code);
}

void keeper_end_trial(const struct platform_exit *how)
{
    keeper_trial_text(keeper.trial_by_ms != PLATFORM_NEVER, how, keeper.trial_end);
    keeper.on_trial = false;
    keeper.trial_by_ms = PLATFORM_NEVER;
    keeper.came = KEEPER_CAME_RESTORED;
    keeper_take_candidate(PLATFORM_NO_HANDLE);
    keeper.revive_at_ms = platform_now_ms();
}

void keeper_begin_trial(void)
{
    keeper.on_trial = true;
    keeper.came = KEEPER_CAME_UPGRADED;
    keeper.trial_end[0] = '\0';
    keeper.revive_at_ms = platform_now_ms();
}

/* ---- In place -------------------------------------------------------------------------------- */

/* The same words as 'svcmgr run', with the place of what we know. */
static void words_of_next_image(platform_handle from, const char **ret_words)
{
    static char number[16];
    size_t count = 0;

    for (; keeper.state.words[count] != NULL; count++)
        ret_words[count] = strcmp(keeper.state.words[count], "supervise") == 0
                ? "run"
                : keeper.state.words[count];
    (void)str_format(number, sizeof number, "%lld", (long long)from);
    ret_words[count++] = "--resume";
    ret_words[count++] = number;
    ret_words[count] = NULL;
}

void keeper_renew(void)
{
    static char text[KEEPER_STATE_BYTES];
    static const char *words[KEEPER_WORDS_MAX + 3];
    static platform_handle kept[KEEPER_HELD_MAX + 3];
    platform_handle pipe[2];
    size_t count = 0;
    size_t length = keeper_state_write(&keeper.state, text, sizeof text);
    struct err err;

    keeper.renews = false;
    if (length == 0 || platform_pipe(&pipe[0], &pipe[1], &err) == -1)
        return;
    if (platform_write(pipe[1], text, length, &err) == 0) {
        platform_close(pipe[1]);
        pipe[1] = PLATFORM_NO_HANDLE;
        kept[count++] = pipe[0];
        if (keeper.state.channel != PLATFORM_NO_HANDLE)
            kept[count++] = keeper.state.channel;
        if (keeper.state.bell != PLATFORM_NO_HANDLE)
            kept[count++] = keeper.state.bell;
        for (int i = 0; i < KEEPER_HELD_MAX; i++)
            if (keeper.state.held[i].name[0] != '\0')
                kept[count++] = keeper.state.held[i].handle;
        words_of_next_image(pipe[0], words);
        keeper.renews = platform_become(keeper.executable, words, kept, count, &err) == 0;
    }
    platform_close(pipe[0]);
    platform_close(pipe[1]);
}

int keeper_resume(platform_handle from)
{
    static char text[KEEPER_STATE_BYTES];
    size_t length = 0;
    struct err err;

    if (platform_read_all(from, text, sizeof text, &length, &err) == -1 ||
            !keeper_state_read(text, length, &keeper.state) || keeper_open_loop(&err) == -1)
        return ERR_FAILED;
    platform_close(from);
    keeper.client = PLATFORM_NO_HANDLE;
    keeper.came = KEEPER_CAME_REVIVED;
    platform_keep_private(keeper.state.channel);
    for (int i = 0; i < KEEPER_HELD_MAX; i++)
        if (keeper.state.held[i].name[0] != '\0')
            platform_keep_private(keeper.state.held[i].handle);
    if (keeper.state.bell != PLATFORM_NO_HANDLE) {
        platform_keep_private(keeper.state.bell);
        keeper.bell = platform_watch_stream(keeper.state.bell, ROLE_BELL, NULL);
    }
    keeper_read_messages(); /* whoever rang while nobody listened */
    return keeper_loop();
}

/* What a keeper knows: plain data, and its text, in which it is handed from one image of the keeper
 * to the next when the program is replaced in place.
 *
 * The text is a sequence of "KEY VALUE" items, each ended by a NUL.  The first names the format,
 * the last is "end"; an unknown key is skipped, so that an older image can hand over to a newer one
 * and back. */
#ifndef SVCMGR_KEEPER_STATE_H
#define SVCMGR_KEEPER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform.h"

#define KEEPER_HELD_MAX     96
#define KEEPER_RECORDED_MAX 32
#define KEEPER_NAME_BYTES   96
#define KEEPER_WORDS_MAX    32
/* Less than what a pipe takes without a reader, on every system: pipe(7), PIPE_BUF of macOS. */
#define KEEPER_STATE_BYTES 16000

struct keeper_held {
    char name[KEEPER_NAME_BYTES]; /* "": free */
    platform_handle handle;
};

struct keeper_state {
    const char *words[KEEPER_WORDS_MAX + 1]; /* argv of the supervisor; borrowed */
    platform_handle channel;                 /* none while there is no supervisor to talk to */
    platform_handle bell;                    /* read end: the supervisor has sent something */
    int64_t supervisor;                      /* pid; 0: none runs */
    int64_t started_ms;
    int64_t delay_ms;
    int32_t lives;
    int32_t stops_asked;
    bool greeted; /* the present supervisor has said hello */
    bool had_terminal;
    bool stop_unheard; /* a stop was passed on and HEARD has not come */
    bool reload_asked;
    bool missed; /* a message to the supervisor did not go out */
    int64_t recorded[KEEPER_RECORDED_MAX];
    struct keeper_held held[KEEPER_HELD_MAX];
};

/* Returns the length; 0 if it is too long. */
size_t keeper_state_write(const struct keeper_state *state, char *ret_text, size_t size);

/* Fills *ret_state, whose words point into text.  False if it is not such a text. */
bool keeper_state_read(const char *text, size_t length, struct keeper_state *ret_state);

#endif

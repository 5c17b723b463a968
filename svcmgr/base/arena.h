/* Memory that is freed all at once.  A zeroed struct is an empty arena. */
#ifndef SVCMGR_ARENA_H
#define SVCMGR_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* owned */
};

/* Zeroed memory, aligned for anything; NULL when there is none. */
void *arena_take(struct arena *arena, size_t size);
char *arena_copy(struct arena *arena, const char *text);
void arena_free(struct arena *arena);

#endif

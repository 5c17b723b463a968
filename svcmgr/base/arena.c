#include "arena.h"

#include <stdlib.h>
#include <string.h>

#include "banned.h"

#define ARENA_BLOCK_BYTES 1024

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    max_align_t data[];
};

void *arena_take(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->blocks;
    void *memory;

    if (size > (size_t)-1 / 2)
        return NULL;
    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (block == NULL || block->size - block->used < size) {
        size_t room = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;

        block = malloc(sizeof *block + room);
        if (block == NULL)
            return NULL;
        *block = (struct arena_block) { .next = arena->blocks, .size = room };
        arena->blocks = block;
    }
    memory = (char *)block->data + block->used;
    block->used += size;
    memset(memory, 0, size);
    return memory;
}

char *arena_copy(struct arena *arena, const char *text)
{
    size_t length = strlen(text) + 1;
    char *copy = arena_take(arena, length);

    if (copy != NULL)
        memcpy(copy, text, length);
    return copy;
}

void arena_free(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;

        free(arena->blocks);
        arena->blocks = next;
    }
}

#include "chain.h"

#include <stdlib.h>
#include <string.h>

#include "stamp.h"
#include "str.h"

#include "banned.h"

static const struct {
    const char *folder; /* below the state directory */
    const char *current;
    const char *aside; /* how the names of files put aside begin */
    bool ordered;
} kinds[] = {
    [CHAIN_LOG] = { "/log", "current", "@", true },
    [CHAIN_EVENTS] = { "", "events", "events.old", false },
};
_Static_assert(sizeof kinds / sizeof kinds[0] == CHAIN_COUNT, "a kind of chain has no row");

void chain_init(struct chain *chain, enum chain_kind kind, const char *state_directory)
{
    chain->kind = kind;
    (void)str_format(
            chain->directory, sizeof chain->directory, "%s%s", state_directory, kinds[kind].folder);
}

const char *chain_current(const struct chain *chain)
{
    return kinds[chain->kind].current;
}

bool chain_is_ordered(const struct chain *chain)
{
    return kinds[chain->kind].ordered;
}

bool chain_path(const struct chain *chain, const char *name, char *ret_path, size_t size)
{
    return str_format(ret_path, size, "%s/%s", chain->directory, name);
}

/* ---- Files put aside ------------------------------------------------------------------------- */

struct collection {
    const char *aside;
    struct chain_list *list;
};

static void collect(void *context, const char *name)
{
    const struct collection *collection = context;
    struct chain_list *list = collection->list;
    char(*names)[CHAIN_NAME_BYTES];

    if (strncmp(name, collection->aside, strlen(collection->aside)) != 0 ||
            strlen(name) >= CHAIN_NAME_BYTES || list->count == CHAIN_FILES_MAX)
        return;
    names = realloc(list->names, (list->count + 1) * sizeof *names);
    if (names == NULL)
        return;
    list->names = names;
    (void)str_copy(names[list->count++], CHAIN_NAME_BYTES, name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

int chain_list(const struct chain *chain, struct chain_list *ret_list, struct err *err)
{
    struct chain_list list = { .count = 0 };
    struct collection collection = { .aside = kinds[chain->kind].aside, .list = &list };

    if (platform_list_directory(chain->directory, collect, &collection, err) == -1) {
        chain_list_free(&list);
        return -1;
    }
    if (list.count > 0)
        qsort(list.names, list.count, sizeof *list.names, compare_names);
    *ret_list = list;
    return 0;
}

void chain_list_free(struct chain_list *list)
{
    free(list->names);
    *list = (struct chain_list) { .count = 0 };
}

const char *chain_newest(const struct chain_list *list)
{
    return list->count > 0 ? list->names[list->count - 1] : "";
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* The next name in the order of names: one more in the last digit.  That no clock shows such a time
 * (a second 60) does not matter. */
static void count_up(char *name)
{
    for (size_t at = strlen(name); at > 0; at--) {
        if (!str_is_digit(name[at - 1]))
            continue;
        if (name[at - 1] != '9') {
            name[at - 1]++;
            return;
        }
        name[at - 1] = '0';
    }
}

void chain_name(int64_t wall_us, const char *newest, char *ret_name, size_t size)
{
    char time[STAMP_TIME_BYTES];
    size_t at = 0;

    stamp_time(wall_us, time, sizeof time);
    ret_name[at++] = '@';
    for (const char *from = time; *from != '\0' && at + 1 < size; from++)
        if (*from != '-' && *from != ':')
            ret_name[at++] = *from;
    ret_name[at] = '\0';
    if (strcmp(ret_name, newest) > 0 || !str_copy(ret_name, size, newest))
        return;
    count_up(ret_name);
}

#include "reader.h"

#include <string.h>

#include "str.h"

#include "banned.h"

#define LISTS_MAX   5 /* before a file that is not in them counts as removed */
#define PIECE_BYTES 65536
/* How much of what stands before a place tells it from others: a stamp and some of the text. */
#define CHECK_BYTES 256

void reader_init(struct reader *reader, enum chain_kind kind, const char *state_directory,
        const int64_t *turns)
{
    *reader = (struct reader) { .turns = turns, .handle = PLATFORM_NO_HANDLE };
    chain_init(&reader->chain, kind, state_directory);
}

void reader_close(struct reader *reader)
{
    platform_close(reader->handle);
    reader->handle = PLATFORM_NO_HANDLE;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static platform_handle open_file(const struct reader *reader, const char *name)
{
    char path[PLATFORM_PATH_BYTES];
    platform_handle handle;
    struct err err;

    if (!chain_path(&reader->chain, name, path, sizeof path) ||
            platform_open_to_read(path, &handle, &err) == -1)
        return PLATFORM_NO_HANDLE;
    return handle;
}

static bool is_named(const struct reader *reader, platform_handle handle, const char *name)
{
    char path[PLATFORM_PATH_BYTES];
    struct platform_file there;
    struct platform_file open;

    return handle != PLATFORM_NO_HANDLE && chain_path(&reader->chain, name, path, sizeof path) &&
            platform_stat(path, &there) && platform_stat_handle(handle, &open) &&
            open.file_id == there.file_id && open.device_id == there.device_id;
}

bool reader_is_in(const struct reader *reader, const struct platform_file *file)
{
    struct platform_file open;

    return reader->handle != PLATFORM_NO_HANDLE && platform_stat_handle(reader->handle, &open) &&
            open.file_id == file->file_id && open.device_id == file->device_id;
}

bool reader_is_aside(const struct reader *reader)
{
    char path[PLATFORM_PATH_BYTES];
    struct platform_file now;

    /* In the middle of a rotation, or removed: what comes next is seen then. */
    return chain_path(&reader->chain, chain_current(&reader->chain), path, sizeof path) &&
            platform_stat(path, &now) && !reader_is_in(reader, &now);
}

/* The place in the list behind the open file; 0: it is not in it. */
static size_t place_of_open(const struct reader *reader, const struct chain_list *list)
{
    for (size_t i = list->count; i > 0; i--)
        if (is_named(reader, reader->handle, list->names[i - 1]))
            return i;
    return 0;
}

/* The same where it is not in it any more. */
static size_t place_behind(const struct reader *reader, const struct chain_list *list)
{
    size_t place = place_of_open(reader, list);

    if (place > 0)
        return place;
    if (!chain_is_ordered(&reader->chain))
        return 0;
    for (size_t i = list->count; i > 0; i--)
        if (strcmp(list->names[i - 1], reader->after) <= 0)
            return i;
    return 0;
}

/* Makes a handle of the list's file 'place' (count: of the one that is appended to) the open one.
 */
static void enter(
        struct reader *reader, platform_handle handle, const struct chain_list *list, size_t place)
{
    bool is_first = reader->handle == PLATFORM_NO_HANDLE;
    int64_t turns = reader->turns != NULL ? *reader->turns : 0;
    int64_t number = turns - (int64_t)list->count + (int64_t)place;

    if (reader->turns != NULL && !is_first && number > reader->number + 1) {
        reader->files_lost += number - reader->number - 1;
        reader->in_line = false;
    }
    if (place > 0 && chain_is_ordered(&reader->chain))
        (void)str_copy(reader->after, sizeof reader->after, list->names[place - 1]);
    platform_close(reader->handle);
    reader->handle = handle;
    reader->number = number;
    reader->offset = 0;
}

/* Opens the first file at or behind a place of the list.  The one that is appended to is 'current',
 * opened before the list was made: whichever was put aside meanwhile is in the list. */
static bool enter_from(
        struct reader *reader, platform_handle current, const struct chain_list *list, size_t place)
{
    for (; place < list->count; place++) {
        platform_handle handle = open_file(reader, list->names[place]);

        if (handle == PLATFORM_NO_HANDLE)
            continue; /* removed meanwhile */
        platform_close(current);
        enter(reader, handle, list, place);
        return true;
    }
    if (current == PLATFORM_NO_HANDLE)
        return false;
    enter(reader, current, list, list->count);
    return true;
}

static bool enter_next(struct reader *reader)
{
    platform_handle current = open_file(reader, chain_current(&reader->chain));
    struct chain_list list = { .count = 0 };
    struct err err;
    bool entered = false;
    int result = chain_list(&reader->chain, &list, &err);

    /* A directory that is read while files in it are renamed may show one of them nowhere:
     * readdir(3), and more often with Wine below.  What it has then is no reason to begin with it
     * anew. */
    for (int i = 1; i < LISTS_MAX && result == 0 && reader->handle != PLATFORM_NO_HANDLE &&
            place_of_open(reader, &list) == 0;
            i++) {
        chain_list_free(&list);
        result = chain_list(&reader->chain, &list, &err);
    }
    if (result == -1)
        platform_close(current);
    else
        entered = enter_from(reader, current, &list, place_behind(reader, &list));
    chain_list_free(&list);
    return entered;
}

bool reader_next(struct reader *reader)
{
    char byte;

    if (reader->handle == PLATFORM_NO_HANDLE)
        return enter_next(reader);
    if (!reader_is_aside(reader))
        return false;
    /* What was written between the look at its end and the rotation comes first. */
    return reader_look(reader, 0, &byte, 1) > 0 || enter_next(reader);
}

/* ---- Reading --------------------------------------------------------------------------------- */

size_t reader_look(const struct reader *reader, int64_t ahead, char *ret_data, size_t size)
{
    long got = reader->handle == PLATFORM_NO_HANDLE
            ? 0
            : platform_read_at(reader->handle, reader->offset + ahead, ret_data, size);

    return got > 0 ? (size_t)got : 0;
}

void reader_take(struct reader *reader, const char *data, size_t length)
{
    if (length == 0)
        return;
    reader->offset += (int64_t)length;
    reader->in_line = data[length - 1] != '\n';
}

/* ---- Where to begin -------------------------------------------------------------------------- */

int reader_begin(struct reader *reader, struct err *err)
{
    struct since everything = { .wanted = false };

    return reader_begin_since(reader, &everything, err);
}

int reader_begin_since(struct reader *reader, const struct since *since, struct err *err)
{
    platform_handle current = open_file(reader, chain_current(&reader->chain));
    struct chain_list list = { .count = 0 };
    size_t place = 0;

    if (chain_list(&reader->chain, &list, err) == -1) {
        platform_close(current);
        return -1;
    }
    while (place < list.count && since->text[0] != '\0' && since_is_after(since, list.names[place]))
        place++;
    (void)enter_from(reader, current, &list, place);
    chain_list_free(&list);
    return 0;
}

/* A search backwards for the beginning of the last lines. */
struct search {
    uint64_t wanted; /* lines that are still to be found */
    int64_t left;    /* bytes that are still looked at */
    bool cut;
};

/* Looks for beginnings of lines in the last 'size' bytes of a file before 'end', backwards. Returns
 * the least offset found, or 'end'. */
static int64_t search_piece(
        struct search *search, const char *piece, int64_t start, size_t size, int64_t end)
{
    int64_t found = end;

    /* A newline at the very end of the file begins no line. */
    for (size_t i = size; i > 0 && search->wanted > 0; i--) {
        if (piece[i - 1] != '\n' || start + (int64_t)i >= end)
            continue;
        found = start + (int64_t)i;
        search->wanted--;
    }
    return found;
}

/* Sets the reader's offset to where the lines begin in its open file.  Returns false if that is not
 * the beginning of a line, since one is longer than all that is looked at. */
static bool search_file(struct search *search, struct reader *reader)
{
    static char piece[PIECE_BYTES];
    struct platform_file file;
    int64_t end = platform_stat_handle(reader->handle, &file) ? file.size : 0;
    int64_t start = end;
    int64_t found = end;

    while (start > 0 && search->wanted > 0 && search->left > 0) {
        int64_t size = start < PIECE_BYTES ? start : PIECE_BYTES;
        int64_t least;

        if (size > search->left)
            size = search->left;
        start -= size;
        search->left -= size;
        if (platform_read_at(reader->handle, start, piece, (size_t)size) != (long)size)
            break;
        least = search_piece(search, piece, start, (size_t)size, end);
        if (least < end)
            found = least;
    }
    if (start == 0 && end > 0 && search->wanted > 0) {
        found = 0;
        search->wanted--;
    }
    search->cut = start > 0 && search->wanted > 0;
    reader->offset = search->cut && found == end ? start : found;
    return !search->cut || found < end;
}

/* Goes on searching in the files put aside, newest first, until enough is found. */
static void search_back(struct search *search, struct reader *reader, const struct chain_list *list)
{
    size_t place = list->count;

    while (place > 0 && search->wanted > 0 && search->left > 0 && !search->cut) {
        struct reader newer = *reader;
        platform_handle handle = open_file(reader, list->names[--place]);

        if (handle == PLATFORM_NO_HANDLE)
            continue;
        reader->handle = PLATFORM_NO_HANDLE;
        reader->after[0] = '\0';
        enter(reader, handle, list, place);
        if (search_file(search, reader) || newer.handle == PLATFORM_NO_HANDLE) {
            platform_close(newer.handle);
        } else {
            platform_close(reader->handle); /* no line begins there: those found are enough */
            *reader = newer;
        }
    }
    search->cut = search->cut || (place > 0 && search->wanted > 0);
}

static bool is_inside_a_line(const struct reader *reader)
{
    char before = '\n';

    return reader->offset > 0 &&
            platform_read_at(reader->handle, reader->offset - 1, &before, 1) == 1 && before != '\n';
}

/* Whether the newest file put aside is the one that was opened as the one that is appended to. */
static bool was_put_aside(
        const struct reader *reader, platform_handle current, const struct chain_list *list)
{
    return list->count > 0 && is_named(reader, current, chain_newest(list));
}

int reader_begin_last(
        struct reader *reader, uint64_t lines, int64_t bytes, bool *ret_cut, struct err *err)
{
    struct search search = { .wanted = lines, .left = bytes };
    struct chain_list list = { .count = 0 };
    platform_handle current;

    for (;;) {
        bool again;

        current = open_file(reader, chain_current(&reader->chain));
        if (chain_list(&reader->chain, &list, err) == -1) {
            platform_close(current);
            return -1;
        }
        again = was_put_aside(reader, current, &list);
        if (!again)
            break;
        platform_close(current);
        chain_list_free(&list);
    }
    if (current != PLATFORM_NO_HANDLE) {
        enter(reader, current, &list, list.count);
        (void)search_file(&search, reader);
    }
    search_back(&search, reader, &list);
    reader->in_line = is_inside_a_line(reader);
    *ret_cut = search.cut;
    chain_list_free(&list);
    return 0;
}

/* ---- Positions ------------------------------------------------------------------------------- */

/* FNV-1a (Fowler, Noll, Vo) of what stands before an offset. */
static bool check_before(platform_handle handle, int64_t offset, uint64_t *ret_check)
{
    char bytes[CHECK_BYTES];
    int64_t length = offset < CHECK_BYTES ? offset : CHECK_BYTES;
    uint64_t check = 14695981039346656037u;

    if (length > 0 &&
            (handle == PLATFORM_NO_HANDLE ||
                    platform_read_at(handle, offset - length, bytes, (size_t)length) != length))
        return false;
    for (int64_t i = 0; i < length; i++)
        check = (check ^ (unsigned char)bytes[i]) * 1099511628211u;
    *ret_check = check;
    return true;
}

/* "@20261122T100000.123456Z/4096/9f2c01d4a8e35b77", with a "+" behind it in the middle of a line.
 */
void reader_position(const struct reader *reader, char *ret_text, size_t size)
{
    uint64_t check = 0;

    (void)check_before(reader->handle, reader->offset, &check);
    (void)str_format(ret_text, size, "%s/%lld/%016llx%s", reader->after, (long long)reader->offset,
            (unsigned long long)check, reader->in_line ? "+" : "");
}

struct position {
    char after[CHAIN_NAME_BYTES];
    int64_t offset;
    char check[24];
    bool in_line;
};

static bool parse_position(const char *text, struct position *ret_position)
{
    const char *slash = strchr(text, '/');
    const char *second = slash != NULL ? strchr(slash + 1, '/') : NULL;
    struct position position = { .offset = 0 };
    char number[24];
    size_t length;
    uint64_t offset;

    if (second == NULL ||
            !str_format(position.after, sizeof position.after, "%.*s", (int)(slash - text), text) ||
            !str_format(number, sizeof number, "%.*s", (int)(second - slash - 1), slash + 1) ||
            !str_to_uint(number, INT64_MAX - CHECK_BYTES, &offset) ||
            !str_copy(position.check, sizeof position.check, second + 1))
        return false;
    position.offset = (int64_t)offset;
    length = strlen(position.check);
    if (length > 0 && position.check[length - 1] == '+') {
        position.in_line = true;
        position.check[length - 1] = '\0';
    }
    *ret_position = position;
    return true;
}

/* Whether the open file has at that offset what the position was made of. */
static bool is_there(const struct reader *reader, const struct position *position)
{
    char text[24];
    uint64_t check;

    return check_before(reader->handle, position->offset, &check) &&
            str_format(text, sizeof text, "%016llx", (unsigned long long)check) &&
            strcmp(text, position->check) == 0;
}

/* A place at the very beginning of a file is known by the file before it alone. */
static bool is_known(const struct position *position, const struct chain_list *list, size_t first)
{
    return position->offset > 0 || position->after[0] == '\0' ||
            (first > 0 && strcmp(list->names[first - 1], position->after) == 0);
}

/* The first file behind the one that a position names that has it.  Without one the reader is left
 * in the first. */
static bool find_place(struct reader *reader, const struct position *position,
        platform_handle current, const struct chain_list *list)
{
    size_t first = place_behind(reader, list);

    for (size_t place = first; is_known(position, list, first) && place <= list->count; place++) {
        platform_handle handle = place < list->count
                ? open_file(reader, list->names[place])
                : open_file(reader, chain_current(&reader->chain));

        if (handle == PLATFORM_NO_HANDLE)
            continue;
        platform_close(reader->handle);
        reader->handle = PLATFORM_NO_HANDLE;
        enter(reader, handle, list, place);
        if (is_there(reader, position)) {
            platform_close(current);
            return true;
        }
    }
    platform_close(reader->handle);
    reader->handle = PLATFORM_NO_HANDLE;
    (void)str_copy(reader->after, sizeof reader->after, position->after);
    (void)enter_from(reader, current, list, first);
    return false;
}

int reader_resume(struct reader *reader, const char *text, struct err *err)
{
    struct chain_list list = { .count = 0 };
    struct position position;
    platform_handle current;

    if (!parse_position(text, &position))
        return err_set(err, ERR_USAGE, 0, "it is no position");
    (void)str_copy(reader->after, sizeof reader->after, position.after);
    current = open_file(reader, chain_current(&reader->chain));
    if (chain_list(&reader->chain, &list, err) == -1) {
        platform_close(current);
        return -1;
    }
    if (find_place(reader, &position, current, &list)) {
        reader->offset = position.offset;
        reader->in_line = position.in_line;
    } else {
        reader->lost = true;
    }
    chain_list_free(&list);
    return 0;
}

/* The inside of config_parse(): what its files share.  Nothing else includes this. */
#ifndef SVCMGR_CONFIG_READ_H
#define SVCMGR_CONFIG_READ_H

#include "config.h"

#define CONFIG_FIELDS_MAX  96
#define CONFIG_RANGE_BYTES 128 /* of what a type's range() writes, and of a default */

struct config_field;
struct config_reader;

/* A type of value.  A value that none of from_text, from_number and from_flag takes is a fault:
 * "KEY: must be KIND RANGE, not VALUE (HINT)".  They store through ret_value, which points to the
 * member that the row names; one that is NULL takes nothing.  'read' stands instead of the three
 * for values that are more than one value, and reports its own faults. */
struct config_type {
    const char *kind;
    const char *hint;                                                             /* NULL: none */
    void (*range)(const struct config_field *field, char *ret_text, size_t size); /* may be NULL */
    bool (*from_text)(struct config_reader *reader, const struct config_field *field,
            const char *text, void *ret_value);
    bool (*from_number)(const struct config_field *field, double number, void *ret_value);
    bool (*from_flag)(bool flag, void *ret_value);
    void (*read)(struct config_reader *reader, const struct config_field *field, const cJSON *item,
            void *ret_value);
};

/* A row of the table of keys. */
struct config_field {
    const char *path; /* "restart.burst" */
    const struct config_type *type;
    size_t offset; /* of the member in the struct that holds the object's values */
    int64_t min;   /* both in the member's unit; for a text min is its smallest length */
    int64_t max;
    const char *const *words; /* the words of an enum in its order, NULL at the end */
    const char *fallback;
    bool computed; /* fallback is a sentence for people; the reader decides */
    const char *help;
};

extern const struct config_field config_fields[];
extern const size_t config_field_count;

extern const char *const config_socket_words[];
extern const char *const config_ready_words[];
extern const char *const config_replace_words[];
extern const char *const config_duplicate_words[];

/* config_value.c */
extern const struct config_type config_type_string;
extern const struct config_type config_type_line;
extern const struct config_type config_type_path;
extern const struct config_type config_type_duration;
extern const struct config_type config_type_watchdog;
extern const struct config_type config_type_size;
extern const struct config_type config_type_count;
extern const struct config_type config_type_factor;
extern const struct config_type config_type_flag;
extern const struct config_type config_type_octal;
extern const struct config_type config_type_word;
extern const struct config_type config_type_choice;
extern const struct config_type config_type_signal;
extern const struct config_type config_type_limit_count;
extern const struct config_type config_type_limit_size;
extern const struct config_type config_type_limit_time;
/* config_object.c, config_lists.c, config_listen.c */
extern const struct config_type config_type_object;
extern const struct config_type config_type_command;
extern const struct config_type config_type_environment;
extern const struct config_type config_type_environment_file;
extern const struct config_type config_type_codes;
extern const struct config_type config_type_rivals;
extern const struct config_type config_type_names;
extern const struct config_type config_type_http_path;
extern const struct config_type config_type_true;
extern const struct config_type config_type_listen;

struct config_reader {
    const struct json_document *document;
    struct json_faults *faults;
    struct config *config;
    const struct abilities *abilities;            /* NULL: whatever there is */
    const cJSON *listeners[CONFIG_LISTENERS_MAX]; /* the elements of "listen" */
    bool uses_fd[CONFIG_LISTENERS_MAX];           /* a token {fd} of this listener was found */
    bool faulty[CONFIG_FIELDS_MAX]; /* rows whose value has a fault: nothing follows from them */
    bool no_memory;                 /* told once, at the end */
};

/* Memory of the configuration, zeroed; NULL sets no_memory. */
void *config_take(struct config_reader *reader, size_t size);
/* Never NULL: without memory no_memory is set and the text is "". */
const char *config_copy(struct config_reader *reader, const char *text);

/* Appends "PATH: SENTENCE" at the value of item. */
void config_fault(struct config_reader *reader, const cJSON *item, const char *path,
        const char *format, ...) ERR_PRINTF(4, 5);
/* How many faults there are by now, told or only counted. */
size_t config_fault_count(const struct config_reader *reader);
/* What a message calls a value: a short string or number as it is, else its type. */
void config_show(const cJSON *item, char *ret_text, size_t size);
/* "PATH: must be WANTED, not VALUE" */
void config_fault_wanted(
        struct config_reader *reader, const cJSON *item, const char *path, const char *wanted);
/* A fault for a value that must be a string, with a hint to quote a number. */
void config_fault_quote(struct config_reader *reader, const cJSON *item, const char *path);

/* "from 1 to 100" */
void config_count_range(const struct config_field *field, char *ret_text, size_t size);
/* The members of an object, by the rows below path ("" for the outermost one). */
void config_read_object(
        struct config_reader *reader, const cJSON *object, const char *path, void *target);
/* Stores the defaults of the rows below path, and of the objects in there. */
void config_apply_defaults(struct config_reader *reader, const char *path, void *target);

/* Of one line, and from the root of any system (/srv, C:/srv, or with backslashes) or from the home
 * directory: a configuration means the same on every machine. */
bool config_path_is_valid(const char *path);

/* A member of the outermost object ("restart") or of an object in it ("restart.burst"). */
const cJSON *config_item(const struct config_reader *reader, const char *path);
/* Whether the row at path, or one below it, had a fault. */
bool config_is_faulty(const struct config_reader *reader, const char *path);

/* config_listen.c: names and addresses that clash. */
void config_check_listeners(struct config_reader *reader);
/* config_check.c: what must hold between keys, and the defaults that depend on other keys. */
void config_check(struct config_reader *reader);
/* config_abilities.c: what a system has nothing like; reader->abilities is not NULL. */
void config_check_abilities(struct config_reader *reader);

#endif

#include "config.h"

#include <string.h>

#include "config_read.h"
#include "str.h"

#include "banned.h"

static void read_root(struct config_reader *reader, const cJSON *root, const char *name)
{
    for (int i = 0; i < CONFIG_LIMIT_COUNT; i++)
        reader->config->limits[i] = CONFIG_LIMIT_UNSET;
    reader->config->name = config_copy(reader, name);
    config_apply_defaults(reader, "", reader->config);
    if (!cJSON_IsObject(root)) {
        json_fault_at_value(reader->document, root, reader->faults,
                "a configuration is an object, as in { \"command\": [\"python3\", \"server.py\"] "
                "}");
        return;
    }
    config_read_object(reader, root, "", reader->config);
    config_check(reader);
}

int config_parse(const char *name, const char *text, size_t length, struct config *ret_config,
        struct json_faults *faults)
{
    return config_parse_for(NULL, name, text, length, ret_config, faults);
}

int config_parse_for(const struct abilities *abilities, const char *name, const char *text,
        size_t length, struct config *ret_config, struct json_faults *faults)
{
    struct json_document document;
    struct config config = { 0 };
    struct config_reader reader = {
        .document = &document, .faults = faults, .config = &config, .abilities = abilities
    };
    size_t faults_before = faults->count + faults->dropped;

    if (length > CONFIG_MAX_BYTES) {
        json_fault_at(text, length, 0, faults, "longer than %d bytes", CONFIG_MAX_BYTES);
        return -1;
    }
    if (json_parse_unchecked(text, length, JSON_WITH_COMMENTS, &document, faults) == 0) {
        (void)json_check_keys(&document, faults);
        read_root(&reader, document.root, name);
        json_document_free(&document);
    }
    if (reader.no_memory)
        json_fault_at(text, length, 0, faults, "%s", "cannot be read: out of memory");
    if (faults->count + faults->dropped != faults_before) {
        json_faults_sort(faults);
        config_free(&config);
        return -1;
    }
    *ret_config = config;
    return 0;
}

void config_free(struct config *config)
{
    arena_free(&config->arena);
    *config = (struct config) { 0 };
}

/* Windows opens a device for these names, with any extension and in any folder. */
static bool is_device_name(const char *text)
{
    static const char *const devices[] = { "CON", "PRN", "AUX", "NUL" };
    static const char *const ports[] = { "COM", "LPT" };
    char base[5];
    size_t length = strcspn(text, ".");

    if (length >= sizeof base)
        return false;
    memcpy(base, text, length);
    base[length] = '\0';
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (str_equal_nocase(base, devices[i]))
            return true;
    if (length != 4 || base[3] < '1' || base[3] > '9')
        return false;
    base[3] = '\0';
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++)
        if (str_equal_nocase(base, ports[i]))
            return true;
    return false;
}

bool config_name_is_valid(const char *text, const char **ret_why)
{
    size_t length = strlen(text);

    *ret_why = "a name of 1 to 64 letters, digits, '.', '_' and '-' that begins with a letter or "
               "digit";
    if (length == 0 || length >= CONFIG_NAME_BYTES)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!str_is_letter(text[i]) && !str_is_digit(text[i]) &&
                (i == 0 || strchr("._-", text[i]) == NULL))
            return false;
    if (!is_device_name(text))
        return true;
    *ret_why = "a name that is not the name of a Windows device (CON, PRN, AUX, NUL, COM1, LPT1 "
               "...)";
    return false;
}

const char *config_probe_path(const struct config *config)
{
    return config->health == CONFIG_HEALTH_HTTP ? config->health_path : "/health";
}

const char *config_socket_word(enum config_socket socket)
{
    return config_socket_words[socket];
}

const char *config_ready_word(enum config_ready ready)
{
    return config_ready_words[ready];
}

const char *config_replace_word(enum config_replace replace)
{
    return config_replace_words[replace];
}

const char *config_duplicate_word(enum config_duplicate duplicate)
{
    return config_duplicate_words[duplicate];
}

bool config_duplicate_from_word(const char *word, enum config_duplicate *ret_duplicate)
{
    for (int i = 0; i < CONFIG_DUPLICATE_COUNT; i++) {
        if (strcmp(config_duplicate_words[i], word) == 0) {
            *ret_duplicate = (enum config_duplicate)i;
            return true;
        }
    }
    return false;
}

bool config_same_listener(const struct config_listener *a, const struct config_listener *b)
{
    return address_equal(&a->address, &b->address) && a->localhost == b->localhost &&
            a->both == b->both && a->socket == b->socket &&
            (a->address.family != ADDRESS_UNIX || a->mode == b->mode);
}

const struct config_key *config_keys(size_t *ret_count)
{
    static struct config_key keys[CONFIG_FIELDS_MAX];
    static char ranges[CONFIG_FIELDS_MAX][CONFIG_RANGE_BYTES];

    for (size_t i = 0; i < config_field_count; i++) {
        const struct config_field *field = &config_fields[i];

        if (field->type->range != NULL)
            field->type->range(field, ranges[i], sizeof ranges[i]);
        keys[i] = (struct config_key) {
            .path = field->path,
            .kind = field->type->kind,
            .range = ranges[i],
            .fallback = field->fallback == NULL ? "" : field->fallback,
            .computed = field->computed,
            .help = field->help,
        };
    }
    *ret_count = config_field_count;
    return keys;
}

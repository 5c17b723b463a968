/* "listen": ports, addresses and objects become listeners. */
#include "config_listen.h"

#include <stdlib.h>
#include <string.h>

#include "config_read.h"
#include "str.h"

#include "banned.h"

#define LOCALHOST         "localhost"
#define LOOPBACK          0x7F000001u
#define NAME_LENGTH_MAX   32
#define DEFAULT_NAME_SIZE 16

static bool name_is_valid(const char *name)
{
    if (!str_is_letter(name[0]) || strlen(name) > NAME_LENGTH_MAX)
        return false;
    for (; *name != '\0'; name++)
        if (!str_is_letter(*name) && !str_is_digit(*name) && *name != '-' && *name != '_')
            return false;
    return true;
}

static const char *default_name(struct config_reader *reader, size_t position)
{
    char name[DEFAULT_NAME_SIZE];

    if (position == 0)
        return config_copy(reader, "http");
    (void)str_format(name, sizeof name, "listener%zu", position + 1);
    return config_copy(reader, name);
}

/* Reads an address with its port.  Returns NULL, or what is wrong. */
static const char *parse_with_port(const char *text, struct config_listener *listener)
{
    char numeric[ADDRESS_TEXT_BYTES];
    size_t length = sizeof LOCALHOST - 1;

    if (strncmp(text, LOCALHOST, length) != 0 || (text[length] != ':' && text[length] != '\0'))
        return address_parse(text, &listener->address);
    listener->localhost = true;
    if (!str_format(numeric, sizeof numeric, "127.0.0.1%s", text + length))
        return "the port must be a number from 0 to 65535";
    return address_parse(numeric, &listener->address);
}

static void read_whole_address(struct config_reader *reader, const cJSON *item, const char *path,
        struct config_listener *listener)
{
    char shown[JSON_SHOWN_BYTES + 2];
    const char *wrong = parse_with_port(item->valuestring, listener);

    if (wrong == NULL)
        return;
    listener->address = (struct address) { 0 };
    listener->localhost = false;
    config_show(item, shown, sizeof shown);
    config_fault(reader, item, path, "%s: %s", shown, wrong);
}

/* Sets the address of a listener from its keys "address" and "port", one of which is there. */
static void combine_address(struct config_reader *reader, const cJSON *object,
        const struct config_raw_listener *raw, struct config_listener *listener)
{
    const cJSON *address_item = json_member(object, "address");
    const cJSON *port_item = json_member(object, "port");
    struct address address = address_ipv4(LOOPBACK, 0);

    if (address_item != NULL && raw->address == NULL)
        return; /* the row's reader has said what is wrong */
    if (address_item != NULL) {
        bool is_localhost = strcmp(raw->address, LOCALHOST) == 0;

        if (!is_localhost && !address_parse_host(raw->address, &address)) {
            read_whole_address(reader, address_item, "listen.address", listener);
            if (port_item != NULL && listener->address.family != ADDRESS_NONE)
                config_fault(reader, port_item, "listen.port", "\"%s\" %s", raw->address,
                        listener->address.family == ADDRESS_UNIX ? "has no port"
                                                                 : "has its port already");
            return;
        }
        listener->localhost = is_localhost;
        if (port_item == NULL) {
            config_fault(reader, address_item, "listen.address",
                    "the port is missing: write it behind the address or as \"port\"");
            return;
        }
    }
    address.port = (uint16_t)raw->port;
    listener->address = address;
}

/* "mode" and "both" where they mean nothing would be mistakes that nobody sees. */
static void check_fitting_keys(struct config_reader *reader, const cJSON *object,
        const struct config_raw_listener *raw, const struct config_listener *listener)
{
    const cJSON *mode_item = json_member(object, "mode");

    if (mode_item != NULL && address_is_ip(&listener->address))
        config_fault(reader, mode_item, "listen.mode", "only a Unix socket has permissions");
    if (raw->both && listener->address.family != ADDRESS_NONE && !listener->localhost)
        config_fault(reader, json_member(object, "both"), "listen.both",
                "needs the address \"localhost\": other addresses have one family");
}

static void read_listener_object(
        struct config_reader *reader, const cJSON *object, struct config_listener *listener)
{
    struct config_raw_listener raw = { 0 };
    size_t faults_before = config_fault_count(reader);

    config_apply_defaults(reader, "listen", &raw);
    config_read_object(reader, object, "listen", &raw);
    if (json_member(object, "address") != NULL || json_member(object, "port") != NULL)
        combine_address(reader, object, &raw, listener);
    else if (config_fault_count(reader) == faults_before)
        config_fault(reader, object, "listen", "a listener needs \"address\" or \"port\"");
    check_fitting_keys(reader, object, &raw, listener);
    listener->both = raw.both;
    listener->backlog = (uint32_t)raw.backlog;
    listener->mode = raw.mode;
    listener->socket = raw.socket;
    listener->socket_set = json_member(object, "socket") != NULL;
    if (raw.name == NULL)
        return;
    listener->name = raw.name;
    if (!name_is_valid(raw.name))
        config_fault_wanted(reader, json_member(object, "name"), "listen.name",
                "a letter and then up to 31 letters, digits, '-' and '_'");
}

static void read_listener(
        struct config_reader *reader, const struct config_field *field, const cJSON *item)
{
    size_t position = reader->config->listener_count++;
    struct config_listener *listener = &reader->config->listeners[position];
    struct config_raw_listener raw = { 0 };
    double port;

    config_apply_defaults(reader, field->path, &raw);
    *listener = (struct config_listener) {
        .name = default_name(reader, position),
        .backlog = (uint32_t)raw.backlog,
        .mode = raw.mode,
    };
    reader->listeners[position] = item;
    if (cJSON_IsObject(item))
        read_listener_object(reader, item, listener);
    else if (cJSON_IsString(item))
        read_whole_address(reader, item, field->path, listener);
    else if (json_whole_number(item, 0, UINT16_MAX, &port))
        listener->address = address_ipv4(LOOPBACK, (uint16_t)port);
    else
        config_fault_wanted(reader, item, field->path,
                "a port from 0 to 65535, an address as in \"127.0.0.1:8787\", or an object");
}

static void read_listen(struct config_reader *reader, const struct config_field *field,
        const cJSON *item, void *ret_value)
{
    size_t count = cJSON_IsArray(item) ? (size_t)cJSON_GetArraySize(item) : 1;

    (void)ret_value;
    if (count > CONFIG_LISTENERS_MAX)
        count = CONFIG_LISTENERS_MAX;
    reader->config->listener_count = 0;
    reader->config->listeners = config_take(reader, count * sizeof *reader->config->listeners);
    if (reader->config->listeners == NULL)
        return;
    if (!cJSON_IsArray(item)) {
        read_listener(reader, field, item);
        return;
    }
    for (item = item->child; item != NULL; item = item->next) {
        if (reader->config->listener_count == CONFIG_LISTENERS_MAX) {
            config_fault(
                    reader, item, field->path, "has more than %d listeners", CONFIG_LISTENERS_MAX);
            return;
        }
        read_listener(reader, field, item);
    }
}

const struct config_type config_type_listen = {
    .kind = "a port, an address, an object, or a list of these",
    .read = read_listen,
};

/* Whether the sockets of two listeners cannot both be bound, or whether a connection to one may
 * reach the other. */
static bool clash(const struct config_listener *a, const struct config_listener *b)
{
    struct address a_list[2] = { a->address, address_ipv6_loopback(a->address.port) };
    struct address b_list[2] = { b->address, address_ipv6_loopback(b->address.port) };

    if (address_is_ip(&a->address) && a->address.port == 0)
        return false;
    for (int i = 0; i < (a->localhost ? 2 : 1); i++)
        for (int j = 0; j < (b->localhost ? 2 : 1); j++)
            if (address_overlap(&a_list[i], &b_list[j]))
                return true;
    return false;
}

/* Says what clashes; false after one clash of addresses, since one is enough to be told. */
static bool check_pair(struct config_reader *reader, size_t first, size_t second)
{
    const struct config_listener *a = &reader->config->listeners[first];
    const struct config_listener *b = &reader->config->listeners[second];
    const cJSON *item = reader->listeners[second];
    const cJSON *name_item = json_member(item, "name");
    char text[ADDRESS_TEXT_BYTES];

    if (strcmp(a->name, b->name) == 0)
        config_fault(reader, name_item != NULL ? name_item : item, "listen",
                "two listeners are called \"%s\"; give one another \"name\"", a->name);
    if (a->address.family != ADDRESS_NONE && b->address.family != ADDRESS_NONE && clash(a, b)) {
        address_format(&a->address, text, sizeof text);
        config_fault(reader, item, "listen",
                "this address is the same as, or overlaps, %s of listener \"%s\"", text, a->name);
        return false;
    }
    return true;
}

void config_check_listeners(struct config_reader *reader)
{
    for (size_t second = 1; second < reader->config->listener_count; second++)
        for (size_t first = 0; first < second && check_pair(reader, first, second); first++)
            ;
}

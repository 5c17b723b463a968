#include "address.h"

#include <stdio.h>
#include <string.h>

#include "str.h"

#include "banned.h"

#define HOST_TEXT_BYTES 64
#define IPV6_GROUPS     8

static bool parse_ipv4(const char *text, uint8_t *ret_ip)
{
    for (int i = 0; i < 4; i++) {
        unsigned value = 0;
        int digits = 0;

        for (; str_is_digit(*text); text++, digits++)
            value = value * 10 + (unsigned)(*text - '0');
        /* A leading zero means octal to some programs and nothing to others: refused. */
        if (digits < 1 || digits > 3 || value > 255 || (digits > 1 && text[-digits] == '0'))
            return false;
        ret_ip[i] = (uint8_t)value;
        if (*text != (i < 3 ? '.' : '\0'))
            return false;
        text++;
    }
    return true;
}

static int hex_value(char c)
{
    if (str_is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One group of one to four hexadecimal digits; returns what follows it, NULL if there is none. */
static const char *parse_group(const char *text, uint16_t *ret_group)
{
    unsigned value = 0;
    int digits = 0;

    for (; hex_value(*text) >= 0; text++, digits++) {
        if (digits == 4)
            return NULL;
        value = value << 4 | (unsigned)hex_value(*text);
    }
    *ret_group = (uint16_t)value;
    return digits > 0 ? text : NULL;
}

/* Groups with at most one "::"; the last two may be written as an IPv4 address: RFC 4291, 2.2. */
static bool parse_ipv6(const char *text, uint8_t *ret_ip)
{
    uint16_t groups[IPV6_GROUPS] = { 0 };
    int count = 0;
    int gap = -1;

    if (text[0] == ':' && text[1] == ':') {
        gap = 0;
        text += 2;
    }
    while (*text != '\0') {
        uint8_t tail[4];
        const char *next;

        if (count <= IPV6_GROUPS - 2 && strchr(text, ':') == NULL && parse_ipv4(text, tail)) {
            groups[count++] = (uint16_t)(tail[0] << 8 | tail[1]);
            groups[count++] = (uint16_t)(tail[2] << 8 | tail[3]);
            break;
        }
        if (count == IPV6_GROUPS)
            return false;
        next = parse_group(text, &groups[count]);
        if (next == NULL)
            return false;
        count++;
        text = next;
        if (*text == '\0')
            break;
        if (*text++ != ':' || *text == '\0')
            return false;
        if (*text == ':') {
            if (gap != -1)
                return false;
            gap = count;
            text++;
        }
    }
    if (gap == -1 ? count != IPV6_GROUPS : count >= IPV6_GROUPS)
        return false;
    for (int i = 0; i < IPV6_GROUPS; i++) {
        int moved = IPV6_GROUPS - count;
        uint16_t group = 0;

        if (gap == -1 || i < gap)
            group = groups[i];
        else if (i >= gap + moved)
            group = groups[i - moved];
        *ret_ip++ = (uint8_t)(group >> 8);
        *ret_ip++ = (uint8_t)(group & 0xFF);
    }
    return true;
}

bool address_parse_host(const char *text, struct address *ret_address)
{
    struct address address = { .family = ADDRESS_IPV4 };

    if (!parse_ipv4(text, address.ip)) {
        memset(address.ip, 0, sizeof address.ip);
        address.family = ADDRESS_IPV6;
        if (!parse_ipv6(text, address.ip))
            return false;
    }
    *ret_address = address;
    return true;
}

static const char *parse_unix(const char *path, struct address *ret_address)
{
    struct address address = { .family = ADDRESS_UNIX };

    if (path[0] != '/')
        return "the path of a Unix socket must be absolute, as in unix:/run/web.sock";
    if (!str_copy(address.path, sizeof address.path, path))
        return "the path of a Unix socket can have at most 107 bytes";
    for (const char *c = path; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            return "the path of a Unix socket cannot hold control characters";
    if (path[strlen(path) - 1] == '/')
        return "the path of a Unix socket cannot end with '/'";
    *ret_address = address;
    return NULL;
}

const char *address_parse(const char *text, struct address *ret_address)
{
    char host[HOST_TEXT_BYTES];
    struct address address;
    const char *colon;
    const char *from = text;
    uint64_t port;
    size_t length;

    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, ret_address);
    colon = strrchr(text, ':');
    if (colon == NULL || text[strlen(text) - 1] == ']')
        return "write an address and a port, as in 127.0.0.1:8787";
    if (!str_to_uint(colon + 1, 65535, &port) || (colon[1] == '0' && colon[2] != '\0'))
        return "the port must be a number from 0 to 65535";
    length = (size_t)(colon - text);
    if (length >= 2 && text[0] == '[' && colon[-1] == ']') {
        from = text + 1;
        length -= 2;
    } else if (memchr(text, ':', length) != NULL) {
        return "an IPv6 address goes in brackets, as in [::1]:8787";
    }
    if (length == 0 || length >= sizeof host)
        return "write an IP address before the port, as in 127.0.0.1:8787";
    memcpy(host, from, length);
    host[length] = '\0';
    if (!address_parse_host(host, &address) || (address.family == ADDRESS_IPV6) != (from != text))
        return "not an IP address; write one, or localhost";
    address.port = (uint16_t)port;
    *ret_address = address;
    return NULL;
}

struct address address_ipv4(uint32_t host, uint16_t port)
{
    struct address address = { .family = ADDRESS_IPV4, .port = port };

    for (int i = 0; i < 4; i++)
        address.ip[i] = (uint8_t)(host >> (24 - 8 * i));
    return address;
}

struct address address_ipv6_loopback(uint16_t port)
{
    struct address address = { .family = ADDRESS_IPV6, .port = port };

    address.ip[15] = 1;
    return address;
}

static unsigned group_at(const uint8_t *ip, int i)
{
    const uint8_t *group = ip + (size_t)i * 2;

    return (unsigned)(group[0] << 8 | group[1]);
}

/* The canonical form of RFC 5952: lower case, the longest run of zero groups as "::". */
static void format_ipv6(const uint8_t *ip, char *ret_text, size_t size)
{
    int best = -1;
    int best_length = 1;
    size_t at = 0;

    for (int i = 0; i < IPV6_GROUPS; i++) {
        int length = 0;

        while (i + length < IPV6_GROUPS && group_at(ip, i + length) == 0)
            length++;
        if (length > best_length) {
            best = i;
            best_length = length;
        }
    }
    for (int i = 0; i < IPV6_GROUPS && at < size; i++) {
        int written;

        if (i == best) {
            written = snprintf(ret_text + at, size - at, "::");
            i += best_length - 1;
        } else {
            written = snprintf(ret_text + at, size - at, "%s%x",
                    i > 0 && i != best + best_length ? ":" : "", group_at(ip, i));
        }
        at += (size_t)written;
    }
}

void address_format_host(const struct address *address, char *ret_text, size_t size)
{
    switch (address->family) {
    case ADDRESS_NONE:
        (void)snprintf(ret_text, size, "%s", "");
        break;
    case ADDRESS_IPV4:
        (void)snprintf(ret_text, size, "%u.%u.%u.%u", address->ip[0], address->ip[1],
                address->ip[2], address->ip[3]);
        break;
    case ADDRESS_IPV6:
        format_ipv6(address->ip, ret_text, size);
        break;
    case ADDRESS_UNIX:
        (void)snprintf(ret_text, size, "%s", address->path);
        break;
    }
}

void address_format(const struct address *address, char *ret_text, size_t size)
{
    char host[HOST_TEXT_BYTES];

    if (address->family == ADDRESS_UNIX) {
        (void)snprintf(ret_text, size, "unix:%s", address->path);
        return;
    }
    address_format_host(address, host, sizeof host);
    if (address->family == ADDRESS_IPV6)
        (void)snprintf(ret_text, size, "[%s]:%u", host, address->port);
    else
        (void)snprintf(ret_text, size, "%s:%u", host, address->port);
}

void address_format_url(const struct address *address, char *ret_text, size_t size)
{
    char text[ADDRESS_TEXT_BYTES];
    struct address shown = *address;

    if (address_is_wildcard(address))
        shown = address_ipv4(0x7F000001, address->port);
    address_format(&shown, text, sizeof text);
    (void)snprintf(ret_text, size, "%s%s", address->family == ADDRESS_UNIX ? "" : "http://", text);
}

bool address_is_ip(const struct address *address)
{
    return address->family == ADDRESS_IPV4 || address->family == ADDRESS_IPV6;
}

bool address_is_wildcard(const struct address *address)
{
    static const uint8_t zero[16];

    return address_is_ip(address) && memcmp(address->ip, zero, sizeof zero) == 0;
}

bool address_is_loopback(const struct address *address)
{
    struct address loopback = address_ipv6_loopback(address->port);

    if (address->family == ADDRESS_IPV4)
        return address->ip[0] == 127;
    return address_equal(address, &loopback);
}

bool address_equal(const struct address *a, const struct address *b)
{
    if (a->family != b->family)
        return false;
    if (a->family == ADDRESS_UNIX)
        return strcmp(a->path, b->path) == 0;
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static struct address unmapped(const struct address *address)
{
    static const uint8_t prefix[12] = { [10] = 0xFF, [11] = 0xFF };
    struct address result = *address;

    if (address->family != ADDRESS_IPV6 || memcmp(address->ip, prefix, sizeof prefix) != 0)
        return result;
    result.family = ADDRESS_IPV4;
    memset(result.ip, 0, sizeof result.ip);
    memcpy(result.ip, address->ip + 12, 4);
    return result;
}

bool address_covers(const struct address *listening, const struct address *target)
{
    struct address a = unmapped(listening);
    struct address b = unmapped(target);

    if (address_equal(&a, &b))
        return true;
    if (!address_is_ip(&a) || !address_is_ip(&b) || a.port != b.port || !address_is_wildcard(&a))
        return false;
    return a.family == b.family || a.family == ADDRESS_IPV6;
}

bool address_overlap(const struct address *a, const struct address *b)
{
    return address_covers(a, b) || address_covers(b, a);
}

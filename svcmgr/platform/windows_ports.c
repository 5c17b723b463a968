/* Ports that Windows keeps from everybody, for virtual machines and the like.  There is no call
 * that lists them; netsh(1) does. */
#include <string.h>

#include "str.h"
#include "windows_parts.h"

#include "banned.h"

#define NETSH_MS     3000
#define NETSH_BYTES  65536
#define REMEMBERS_MS 10000

static const char *skip_blanks(const char *at)
{
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

/* False: no number of a port is there. */
static bool read_port(const char **at, uint16_t *ret_port)
{
    const char *from = skip_blanks(*at);
    char digits[8];
    uint64_t number;
    size_t length = 0;

    while (str_is_digit(from[length]))
        length++;
    if (!str_format(digits, sizeof digits, "%.*s", (int)length, from) ||
            !str_to_uint(digits, UINT16_MAX, &number))
        return false;
    *at = from + length;
    *ret_port = (uint16_t)number;
    return true;
}

/* Its words are in the system's language; the lines that begin with two numbers are ranges. */
bool windows_find_range(const char *text, uint16_t port, uint16_t *ret_first, uint16_t *ret_last)
{
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        const char *at = *line == '\n' ? ++line : line;
        uint16_t first;
        uint16_t last;

        if (read_port(&at, &first) && read_port(&at, &last) && first <= port && port <= last) {
            *ret_first = first;
            *ret_last = last;
            return true;
        }
    }
    return false;
}

static void ask_netsh(bool is_ipv6, struct buffer *out)
{
    WCHAR directory[MAX_PATH];
    char folder[PLATFORM_PATH_BYTES];
    char program[PLATFORM_PATH_BYTES];
    const char *words[] = { program, "int", is_ipv6 ? "ipv6" : "ipv4", "show", "excludedportrange",
        "protocol=tcp", NULL };
    UINT length = GetSystemDirectoryW(directory, MAX_PATH);
    struct err err;
    int code;

    if (length > 0 && length < MAX_PATH && windows_from_wide(directory, folder, sizeof folder) &&
            str_format(program, sizeof program, "%s\\netsh.exe", folder))
        (void)platform_capture(words, NETSH_MS, NETSH_BYTES, out, &code, &err);
}

/* A bind is tried again and again: it is not asked every time. */
bool windows_reserved_ports(const struct address *address, uint16_t *ret_first, uint16_t *ret_last)
{
    static struct {
        struct buffer text;
        int64_t until_ms;
    } known[2];
    bool is_ipv6 = address->family == ADDRESS_IPV6;
    int64_t now_ms = platform_now_ms();

    if (now_ms >= known[is_ipv6].until_ms) {
        buffer_free(&known[is_ipv6].text);
        ask_netsh(is_ipv6, &known[is_ipv6].text);
        known[is_ipv6].until_ms = now_ms + REMEMBERS_MS;
    }
    return windows_find_range(
            buffer_text(&known[is_ipv6].text), address->port, ret_first, ret_last);
}

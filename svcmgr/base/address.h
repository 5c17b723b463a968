/* Where a service listens: an IPv4 or IPv6 address with a port, or the path of a Unix socket. */
#ifndef SVCMGR_ADDRESS_H
#define SVCMGR_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* sun_path holds 108 bytes with the NUL on Linux: unix(7); 104 on macOS. */
#define ADDRESS_PATH_BYTES 108
/* Room for every text that the functions here make. */
#define ADDRESS_TEXT_BYTES (ADDRESS_PATH_BYTES + 16)

enum address_family { ADDRESS_NONE, ADDRESS_IPV4, ADDRESS_IPV6, ADDRESS_UNIX };

struct address {
    enum address_family family;
    uint8_t ip[16]; /* network order; IPv4 uses the first four, the rest is 0 */
    uint16_t port;
    char path[ADDRESS_PATH_BYTES]; /* Unix only */
};

/* Reads "127.0.0.1:8787", "[::1]:8787" or "unix:/absolute/path".  Returns NULL, or what is wrong as
 * a phrase for a message. */
const char *address_parse(const char *text, struct address *ret_address);

/* Reads an IP address without a port; the port becomes 0. */
bool address_parse_host(const char *text, struct address *ret_address);

struct address address_ipv4(uint32_t host, uint16_t port); /* host in native order */
struct address address_ipv6_loopback(uint16_t port);

/* "127.0.0.1:8787", "[::1]:8787", "unix:/path" */
void address_format(const struct address *address, char *ret_text, size_t size);
/* "127.0.0.1", "::1", "/path" */
void address_format_host(const struct address *address, char *ret_text, size_t size);
/* "http://127.0.0.1:8787"; a wildcard becomes the loopback address of its family (IPv4 for "::",
 * which is dual-stack), since a browser cannot open a wildcard; "unix:/path" */
void address_format_url(const struct address *address, char *ret_text, size_t size);

bool address_is_ip(const struct address *address);
bool address_is_wildcard(const struct address *address);
bool address_is_loopback(const struct address *address);
bool address_equal(const struct address *a, const struct address *b);

/* Whether a connection to 'target' may reach a socket that listens on 'listening': the same
 * address, or the wildcard of its family, or "::" for IPv4 (dual-stack is the default on Linux and
 * macOS). An IPv4-mapped IPv6 address counts as the IPv4 address. */
bool address_covers(const struct address *listening, const struct address *target);

/* Whether one of the two covers the other. */
bool address_overlap(const struct address *a, const struct address *b);

#endif

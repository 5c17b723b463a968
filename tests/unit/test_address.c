#include "unit.h"

#include "address.h"
#include "str.h"

#include "banned.h"

#define PATH_107                                                                                   \
    "/23456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"   \
    "12345678901234567"

static struct address parsed(const char *text)
{
    struct address address = { 0 };
    const char *wrong = address_parse(text, &address);

    if (wrong != NULL)
        fail_msg("row \"%s\": %s", text, wrong);
    return address;
}

static void reads_and_writes_addresses(void **state)
{
    static const struct {
        const char *text;
        const char *format;
        const char *host;
        const char *url;
    } rows[] = {
        { "127.0.0.1:8787", "127.0.0.1:8787", "127.0.0.1", "http://127.0.0.1:8787" },
        { "0.0.0.0:80", "0.0.0.0:80", "0.0.0.0", "http://127.0.0.1:80" },
        { "255.255.255.255:0", "255.255.255.255:0", "255.255.255.255", "http://255.255.255.255:0" },
        { "[::1]:8787", "[::1]:8787", "::1", "http://[::1]:8787" },
        { "[::]:65535", "[::]:65535", "::", "http://127.0.0.1:65535" },
        { "[2001:DB8::1]:1", "[2001:db8::1]:1", "2001:db8::1", "http://[2001:db8::1]:1" },
        { "[1:2:3:4:5:6:7:8]:1", "[1:2:3:4:5:6:7:8]:1", "1:2:3:4:5:6:7:8",
                "http://[1:2:3:4:5:6:7:8]:1" },
        { "[0001:0:0:0:0:0:0:0]:1", "[1::]:1", "1::", "http://[1::]:1" },
        { "[1:0:0:2:0:0:0:3]:1", "[1:0:0:2::3]:1", "1:0:0:2::3", "http://[1:0:0:2::3]:1" },
        { "[1::2:0:0:3]:1", "[1::2:0:0:3]:1", "1::2:0:0:3", "http://[1::2:0:0:3]:1" },
        /* RFC 5952, 4.2.2: one group of zeros is written out. */
        { "[1:2:3:4:5:6:7::]:1", "[1:2:3:4:5:6:7:0]:1", "1:2:3:4:5:6:7:0",
                "http://[1:2:3:4:5:6:7:0]:1" },
        { "[::2:3:4:5:6:7:8]:1", "[0:2:3:4:5:6:7:8]:1", "0:2:3:4:5:6:7:8",
                "http://[0:2:3:4:5:6:7:8]:1" },
        { "[::ffff:1.2.3.4]:1", "[::ffff:102:304]:1", "::ffff:102:304",
                "http://[::ffff:102:304]:1" },
        { "[1:2:3:4:5:6:1.2.3.4]:1", "[1:2:3:4:5:6:102:304]:1", "1:2:3:4:5:6:102:304",
                "http://[1:2:3:4:5:6:102:304]:1" },
        { "unix:/run/web.sock", "unix:/run/web.sock", "/run/web.sock", "unix:/run/web.sock" },
        { "unix:/a:80", "unix:/a:80", "/a:80", "unix:/a:80" },
        { "unix:" PATH_107, "unix:" PATH_107, PATH_107, "unix:" PATH_107 },
    };
    char text[ADDRESS_TEXT_BYTES];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address address = parsed(rows[i].text);
        struct address again;

        address_format(&address, text, sizeof text);
        CHECK_TEXT(rows[i].text, text, rows[i].format);
        again = parsed(text);
        CHECK(rows[i].text, address_equal(&address, &again));
        address_format_host(&address, text, sizeof text);
        CHECK_TEXT(rows[i].text, text, rows[i].host);
        address_format_url(&address, text, sizeof text);
        CHECK_TEXT(rows[i].text, text, rows[i].url);
    }
}

static void refuses_what_is_no_address(void **state)
{
    static const struct {
        const char *text;
        const char *said; /* a part of the phrase */
    } rows[] = {
        { "", "an address and a port" },
        { "8787", "an address and a port" },
        { "127.0.0.1", "an address and a port" },
        { "[::1]", "an address and a port" },
        { "127.0.0.1:", "port must be" },
        { "127.0.0.1:65536", "port must be" },
        { "127.0.0.1:-1", "port must be" },
        { "127.0.0.1:080", "port must be" },
        { "127.0.0.1: 80", "port must be" },
        { "127.0.0.1:http", "port must be" },
        { ":8787", "before the port" },
        { "[]:8787", "before the port" },
        { "::1:8787", "brackets" },
        { "::1", "brackets" },
        { "[::1:80", "brackets" },
        { "localhost:8787", "not an IP address" },
        { "example.com:80", "not an IP address" },
        { "[127.0.0.1]:80", "not an IP address" },
        { "127.0.0:80", "not an IP address" },
        { "127.0.0.1.1:80", "not an IP address" },
        { "127.0.0.256:80", "not an IP address" },
        { "127.0.0.01:80", "not an IP address" },
        { "127.0.0.0001:80", "not an IP address" },
        { "127..0.1:80", "not an IP address" },
        { "127.0.0.1x:80", "not an IP address" },
        { " 127.0.0.1:80", "not an IP address" },
        { "[:1]:80", "not an IP address" },
        { "[1:]:80", "not an IP address" },
        { "[1:2:3:4:5:6:7]:80", "not an IP address" },
        { "[1:2:3:4:5:6:7:8:9]:80", "not an IP address" },
        { "[1:2:3:4:5:6:7:8::]:80", "not an IP address" },
        { "[1::2:3:4:5:6:7:8]:80", "not an IP address" },
        { "[1::2::3]:80", "not an IP address" },
        { "[:::]:80", "not an IP address" },
        { "[1:::2]:80", "not an IP address" },
        { "[12345::]:80", "not an IP address" },
        { "[g::]:80", "not an IP address" },
        { "[fe80::1%eth0]:80", "not an IP address" },
        { "[::1.2.3]:80", "not an IP address" },
        { "[1:2:3:4:5:6:7:1.2.3.4]:80", "not an IP address" },
        { "[1.2.3.4::]:80", "not an IP address" },
        { "1111111111111111111111111111111111111111111111111111111111111111:80",
                "before the port" },
        { "unix:", "absolute" },
        { "unix:run/web.sock", "absolute" },
        { "unix:/", "end with" },
        { "unix:/run/", "end with" },
        { "unix:" PATH_107 "8", "107" },
        { "unix:/a\nb", "control characters" },
        { "unix:/a\x7F", "control characters" },
        { "UNIX:/a", "port must be" },
    };
    static const struct address untouched = { .family = ADDRESS_IPV4, .port = 77 };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address address = untouched;
        const char *wrong = address_parse(rows[i].text, &address);

        CHECK(rows[i].text, wrong != NULL);
        if (strstr(wrong, rows[i].said) == NULL)
            fail_msg("row \"%s\": says \"%s\"", rows[i].text, wrong);
        CHECK(rows[i].text, address_equal(&address, &untouched));
    }
}

static void reads_hosts(void **state)
{
    struct address address;
    struct address expected = address_ipv4(0x7F000001, 0);

    assert_true(address_parse_host("127.0.0.1", &address));
    assert_true(address_equal(&address, &expected));
    expected = address_ipv6_loopback(0);
    assert_true(address_parse_host("::1", &address));
    assert_true(address_equal(&address, &expected));
    assert_false(address_parse_host("[::1]", &address));
    assert_false(address_parse_host("localhost", &address));
    assert_false(address_parse_host("127.0.0.1:80", &address));
    assert_false(address_parse_host("", &address));
}

static void says_what_an_address_is(void **state)
{
    static const struct {
        const char *text;
        bool ip, wildcard, loopback;
    } rows[] = {
        { "127.0.0.1:1", true, false, true },
        { "127.255.0.9:1", true, false, true },
        { "128.0.0.1:1", true, false, false },
        { "0.0.0.0:1", true, true, false },
        { "[::]:1", true, true, false },
        { "[::1]:1", true, false, true },
        { "[::2]:1", true, false, false },
        { "unix:/a", false, false, false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address address = parsed(rows[i].text);

        CHECK(rows[i].text, address_is_ip(&address) == rows[i].ip);
        CHECK(rows[i].text, address_is_wildcard(&address) == rows[i].wildcard);
        CHECK(rows[i].text, address_is_loopback(&address) == rows[i].loopback);
    }
}

static void knows_equal_addresses(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        { "127.0.0.1:1", "127.0.0.1:1", true },
        { "127.0.0.1:1", "127.0.0.1:2", false },
        { "127.0.0.1:1", "127.0.0.2:1", false },
        { "0.0.0.0:1", "[::]:1", false },
        { "[::1]:1", "[0:0::1]:1", true },
        { "unix:/a", "unix:/a", true },
        { "unix:/a", "unix:/b", false },
        { "unix:/a", "127.0.0.1:1", false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address a = parsed(rows[i].a);
        struct address b = parsed(rows[i].b);

        CHECK(rows[i].b, address_equal(&a, &b) == rows[i].equal);
        CHECK(rows[i].b, address_equal(&b, &a) == rows[i].equal);
    }
}

static void knows_who_receives(void **state)
{
    static const struct {
        const char *listening, *target;
        bool covers;
    } rows[] = {
        { "127.0.0.1:1", "127.0.0.1:1", true },
        { "127.0.0.1:1", "127.0.0.1:2", false },
        { "0.0.0.0:1", "127.0.0.1:1", true },
        { "0.0.0.0:1", "127.0.0.1:2", false },
        { "127.0.0.1:1", "0.0.0.0:1", false },
        { "0.0.0.0:1", "[::1]:1", false },
        { "[::]:1", "[::1]:1", true },
        { "[::]:1", "127.0.0.1:1", true },
        { "[::]:1", "0.0.0.0:1", true },
        { "[::]:1", "127.0.0.1:2", false },
        { "[::1]:1", "127.0.0.1:1", false },
        { "[::1]:1", "[::]:1", false },
        { "[::ffff:127.0.0.1]:1", "127.0.0.1:1", true },
        { "127.0.0.1:1", "[::ffff:127.0.0.1]:1", true },
        { "0.0.0.0:1", "[::ffff:127.0.0.1]:1", true },
        { "[::ffff:0.0.0.0]:1", "127.0.0.1:1", true },
        { "[::ffff:0.0.0.0]:1", "[::1]:1", false },
        { "unix:/a", "unix:/a", true },
        { "unix:/a", "unix:/b", false },
        { "[::]:1", "unix:/a", false },
        { "unix:/a", "[::]:1", false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address listening = parsed(rows[i].listening);
        struct address target = parsed(rows[i].target);

        if (address_covers(&listening, &target) != rows[i].covers)
            fail_msg("row \"%s\", \"%s\"", rows[i].listening, rows[i].target);
    }
}

static void formats_nothing(void **state)
{
    struct address none = { 0 };
    char text[ADDRESS_TEXT_BYTES];

    address_format_host(&none, text, sizeof text);
    assert_string_equal(text, "");
    assert_false(address_is_ip(&none));
    /* A cut text is still a text. */
    none = address_ipv6_loopback(1);
    none.ip[0] = 0x20;
    address_format_host(&none, text, 3);
    assert_string_equal(text, "20");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_addresses),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(reads_hosts),
        cmocka_unit_test(says_what_an_address_is),
        cmocka_unit_test(knows_equal_addresses),
        cmocka_unit_test(knows_who_receives),
        cmocka_unit_test(formats_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

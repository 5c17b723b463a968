/* What can be told of the machine's own addresses from their list alone. */
#include "platform.h"

#include "banned.h"

#define OWN_ADDRESSES_MAX 64

bool platform_has_address(const struct address *address)
{
    struct address own[OWN_ADDRESSES_MAX];
    struct address wanted = *address;
    size_t count;

    if (!address_is_ip(address) || address_is_wildcard(address) || address_is_loopback(address))
        return true;
    wanted.port = 0;
    count = platform_own_addresses(own, OWN_ADDRESSES_MAX);
    for (size_t i = 0; i < count; i++)
        if (address_equal(&own[i], &wanted))
            return true;
    return count == 0; /* cannot be told: the bind will say it */
}

bool platform_has_ipv6(void)
{
    struct platform_bind loopback = { .address = address_ipv6_loopback(0), .only_ipv6 = true };
    platform_handle handle;
    struct address bound;
    struct err err;

    if (platform_bind(&loopback, &handle, &bound, &err) != PLATFORM_BIND_OK)
        return false;
    platform_close(handle);
    return true;
}

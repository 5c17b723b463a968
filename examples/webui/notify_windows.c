/* Windows has no datagram sockets with names: a service manager there asks for its health. */
#include "notify.h"

void notify_send(const char *text, bool patient)
{
    (void)text;
    (void)patient;
}

int notify_watchdog_ms(void)
{
    return 0;
}

/* Where nothing can be taken out of a process that still has it.  On Windows only its owner can
 * give a socket away (WSADuplicateSocket), and a pipe has one reading end, which was its
 * supervisor's. */
#include "platform.h"

#include "banned.h"

platform_handle platform_take_socket(int64_t pid, uint64_t socket_id)
{
    (void)pid;
    (void)socket_id;
    return PLATFORM_NO_HANDLE;
}

platform_handle platform_take_output(int64_t pid, int number)
{
    (void)pid;
    (void)number;
    return PLATFORM_NO_HANDLE;
}

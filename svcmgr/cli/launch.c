#include "launch.h"

#include "banned.h"

int launch_supervisor(const struct target *target, struct peer *ret_peer, struct err *err)
{
    const char *words[12];
    size_t count = 0;
    platform_handle ends[2];
    int result;

    words[count++] = "svcmgr";
    words[count++] = target->is_system ? "--system" : "--user";
    words[count++] = "run";
    words[count++] = target->name;
    words[count++] = "--background";
    words[count++] = "--config";
    words[count++] = target->config_path;
    words[count++] = "--state";
    words[count++] = target->state_path;
    words[count] = NULL;
    if (platform_stream_pair(ends, err) == -1)
        return -1;
    result = platform_spawn_background(words, &ends[1], 1, err);
    platform_close(ends[1]);
    if (result == -1)
        platform_close(ends[0]);
    else
        peer_adopt(ends[0], ret_peer);
    return result;
}

#include "launch.h"

#include <string.h>

#include "banned.h"

#define WORDS_MAX 12

int launch_check_control(const struct cli *cli, struct err *err)
{
    if (cli->control == NULL || strcmp(cli->control, "tcp") == 0 ||
            (strcmp(cli->control, "unix") == 0 && platform_has_control_sockets()))
        return 0;
    return err_set(err, ERR_USAGE, 0, "--control must be %s, not \"%s\"",
            platform_has_control_sockets() ? "unix or tcp" : "tcp here", cli->control);
}

bool launch_is_over_tcp(const struct cli *cli)
{
    return cli->control != NULL ? strcmp(cli->control, "tcp") == 0
                                : !platform_has_control_sockets();
}

int launch_supervisor(
        const struct cli *cli, const struct target *target, struct peer *ret_peer, struct err *err)
{
    const char *words[WORDS_MAX];
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
    if (cli->control != NULL) {
        words[count++] = "--control";
        words[count++] = cli->control;
    }
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

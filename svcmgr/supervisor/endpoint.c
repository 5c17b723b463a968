#include "endpoint.h"

#include "marker_file.h"
#include "peer.h"
#include "str.h"
#include "supervisor.h"

#include "banned.h"

#define TCP_BACKLOG    128
#define TRY_CONNECT_MS 1000

/* The port is published only when somebody listens on it. */
static int listen_on_tcp(const char *directory, struct marker *ret_marker,
        platform_handle *ret_handle, struct err *err)
{
    struct platform_bind bind = {
        .address = address_ipv4(0x7f000001, 0), .listen = true, .backlog = TCP_BACKLOG
    };
    struct marker marker;
    struct address bound;
    platform_handle handle;

    if (platform_random(marker.token, sizeof marker.token, err) == -1)
        return -1;
    if (platform_bind(&bind, &handle, &bound, err) != PLATFORM_BIND_OK) {
        err->kind = ERR_FAILED;
        return err_prefix(err, "cannot make the control channel");
    }
    marker.port = bound.port;
    if (marker_file_write(directory, &marker, err) == -1) {
        platform_close(handle);
        return -1;
    }
    *ret_marker = marker;
    *ret_handle = handle;
    return 0;
}

static void remove_socket(const char *directory)
{
    char path[PLATFORM_PATH_BYTES];
    struct err err;

    (void)str_format(path, sizeof path, "%s/%s", directory, PEER_CONTROL_NAME);
    (void)platform_remove_file(path, &err);
}

/* Each supervisor has a port and a token of its own: its keeper holds none for the next one, whose
 * clients find the new marker. */
static int open_tcp(struct supervisor *sup, struct err *err)
{
    struct control *control = &sup->control;
    platform_handle handle;

    remove_socket(sup->options.state_directory);
    if (listen_on_tcp(sup->options.state_directory, &control->marker, &handle, err) == -1)
        return -1;
    control->over_tcp = true;
    return control_open(control, handle, ROLE_CONTROL, err);
}

/* The handle that the keeper kept, or a new one in its place. */
static int open_socket(struct supervisor *sup, struct err *err)
{
    platform_handle handle = link_take(&sup->link, "control");

    marker_file_remove(sup->options.state_directory, NULL);
    if (handle == PLATFORM_NO_HANDLE) {
        if (platform_control_listen(
                    sup->options.state_directory, PEER_CONTROL_NAME, &handle, err) == -1)
            return -1;
        link_hold(&sup->link, "control", handle);
    }
    return control_open(&sup->control, handle, ROLE_CONTROL, err);
}

int endpoint_open(struct supervisor *sup, struct err *err)
{
    return sup->options.control_over_tcp ? open_tcp(sup, err) : open_socket(sup, err);
}

void endpoint_remove(const struct supervisor *sup)
{
    if (!sup->options.control_over_tcp)
        remove_socket(sup->options.state_directory);
    else if (sup->control.over_tcp)
        marker_file_remove(sup->options.state_directory, &sup->control.marker);
}

static int try_tcp(const char *state_directory, struct err *err)
{
    struct marker marker;
    struct address address;
    platform_handle listener;
    platform_handle client;
    int result;

    if (listen_on_tcp(state_directory, &marker, &listener, err) == -1)
        return -1;
    address = address_ipv4(0x7f000001, marker.port);
    result = platform_tcp_connect(&address, platform_now_ms() + TRY_CONNECT_MS, &client, err);
    if (result == 0)
        platform_close(client);
    platform_close(listener);
    return result;
}

int endpoint_try(const char *state_directory, bool over_tcp, struct err *err)
{
    platform_handle listener;
    struct peer peer;
    int result;

    if (over_tcp)
        return try_tcp(state_directory, err);
    if (platform_control_listen(state_directory, PEER_CONTROL_NAME, &listener, err) == -1)
        return -1;
    result = peer_connect(state_directory, &peer, err);
    if (result == 0)
        peer_close(&peer);
    platform_close(listener);
    return result;
}

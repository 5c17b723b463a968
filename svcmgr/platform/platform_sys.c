#include "platform_sys.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct platform_sys sys = {
    .open = open,
    .close = close,
    .read = read,
    .write = write,
    .pread = pread,
    .pwrite = pwrite,
    .writev = writev,
    .rename = rename,
    .unlink = unlink,
    .mkdir = mkdir,
    .ftruncate = ftruncate,
    .flock = flock,
    .fcntl = fcntl,
    .dup = dup,
    .pipe = pipe,
    .fork = fork,
    .kill = kill,
    .waitid = waitid,
    .socket = socket,
    .socketpair = socketpair,
    .setsockopt = setsockopt,
    .bind = bind,
    .listen = listen,
    .connect = connect,
    .accept = accept,
    .send = send,
    .sendmsg = sendmsg,
    .recvmsg = recvmsg,
    .getentropy = getentropy,
    .poll = poll,
};

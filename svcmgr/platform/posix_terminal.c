/* Terminals: the one that a person sits at, and pseudo-terminals for commands. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix_source.h"

#include "banned.h"

#define WIDTH_UNKNOWN 80
#define TERMINAL_MODE 0620 /* what grantpt(3) gives */
#define EOF_BYTE      '\004'

bool platform_is_terminal(platform_handle handle)
{
    return isatty((int)handle) == 1;
}

bool platform_terminal_size(platform_handle handle, uint16_t *ret_rows, uint16_t *ret_cols)
{
    struct winsize size;

    if (ioctl((int)handle, TIOCGWINSZ, &size) == -1 || size.ws_row == 0 || size.ws_col == 0)
        return false;
    *ret_rows = size.ws_row;
    *ret_cols = size.ws_col;
    return true;
}

int platform_terminal_width(platform_handle handle)
{
    uint16_t rows;
    uint16_t cols;

    return platform_terminal_size(handle, &rows, &cols) ? cols : WIDTH_UNKNOWN;
}

int platform_terminal_resize(platform_handle handle, uint16_t rows, uint16_t cols, struct err *err)
{
    struct winsize size = { .ws_row = rows, .ws_col = cols };

    if (ioctl((int)handle, TIOCSWINSZ, &size) == -1)
        return err_set(err, ERR_FAILED, errno, "%s", strerror(errno));
    return 0;
}

static int open_other_side(int ours, uint32_t uid)
{
    const char *path;
    int fd;

    if (grantpt(ours) == -1 || unlockpt(ours) == -1)
        return -1;
    path = ptsname(ours);
    fd = path != NULL ? sys.open(path, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
    /* Programs open their terminal by its name too. */
    if (fd != -1 && uid != (uint32_t)geteuid() &&
            (fchown(fd, (uid_t)uid, (gid_t)-1) == -1 || fchmod(fd, TERMINAL_MODE) == -1)) {
        sys.close(fd);
        return -1;
    }
    return fd;
}

int platform_terminal_pair(
        uint32_t uid, platform_handle *ret_ours, platform_handle *ret_child, struct err *err)
{
    int ours = posix_openpt(O_RDWR | O_NOCTTY);
    int child = -1;

    if (ours != -1 && posix_set_cloexec(ours) == 0)
        child = open_other_side(ours, uid);
    if (child == -1) {
        err_set(err, ERR_FAILED, errno, "cannot make a pseudo-terminal: %s", strerror(errno));
        if (ours != -1)
            sys.close(ours);
        return -1;
    }
    *ret_ours = ours;
    *ret_child = child;
    return 0;
}

char platform_terminal_eof(platform_handle ours)
{
    struct termios modes;

    return tcgetattr((int)ours, &modes) == 0 ? (char)modes.c_cc[VEOF] : EOF_BYTE;
}

/* ---- The person's ---------------------------------------------------------------------------- */

static struct {
    bool is_raw;
    int fd;
    struct termios former;
} person;

int platform_terminal_raw(platform_handle handle, struct err *err)
{
    static bool will_restore;
    struct termios raw;

    if (tcgetattr((int)handle, &person.former) == -1)
        return err_set(
                err, ERR_FAILED, errno, "cannot read the terminal's modes: %s", strerror(errno));
    raw = person.former;
    cfmakeraw(&raw);
    if (!will_restore)
        (void)atexit(platform_terminal_restore);
    will_restore = true;
    person.fd = (int)handle;
    person.is_raw = true;
    posix_take_signal(SIGWINCH);
    if (tcsetattr(person.fd, TCSADRAIN, &raw) == -1)
        return err_set(
                err, ERR_FAILED, errno, "cannot set the terminal's modes: %s", strerror(errno));
    return 0;
}

void platform_terminal_restore(void)
{
    if (person.is_raw)
        (void)tcsetattr(person.fd, TCSADRAIN, &person.former);
    person.is_raw = false;
}

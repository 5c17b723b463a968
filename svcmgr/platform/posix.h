/* What the POSIX files share among themselves; nothing outside this folder includes it. */
#ifndef SVCMGR_POSIX_H
#define SVCMGR_POSIX_H

#include <sys/socket.h>
#include <sys/types.h>

#include "platform.h"
#include "sockaddr.h"

/* The descriptor that the first passed handle is put at: sd_listen_fds(3). */
#define POSIX_FIRST_PASSED 3

/* Close-on-exec, for descriptors that come from calls without a flag for it. */
int posix_set_cloexec(int fd);
int posix_set_nonblocking(int fd, bool nonblocking);

/* The kind of error that an errno means for the exit code: EACCES and EPERM are ERR_DENIED. */
enum err_kind posix_kind(int code);

/* All or nothing: platform_replace_file().  'is_private': by way of a file that nobody else can
 * have made. */
int posix_replace_file(const char *path, const char *data, size_t length, unsigned mode,
        bool is_private, struct err *err);

int posix_open_socket(const struct address *address);

/* On a TCP stream a short line does not wait until the one before it is acknowledged (Nagle, with
 * the other side's delay of 40 ms: tcp(7)); nothing on any other one. */
void posix_send_at_once(int fd);

/* Makes datagrams tell who sent them, where the system can do that. */
int posix_pass_credentials(int fd);

/* Who is at the other end of a connected Unix socket. */
void posix_peer(int fd, struct platform_peer *ret_peer);
/* Receives a datagram with its sender and a descriptor, if one came; -1: nothing there. */
long posix_receive_notify(int fd, char *ret_data, size_t size, struct platform_peer *ret_peer,
        platform_handle *ret_handle);

/* Whether the connection whose server side is 'own' was accepted: platform_is_accepted(). */
int posix_connection_accepted(const struct address *own, const struct address *peer);

/* Room for one descriptor beside a message. */
union posix_control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};
/* Sends a duplicate of a handle (or none) along with a message. */
void posix_attach(struct msghdr *message, union posix_control *space, platform_handle passed);

/* Takes the one that came with a received message, close-on-exec; -1: none.  More than one has no
 * meaning here: the others are closed. */
int posix_take_descriptor(struct msghdr *message);

/* CMSG_NXTHDR(3) without the warnings that some C libraries' macro has. */
struct cmsghdr *posix_next_control(struct msghdr *message, struct cmsghdr *control);

/* Whether to try again after an error, once a moment has passed: a machine that is out of memory or
 * descriptors just now must not part keeper and supervisor for ever.  *tries counts, from 0. */
bool posix_lacks_resources(int code, int *tries);

/* Waits for one descriptor; 1 ready, 0 time is up, -1 error.  EINTR is waited out. */
int posix_poll_one(int fd, short events, int64_t deadline_ms);

/* A pipe that holds so much, where that can be had. */
void posix_widen_pipe(int fd, int bytes);
/* SOCK_SEQPACKET where there is one, else SOCK_STREAM. */
int posix_channel_type(void);
/* What the name of a notification socket begins with: '@' is abstract, '/' a file. */
const char *posix_notify_prefix(void);

/* What a child that could not execute writes into its failure pipe before it ends. */
struct posix_failure {
    int stage; /* enum platform_stage */
    int code;  /* errno */
};

/* sigaction(2), remembered for posix_reset_changed_signals(). */
int posix_set_signal(int number, void (*handler)(int));
/* In a forked child: default dispositions, for every signal or for those that this process has
 * changed, which is quicker. */
void posix_reset_signals(void);
/* The same for the signals that the C library keeps for itself. */
void posix_reset_reserved_signals(void);
void posix_reset_changed_signals(void);
/* Blocks every signal (in the parent, around fork) and gives the former mask back. */
void posix_block_signals(void *ret_mask);
/* Whether one has come that platform_wait() has not told of yet. */
bool posix_signal_waits(void);
void posix_restore_signals(const void *mask);
/* In a forked child: killed when the parent dies, where the system can do that.  It may have died
 * before: look at getppid(2) after this. */
void posix_end_with_parent(void);
/* Closes every descriptor from 'first' on. */
void posix_close_from(int first);

/* ---- What each system has in its own way ------------------------------------------------------
 */

/* A process as the system's table has it. */
struct posix_process {
    char command[32];
    int64_t parent;
    int64_t group;
    int64_t session;
    int64_t terminal; /* its device; 0: none */
    uint64_t start_time;
    bool zombie;
};
/* False with errno: posix_says_gone() tells whether that is an answer. */
bool posix_read_process(int64_t pid, struct posix_process *ret_process);
/* Whether an error says something about the process (it is gone, or not for us to see) and not that
 * something was lacking to look at it. */
bool posix_says_gone(int code);
/* Calls 'each' with every pid until it returns false; false if they cannot be listed. */
bool posix_each_pid(bool (*each)(void *context, int64_t pid), void *context);
/* The words of its command line, or its environment, each with its NUL; returns their length in
 * all, at most size - 1 and with a NUL behind, -1 if they cannot be had. */
long posix_read_strings(int64_t pid, bool environment, char *ret_text, size_t size);
/* Its real user; -1 unknown. */
int64_t posix_process_uid(int64_t pid);
/* When it was started, by the wall clock. */
int64_t posix_started_wall_us(uint64_t start_time);
void posix_name_terminal(int64_t device, char *ret_text, size_t size);
/* From what wait(2) tells: posix_who.c. */
void posix_fill_exit(int status, struct platform_exit *ret_exit);
/* Whether it lives (no zombie) and is the very same process: posix_who.c. */
bool posix_is_same(const struct identity *identity);
/* The directories for configuration and state, those of a user behind the home. */
extern const struct posix_places {
    const char *system_config;
    const char *system_state;
    const char *user_config;
    const char *user_state;
} posix_places;
/* Which boot this is; "" unknown. */
const char *posix_boot_id(void);
/* Of a process (0: this one); 0: unknown, or the system has none. */
uint64_t posix_pid_namespace(int64_t pid);

/* Who a child is that was forked just now, after the clock was read; quicker than
 * platform_identify() where that is possible. */
int64_t posix_start_clock(void);
bool posix_identify_child(int64_t pid, int64_t before_fork, struct identity *ret_identity);
/* In a forked child: the groups of the user that it becomes. */
int posix_set_groups(const struct platform_spawn *spawn);
/* execve(2) of an open program; returns if it fails. */
void posix_execute(int program, const char *const *words, char *const *environment);

/* Sends a signal to exactly this process; -1 with errno, ESRCH if it is gone. */
int posix_signal(const struct identity *identity, int number);
/* A descriptor that becomes readable when the process ends (-1 with errno: cannot be had), and what
 * it then tells. */
int posix_open_process(const struct identity *identity);
void posix_process_exit(int fd, struct platform_exit *ret_exit);

/* The number of a descriptor of the process that is this socket, or 0 for any of them; -1: none,
 * -2: cannot be seen. */
int posix_find_socket(int64_t pid, uint64_t socket_id);
bool posix_is_listening(int fd);
/* What names a socket of ours system-wide: struct platform_listener. */
uint64_t posix_socket_id(int fd);
/* Whether somebody has a socket that the system would allow beside this one, but that would get
 * connections in its place, or lose them to it; 'own' is ours (-1: none yet). */
bool posix_is_overlapped(const struct platform_bind *bind, int own);
/* A descriptor that becomes readable when the other side of a stream may have closed all of it, for
 * posix_is_closed() to look; -1: poll(2) says so of the stream itself, with POLLHUP. */
int posix_open_close_watch(int fd);
bool posix_is_closed(int watch);

#endif
